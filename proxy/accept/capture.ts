/**
 * Capture: takes connections that iptables redirected here (`weft proxy-init`). It finds out where each was going, and what it
 * speaks: by the port's declaration where there is one, else by its first bytes.
 */
import { formatAuthority, isLocal } from "../../base/ip.ts";
import { AddressIndex } from "../../routing/table/address_index.ts";
import type { PlanPort } from "../../routing/plan.ts";
import type { PlanView } from "../../routing/plan_view.ts";
import { addressQuestion } from "../../routing/source/messages.ts";
import type { InboundListener, LogEvent } from "../config.ts";
import type { Fd, OriginalDestination } from "../io/io.ts";
import type { TlsContext } from "../io/tls.ts";
import {
  APPLICATION_SILENCE_MS,
  DETECTION_MS,
  LOOK_INTERVAL_MS,
  NOTICE_INTERVAL_MS,
} from "../limits.ts";
import { SeldomLog } from "../observe/seldom_log.ts";
import type { RouteStats } from "../observe/telemetry.ts";
import { ALL_PROTOCOLS, carriesRequests, MESH_TLS_ALONE, TLS_ALONE } from "../protocol/mod.ts";
import { Timer } from "../loop/timers.ts";
import { type AddressBook, CapturedRoute } from "../route/captured.ts";
import type { Clients } from "./clients.ts";
import type { Socket } from "../loop/socket.ts";
import { type Detected, Detecting, FirstBytes, type Question } from "./detecting.ts";
import type { EgressGate } from "../route/egress.ts";
import { type InboundAccess, InboundRouter } from "../route/inbound.ts";
import type { OutboundRouter } from "../route/outbound.ts";
import type { Router, RouteServices } from "../route/router.ts";
import type { RelayDownstream, RelayOptions } from "../relay/downstream.ts";

/**
 * What a port's declaration comes to. `relayed`: at once; `http`: requests or TLS, and nothing else; `tls`: relayed, and the client
 * speaks first; `unsaid`: the first bytes tell.
 */
type Spoken = "relayed" | "http" | "tls" | "unsaid";

/** A connection that a listener has accepted. */
export interface AcceptedClient {
  readonly fd: Fd;
  readonly peer: string;
  /** TLS is put on it with that; null: it is plain. */
  readonly security: TlsContext | null;
  /** Another handler has had its events before. */
  readonly isWatched: boolean;
  /** That is of the mesh, and says what is within. Left out: false. */
  readonly isMesh?: boolean;
  /** That is of a client from outside the mesh, which sends requests. Left out: false. */
  readonly isIngress?: boolean;
  /** It has said nothing for as long as any client is waited for. Left out: false. */
  readonly isSilent?: boolean;
  /** It is plain so far. Should it turn out to be a sidecar of the mesh, which was slow, that takes it over. */
  readonly takeMutual?: () => void;
}

/** A connection that is to be served. */
interface Captured extends AcceptedClient {
  readonly original: OriginalDestination;
  readonly route: Router;
  readonly spoken: Spoken;
  /** How long a client may be silent where nothing says what it speaks. */
  readonly silenceMs: number;
}

/** What is logged now and then. */
type Notice = "not-redirected" | "loop" | "host-overruled";

interface CaptureParts {
  readonly clients: Clients;
  readonly services: RouteServices;
  readonly egress: EgressGate;
  readonly onLog: (event: LogEvent) => void;
}

export class Capture implements AddressBook {
  readonly #parts: CaptureParts;
  readonly addresses: AddressIndex;
  readonly #notices: Record<Notice, SeldomLog>;

  constructor(parts: CaptureParts, plan: PlanView) {
    this.#parts = parts;
    const seldom = () => new SeldomLog(NOTICE_INTERVAL_MS, parts.onLog);
    this.#notices = { "not-redirected": seldom(), "loop": seldom(), "host-overruled": seldom() };
    this.addresses = new AddressIndex(plan);
  }

  rebind(plan: PlanView): void {
    this.addresses.rebind(plan);
  }

