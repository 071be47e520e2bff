/**
 * Acceptor: what becomes of a connection that a listener has accepted, by the kind of the listener. It owns what lies outside
 * the plan: capture and egress.
 */
import type { PlanView } from "../../routing/plan_view.ts";
import type { InboundListener, LogEvent, OutboundListener } from "../config.ts";
import { Capture } from "./capture.ts";
import type { AcceptedClient } from "./capture.ts";
import { PortRoute } from "../route/captured.ts";
import type { Clients } from "./clients.ts";
import { EgressGate, EgressRouter } from "../route/egress.ts";
import { Detecting } from "./detecting.ts";
import type { InboundAccess, InboundRouter } from "../route/inbound.ts";
import type { OutboundRouter } from "../route/outbound.ts";
import type { Router, RouteServices } from "../route/router.ts";
import type { Fd } from "../io/io.ts";
import type { TlsContext } from "../io/tls.ts";
import { DETECTION_MS, MESH_SILENCE_MS } from "../limits.ts";
import { carriesRequests, MESH_OR_OTHER_TLS, MESH_TLS_ALONE, TLS_ALONE } from "../protocol/mod.ts";
import { formatAuthority } from "../../base/ip.ts";
import { RelayDownstream } from "../relay/downstream.ts";
import type { MeshTls } from "../tls/contexts.ts";
import type { IngressPlace } from "../../routing/table/ingress_rules.ts";

/** What TLS callers of the application may or must use. */
interface InboundTls {
  /** Of files; null: there is none. */
  readonly context: TlsContext | null;
  /** Beside it callers may do without TLS. */
  readonly acceptsPlain: boolean;
  /** Null: the proxy has no part in the TLS of a mesh. */
  readonly mesh: MeshTls | null;
}

/** Who may call the application, and where a connection to it was going. */
interface ApplicationAccess {
  readonly access: InboundAccess;
  readonly placeOf: (fd: Fd) => IngressPlace | null;
}

/** Takes an accepted connection; `peer` is the client's address. */
export type AcceptHandler = (fd: Fd, peer: string) => void;

interface AcceptorHooks {
  onLog(event: LogEvent): void;
  /** Starts to look up a name that is not of the mesh; `resolved` is called later. */
  lookUp(name: string): void;
}

export class Acceptor {
  readonly #clients: Clients;
  readonly #egress: EgressGate;
  /** Null if no listener captures. */
  readonly #capture: Capture | null;

  constructor(
    clients: Clients,
    services: RouteServices,
    settings: {
      readonly hasEgress: boolean;
      readonly captures: boolean;
      readonly callers: readonly string[];
    },
    plan: PlanView,
    hooks: AcceptorHooks,
  ) {
    this.#clients = clients;
    const { hasEgress: isOn, callers } = settings;
    this.#egress = new EgressGate(services, { isOn, callers }, plan, (name) => hooks.lookUp(name));
    const parts = {
      clients,
      services,
      egress: this.#egress,
      onLog: (event: LogEvent) => hooks.onLog(event),
    };
    this.#capture = settings.captures ? new Capture(parts, plan) : null;
  }

  rebind(plan: PlanView): void {
    this.#capture?.rebind(plan);
    this.#egress.rebind(plan);
  }

  /** This proxy listens there: nothing is sent out of the mesh to it. */
  addOwnPlace(address: string, port: number): void {
    this.#egress.addOwnPlace({ address, port });
  }

  /** A name has been looked up; no addresses: it has none. */
  resolved(name: string, addresses: readonly string[]): void {
    this.#egress.resolved(name, addresses);
  }

