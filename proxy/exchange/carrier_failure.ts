/** How the side that answers fails, and what its client is told of it. */

/** How a carrier failed. */
export type CarrierFailure =
  | "refused"
  | "tls"
  | "connect-timeout"
  | "reset"
  | "timeout"
  | "client-timeout"
  | "invalid";

/** What the client is told, where that was the last attempt. */
export const FAILURES: Readonly<Record<CarrierFailure, { status: number; reason: string }>> = {
  "refused": { status: 503, reason: "upstream-refused" },
  "tls": { status: 503, reason: "upstream-tls-failed" },
  "connect-timeout": { status: 504, reason: "upstream-connect-timeout" },
  "reset": { status: 502, reason: "upstream-reset" },
  "timeout": { status: 504, reason: "upstream-timeout" },
  "client-timeout": { status: 408, reason: "request-timeout" },
  "invalid": { status: 502, reason: "upstream-invalid" },
};
