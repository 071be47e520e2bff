/**
 * RouteMemory: what is remembered of one section of a policy, from request to request and from plan to plan. That is what is left
 * of a rate or a retry budget, and what was counted. All rules that the policy is attached to by one target share it.
 */
import { countsOf, type MetricSample, samplesOf } from "../../base/metrics.ts";
import type { Rate } from "../../base/policy.ts";
import type { StateStore } from "../../base/state_store.ts";
import type { PlanRoutePolicy } from "../../routing/plan.ts";
import { RetryBudget } from "../balance/retry_budget.ts";
import { TokenBucket } from "../balance/token_bucket.ts";
import { INJECTED_FAULTS, MIRRORS, RATE_LIMITS, RETRIES } from "../observe/metrics.ts";

/** Sections of a route's policy that count. */
export const COUNTED_SECTIONS = ["rateLimit", "retry", "fault", "mirror"] as const;

export type CountedSection = (typeof COUNTED_SECTIONS)[number];

/** What is counted of a section. */
interface TargetLabels {
  readonly listener: string;
  /** `namespace/service`. */
  readonly service: string;
  readonly port: string;
  /** What the policy is attached to: `Service app/web`, `HTTPRouteGroup app/group#match`; empty: no policy has the section. */
  readonly target: string;
}

export class RouteMemory {
  readonly #section: CountedSection;
  readonly #store: StateStore;
  http: TokenBucket | null = null;
  tcp: TokenBucket | null = null;
  retries: RetryBudget | null = null;
  readonly counts;

  /** @param store for what is left of rates and budgets; nothing else is to use it */
  constructor(section: CountedSection, labels: TargetLabels, store: StateStore) {
    this.#section = section;
    this.#store = store;
    this.counts = {
      rateLimit: countsOf(RATE_LIMITS, labels),
      retry: countsOf(RETRIES, labels),
      fault: countsOf(INJECTED_FAULTS, labels),
      mirror: countsOf(MIRRORS, labels),
    };
  }

  bind(policy: PlanRoutePolicy, nowMs: number): void {
    const { rateLimit, retry } = policy;
    if (this.#section === "rateLimit") {
      this.http = this.#bucket(this.http, rateLimit?.http ?? null, nowMs, "http");
      this.tcp = this.#bucket(this.tcp, rateLimit?.tcp ?? null, nowMs, "tcp");
    }
    if (this.#section !== "retry") return;
    if (retry === undefined) {
      this.retries?.release();
      this.retries = null;
    } else if (this.retries === null) {
      this.retries = new RetryBudget(retry.budgetPercent, nowMs, this.#store);
    } else this.retries.percent = retry.budgetPercent;
  }

  #bucket(
    known: TokenBucket | null,
    rate: Rate | null,
    nowMs: number,
    key: string,
  ): TokenBucket | null {
    if (rate === null) {
      known?.release();
      return null;
    }
    if (known === null) return new TokenBucket(rate, nowMs, this.#store, key);
    known.change(rate, nowMs);
    return known;
  }

  /** No plan in force has it; exchanges under way go without. */
  release(): void {
    for (const held of [this.http, this.tcp, this.retries]) held?.release();
    this.http = this.tcp = this.retries = null;
  }

  /** Of a section that no policy has there is nothing to say. */
  get samples(): MetricSample[] {
    const counts = this.counts[this.#section];
    return counts.labels.target === "" ? [] : samplesOf(counts);
  }
}
