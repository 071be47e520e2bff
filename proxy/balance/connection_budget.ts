/**
 * ConnectionBudget: how much one proxy may have under way with the endpoints of one backend. Counts, and says no; who
 * waits for what is for its caller to know. Event loops that share a budget each know what is their own.
 */
import type { ConnectionLimits } from "../../base/policy.ts";
import { LOCAL_STATE } from "../../base/state_store.ts";
import type { Tally } from "../../base/state_store.ts";

/** Places in the tally. */
const CONNECTIONS = 0;
const PENDING = 1;
const REQUESTS = 2;
const KINDS = 3;

export class ConnectionBudget {
  limits: ConnectionLimits;
  /** Of all loops. */
  #tally: Tally;
  /** Of this one. */
  readonly #own = new Float64Array(KINDS);

  /** @param key what those who share the budget call it by */
  constructor(limits: ConnectionLimits, store = LOCAL_STATE, key = "limits") {
    this.limits = limits;
    this.#tally = store.tally(key, KINDS, () => {});
  }

  /** Connections, and requests that wait for one, of this loop. */
  get connections(): number {
    return this.#own[CONNECTIONS];
  }

  get pending(): number {
    return this.#own[PENDING];
  }

  /** Requests of other loops that wait for a connection. */
  get othersPending(): number {
    const pending = this.#tally.enter()[PENDING];
    this.#tally.leave();
    return pending - this.#own[PENDING];
  }

  /** Whether one more connection may be opened. */
  get hasRoom(): boolean {
    const { maxConnections } = this.limits;
    if (maxConnections === null) return true;
    const connections = this.#tally.enter()[CONNECTIONS];
    this.#tally.leave();
    return connections < maxConnections;
  }

  /** Counts one more request. False: there are as many as may be. */
  takeRequest(): boolean {
    return this.#take(REQUESTS, this.limits.maxRequests);
  }

  /** Counts one more connection. False: there are as many as may be. */
  takeConnection(): boolean {
    return this.#take(CONNECTIONS, this.limits.maxConnections);
  }

  /** Counts one more request that waits for a connection. False: there are as many as may be. */
  takePending(): boolean {
    return this.#take(PENDING, this.limits.maxPending);
  }

  // What began before there was a budget ends without having been counted.

  requestEnded(): void {
    this.#end(REQUESTS);
  }

  connectionEnded(): void {
    this.#end(CONNECTIONS);
  }

  pendingEnded(): void {
    this.#end(PENDING);
  }

  /** Other loops are rid of what is this one's, which goes on by itself. */
  release(): void {
    const numbers = this.#tally.enter();
    for (const [kind, count] of this.#own.entries()) numbers[kind] -= count;
    this.#tally.leave();
    this.#tally.release();
    this.#tally = LOCAL_STATE.tally("", KINDS, (own) => own.set(this.#own));
  }

  #take(kind: number, max: number | null): boolean {
    const numbers = this.#tally.enter();
    const isTaken = max === null || numbers[kind] < max;
    if (isTaken) numbers[kind]++;
    this.#tally.leave();
    if (isTaken) this.#own[kind]++;
    return isTaken;
  }

  #end(kind: number): void {
    if (this.#own[kind] === 0) return;
    this.#own[kind]--;
    this.#tally.enter()[kind]--;
    this.#tally.leave();
  }
}