  /** As a gateway of the mesh does that keeps the host of what it passes on. */
  overruled({ address, port }: OriginalDestination): void {
    this.#notice("host-overruled", "info", "A host names another Service than its address", {
      address: formatAuthority(address, port),
    });
  }

  /** Asks what is where a connection was going before it is looked at: `serve` is called once that is known. */
  whenKnown(fd: Fd, serve: () => void): void {
    const { clients: { loop }, services: { interest } } = this.#parts;
    const original = interest.isAsking ? loop.io.originalDestination(fd) : null;
    // A Service's own address is no other's. A pod may be behind more Services than those that are held.
    if (
      original === null || this.addresses.find(original.address, original.port)?.kind === "service"
    ) {
      return serve();
    }
    interest.whenAnswered(addressQuestion(original.address), serve);
  }

  /** Takes a connection of the application, which it opened. */
  takeOutbound(fd: Fd, peer: string, router: OutboundRouter, security: TlsContext | null): void {
    const original = this.#originalOf(fd, peer);
    if (original === null) return;
    // iptables spares another user than the one that the proxy runs as.
    if (this.#parts.clients.loop.io.isOwn(fd)) return this.#turnAway(fd, peer, "loop");
    const port = this.#portOf(original);
    const spoken = spokenAt(port);
    const { clients: { loop }, egress } = this.#parts;
    const isAwaited = port === null && egress.awaitsClient(original, router.listener);
    const route = new CapturedRoute(router, egress, this, original);
    const silenceMs = isAwaited ? loop.timeouts.clientIdleMs : DETECTION_MS;
    this.#serve({ fd, peer, original, route, spoken, silenceMs, security, isWatched: false });
  }

  /** Whether a connection was going to a port that is declared as TCP whose clients speak first, and then it is relayed at once. */
  isTcp(fd: Fd): boolean {
    const original = this.#parts.clients.loop.io.originalDestination(fd);
    return original !== null && this.#portOf(original)?.protocol === "tcp";
  }

  /** Takes a connection to the application. */
  takeInbound(
    client: AcceptedClient,
    listener: {
      readonly index: number;
      readonly application: InboundListener["application"];
      readonly access: InboundAccess;
    },
  ): void {
    const { fd, peer } = client;
    const original = this.#originalOf(fd, peer);
    if (original === null) return;
    const { egress, services: { pools } } = this.#parts;
    const application = addressLike(original, listener.application);
    // The proxy's own connection to a pod's address is redirected here too, unless it goes to loopback.
    const isLoop = !isLocal(application) && this.#parts.clients.loop.io.isOwn(fd);
    // Loopback would lead past the address that the proxy's own listeners keep to.
    if (isLoop || egress.isOwn(application, original.port)) {
      return this.#turnAway(fd, peer, "loop");
    }
    const port = this.#portOf(original);
    const route = new InboundRouter(listener.index, listener.access, {
      port: original.port,
      pool: pools.direct(application, original.port),
      stats: this.#statsOf(listener.index, port === null ? 0 : original.port),
    }, () => original);
    const silenceMs = client.isSilent === true ? 0 : APPLICATION_SILENCE_MS;
    // The caller's sidecar has looked at what its client speaks, and at what the port declares.
    const spoken = client.isMesh === true ? "unsaid" : spokenAt(port);
    const isIngress = client.isIngress === true;
    this.#serve({ ...client, original, route, spoken: isIngress ? "http" : spoken, silenceMs });
  }

  /** Null: it was not redirected, and has been turned away. */
  #originalOf(fd: Fd, peer: string): OriginalDestination | null {
    const original = this.#parts.clients.loop.io.originalDestination(fd);
    // It came to the listener itself: to serve it would be to call ourselves for ever.
    if (original === null) this.#turnAway(fd, peer, "not-redirected");
    return original;
  }

  #turnAway(fd: Fd, peer: string, reason: "not-redirected" | "loop"): void {
    const { loop: { io }, telemetry } = this.#parts.services;
    telemetry.refused(reason);
    io.reset(fd);
    this.#notice(reason, "warn", "Captured connection refused", { reason, client: peer });
  }

  #notice(
    reason: Notice,
    level: LogEvent["level"],
    message: string,
    fields: LogEvent["fields"],
  ): void {
    const { nowMs } = this.#parts.clients.loop.io;
    this.#notices[reason].note({ level, message, fields }, nowMs);
  }

  #portOf({ address, port }: OriginalDestination): PlanPort | null {
    const known = this.addresses.find(address, port);
    const at = known?.kind === "pod" ? known.listed[0] : known;
    return at?.port ?? null;
  }

  #serve(captured: Captured): void {
    const { loop } = this.#parts.clients;
    const { fd, spoken, security, isWatched } = captured;
    const relay = spoken === "relayed" ? this.#relayOf(captured, undefined, false) : null;
    const question = this.#questionOf(captured);
    const first: Socket = relay ??
      new Detecting(loop, captured, question, (detected, serverName) => {
        this.#serveDetected(captured, first, detected, serverName);
      });
    if (isWatched) loop.io.handOver(fd, first);
    else loop.io.watch(fd, first);
    // A relay connects once it is known who its client is.
    if (security !== null) loop.io.secure(fd, security, null);
    else relay?.connect();
  }

  /** A client that is known to speak HTTP may open its connection long before it needs one. */
  #questionOf({ spoken, silenceMs, takeMutual }: Captured): Question {
    const { clientIdleMs } = this.#parts.clients.loop.timeouts;
    const before = takeMutual === undefined ? [] : MESH_TLS_ALONE;
    return spoken === "http"
      ? { among: [...before, ...TLS_ALONE], silenceMs: clientIdleMs }
      : { among: [...before, ...ALL_PROTOCOLS], silenceMs };
  }

  #serveDetected(
    captured: Captured,
    first: Socket,
    detected: Detected,
    serverName: string,
  ): void {
    const { fd, spoken } = captured;
    const { io } = this.#parts.clients.loop;
    if (detected === "mesh-tls") return captured.takeMutual?.();
    const hasSpoken = detected !== "silent" && detected !== "ended";
    // A client of HTTP speaks first; this one has not, and wants nothing.
    if (spoken === "http" && !hasSpoken) return io.close(fd);
    if (spoken === "tls" && detected === "ended") return io.close(fd);
    const isRequest = spoken === "http"
      ? detected !== "tls"
      : spoken === "unsaid" && carriesRequests(detected);
    if (isRequest) return this.#serveRequests(captured, first);
    const isUnsure = spoken === "unsaid" && detected === "silent";
    const relay = this.#relayOf(captured, detected === "tls" ? serverName : undefined, isUnsure);
    relay.takeSecurity(first);
    io.handOver(fd, relay);
    relay.connect();
  }

  /** HTTP/1, and HTTP/2 by its preface, which `Downstream` knows. */
  #serveRequests({ fd, peer, route }: Captured, first: Socket): void {
    const { clients } = this.#parts;
    const downstream = clients.requests(fd, peer, route);
    downstream.takeSecurity(first);
    clients.loop.io.handOver(fd, downstream);
  }

  /** @param isUnsure the client may still turn out to speak first, and a protocol that we know */
  #relayOf(
    captured: Captured,
    serverName: string | undefined,
    isUnsure: boolean,
  ): RelayDownstream {
    const { fd, peer, original, route } = captured;
    const authority = serverName || formatAuthority(original.address, original.port);
    const reconsider = isUnsure ? this.#reconsider(captured) : undefined;
    return this.#parts.clients.relay(fd, peer, route, {
      authority,
      serverName,
      ...(reconsider === undefined ? {} : { reconsider }),
    });
  }

  /** Looks at what the client of a relay says that was connected because it said nothing. */
  #reconsider(captured: Captured): RelayOptions["reconsider"] {
    const { loop } = this.#parts.clients;
    const { io, timers } = loop;
    const { takeMutual } = captured;
    const among = takeMutual === undefined ? ALL_PROTOCOLS : [...MESH_TLS_ALONE, ...ALL_PROTOCOLS];
    const first = new FirstBytes(loop, captured.fd, among);
    return (relay) => {
      // The server has ended its direction without a word: nothing can be answered there.
      if (relay.hasSentEnd) return false;
      const look = first.look();
      if (look === "mesh-tls") {
        relay.dropEndpoint();
        relay.letGo();
        takeMutual?.();
        return true;
      }
      if (carriesRequests(look)) {
        relay.dropEndpoint();
        relay.letGo();
        this.#serveRequests(captured, relay);
        return true;
      }
      if (look !== "more" && look !== "starved") return false;
      io.wantRead(captured.fd, false);
      timers.start(
        new Timer(() => relay.isOpen && io.wantRead(captured.fd, true), relay),
        LOOK_INTERVAL_MS,
      );
      return true;
    };
  }

  /** Ports that the mesh does not know share one, so that a scan of ports makes no labels. */
  #statsOf(listener: number, port: number): RouteStats {
    return this.#parts.services.telemetry.statsOf({
      listener: String(listener),
      service: "application",
      port: String(port),
      split: "",
      backend: "application",
      rule: "",
    });
  }
}

function spokenAt(port: PlanPort | null): Spoken {
  if (port === null || port.isGuessed === true) return "unsaid";
  switch (port.protocol) {
    case "http":
    case "http2":
    case "grpc":
      return "http";
    case "tls":
      return "tls";
    case "tcp":
    case "tcp-server-first":
      return "relayed";
  }
}

/** Where an application is for a client that came by one IP version: at its address of that version. */
function addressLike(
  original: OriginalDestination,
  { address, otherAddress = address }: InboundListener["application"],
): string {
  const isIpv6 = original.address.includes(":");
  if (isLocal(address)) return isIpv6 ? "::1" : address;
  return address.includes(":") === isIpv6 ? address : otherAddress;
}
