/**
 * What a proxy is told at start, and what it tells back. Shapes only; `proxy.ts` owns the wiring.
 */
import type { MtlsRules } from "../base/mtls_mode.ts";
import type {
  ClientCertificatePolicy,
  TlsCertificate,
  TlsIdentity,
  TlsTrust,
} from "../base/tls.ts";
import type { Plan } from "../routing/plan.ts";
import type { PlanChange } from "../routing/source/held_parts.ts";
import type { PlanQuestion } from "../routing/source/messages.ts";

/** `auto` takes the native driver where it works and says in the log why where it does not. */
export type DriverChoice = "auto" | "native" | "portable";

/** Takes requests of one client workload, or of all clients of one namespace, and routes them by the plan. */
export interface OutboundListener {
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  /** Clients' namespace: bare Service names resolve in it. */
  readonly namespace: string;
  /** Clients' `namespace/serviceaccount`; empty where not known. */
  readonly identity: string;
  /** What owns the clients, for metrics, such as `Deployment/curl`, and their pod. Left out: not known. */
  readonly workload?: string;
  readonly pod?: string;
  /**
   * Takes connections that iptables redirected here and sends each where it was going; refuses those that came directly.
   * Native driver only. Left out: false.
   */
  readonly capture?: boolean;
  /** Every connection, whatever it speaks, goes to this port of this Service. Left out: requests are routed. */
  readonly tcp?: { readonly namespace: string; readonly service: string; readonly port: number };
  /** Phase of the split sequences: null for the canonical order (first runs of 75/25 print v1 v2 v1 v1). */
  readonly seed: number | null;
}

/** Takes requests for the one application beside this sidecar and forwards all of them to it. */
export interface InboundListener {
  readonly address: string;
  readonly port: number;
  readonly application: {
    readonly address: string;
    readonly port: number;
    /** Of the other IP version, for what is captured in a pod that has both. Left out: there is none. */
    readonly otherAddress?: string;
  };
  /**
   * The application's `namespace/serviceaccount`. With it, and where TLS asks callers for certificates, traffic targets are
   * enforced here. Left out or empty: callers' own sidecars alone enforce them.
   */
  readonly identity?: string;
  /** The application's namespace, whose callers may or may not do without mutual TLS. Left out: that is not asked. */
  readonly namespace?: string;
  /** Whether they may, by the application's own settings, which count before the plan. Left out: they do not say. */
  readonly mtls?: MtlsRules;
  /** Requests that need no certificate, whatever else is said: those of the kubelet. Left out: none. */
  readonly probes?: readonly ProbeRequest[];
  /** What owns the application, for metrics, and its pod. Left out: not known. */
  readonly workload?: string;
  readonly pod?: string;
  /**
   * Takes connections that iptables redirected here: each goes to the application at the port that it was going to. `::1`
   * stands in for `127.0.0.1` where it came over IPv6. Native driver only. Left out: false.
   */
  readonly capture?: boolean;
}

/** A request by which the kubelet asks whether the application is well. */
export interface ProbeRequest {
  /** The application's. */
  readonly port: number;
  /** As it is sent, without a query. */
  readonly path: string;
  /** It is a call by gRPC. Left out: a GET. */
  readonly isCall?: boolean;
  /** It goes to the application by HTTPS, and comes by `/https/PORT/PATH` of the health port. Left out: neither. */
  readonly isSecured?: boolean;
}

