/**
 * ExchangeClock: when an exchange has taken too long. It may be silent in both directions, wait for its answer, or be late as a
 * whole, by its policy or its caller.
 */
import { MIRROR_MS } from "../limits.ts";
import type { Loop } from "../loop/loop.ts";
import { Timer, type Victim } from "../loop/timers.ts";
import type { RouteState } from "../policy/route_state.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Place } from "../route/router.ts";
import { callTimeoutMs } from "./call_timeout.ts";

export class ExchangeClock {
  readonly #loop: Loop;
  readonly #onExpired: () => void;
  readonly #owner: Victim;
  #startedMs = 0;
  /** When a byte last passed, in either direction. */
  #lastByteMs = 0;
  /** When the endpoint had all of the request; `Infinity`: it has not. */
  #sentMs = Infinity;
  /** From then on, to the head of the answer. */
  #responseMs = Infinity;
  /** Without a byte for as long, the exchange is given up. */
  idleMs = Infinity;
  /** When it has to be over, with its answer. */
  #endMs = Infinity;
  /** How long its caller waits; `Infinity`: it did not say. */
  #callMs = Infinity;
  /** To the millisecond, which the sweep over all deadlines is not. Made with the first exchange that has to be over. */
  #expiry: Timer | null = null;

  constructor(loop: Loop, onExpired: () => void, owner: Victim) {
    this.#loop = loop;
    this.#onExpired = onExpired;
    this.#owner = owner;
  }

  /** An exchange begins; its policies are not known yet. @param request null: it has no head */
  start(request: Request | null, place: Place, isRelay: boolean): void {
    const { arena, io, timeouts: { tcpIdleMs, stallMs, responseMs } } = this.#loop;
    this.idleMs = isRelay ? tcpIdleMs : stallMs;
    this.#responseMs = responseMs;
    this.#sentMs = Infinity;
    this.#endMs = Infinity;
    this.#startedMs = io.nowMs;
    this.touch();
    this.#callMs = request === null ? Infinity : callTimeoutMs(arena, request);
    this.#endWithin(Math.min(this.#callMs, place === "copy" ? MIRROR_MS : Infinity));
  }

  /**
   * What the policy says, longer or shorter, takes the place of the defaults; the time of a whole exchange is none of a connection's.
   * True: the exchange is to be looked at again at another time.
   */
  obey({ requestMs, idleMs }: RouteState, isRelay: boolean): boolean {
    this.idleMs = idleMs ?? this.idleMs;
    if (requestMs !== null && !isRelay) {
      this.#responseMs = Infinity;
      this.#endWithin(requestMs);
    }
    return idleMs !== null;
  }

  /** From its beginning. The shortest counts. */
  #endWithin(limitMs: number): void {
    const endMs = this.#startedMs + limitMs;
    if (endMs >= this.#endMs) return;
    this.#endMs = endMs;
    this.#expiry ??= new Timer(this.#onExpired, this.#owner);
    this.#loop.timers.start(this.#expiry, Math.max(0, endMs - this.#loop.io.nowMs));
  }

  /** The exchange is over, or needs no end. Safe to call twice. */
  stop(): void {
    if (this.#expiry !== null) this.#loop.timers.stop(this.#expiry);
  }

  /** The time for the whole of it is over. */
  get isExpired(): boolean {
    return this.#endMs <= this.#loop.io.nowMs;
  }

  /** What is left of the time that the caller waits, or less by the policy; `Infinity`: the caller said nothing. */
  get callLeftMs(): number {
    if (this.#callMs === Infinity) return Infinity;
    return Math.min(this.#callMs, this.#endMs - this.#loop.io.nowMs);
  }

  /** Something has passed. */
  touch(): void {
    this.#lastByteMs = this.#loop.io.nowMs;
  }

  /** The endpoint has all of the request. True: that is new, and its answer has a time limit. */
  requestSent(): boolean {
    if (this.#sentMs !== Infinity) return false;
    this.#sentMs = this.#loop.io.nowMs;
    return this.#responseMs < Infinity;
  }

  /** The request is sent once more. */
  rewind(): void {
    this.#sentMs = Infinity;
  }

  /** The latest moment at which the exchange is to be looked at again. */
  dueMs(hasAnswer: boolean): number {
    const answerDueMs = hasAnswer ? Infinity : this.#sentMs + this.#responseMs;
    return Math.min(this.#lastByteMs + this.idleMs, answerDueMs);
  }
}
