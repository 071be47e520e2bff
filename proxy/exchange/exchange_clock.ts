/** ExchangeClock: when an exchange has taken too long: by silence in both directions, or by what its request waits for. */
import type { ProxyTimeouts } from "../config.ts";

export class ExchangeClock {
  readonly #clock: { readonly nowMs: number };
  readonly #timeouts: ProxyTimeouts;
  /** When a byte last passed, in either direction. */
  #lastByteMs = 0;
  /** When the endpoint had all of the request; `Infinity`: it has not. */
  #sentMs = Infinity;
  /** Without a byte for as long, the exchange is given up. */
  idleMs = Infinity;

  constructor(clock: { readonly nowMs: number }, timeouts: ProxyTimeouts) {
    this.#clock = clock;
    this.#timeouts = timeouts;
  }

  /** An exchange begins; its policies are not known yet. @param isRelay it has no heads */
  start(isRelay: boolean): void {
    const { tcpIdleMs, stallMs } = this.#timeouts;
    this.idleMs = isRelay ? tcpIdleMs : stallMs;
    this.#sentMs = Infinity;
    this.touch();
  }

  /** Something has passed. */
  touch(): void {
    this.#lastByteMs = this.#clock.nowMs;
  }

  /** The endpoint has all of the request. True: that is new, and its answer has a time limit. */
  requestSent(): boolean {
    if (this.#sentMs !== Infinity) return false;
    this.#sentMs = this.#clock.nowMs;
    return this.#timeouts.responseMs < Infinity;
  }

  /** The request is sent once more. */
  rewind(): void {
    this.#sentMs = Infinity;
  }

  /** The latest moment at which the exchange is to be looked at again. */
  dueMs(hasAnswer: boolean): number {
    const answerDueMs = hasAnswer ? Infinity : this.#sentMs + this.#timeouts.responseMs;
    return Math.min(this.#lastByteMs + this.idleMs, answerDueMs);
  }
}
