/** How a carrier fails: what the client is told of it, and what it says of the endpoint. */
import { type Refusal, REFUSALS } from "../../base/refusals.ts";
import type { AttemptFailure } from "../balance/retry_policy.ts";

export type CarrierFailure =
  | "refused"
  | "tls"
  | "connect-timeout"
  /** The endpoint does not speak the protocol that its port is declared to speak. */
  | "protocol"
  | "reset"
  /** The endpoint closed a connection that had carried another exchange before, without a word of an answer. */
  | "stale"
  /** As `stale`, but it said 408 before it closed. */
  | "stale-timeout"
  /** The endpoint took no part in the request (RFC 9113 8.7). */
  | "unprocessed"
  | "timeout"
  | "client-timeout"
  | "invalid"
  | "head-too-large";

interface FailureRow {
  /** What the client is told, where that was the last attempt. */
  readonly refusal: Refusal;
  /** What policies call it. */
  readonly kind: AttemptFailure;
  /** The endpoint is to blame. */
  readonly isEndpointsFault: boolean;
  /**
   * Whether the request goes to another endpoint without a policy that says so: `always` where it has not reached this one,
   * `idempotent` where only a repeatable one may.
   */
  readonly repeat: "always" | "idempotent" | "never";
  /** Whether a policy may try again. */
  readonly isRetriable: boolean;
}

function row(
  reason: keyof typeof REFUSALS,
  kind: AttemptFailure,
  repeat: FailureRow["repeat"],
  { isEndpointsFault = true, isRetriable = true } = {},
): FailureRow {
  return { refusal: REFUSALS[reason], kind, isEndpointsFault, repeat, isRetriable };
}

const BLAMELESS = { isEndpointsFault: false };
const FINAL = { isEndpointsFault: false, isRetriable: false };

export const FAILURES: Readonly<Record<CarrierFailure, FailureRow>> = {
  "refused": row("upstream-refused", "connect-failure", "always"),
  "tls": row("upstream-tls-failed", "connect-failure", "always"),
  "connect-timeout": row("upstream-connect-timeout", "connect-failure", "always"),
  "protocol": row("upstream-protocol", "connect-failure", "always"),
  "unprocessed": row("upstream-refused", "connect-failure", "always"),
  // A connection that had long been idle says nothing of its endpoint (RFC 9110 9.2.2).
  "stale": row("upstream-reset", "reset", "idempotent", BLAMELESS),
  // 408 before it can have read the request: it was about the silence before (RFC 9110 15.5.9).
  "stale-timeout": row("upstream-reset", "reset", "always", BLAMELESS),
  "reset": row("upstream-reset", "reset", "never"),
  "timeout": row("upstream-timeout", "timeout", "never"),
  "client-timeout": row("request-timeout", "timeout", "never", FINAL),
  "invalid": row("upstream-invalid", "reset", "never"),
  "head-too-large": row("upstream-head-too-large", "reset", "never", FINAL),
};
