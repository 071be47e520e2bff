/**
 * BackendState: what one proxy knows of a backend from request to request, and from plan to plan: the load and the health of
 * its endpoints. It decides which endpoint takes a request, by the policy of the backend or, without one, by the default.
 */
import { countsOf, type MetricSample, samplesOf } from "../../base/metrics.ts";
import type { Random } from "../../base/random.ts";
import type { PlanEndpointPolicy } from "../../routing/plan.ts";
import type { RequestHead } from "../../routing/request.ts";
import { Balancing } from "../balance/balancing.ts";
import type { BalancedEndpoint } from "../balance/endpoint.ts";
import { OutlierDetector } from "../balance/outlier_detector.ts";
import { observeLatency } from "../balance/peak_ewma.ts";
import type { AttemptFailure } from "../balance/retry_policy.ts";
import { type EjectionCause, EJECTIONS } from "../observe/metrics.ts";
import type { EndpointPool } from "../pool/pool.ts";
import type { BackendLimits } from "./backend_limits.ts";
import type { EndpointSet, TableEndpoint } from "../../routing/table/endpoint_set.ts";
import { FAILURE_LATENCY_MS } from "../limits.ts";

/** An endpoint that has an address, with its connections. */
interface PooledEndpoint {
  readonly endpoint: TableEndpoint;
  readonly pool: EndpointPool;
}

export type Choice = BalancedEndpoint<PooledEndpoint>;

/** Statuses that say that a proxy or server before the application could not answer. */
const GATEWAY_ERRORS = [502, 503, 504];

export class BackendState {
  readonly #balancing: Balancing<PooledEndpoint>;
  #detector: OutlierDetector<PooledEndpoint> | null = null;
  #limits: BackendLimits | null = null;
  /** Since the backend was first used. */
  readonly #ejections;
  /** Of the pick under way. */
  #last: Choice | null = null;
  #nowMs = 0;
  readonly #isGood = (choice: Choice): boolean =>
    choice !== this.#last && !choice.target.pool.isAvoided(this.#nowMs);

  /**
   * @param labels of what is counted; `backend` tells backends of a listener apart
   * @param seed of where the turns of the endpoints begin; null: with the first
   * @param random for what is drawn
   */
  constructor(
    labels: { readonly listener: string; readonly backend: string },
    seed: number | null,
    random: Random,
  ) {
    this.#ejections = countsOf(EJECTIONS, labels);
    this.#balancing = new Balancing(labels.backend, seed, random);
  }

  /**
   * Takes the endpoints and the policy of a new plan. What is known of endpoints that stay stays known.
   * @param limits that hold for the backend; null: none
   */
  bind(
    set: EndpointSet,
    policy: PlanEndpointPolicy | null,
    limits: BackendLimits | null,
    poolOf: (endpoint: TableEndpoint) => EndpointPool | null,
    nowMs: number,
  ): void {
    const targets: { key: string; target: PooledEndpoint }[] = [];
    for (const endpoint of set.endpoints) {
      const pool = poolOf(endpoint);
      if (pool !== null) targets.push({ key: endpoint.key, target: { endpoint, pool } });
    }
    const slowStartMs = policy?.slowStart?.windowMs ?? 0;
    this.#balancing.bind(set, targets, policy?.loadBalancing, nowMs, slowStartMs);
    this.#bindDetector(policy, nowMs);
    this.#limits = limits;
  }

  #bindDetector(policy: PlanEndpointPolicy | null, nowMs: number): void {
    const detection = policy?.outlierDetection;
    const { group } = this.#balancing;
    if (detection !== undefined) {
      this.#detector ??= new OutlierDetector(group, detection);
      this.#detector.rebind(detection, nowMs);
    } else if (this.#detector !== null) {
      this.#detector = null;
      for (const endpoint of group.all) endpoint.isEjected = false;
      group.refresh(false);
    }
  }

  /** Null: there are none. */
  get limits(): BackendLimits | null {
    return this.#limits;
  }

  // Choosing.

  /** Why `pick` gave nothing. */
  get emptyReason(): "no-address" | "no-healthy-endpoint" {
    return this.#balancing.group.all.length === 0 ? "no-address" : "no-healthy-endpoint";
  }

  /** What the request is hashed by, 0 to 2^32 - 1; a request without it may go anywhere. */
  hashOf(head: RequestHead | null, peer: string): number {
    return this.#balancing.hashOf(head, peer);
  }

  /**
   * The endpoint for the next attempt; null if there is none.
   * @param set of the backend, or the part of it that traffic targets leave
   * @param last the endpoint of the attempt before, which is passed over where another will do
   */
  pick(set: EndpointSet, hash: number, last: Choice | null, nowMs: number): Choice | null {
    this.#detector?.restore(nowMs);
    this.#last = last;
    this.#nowMs = nowMs;
    return this.#balancing.pick(set, hash, nowMs, this.#isGood);
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

  /** What its policy did. */
  samples(): MetricSample[] {
    if (this.#detector === null) return [];
    this.#ejections.active = this.#detector.ejectedCount;
    this.#ejections.panics = this.#detector.isPanic ? 1 : 0;
    return samplesOf(this.#ejections);
  }
}
