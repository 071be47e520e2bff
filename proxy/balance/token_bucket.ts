/**
 * TokenBucket: lets through `count` in each period on average, and at most `burst` at once. Tokens come in evenly, in
 * fractions, so that no period has an edge at which twice as many get through.
 */
import type { Rate } from "../../base/policy.ts";
import { LOCAL_STATE } from "../../base/state_store.ts";
import type { StoredTally } from "../../base/state_store.ts";

/** Places in the tally: tokens there are, and when they were last counted on the store's clock. */
const TOKENS = 0;
const AT = 1;

export class TokenBucket {
  readonly #tally: StoredTally;
  readonly #clockOffsetMs: number;
  #perMs: number;
  #burst: number;

  /** @param key what those who share the bucket call it by */
  constructor({ count, perMs, burst }: Rate, nowMs: number, store = LOCAL_STATE, key = "rate") {
    this.#perMs = count / perMs;
    this.#burst = burst;
    this.#clockOffsetMs = store.clockOffsetMs;
    this.#tally = store.tally(key, 2, (numbers) => {
      numbers[TOKENS] = burst;
      numbers[AT] = nowMs + store.clockOffsetMs;
    });
  }

  /** Another rate from now on; what was taken stays taken. */
  change({ count, perMs, burst }: Rate, nowMs: number): void {
    const numbers = this.#enter(nowMs);
    numbers[TOKENS] = Math.min(numbers[TOKENS], burst);
    this.#tally.leave();
    this.#perMs = count / perMs;
    this.#burst = burst;
  }

  /** Takes a token. False: there is none. */
  take(nowMs: number): boolean {
    const numbers = this.#enter(nowMs);
    const isThere = numbers[TOKENS] >= 1;
    if (isThere) numbers[TOKENS]--;
    this.#tally.leave();
    return isThere;
  }

  /** How long until there is a token again; 0 if there is one. */
  waitMs(nowMs: number): number {
    const tokens = this.#enter(nowMs)[TOKENS];
    this.#tally.leave();
    return tokens >= 1 ? 0 : (1 - tokens) / this.#perMs;
  }

  /** It is not used any more. */
  release(): void {
    this.#tally.release();
  }

  /** The tally, with the tokens that came in until now. */
  #enter(nowMs: number): Float64Array {
    const numbers = this.#tally.enter();
    const atMs = nowMs + this.#clockOffsetMs;
    if (atMs <= numbers[AT]) return numbers;
    const tokens = numbers[TOKENS] + (atMs - numbers[AT]) * this.#perMs;
    numbers[TOKENS] = tokens < this.#burst ? tokens : this.#burst;
    numbers[AT] = atMs;
    return numbers;
  }
}
