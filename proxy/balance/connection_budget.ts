/**
 * ConnectionBudget: how much one proxy may have under way with the endpoints of one backend. Counts, and says no; who
 * waits for what is for its caller to know. Event loops that share a budget each know what is their own.
 *
 * What was counted is counted until it ends, whatever becomes of the limits meanwhile.
 */
import { assert } from "../../base/assert.ts";
import type { ConnectionLimits } from "../../base/policy.ts";
import { LOCAL_STATE } from "../../base/state_store.ts";
import type { StateStore, StoredTally } from "../../base/state_store.ts";

/** Places in the tally. */
const CONNECTIONS = 0;
const PENDING = 1;
const REQUESTS = 2;
const KINDS = 3;

export class ConnectionBudget {
  readonly #store: StateStore;
  readonly #key: string;
  /** Null: none, and nothing is shared. */
  #limits: ConnectionLimits | null = null;
  /** Of all loops. */
  #tally: StoredTally;
  /** Of this one. */
  readonly #own = new Float64Array(KINDS);

  /** @param key what those who share the budget call it by */
  constructor(limits: ConnectionLimits | null, store = LOCAL_STATE, key = "limits") {
    this.#store = store;
    this.#key = key;
    this.#tally = this.#alone();
    this.limit(limits);
  }

  get limits(): ConnectionLimits | null {
    return this.#limits;
  }

  /** Takes other limits. Without any, other loops are rid of what is this one's, which goes on by itself. */
  limit(limits: ConnectionLimits | null): void {
    const wasShared = this.#limits !== null;
    this.#limits = limits;
    if (wasShared === (limits !== null)) return;
    if (wasShared) {
      this.#add(-1);
      this.#tally.release();
      this.#tally = this.#alone();
    } else {
      this.#tally = this.#store.tally(this.#key, KINDS, () => {});
      this.#add(1);
    }
  }

  #alone(): StoredTally {
    return LOCAL_STATE.tally("", KINDS, (numbers) => numbers.set(this.#own));
  }

  #add(sign: number): void {
    const numbers = this.#tally.enter();
    for (const [kind, count] of this.#own.entries()) numbers[kind] += sign * count;
    this.#tally.leave();
  }

  /** Connections, requests under way, and those of them that wait for a connection, of this loop. */
  get connections(): number {
    return this.#own[CONNECTIONS];
  }

  get requests(): number {
    return this.#own[REQUESTS];
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

  /** How many more connections may be opened; below 0: so many are open too many, as the limit was higher before. */
  get room(): number {
    const maxConnections = this.#limits?.maxConnections ?? null;
    if (maxConnections === null) return Infinity;
    const connections = this.#tally.enter()[CONNECTIONS];
    this.#tally.leave();
    return maxConnections - connections;
  }

  /** Counts one more request. False: there are as many as may be. */
  takeRequest(): boolean {
    return this.#take(REQUESTS, this.#limits?.maxRequests ?? null);
  }

  /** Counts one more connection. False: there are as many as may be. */
  takeConnection(): boolean {
    return this.#take(CONNECTIONS, this.#limits?.maxConnections ?? null);
  }

  /** Counts one more request that waits for a connection. False: there are as many as may be. */
  takePending(): boolean {
    return this.#take(PENDING, this.#limits?.maxPending ?? null);
  }

  requestEnded(): void {
    this.#end(REQUESTS);
  }

  connectionEnded(): void {
    this.#end(CONNECTIONS);
  }

  pendingEnded(): void {
    this.#end(PENDING);
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
    assert(this.#own[kind] > 0, "What ends was counted");
    this.#own[kind]--;
    this.#tally.enter()[kind]--;
    this.#tally.leave();
  }
}
