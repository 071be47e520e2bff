/**
 * BackendState: what one proxy knows of a backend from request to request, and from plan to plan: the load and the health of
 * its endpoints, and who waits for a connection. It decides which endpoint takes a request, by the policy of the backend
 * or, without one, by the default.
 */
import type { ConnectionLimits, LoadBalancing } from "../../base/policy.ts";
import { mix32 } from "../../base/hash.ts";
import { countsOf, type MetricSample, samplesOf } from "../../base/metrics.ts";
import { Random } from "../../base/random.ts";
import type { StateStore } from "../../base/state_store.ts";
import type { PlanEndpointPolicy } from "../../routing/plan.ts";
import type { RequestHead } from "../../routing/request.ts";
import { NO_KEY, RequestKeyReader } from "../../routing/table/request_key.ts";
import type { EndpointSet, TableEndpoint } from "../../routing/table/table.ts";
import { balancerOf, DEFAULT_ALGORITHM } from "../balance/algorithms.ts";
import type { Balancer } from "../balance/balancer.ts";
import { callerHash } from "../balance/caller_hash.ts";
import { ConnectionBudget } from "../balance/connection_budget.ts";
import type { BalancedEndpoint } from "../balance/endpoint.ts";
import { EndpointGroup } from "../balance/endpoint_group.ts";
import { OutlierDetector } from "../balance/outlier_detector.ts";
import { FAILURE_LATENCY_MS, observeLatency } from "../balance/peak_ewma.ts";
import type { AttemptFailure } from "../balance/retry_policy.ts";
import type { EndpointPool } from "../pool/pool.ts";
import { type EjectionCause, EJECTIONS, LIMITS } from "../observe/metrics.ts";
import { Timer, type Timers } from "../loop/timers.ts";

/** An endpoint that has an address, with its connections. */
export interface PooledEndpoint {
  readonly endpoint: TableEndpoint;
  readonly pool: EndpointPool;
}

export type Choice = BalancedEndpoint<PooledEndpoint>;

/** An exchange that waits for a connection. */
export interface Waiter {
  onTurn(): void;
}

/** With half of the endpoints bad, one in 250 keys finds none of the others in as many tries, and is sent to any. */
const REHASHES_MAX = 8;

/** Statuses that say that a proxy or server before the application could not answer. */
const GATEWAY_ERRORS = [502, 503, 504];

/** How often a loop that shares limits looks what the others wait for: as long as a request may wait on top of its turn. */
const LOOK_INTERVAL_MS = 20;

export class BackendState {
  readonly #group: EndpointGroup<PooledEndpoint>;
  readonly #random: Random;
  /** The same for all event loops of a proxy. */
  readonly #seed: number | null;
  readonly #timers: Timers;
  readonly #store: StateStore;
  /** All that the backend has, by any plan so far: whoever was to choose from those may choose from today's. */
  readonly #sets = new WeakSet<EndpointSet>();
  /** Groups for the sets that traffic targets cut out of it. */
  readonly #parts = new Map<EndpointSet, EndpointGroup<PooledEndpoint>>();
  #balancing: LoadBalancing = { algorithm: DEFAULT_ALGORITHM, hashKey: null };
  #balancer: Balancer = balancerOf(DEFAULT_ALGORITHM);
  #keyReader: RequestKeyReader | null = null;
  #detector: OutlierDetector<PooledEndpoint> | null = null;
  /** Null: there are no limits. */
  #budget: ConnectionBudget | null = null;
  readonly #waiting = new Set<Waiter>();
  readonly #wake: Timer;
  /** Looks whether other loops have taken up or given back connections. */
  readonly #look: Timer;
  /** Since the backend was first used. */
  readonly #ejections;
  readonly #limits;

  /**
   * @param labels of what is counted; `backend` tells backends of a listener apart
   * @param seed of the rotation and of what is drawn; null: the rotation begins with the first endpoint
   * @param store for what event loops share of the backend
   */
  constructor(
    timers: Timers,
    labels: { readonly listener: string; readonly backend: string },
    seed: number | null,
    store: StateStore,
  ) {
    this.#ejections = countsOf(EJECTIONS, labels);
    this.#limits = countsOf(LIMITS, labels);
    this.#timers = timers;
    this.#seed = seed;
    this.#store = store;
    this.#random = new Random(seed ?? 0, `balance ${labels.backend}`);
    this.#group = new EndpointGroup(seed === null ? 0 : this.#random.next32());
    this.#wake = new Timer(() => this.#wakeWaiters());
    this.#look = new Timer(() => this.#lookAround());
  }