export interface ProxyConfig {
  readonly driver: DriverChoice;
  /**
   * Native driver only: event loops, one thread each, that share the listeners by SO_REUSEPORT. 0: one loop on the
   * thread that starts the proxy, which takes the least memory and suits a process with nothing else to do.
   */
  readonly workers: number;
  readonly outbound: readonly OutboundListener[];
  readonly inbound: readonly InboundListener[];
  readonly admin: { readonly address: string; readonly port: number } | null;
  /** Health, metrics and probes of ports alone, for what is not in the pod. Left out: nowhere. */
  readonly health?: { readonly address: string; readonly port: number };
  /** Left out: everything is plain. */
  readonly tls?: ProxyTls;
  /**
   * Sidecars of the mesh know this proxy, and each other, by certificates (`ProxyTls.mesh`), which may come later: it is not ready for
   * clients before, and what there is by then is plain. Left out: false.
   */
  readonly mutualTls?: boolean;
  /** Whose SPIFFE ids identify callers. Left out: `cluster.local`. */
  readonly trustDomain?: string;
  /** Whether what the mesh does not know is passed on; else it is refused. Left out: false. */
  readonly egress?: boolean;
  readonly timeouts: ProxyTimeouts;
  /** The largest request body in bytes, chunk framing included; 413 above it. `Infinity`: no bound. */
  readonly bodyBytesMax: number;
  /** The largest head of a request or an answer in bytes, 431 or 502 above it. Left out: 60 KiB. */
  readonly headBytesMax?: number;
  /**
   * Share of the requests without trace context that are given one, 0 to 1; with `spans`, of those whose trace is not decided to
   * be sampled or not. Left out: 0.
   */
  readonly traceShare?: number;
  /** Where a span of each sampled exchange is sent. Left out: none are made, and the proxy is no parent in any trace. */
  readonly spans?: SpanExport;
  /** True: every answered request is reported to `onRequest`. Costs one message per batch of requests. */
  readonly reportRequests: boolean;
  /** Every answered request is a line of `onAccessLines`. Left out: there is no access log. */
  readonly accessLog?: AccessLogFormat;
}

/** JSON with everything that is known, or the Common Log Format. */
export type AccessLogFormat = "json" | "common";

/** How spans are sent: OTLP over HTTP, as JSON. */
export interface SpanExport {
  /** Such as `http://collector:4318/v1/traces`. */
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** What is traced: `service.name` and other attributes of the resource. */
  readonly resource: Readonly<Record<string, string>>;
  /** Spans that wait to be sent; more are dropped, and counted. */
  readonly queueMax: number;
  /** Spans of one request. */
  readonly batchMax: number;
  /** How long spans wait for others at most. */
  readonly delayMs: number;
  /** How long one request may take. */
  readonly timeoutMs: number;
}

/** Milliseconds; `Infinity`: none. */
export interface ProxyTimeouts {
  /** To open a connection to an endpoint: inside a cluster, where another endpoint may be tried instead. */
  readonly connectMs: number;
  /** To open a connection to what the mesh does not know: far away, and there is nothing else to try. */
  readonly egressConnectMs: number;
  /** For one of the connections that a policy allows, while all of them are taken; 503 after it. */
  readonly pendingMs: number;
  /** From the end of the request to the head of the answer, where no policy says how long that may take; 504 after it. */
  readonly responseMs: number;
  /** For a whole request head, from its first byte; 408 after it. */
  readonly requestHeadMs: number;
  /** A client connection with no request under way. */
  readonly clientIdleMs: number;
  /** A pooled connection to an endpoint with no request under way. */
  readonly upstreamIdleMs: number;
  /** No byte in either direction of an exchange or a tunnel; 504 after it, where no answer has begun. */
  readonly stallMs: number;
  /** No byte in either direction of a relayed TCP connection: those of databases are kept open for hours. */
  readonly tcpIdleMs: number;
  /** Draining: how long new connections are still taken, where that is asked for. */
  readonly acceptMs: number;
  /** Draining, from its beginning: how long exchanges under way may take before they are cut. */
  readonly drainMs: number;
}

/** What works without a mesh works with it: a long poll may take as long as it likes, and a connection may be quiet for an hour. */
export const DEFAULT_TIMEOUTS: ProxyTimeouts = {
  connectMs: 1_000,
  egressConnectMs: 10_000,
  pendingMs: 5_000,
  responseMs: Infinity,
  requestHeadMs: 30_000,
  clientIdleMs: 180_000,
  upstreamIdleMs: 60_000,
  stallMs: 3_600_000,
  tcpIdleMs: 3_600_000,
  acceptMs: 5_000,
  drainMs: 25_000,
};

/** An event of the environment that a loop saw. */
export interface LogEvent {
  readonly level: "info" | "warn";
  /** Constant text. */
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number>>;
}

