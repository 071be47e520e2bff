/** What a workload asks of a proxy (a job), and what a proxy that is compared has to tell (a contender). Shapes only. */

/** What a proxy has to do in one workload. Whatever the job says, `/test` splits 75/25 over two origins. */
export interface Job {
  /** What clients speak to the proxy: TLS carries HTTP/1.1, HTTP/2 comes by prior knowledge, TCP is relayed unseen. */
  readonly clients: "http1" | "tls" | "http2" | "tcp";
  readonly origins: OriginKind;
  /** Behind the proxy there is a second one, reached by mutual TLS, and behind that v1 alone. Left out: there is not. */
  readonly isPair?: boolean;
  /** An access log in JSON, spans of one request in a hundred, a rate limit that is not reached, and retries. Left out: none of that. */
  readonly hasExtras?: boolean;
  /** Routes beside the split, by path: `routePath`. */
  readonly routes: number;
  /** Threads or processes that carry requests. */
  readonly workers: number;
  /** Client connections at once, for proxies that have to be told. */
  readonly connectionsMax: number;
}

/**
 * Two HTTP/1.1 servers; two of gRPC over HTTP/2 without TLS, for unary calls or for streams; two that answer messages of WebSocket; two that
 * send or take bytes for ever.
 */
export type OriginKind = "http1" | "grpc" | "grpc-streams" | "websocket" | "stream";

export function speaksGrpc(origins: OriginKind): boolean {
  return origins === "grpc" || origins === "grpc-streams";
}

/** The job of the canary guide: plain HTTP/1.1 on both sides, one worker. */
export const BASIC_JOB: Job = {
  clients: "http1",
  origins: "http1",
  routes: 0,
  workers: 1,
  connectionsMax: 4096,
};

/** Path of a route beside the split; every path that begins so takes it. */
export function routePath(index: number): string {
  return `/items/${index}/`;
}

export interface Certificate {
  /** Files in PEM. */
  readonly chain: string;
  readonly key: string;
  /** The two as `weft proxy --identity` takes them, with the certificate as whom to trust. */
  readonly identity: string;
}

/** Where a contender's files go and whom it talks to. */
export interface Setting {
  /** A directory of this contender's own. */
  readonly folder: string;
  readonly port: number;
  /** For a second listener, where the contender has one. */
  readonly adminPort: number;
  /** Of the second proxy of a pair. */
  readonly peerPort: number;
  /** Ports of the origins v1 and v2 on 127.0.0.1. */
  readonly origins: readonly [number, number];
  readonly job: Job;
  readonly certificate: Certificate;
}

export interface Contender {
  readonly name: string;
  /** What a reader should know beside its numbers. */
  readonly note: string;
  /** Clients of TCP ask for their destination by CONNECT: there is no other way in. */
  readonly takesConnect: boolean;
  /** Another form of a contender that is measured anyway: only workloads that ask for forms take it. */
  readonly isOtherForm: boolean;
  /** Its version; null if it is not on this machine. May take long: it may have to be fetched. */
  version(): string | null;
  can(job: Job): boolean;
  /** Writes its files and says how to start it. Throws where that cannot be done. */
  prepare(setting: Setting): string[];
  isReady(setting: Setting): Promise<boolean>;
}