  /** Takes the endpoints and the policy of a new plan. What is known of endpoints that stay stays known. */
  bind(
    set: EndpointSet,
    policy: PlanEndpointPolicy | null,
    poolOf: (endpoint: TableEndpoint) => EndpointPool | null,
    nowMs: number,
  ): void {
    const targets: { key: string; target: PooledEndpoint }[] = [];
    for (const endpoint of set.endpoints) {
      const pool = poolOf(endpoint);
      if (pool !== null) targets.push({ key: endpoint.key, target: { endpoint, pool } });
    }
    this.#sets.add(set);
    this.#parts.clear();
    this.#group.replace(targets, nowMs, policy?.slowStart?.windowMs ?? 0);
    this.#bindBalancing(policy?.loadBalancing ?? { algorithm: DEFAULT_ALGORITHM, hashKey: null });
    this.#bindDetector(policy, nowMs);
    this.#bindLimits(policy?.connectionLimits);
  }

  #bindBalancing(balancing: LoadBalancing): void {
    const { algorithm, hashKey, maxLoadPercent } = balancing;
    const before = this.#balancing;
    if (algorithm !== before.algorithm || maxLoadPercent !== before.maxLoadPercent) {
      this.#balancer = balancerOf(algorithm, maxLoadPercent);
    }
    this.#balancing = balancing;
    this.#keyReader = hashKey === null || hashKey.source === "source-ip"
      ? null
      : new RequestKeyReader(hashKey);
  }

  #bindDetector(policy: PlanEndpointPolicy | null, nowMs: number): void {
    const detection = policy?.outlierDetection;
    if (detection !== undefined) {
      this.#detector ??= new OutlierDetector(this.#group, detection);
      this.#detector.rebind(detection, nowMs);
    } else if (this.#detector !== null) {
      this.#detector = null;
      for (const endpoint of this.#group.all) endpoint.isEjected = false;
      this.#group.refresh(false);
    }
  }

  #bindLimits(limits: ConnectionLimits | undefined): void {
    if (limits === undefined) {
      this.#budget?.release();
      this.#budget = null;
      this.#callWaiters();
    } else if (this.#budget === null) this.#budget = new ConnectionBudget(limits, this.#store);
    else {
      this.#budget.limits = limits;
      this.#callWaiters();
    }
  }

  /** No plan in force has it; exchanges under way go on by themselves. */
  release(): void {
    this.#budget?.release();
  }

  // Choosing.

  get hasLimits(): boolean {
    return this.#budget !== null;
  }

  /** Why `pick` gave nothing. */
  get emptyReason(): "no-address" | "no-healthy-endpoint" {
    return this.#group.all.length === 0 ? "no-address" : "no-healthy-endpoint";
  }

  /** What the request is hashed by, 0 to 2^32 - 1; a request without it may go anywhere. */
  hashOf(head: RequestHead | null, peer: string): number {
    const { hashKey } = this.#balancing;
    if (hashKey === null) return 0;
    if (hashKey.source === "source-ip") return callerHash(peer, this.#seed);
    const hash = head === null ? NO_KEY : this.#keyReader?.hash(head, 0) ?? NO_KEY;
    return hash === NO_KEY ? this.#random.next32() : hash;
  }

  /**
   * The endpoint for the next attempt; null where there is none.
   * @param set of the backend, or the part of it that traffic targets leave
   * @param last the endpoint of the attempt before, which is passed over where another will do
   */
  pick(set: EndpointSet, hash: number, last: Choice | null, nowMs: number): Choice | null {
    this.#detector?.restore(nowMs);
    const group = this.#sets.has(set) ? this.#group : this.#part(set);
    const choice = this.#balancer.pick(group, nowMs, this.#random, hash);
    if (choice === null || isGood(choice, last, nowMs)) return choice;
    // What is hashed by a key has the same second choice each time.
    const rehashes = this.#balancing.hashKey === null ? 0 : REHASHES_MAX;
    for (let i = 1; i <= rehashes; i++) {
      const second = this.#balancer.pick(group, nowMs, this.#random, mix32(hash + i));
      if (second !== null && isGood(second, last, nowMs)) return second;
    }
    return this.#other(group, choice, last, nowMs);
  }

  /** Any other endpoint that is good, so that those after a bad one do not get all of its share. */
  #other(
    group: EndpointGroup<PooledEndpoint>,
    choice: Choice,
    last: Choice | null,
    nowMs: number,
  ): Choice {
    const { available } = group;
    const start = Math.floor(this.#random.next32() / 2 ** 32 * available.length);
    for (let i = 0; i < available.length; i++) {
      const endpoint = available[(start + i) % available.length];
      if (isGood(endpoint, last, nowMs)) return endpoint;
    }
    return choice;
  }

  /** A set that an earlier plan cut out has nothing to share with today's, but its addresses. */
  #part(set: EndpointSet): EndpointGroup<PooledEndpoint> {
    let part = this.#parts.get(set);
    if (part === undefined) {
      const keys = new Set(set.endpoints.map(({ key }) => key));
      part = this.#group.part(({ key }) => keys.has(key));
      this.#parts.set(set, part);
    }
    return part;
  }

  // What became of it.

  /** An attempt was answered, after `latencyMs`. `status` 0: what it came to is told later, to `judge`. */
  answered(choice: Choice, status: number, latencyMs: number, nowMs: number): void {
    const isDown = GATEWAY_ERRORS.includes(status);
    observeLatency(choice, isDown ? Math.max(latencyMs, FAILURE_LATENCY_MS) : latencyMs, nowMs);
    if (status > 0) this.judge(choice, status, nowMs);
  }

  /** What an attempt came to. */
  judge(choice: Choice, status: number, nowMs: number): void {
    if (this.#detector === null) return;
    if (status >= 500) this.#blame(choice, "5xx", nowMs);
    else this.#detector.succeeded(choice, nowMs);
  }

  /** An attempt failed without an answer, by the endpoint's doing. */
  failed(choice: Choice, failure: AttemptFailure, nowMs: number): void {
    observeLatency(choice, FAILURE_LATENCY_MS, nowMs);
    this.#blame(choice, failure, nowMs);
  }

  #blame(choice: Choice, cause: EjectionCause, nowMs: number): void {
    const isEjected = this.#detector?.failed(choice, nowMs) ?? false;
    if (isEjected) this.#ejections.ejected.add(cause);
  }

  // Limits.

  /** Counts one more request under way. False: there are as many as may be. */
  takeRequest(): boolean {
    const isTaken = this.#budget?.takeRequest() ?? true;
    if (!isTaken) this.#limits.hits.requests++;
    return isTaken;
  }

  requestEnded(): void {
    this.#budget?.requestEnded();
  }

  /** Counts one more connection, in place of an idle one where there are as many as may be. */
  takeConnection(): boolean {
    const budget = this.#budget;
    if (budget === null) return true;
    // Other loops may wait for it one day.
    this.#lookLater();
    while (!budget.takeConnection()) {
      if (!this.#closeIdle()) {
        this.#limits.hits.connections++;
        return false;
      }
    }
    return true;
  }

  /** Ends a connection that carries nothing. False: there is none. */
  #closeIdle(): boolean {
    for (const { target } of this.#group.all) {
      const idle = target.pool.take();
      if (idle === undefined) continue;
      idle.close();
      return true;
    }
    return false;
  }

  connectionEnded(): void {
    if (this.#budget === null) return;
    this.#budget.connectionEnded();
    this.#callWaiters();
  }

  /** Has an exchange wait for a connection. False: as many wait as may. */
  wait(waiter: Waiter): boolean {
    if (this.#budget === null) return false;
    if (!this.#budget.takePending()) {
      this.#limits.hits.pending++;
      return false;
    }
    this.#waiting.add(waiter);
    this.#lookLater();
    return true;
  }

  stopWaiting(waiter: Waiter): void {
    if (this.#waiting.delete(waiter)) this.#budget?.pendingEnded();
  }

  /** An exchange has ended: its connection may be another's now. */
  exchangeEnded(): void {
    if (this.#waiting.size > 0) this.#callWaiters();
    else if (this.#othersPending > 0) this.#timers.start(this.#wake, 0);
  }

  /** Requests that wait in other loops for a connection to the same endpoints. */
  get #othersPending(): number {
    return this.#store.isShared ? this.#budget?.othersPending ?? 0 : 0;
  }

  #lookLater(): void {
    if (this.#store.isShared && !this.#look.isRunning) {
      this.#timers.start(this.#look, LOOK_INTERVAL_MS);
    }
  }

  /** No loop can wake another, so each looks by itself while it waits for others, or others could wait for it. */
  #lookAround(): void {
    if (this.#budget === null || this.#budget.connections + this.#waiting.size === 0) return;
    this.#lookLater();
    this.#wakeWaiters();
  }

  /** Lets other loops have a connection, in proportion to who waits; one with streams ends once they have. */
  #giveUp(): void {
    const others = this.#othersPending;
    const all = others + this.#waiting.size;
    if (others === 0 || this.#random.next32() / 2 ** 32 * all >= others) return;
    if (this.#closeIdle()) return;
    for (const { target: { pool } } of this.#group.all) {
      const shared = pool.shared();
      if (shared !== undefined) return shared.retire();
    }
  }

  /** Not at once: whoever gave the connection back is still at work with it. */
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
      first.onTurn();
    }
  }

  /** What its policy did, section by section of those that it has. */
  *samples(): Iterable<MetricSample> {
    if (this.#detector !== null) {
      this.#ejections.active = this.#detector.ejectedCount;
      this.#ejections.panics = this.#detector.isPanic ? 1 : 0;
      yield* samplesOf(this.#ejections);
    }
    if (this.#budget !== null) {
      this.#limits.pending = this.#budget.pending;
      yield* samplesOf(this.#limits);
    }
  }

  #hasRoom(): boolean {
    const budget = this.#budget;
    return budget === null || budget.hasRoom ||
      this.#group.all.some(({ target }) => target.pool.canCarry);
  }
}

function isGood(choice: Choice, last: Choice | null, nowMs: number): boolean {
  return choice !== last && !choice.target.pool.isAvoided(nowMs);
}