/** A running proxy. */
export interface Proxy {
  readonly driver: "native" | "portable";
  /** Where the listeners ended up, in the order of the configuration; none before the first plan. */
  readonly outbound: readonly { readonly address: string; readonly port: number }[];
  readonly inbound: readonly { readonly address: string; readonly port: number }[];
  readonly admin: { readonly address: string; readonly port: number } | null;
  readonly health: { readonly address: string; readonly port: number } | null;
  /**
   * Swaps the plan without touching a connection; the first one opens the listeners. Resolves once every event loop serves it; rejects
   * and keeps the last good plan where it does not build.
   */
  apply(plan: Plan): Promise<void>;
  /**
   * Takes what is different of the plan that is held, where there is a source to be asked (`ProxyHooks.onQuestion`); else as `apply`. It has
   * happened when this returns null, as it can where one event loop runs on the caller's thread. Throws or rejects, and keeps the last good
   * plan, where it does not build.
   */
  update(change: PlanChange): Promise<void> | null;
  /** The source cannot be asked now: nothing waits for it. */
  sourceIsAway(isAway: boolean): Promise<void>;
  /** What the source was asked, and no event loop has used for a while. */
  unusedQuestions(): Promise<readonly PlanQuestion[]>;
  /** What it has counted, as its admin port shows it. */
  metrics(): Promise<string>;
  /** Uses other certificates from the next handshake on. Rejects, and keeps the last good ones, where they are of no use. */
  replaceCertificates(tls: ProxyTls): Promise<void>;
  /**
   * Lets exchanges end (at most `drainMs`), then stops. What is open is told to go elsewhere: every answer closes its
   * connection, HTTP/2 gets GOAWAY.
   * @param accepts new connections are taken for `acceptMs` more, for clients who have not heard of the end yet
   */
  drain(accepts?: boolean): Promise<void>;
  /** Stops at once. Safe to call twice. */
  stop(): Promise<void>;
}

// `startProxy(config: ProxyConfig, plan: Plan | null, hooks?: ProxyHooks): Promise<Proxy>` is in `run/start_proxy.ts`.

/** TLS ends at a listener. */
export interface TlsTermination {
  readonly certificate: TlsCertificate;
  readonly clientCertificate: ClientCertificatePolicy;
  /** Whom to trust about clients. Null where their certificates are ignored. */
  readonly clientAuthority: TlsTrust | null;
  readonly minVersion: "1.2" | "1.3";
  /** Inbound: callers may do without TLS, and then have no identity. Left out: false. */
  readonly acceptsPlain?: boolean;
  /** See `TlsServerSettings`; the same for all event loops, and new whenever certificates are. */
  readonly ticketKeys: string | null;
}

/** TLS begins at the connections to endpoints. */
export interface TlsOrigination {
  /** Shown to endpoints that ask; null: none. */
  readonly certificate: TlsCertificate | null;
  /** Whom to trust about endpoints. Null: whom this system trusts. */
  readonly authority: TlsTrust | null;
  /** Whom every endpoint must be. Null: each the service account that the plan says it runs as. */
  readonly target: TlsIdentity | null;
  readonly minVersion: "1.2" | "1.3";
}

/** Who this proxy is in the mesh, in either direction, and whom it trusts to say who others are. */
export interface MeshCertificates {
  readonly certificate: TlsCertificate;
  readonly authority: TlsTrust;
  /** As those of a termination. */
  readonly ticketKeys: string | null;
}

/** Whether callers show who they are. One that is not asked for a certificate cannot be held to what it says. */
export function asksForCertificates(
  { tls, mutualTls }: Pick<ProxyConfig, "tls" | "mutualTls">,
): boolean {
  return mutualTls === true ||
    (tls?.inbound !== undefined && tls.inbound.clientCertificate !== "ignored");
}

/** What is left out is plain. */
export interface ProxyTls {
  /** Where `ProxyConfig.mutualTls` says so: beside what is plain, inbound and to the endpoints that the plan says take it. */
  readonly mesh?: MeshCertificates;
  readonly inbound?: TlsTermination;
  readonly outbound?: TlsTermination;
  /** To endpoints; never to the application beside this proxy. */
  readonly upstream?: TlsOrigination;
}
