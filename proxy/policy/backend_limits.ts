/**
 * BackendLimits: the limits of one backend's connections and requests, and who waits for a connection. The backend has pools of
 * its own while it has limits. So it counts exactly the connections that carry what is its own.
 */
import type { ConnectionLimits } from "../../base/policy.ts";
import { countsOf, type MetricSample, samplesOf } from "../../base/metrics.ts";
import type { Random } from "../../base/random.ts";
import type { StateStore } from "../../base/state_store.ts";
import { ConnectionBudget } from "../balance/connection_budget.ts";
import { Timer, type Timers, type Victim } from "../loop/timers.ts";
import { LIMITS } from "../observe/metrics.ts";
import { SHARED_LIMITS_LOOK_MS } from "../limits.ts";

/** An exchange that waits for a connection. */
interface Waiter extends Victim {
  onTurn(): void;
}

/** What is to be known of a pool. */
interface LimitedPool {
  /** Ends a connection that carries nothing. False: there is none. */
  closeIdle(): boolean;
  /** One that takes more streams; it ends once it has none. */
  shared(): { retire(): void } | undefined;
  /** A connection is there that an exchange can have now. */
  readonly canCarry: boolean;
}

export class BackendLimits {
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #store: StateStore;
  readonly #budget: ConnectionBudget;
  /** Of the plan in force. */
  #pools: ReadonlySet<LimitedPool> = new Set();
  readonly #waiting = new Set<Waiter>();
  readonly #wake: Timer;
  /** Looks whether other loops have taken up or given back connections. */
  readonly #look: Timer;
  readonly #counts;

  /**
   * @param labels of what is counted
   * @param store for what event loops share of the backend
   */
  constructor(
    timers: Timers,
    labels: { readonly listener: string; readonly backend: string },
    random: Random,
    store: StateStore,
  ) {
    this.#counts = countsOf(LIMITS, labels);
    this.#timers = timers;
    this.#random = random;
    this.#store = store;
    this.#budget = new ConnectionBudget(null, store);
    this.#wake = new Timer(() => this.#wakeWaiters(), this);
    this.#look = new Timer(() => this.#lookAround(), this);
  }

  /**
   * Takes the limits and the pools of a new plan; `settle` is called once all pools are there. What was counted before
   * goes on being counted.
   * @param limits null: the backend has none any more
   */
  bind(limits: ConnectionLimits | null, pools: ReadonlySet<LimitedPool>): void {
    this.#budget.limit(limits);
    this.#pools = pools;
  }

  /** Ends what is too much under new limits, and lets go on what has room now. */
  settle(): void {
    this.#endExcess();
    this.#callWaiters();
  }

  /** Of connections that are too many under new limits, those end at once that carry nothing. */
  #endExcess(): void {
    let excess = -this.#budget.room;
    while (excess > 0 && this.#closeIdle()) excess--;
    for (const pool of this.#pools) {
      for (let shared = pool.shared(); excess > 0 && shared !== undefined; excess--) {
        shared.retire();
        shared = pool.shared();
      }
    }
  }

  /** Connections that were opened under these limits have yet to end, or requests that may still open one. */
  get isInUse(): boolean {
    return this.#budget.connections + this.#budget.requests > 0;
  }

  // Requests.

  /** Counts one more request under way. False: there are as many as may be. */
  takeRequest(): boolean {
    const isTaken = this.#budget.takeRequest();
    if (!isTaken) this.#counts.hits.requests++;
    return isTaken;
  }

  requestEnded(): void {
    this.#budget.requestEnded();
  }

  // Connections.

  /** Counts one more connection, in place of an idle one where there are as many as may be. */
  takeConnection(): boolean {
    // Other loops may wait for it one day.
    this.#lookLater();
    while (!this.#budget.takeConnection()) {
      if (!this.#closeIdle()) {
        this.#counts.hits.connections++;
        return false;
      }
    }
    return true;
  }

  /** More are open than may be, as the limit was higher before. */
  get isOver(): boolean {
    return this.#budget.room < 0;
  }

  connectionEnded(): void {
    this.#budget.connectionEnded();
    this.#callWaiters();
  }

  /** Ends a connection that carries nothing. False: there is none. */
  #closeIdle(): boolean {
    for (const pool of this.#pools) {
      if (pool.closeIdle()) return true;
    }
    return false;
  }

  // Waiting.

  /** Has an exchange wait for a connection. False: as many wait as may. */
  wait(waiter: Waiter): boolean {
    if (!this.#budget.takePending()) {
      this.#counts.hits.pending++;
      return false;
    }
    this.#waiting.add(waiter);
    this.#lookLater();
    return true;
  }

  stopWaiting(waiter: Waiter): void {
    if (this.#waiting.delete(waiter)) this.#budget.pendingEnded();
  }

  /** An exchange has ended: its connection may be another's now. */
  exchangeEnded(): void {
    if (this.#waiting.size > 0) this.#callWaiters();
    else if (this.#othersPending > 0) this.#timers.start(this.#wake, 0);
  }

  /** Requests that wait in other loops for a connection to the same endpoints. */
  get #othersPending(): number {
    return this.#isShared ? this.#budget.othersPending : 0;
  }

  get #isShared(): boolean {
    return this.#store.isShared && this.#budget.limits !== null;
  }

  #lookLater(): void {
    if (this.#isShared && !this.#look.isRunning) {
      this.#timers.start(this.#look, SHARED_LIMITS_LOOK_MS);
    }
  }

  /** No loop can wake another, so each looks by itself while it waits for others, or others could wait for it. */
  #lookAround(): void {
    if (this.#budget.connections + this.#waiting.size === 0) return;
    this.#lookLater();
    this.#wakeWaiters();
  }

  /** Lets other loops have a connection, in proportion to who waits; one with streams ends once they have. */
  #giveUp(): void {
    const others = this.#othersPending;
    const all = others + this.#waiting.size;
    if (others === 0 || this.#random.next32() / 2 ** 32 * all >= others) return;
    if (this.#closeIdle()) return;
    for (const pool of this.#pools) {
      const shared = pool.shared();
      if (shared !== undefined) return shared.retire();
    }
  }

  /** Not at once: what gave the connection back is still at work with it. */
  #callWaiters(): void {
    if (this.#waiting.size > 0 && !this.#wake.isRunning) this.#timers.start(this.#wake, 0);
  }

  /** In the order in which they came, as many as there may be connections for. */
  #wakeWaiters(): void {
    this.#giveUp();
    for (let rest = this.#waiting.size; rest > 0 && this.#hasRoom(); rest--) {
      const first = this.#waiting.values().next().value;
      if (first === undefined) return;
      this.stopWaiting(first);
      try {
        first.onTurn();
      } catch (error) {
        this.#timers.contain(error, first);
      }
    }
  }

  /** Those that wait have deadlines of their own. */
  abort(): void {}

  #hasRoom(): boolean {
    if (this.#budget.room > 0) return true;
    for (const pool of this.#pools) if (pool.canCarry) return true;
    return false;
  }

  /** What they did. */
  samples(): MetricSample[] {
    if (this.#budget.limits === null) return [];
    this.#counts.pending = this.#budget.pending;
    return samplesOf(this.#counts);
  }
}
