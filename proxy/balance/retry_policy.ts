/**
 * RetryPolicy: whether what became of an attempt calls for another one, and how long to wait before it. Knows nothing
 * of budgets, nor of whether the request is still there to be sent again.
 */
import type { Retry, RetryCondition } from "../../base/policy.ts";
import type { Random } from "../../base/random.ts";
import { METHODS } from "../../routing/request.ts";
import { RETRY_BACKOFF_MS_MAX } from "../limits.ts";

/** How an attempt ended without an answer. */
export type AttemptFailure = "connect-failure" | "reset" | "timeout";

const TWO_32 = 2 ** 32;
const FIRST_STATUS = 400;
const LAST_STATUS = 599;
const LOOP_DETECTED = 508;

export class RetryPolicy {
  readonly attempts: number;
  readonly perTryTimeoutMs: number | null;
  readonly #conditions: ReadonlySet<RetryCondition>;
  /** By status less `FIRST_STATUS`. */
  readonly #statuses = new Uint8Array(LAST_STATUS - FIRST_STATUS + 1);
  /** By method id. */
  readonly #methods = new Uint8Array(METHODS.length + 1);
  readonly #backoffMs: number;

  constructor(retry: Retry) {
    this.attempts = retry.attempts;
    this.perTryTimeoutMs = retry.perTryTimeoutMs;
    this.#backoffMs = retry.backoffMs;
    this.#conditions = new Set(retry.conditions);
    for (const status of retry.statuses) this.#statuses[status - FIRST_STATUS] = 1;
    if (this.#conditions.has("gateway-error")) {
      for (const status of [502, 503, 504]) this.#statuses[status - FIRST_STATUS] = 1;
    }
    if (this.#conditions.has("5xx")) {
      this.#statuses.fill(1, 500 - FIRST_STATUS);
      // Sent again a request in a circle would go round again, each time from every hop.
      if (!retry.statuses.includes(LOOP_DETECTED)) this.#statuses[LOOP_DETECTED - FIRST_STATUS] = 0;
    }
    for (const method of retry.methods) {
      this.#methods[METHODS.indexOf(method as typeof METHODS[number]) + 1] = 1;
    }
    // A method that is in no list is not known to be idempotent.
    this.#methods[0] = 0;
  }

  /** An answer: the endpoint has seen the request, so its method must be one that may be sent twice. */
  allowsStatus(status: number, method: number): boolean {
    return status >= FIRST_STATUS && status <= LAST_STATUS &&
      this.#statuses[status - FIRST_STATUS] === 1 && this.#methods[method] === 1;
  }

  /** A connection that was not made has carried nothing, so the method does not matter (RFC 9110 9.2.2). */
  allowsFailure(failure: AttemptFailure, method: number): boolean {
    if (!this.#conditions.has(failure)) return false;
    return failure === "connect-failure" || this.#methods[method] === 1;
  }

  /**
   * Milliseconds before retry number `retry`, from 1: drawn from zero to a bound that doubles, so that clients that
   * failed together do not come back together.
   */
  backoffMs(retry: number, random: Random): number {
    const bound = Math.min(this.#backoffMs * 2 ** (retry - 1), RETRY_BACKOFF_MS_MAX);
    return random.next32() / TWO_32 * bound;
  }
}
