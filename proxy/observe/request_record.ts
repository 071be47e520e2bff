/** RequestRecord: what is told of one request, by the access log, taps, spans and the terminal of a local mesh. Plain data. */
import type { Span } from "../tracing/span.ts";

/** What is told of a request besides what it says of itself. */
export interface RecordFacts {
  readonly listener: number;
  /** The client's IP address. */
  readonly peer: string;
  /**
   * The caller's `namespace/serviceaccount`: at an inbound listener as its certificate shows, at an outbound one that of the
   * application; empty if not known.
   */
  readonly source: string;
  /** `HTTP/1.1`, `HTTP/2`, `TCP`; empty if the head could not be read. */
  readonly protocol: string;
  readonly status: number;
  /** Why the proxy itself answered; empty if the answer is the endpoint's. */
  readonly reason: string;
  /** Of the bodies, as their heads declare them; of a connection, as counted. Null if that is not known. */
  readonly requestBytes: number | null;
  readonly responseBytes: number | null;
  /** The status of a call by gRPC. Null: it is none, or it was cut off before it had one. */
  readonly grpcStatus: number | null;
  /** `namespace/service:port`; empty if the host is not known. */
  readonly service: string;
  /** `namespace/HTTPRouteGroup/match`, the rule that the request satisfied; empty if none. */
  readonly rule: string;
  /** `namespace/split`, or empty for the Service's own endpoints. */
  readonly split: string;
  /** `namespace/service` of the backend. */
  readonly backend: string;
  readonly pod: string;
  readonly endpoint: string;
  /** Endpoints that were tried. */
  readonly attempts: number;
  readonly durationMs: number;
  /** How long the source of the plan was waited for, of `durationMs`: what the request is for was not held yet. */
  readonly planWaitMs: number;
  /** First digits of the hash of the plan that decided; empty if none did. */
  readonly plan: string;
}

/** One answered request, or one relayed connection that has ended (method `TCP`, no path, status 0). */
export interface RequestRecord extends RecordFacts {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  /** Id of the trace that the request belongs to (W3C Trace Context); empty if none. */
  readonly trace: string;
  /** Those of the request's headers, by name in lower case, that some tap looks at. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A span that has ended, with its `record.durationMs`. */
export interface FinishedSpan extends Span {
  readonly record: RequestRecord;
}
