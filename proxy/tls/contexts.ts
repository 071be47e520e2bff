/**
 * TlsContexts: the certificates of one event loop, made ready from what the proxy is told, and replaced while it runs.
 */
import { formatWorkloadId } from "../../base/spiffe.ts";
import type { Io } from "../io/io.ts";
import type { TlsIdentity } from "../../base/tls.ts";
import type { TlsContext, TlsReplacement, TlsSettings } from "../io/tls.ts";
import { clientSettings, serverSettings } from "./config.ts";
import type { ProxyTls } from "../config.ts";

/** How connections to one endpoint are put under TLS. */
export interface EndpointTls {
  readonly context: TlsContext;
  readonly target: TlsIdentity;
}

/** No URI, so no server matches: an endpoint of which the plan does not say who it is. */
const UNNAMED = "a service account that the plan names";

/** How connections to endpoints are put under TLS. */
export class UpstreamTls {
  readonly context: TlsContext;
  readonly #target: TlsIdentity | null;
  readonly #trustDomain: string;

  /** @param target whom every endpoint must be; null: whom the plan says */
  constructor(context: TlsContext, target: TlsIdentity | null, trustDomain: string) {
    this.context = context;
    this.#target = target;
    this.#trustDomain = trustDomain;
  }

  /** @param identity what the plan says of the endpoint: `namespace/serviceaccount`, or empty if it does not */
  of(identity: string): EndpointTls {
    const { context } = this;
    if (this.#target !== null) return { context, target: this.#target };
    const trustDomain = this.#trustDomain;
    const id = identity === "" ? UNNAMED : formatWorkloadId({ trustDomain, identity });
    return { context, target: { serverName: null, uriSans: [id] } };
  }
}

export class TlsContexts {
  readonly inbound: TlsContext | null;
  readonly outbound: TlsContext | null;
  readonly upstream: UpstreamTls | null;

  /** @throws {IoError} certificates are of no use, or there is no TLS on this machine */
  constructor(io: Io, tls: ProxyTls, trustDomain: string) {
    const open = (settings: TlsSettings) => io.tls(settings);
    const { inbound, outbound, upstream } = tls;
    this.inbound = inbound === undefined ? null : open(serverSettings(inbound));
    this.outbound = outbound === undefined ? null : open(serverSettings(outbound));
    this.upstream = upstream === undefined
      ? null
      : new UpstreamTls(open(clientSettings(upstream)), upstream.target, trustDomain);
  }

  /**
   * Uses other certificates from the next handshake on. Where TLS begins and ends stays as it is.
   * @throws {IoError} some are of no use; then none is replaced
   */
  replace({ inbound, outbound, upstream }: ProxyTls): void {
    const ready: TlsReplacement[] = [];
    const prepare = (context: TlsContext | undefined | null, settings: TlsSettings) => {
      if (context) ready.push(context.prepare(settings));
    };
    try {
      if (inbound !== undefined) prepare(this.inbound, serverSettings(inbound));
      if (outbound !== undefined) prepare(this.outbound, serverSettings(outbound));
      if (upstream !== undefined) prepare(this.upstream?.context, clientSettings(upstream));
    } catch (error) {
      for (const replacement of ready) replacement.drop();
      throw error;
    }
    for (const replacement of ready) replacement.use();
  }
}
