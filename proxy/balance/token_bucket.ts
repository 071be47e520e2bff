/**
 * TokenBucket: lets through `count` in each period on average, and at most `burst` at once. Tokens come in evenly, in
 * fractions, so that no period has an edge at which twice as many get through.
 */
import type { Rate } from "../../base/policy.ts";

export class TokenBucket {
  #perMs: number;
  #burst: number;
  #tokens: number;
  #atMs: number;

  constructor({ count, perMs, burst }: Rate, nowMs: number) {
    this.#perMs = count / perMs;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /** Another rate from now on; what was taken stays taken. */
  change({ count, perMs, burst }: Rate, nowMs: number): void {
    this.#fill(nowMs);
    this.#perMs = count / perMs;
    this.#tokens = Math.min(this.#tokens, burst);
    this.#burst = burst;
  }

  /** Takes a token. False: there is none. */
  take(nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** How long until there is a token again; 0 where there is one. */
  waitMs(nowMs: number): number {
    this.#fill(nowMs);
    return this.#tokens >= 1 ? 0 : (1 - this.#tokens) / this.#perMs;
  }

  #fill(nowMs: number): void {
    if (nowMs <= this.#atMs) return;
    const tokens = this.#tokens + (nowMs - this.#atMs) * this.#perMs;
    this.#tokens = tokens < this.#burst ? tokens : this.#burst;
    this.#atMs = nowMs;
  }
}
