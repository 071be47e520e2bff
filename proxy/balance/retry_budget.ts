/**
 * RetryBudget: keeps retries to a share of the requests, so that a backend that fails is not asked several times as
 * much because of it (Finagle, Linkerd). Every request puts a part of a token in, every retry takes one out.
 */

/** Retries that a backend is granted without requests that paid for them, at the start and after quiet times. */
export const RETRY_RESERVE = 10;
/** Tokens a second that come in whatever the traffic, so that a rare request can be sent again too. */
const REFILL_PER_MS = 1 / 1_000;

export class RetryBudget {
  percent: number;
  #tokens = RETRY_RESERVE;
  #atMs: number;

  constructor(percent: number, nowMs: number) {
    this.percent = percent;
    this.#atMs = nowMs;
  }

  /** A request is sent for the first time. */
  deposit(): void {
    this.#add(this.percent / 100);
  }

  /** Takes a retry out of the budget. False: it is used up. */
  withdraw(nowMs: number): boolean {
    // A budget of nothing has no reserve either.
    if (this.percent === 0) return false;
    if (nowMs > this.#atMs) this.#add((nowMs - this.#atMs) * REFILL_PER_MS);
    this.#atMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  #add(tokens: number): void {
    this.#tokens = Math.min(this.#tokens + tokens, RETRY_RESERVE);
  }
}
