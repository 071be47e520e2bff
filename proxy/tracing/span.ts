/** Spans: what one exchange tells a tracing system besides what the access log has of it. Plain data. */

/** Outbound exchanges are the client's, inbound ones the server's, as OpenTelemetry has it. */
type SpanKind = "client" | "server";

/** An attempt has failed, and there will be another one. */
export interface RetryEvent {
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  /** A reason code, or `status-503`. */
  readonly reason: string;
  /** Address and port of the endpoint that failed. */
  readonly endpoint: string;
}

/** A span under way. */
export interface Span {
  readonly kind: SpanKind;
  /** 32 hexadecimal digits, lower case, and 16 of them. */
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: the trace begins here. */
  readonly parentId: string;
  readonly isSecure: boolean;
  /** Milliseconds since 1970. */
  readonly startMs: number;
  readonly retries: RetryEvent[];
}
