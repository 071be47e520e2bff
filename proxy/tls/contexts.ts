/**
 * TlsContexts: the certificates of one event loop, made ready from what the proxy is told, and replaced while it runs.
 */
import { formatWorkloadId } from "../../base/spiffe.ts";
import type { Io } from "../io/io.ts";
import type { TlsIdentity } from "../../base/tls.ts";
import type { TlsContext, TlsReplacement, TlsSettings } from "../io/tls.ts";
import {
  clientSettings,
  ingressServerSettings,
  meshClientSettings,
  meshServerSettings,
  serverSettings,
} from "./config.ts";
import type { MeshCertificates, ProxyTls } from "../config.ts";
import type { PlanEndpoint } from "../../routing/plan.ts";
import type { IngressTls } from "../../routing/table/ingress_rules.ts";

/** How connections to one endpoint are put under TLS. */
export interface EndpointTls {
  /** Null: there is none yet, and they are plain. */
  readonly context: TlsContext | null;
  readonly target: TlsIdentity;
  /** The endpoint is a sidecar of the mesh. */
  readonly isMesh: boolean;
}

/** How connections to endpoints are put under TLS. */
export interface EndpointSecurity {
  /** Null: those to this one are plain. */
  of(endpoint: PlanEndpoint): EndpointTls | null;
}

/** No URI, so no server matches: an endpoint of which the plan does not say who it is. */
const UNNAMED = "a service account that the plan names";

/** Who an endpoint is by the plan, as its certificate has to say. */
function targetOf({ identity }: PlanEndpoint, trustDomain: string): TlsIdentity {
  const id = identity === "" ? UNNAMED : formatWorkloadId({ trustDomain, identity });
  return { serverName: null, uriSans: [id] };
}

/** All endpoints by the same certificates, from files. */
class UpstreamTls implements EndpointSecurity {
  readonly context: TlsContext;
  readonly #target: TlsIdentity | null;
  readonly #trustDomain: string;

  /** @param target whom every endpoint must be; null: whom the plan says */
  constructor(context: TlsContext, target: TlsIdentity | null, trustDomain: string) {
    this.context = context;
    this.#target = target;
    this.#trustDomain = trustDomain;
  }

  of(endpoint: PlanEndpoint): EndpointTls {
    const target = this.#target ?? targetOf(endpoint, this.#trustDomain);
    return { context: this.context, target, isMesh: false };
  }
}

/**
 * The certificates by which sidecars of a mesh know each other. They may come while connections are open: until then there is no context,
 * and what goes to other sidecars is plain.
 */
export class MeshTls implements EndpointSecurity {
  readonly #io: Io;
  readonly #trustDomain: string;
  readonly #ownAddresses: readonly string[];
  #inbound: TlsContext | null = null;
  #upstream: TlsContext | null = null;
  /** Each made when the first client from outside needs it; most sidecars have none. */
  readonly #ingress = new Map<IngressTls, TlsContext>();
  #certificates: MeshCertificates | null = null;

  /** @param ownAddresses where connections reach the application itself, past its sidecar */
  constructor(io: Io, trustDomain: string, ownAddresses: readonly string[]) {
    this.#io = io;
    this.#trustDomain = trustDomain;
    this.#ownAddresses = ownAddresses;
  }

  get inbound(): TlsContext | null {
    return this.#inbound;
  }

  /** Of clients from outside the mesh, whose TLS is ended here; null: there is no certificate yet. */
  ingress(tls: IngressTls): TlsContext | null {
    const known = this.#ingress.get(tls);
    if (known !== undefined || this.#certificates === null) return known ?? null;
    const made = this.#io.tls(ingressServerSettings(this.#certificates, tls));
    this.#ingress.set(tls, made);
    return made;
  }

  of(endpoint: PlanEndpoint): EndpointTls | null {
    const takesIt = endpoint.mutualTls === true && !this.#ownAddresses.includes(endpoint.address);
    if (!takesIt) return null;
    const upstream = () => this.#upstream;
    return {
      get context() {
        return upstream();
      },
      target: targetOf(endpoint, this.#trustDomain),
      isMesh: true,
    };
  }

  /**
   * Makes certificates ready, the first or others.
   * @throws {IoError} they are of no use
   */
  prepare(identity: MeshCertificates): TlsReplacement[] {
    const [server, client] = [meshServerSettings(identity), meshClientSettings(identity)];
    const io = this.#io;
    const ready: TlsReplacement[] = [
      { use: () => void (this.#certificates = identity), drop() {} },
    ];
    try {
      ready.push(prepared(io, this.#inbound, server, (made) => this.#inbound = made));
      ready.push(prepared(io, this.#upstream, client, (made) => this.#upstream = made));
      for (const [tls, context] of this.#ingress) {
        ready.push(context.prepare(ingressServerSettings(identity, tls)));
      }
      return ready;
    } catch (error) {
      for (const each of ready) each.drop();
      throw error;
    }
  }
}

/** @param take what takes the first one, where there is none yet */
function prepared(
  io: Io,
  context: TlsContext | null,
  settings: TlsSettings,
  take: (made: TlsContext) => void,
): TlsReplacement {
  if (context !== null) return context.prepare(settings);
  const made = io.tls(settings);
  return { use: () => take(made), drop: () => made.close() };
}

interface MeshMembership {
  readonly trustDomain: string;
  /** Null: the proxy has no part in the TLS of a mesh. */
  readonly ownAddresses: readonly string[] | null;
}

export class TlsContexts {
  readonly inbound: TlsContext | null;
  readonly outbound: TlsContext | null;
  readonly mesh: MeshTls | null;
  readonly #upstream: UpstreamTls | null;

  /** @throws {IoError} certificates are of no use, or there is no TLS on this machine */
  constructor(io: Io, tls: ProxyTls, { trustDomain, ownAddresses }: MeshMembership) {
    const open = (settings: TlsSettings) => io.tls(settings);
    const { inbound, outbound, upstream, mesh } = tls;
    this.inbound = inbound === undefined ? null : open(serverSettings(inbound));
    this.outbound = outbound === undefined ? null : open(serverSettings(outbound));
    this.#upstream = upstream === undefined
      ? null
      : new UpstreamTls(open(clientSettings(upstream)), upstream.target, trustDomain);
    this.mesh = ownAddresses === null ? null : new MeshTls(io, trustDomain, ownAddresses);
    if (mesh !== undefined) { for (const first of this.mesh?.prepare(mesh) ?? []) first.use(); }
  }

  /** Of connections to endpoints; null: they are plain. */
  get endpoints(): EndpointSecurity | null {
    return this.#upstream ?? this.mesh;
  }

  /**
   * Uses other certificates from the next handshake on. Where TLS begins and ends stays as it is.
   * @throws {IoError} some are of no use; then none is replaced
   */
  replace({ inbound, outbound, upstream, mesh }: ProxyTls): void {
    const ready: TlsReplacement[] = [];
    const prepare = (context: TlsContext | undefined | null, settings: TlsSettings) => {
      if (context) ready.push(context.prepare(settings));
    };
    try {
      if (inbound !== undefined) prepare(this.inbound, serverSettings(inbound));
      if (outbound !== undefined) prepare(this.outbound, serverSettings(outbound));
      if (upstream !== undefined) prepare(this.#upstream?.context, clientSettings(upstream));
      if (mesh !== undefined) ready.push(...this.mesh?.prepare(mesh) ?? []);
    } catch (error) {
      for (const replacement of ready) replacement.drop();
      throw error;
    }
    for (const replacement of ready) replacement.use();
  }
}
