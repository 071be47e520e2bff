/**
 * RetryBudget: keeps retries to a share of the requests, so that a backend that fails is not asked several times as
 * much because of it (Finagle, Linkerd). Every request puts a part of a token in, every retry takes one out.
 */
import { LOCAL_STATE } from "../../base/state_store.ts";
import type { StoredTally } from "../../base/state_store.ts";
import { RETRY_REFILL_PER_MS } from "../limits.ts";

/** Retries that a backend is granted without requests that paid for them, at the start and after quiet times. */
export const RETRY_RESERVE = 10;

/** Places in the tally: tokens there are, and when a retry was last asked for on the store's clock. */
const TOKENS = 0;
const AT = 1;

export class RetryBudget {
  percent: number;
  readonly #tally: StoredTally;
  readonly #clockOffsetMs: number;

  /** @param key what those who share the budget call it by */
  constructor(percent: number, nowMs: number, store = LOCAL_STATE, key = "retries") {
    this.percent = percent;
    this.#clockOffsetMs = store.clockOffsetMs;
    this.#tally = store.tally(key, 2, (numbers) => {
      numbers[TOKENS] = RETRY_RESERVE;
      numbers[AT] = nowMs + store.clockOffsetMs;
    });
  }

  /** A request is sent for the first time. */
  deposit(): void {
    add(this.#tally.enter(), this.percent / 100);
    this.#tally.leave();
  }

  /** Takes a retry out of the budget. False: it is used up. */
  withdraw(nowMs: number): boolean {
    // A budget of nothing has no reserve either.
    if (this.percent === 0) return false;
    const numbers = this.#tally.enter();
    const atMs = nowMs + this.#clockOffsetMs;
    if (atMs > numbers[AT]) {
      add(numbers, (atMs - numbers[AT]) * RETRY_REFILL_PER_MS);
      numbers[AT] = atMs;
    }
    const isThere = numbers[TOKENS] >= 1;
    if (isThere) numbers[TOKENS]--;
    this.#tally.leave();
    return isThere;
  }

  /** It is not used any more. */
  release(): void {
    this.#tally.release();
  }
}

function add(numbers: Float64Array, tokens: number): void {
  numbers[TOKENS] = Math.min(numbers[TOKENS] + tokens, RETRY_RESERVE);
}