  ofOutbound(
    { capture, tcp }: OutboundListener,
    router: OutboundRouter,
    security: TlsContext | null,
  ): AcceptHandler {
    const captured = capture === true ? this.#capture : null;
    if (captured !== null) {
      return (fd, peer) =>
        captured.whenKnown(fd, () => captured.takeOutbound(fd, peer, router, security));
    }
    if (tcp === undefined) {
      const routed = this.#egress.mayPass(router.listener)
        ? new EgressRouter(router, this.#egress)
        : router;
      return (fd, peer) => this.#takeRequests({ fd, peer, security, isWatched: false }, routed);
    }
    const route = new PortRoute(router, tcp);
    const authority = `${tcp.service}.${tcp.namespace}:${tcp.port}`;
    return (fd, peer) => {
      const relay = this.#clients.relay(fd, peer, route, { authority });
      const { io } = this.#clients.loop;
      io.watch(fd, relay);
      if (security !== null) io.secure(fd, security, null);
      else relay.connect();
    };
  }

  ofInbound(
    { application, capture }: InboundListener,
    router: InboundRouter,
    tls: InboundTls,
  ): AcceptHandler {
    const captured = capture === true ? this.#capture : null;
    const { listener: index, access } = router;
    const listener = { index, application, access };
    const { io } = this.#clients.loop;
    const authority = formatAuthority(application.address, application.port);
    const take = (client: AcceptedClient) => {
      if (captured !== null) return captured.takeInbound(client, listener);
      const own = router.of(() => io.destination(client.fd));
      if (client.isMesh === true) this.#takeOfMesh(client, own, authority);
      else this.#takeRequests(client, own);
    };
    const placeOf = (fd: Fd): IngressPlace | null => {
      const called = captured === null ? io.destination(fd) : io.originalDestination(fd);
      return called && { pod: called.address, port: application.port || called.port };
    };
    const accept = this.#accepted(tls, { access, placeOf }, captured !== null, take);
    return captured === null
      ? accept
      : (fd, peer) => captured.whenKnown(fd, () => accept(fd, peer));
  }

  /** A caller that may do without TLS shows by its first bytes whether it does. */
  #accepted(
    { context, mesh, acceptsPlain }: InboundTls,
    application: ApplicationAccess,
    isCaptured: boolean,
    take: (client: AcceptedClient) => void,
  ): AcceptHandler {
    if (mesh === null && (context === null || !acceptsPlain)) {
      return (fd, peer) => take({ fd, peer, security: context, isWatched: false });
    }
    const { loop } = this.#clients;
    // Only what is captured may turn out to have a server that speaks first.
    const silenceMs = isCaptured ? DETECTION_MS : loop.timeouts.clientIdleMs;
    const among = mesh === null ? TLS_ALONE : MESH_TLS_ALONE;
    return (fd, peer) => {
      const client = { fd, peer, security: null };
      const place = mesh === null ? null : tlsPlaceOf(fd, application);
      const isShort = mesh !== null && isCaptured && this.#capture?.isTcp(fd) === false;
      const question = place === null
        ? { among, silenceMs: isShort ? MESH_SILENCE_MS : silenceMs }
        : { among: MESH_OR_OTHER_TLS, silenceMs };
      const takeMutual = () => this.#takeSecured(fd, peer, mesh?.inbound, "isMesh", take);
      const first = new Detecting(loop, client, question, (detected, serverName) => {
        if (detected === "mesh-tls") return takeMutual();
        const tls = detected === "tls" && place !== null
          ? application.access.tlsOf(place, serverName)
          : null;
        if (tls !== null) return this.#takeSecured(fd, peer, mesh?.ingress(tls), "isIngress", take);
        const security = detected === "tls" && mesh === null ? context : null;
        const plain = { fd, peer, security, isWatched: true };
        take(mesh === null ? plain : { ...plain, isSilent: detected === "silent", takeMutual });
      });
      loop.io.watch(fd, first);
    };
  }

  /** A sidecar calls, which knows this one as a sidecar of the mesh; or a client from outside, whose TLS is ended here. */
  #takeSecured(
    fd: Fd,
    peer: string,
    security: TlsContext | null | undefined,
    kind: "isMesh" | "isIngress",
    take: (client: AcceptedClient) => void,
  ): void {
    const { events, io } = this.#clients.loop;
    if (security) return take({ fd, peer, security, isWatched: true, [kind]: true });
    events.tlsFailed({ code: "tls-no-certificate", detail: "There is none here yet" }, peer);
    io.reset(fd);
  }

  #takeRequests({ fd, peer, security, isWatched }: AcceptedClient, router: Router): void {
    const { io } = this.#clients.loop;
    const downstream = this.#clients.requests(fd, peer, router);
    if (isWatched) io.handOver(fd, downstream);
    else io.watch(fd, downstream);
    if (security !== null) io.secure(fd, security, null);
  }
  /** Requests, or a connection to relay, as its ALPN name says. */
  #takeOfMesh({ fd, peer, security }: AcceptedClient, router: Router, authority: string): void {
    const { loop } = this.#clients;
    const question = { among: MESH_TLS_ALONE, silenceMs: loop.timeouts.clientIdleMs };
    const first: Detecting = new Detecting(loop, { fd, peer, security }, question, (detected) => {
      const isRelay = !carriesRequests(detected);
      const socket = isRelay
        ? this.#clients.relay(fd, peer, router, { authority })
        : this.#clients.requests(fd, peer, router);
      socket.takeSecurity(first);
      loop.io.handOver(fd, socket);
      if (socket instanceof RelayDownstream) socket.connect();
    });
    loop.io.handOver(fd, first);
    if (security !== null) loop.io.secure(fd, security, null);
  }
}

/** Null: no one's TLS is for the sidecar to end where the connection was going. */
function tlsPlaceOf(fd: Fd, { access, placeOf }: ApplicationAccess): IngressPlace | null {
  const place = access.endsAnyTls ? placeOf(fd) : null;
  return place !== null && access.endsTlsAt(place) ? place : null;
}
