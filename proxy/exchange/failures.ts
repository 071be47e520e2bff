/** How a carrier fails: what the client is told of it, and what it says of the endpoint. */
import { type Refusal, REFUSALS } from "../../base/refusals.ts";
import type { AttemptFailure } from "../balance/retry_policy.ts";
import type { Loop } from "../loop/loop.ts";
import type { EndpointPool } from "../pool/pool.ts";
import { type Response, UNREACHED as MARK } from "../protocol/http1/response.ts";
import type { Router } from "../route/router.ts";
import { unreachedMark } from "../route/unreached.ts";

export type CarrierFailure =
  | "refused"
  | "tls"
  | "connect-timeout"
  /** The endpoint does not speak the protocol that its port is declared to speak. */
  | "protocol"
  | "reset"
  /** The endpoint closed a connection that had carried another exchange before, without a word of an answer. */
  | "stale"
  /** As `stale`, but it closed before it can have read the request: its system has none of it, or it said 408. */
  | "stale-unread"
  /** The endpoint took no part in the request (RFC 9113 8.7). */
  | "unprocessed"
  | "timeout"
  | "client-timeout"
  | "invalid"
  | "head-too-large"
  /** The answer's head is large, and there is no buffer for it. */
  | "no-buffer";

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
  /** The application has not got the request, and another one of its kind may well take it. */
  readonly isUnreached: boolean;
}

function row(
  reason: keyof typeof REFUSALS,
  kind: AttemptFailure,
  repeat: FailureRow["repeat"],
  { isEndpointsFault = true, isRetriable = true, isUnreached = false } = {},
): FailureRow {
  return { refusal: REFUSALS[reason], kind, isEndpointsFault, repeat, isRetriable, isUnreached };
}

const BLAMELESS = { isEndpointsFault: false };
const UNREACHED = { isUnreached: true };
const FINAL = { isEndpointsFault: false, isRetriable: false };

export const FAILURES: Readonly<Record<CarrierFailure, FailureRow>> = {
  "refused": row("upstream-refused", "connect-failure", "always", UNREACHED),
  "tls": row("upstream-tls-failed", "connect-failure", "always", UNREACHED),
  "connect-timeout": row("upstream-connect-timeout", "connect-failure", "always", UNREACHED),
  "protocol": row("upstream-protocol", "connect-failure", "always"),
  "unprocessed": row("upstream-refused", "connect-failure", "always", UNREACHED),
  // A connection that had long been idle says nothing of its endpoint (RFC 9110 9.2.2).
  "stale": row("upstream-reset", "reset", "idempotent", BLAMELESS),
  // It ended before it can have read the request. A 408 then was about the silence before (RFC 9110 15.5.9).
  "stale-unread": row("upstream-reset", "reset", "always", BLAMELESS),
  "reset": row("upstream-reset", "reset", "never"),
  "timeout": row("upstream-timeout", "timeout", "never"),
  "client-timeout": row("request-timeout", "timeout", "never", FINAL),
  "invalid": row("upstream-invalid", "reset", "never"),
  "no-buffer": row("no-buffer", "reset", "never", FINAL),
  "head-too-large": row("upstream-head-too-large", "reset", "never", FINAL),
};

/**
 * How a carrier has failed whose answer is not the application's: the endpoint's own proxy says that the request did not reach that.
 * The endpoint is passed over from now on. Null: it has not failed, or a place says so that the plan does not name.
 */
export function unreachedSaidBy(
  response: Response,
  pool: EndpointPool,
  { place }: Router,
  { arena, io }: Loop,
): CarrierFailure | null {
  if (place === "inbound" || pool.isDirect) return null;
  // Behind a Service's address it names the pod. Sidecars take the marks of others out, so this one is its own.
  const isOwn = pool.isAnySidecar || response.valueOf(arena, MARK) === unreachedMark(pool.key);
  if (!isOwn) return null;
  pool.notReached(io.nowMs);
  return response.status === 504 ? "connect-timeout" : "refused";
}
