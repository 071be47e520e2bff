/**
 * RouteMemory: what must be remembered of one section of a policy from request to request and from plan to plan: how much of a
 * rate or of a retry budget is left, and what was counted. All rules that the policy is attached to by one target share it.
 */
import type { Rate } from "../../base/policy.ts";
import type { StateStore } from "../../base/state_store.ts";
import type { PlanRoutePolicy } from "../../routing/plan.ts";
import { RetryBudget } from "../balance/retry_budget.ts";
import { TokenBucket } from "../balance/token_bucket.ts";
import type { CountedSection, MirrorDrop, RoutePolicyCounts } from "./policy_counts.ts";

export class RouteMemory {
  readonly #store: StateStore;
  readonly #labels: Pick<RoutePolicyCounts, "section" | "service" | "port" | "target">;
  http: TokenBucket | null = null;
  tcp: TokenBucket | null = null;
  retries: RetryBudget | null = null;
  /** Refused because of a rate. */
  readonly rateLimited = { http: 0, tcp: 0 };
  /** Retries that were not made because the budget was used up. */
  budgetExhausted = 0;
  readonly faults = { delay: 0, abort: 0 };
  /** Copies of requests that their mirror has answered. */
  mirrored = 0;
  readonly #mirrorDrops = new Map<MirrorDrop, number>();

  /** @param store for what is left of rates and budgets; nobody else is to use it */
  constructor(
    section: CountedSection,
    service: string,
    port: number,
    target: string,
    store: StateStore,
  ) {
    this.#labels = { section, service, port, target };
    this.#store = store;
  }

  bind({ rateLimit, retry }: PlanRoutePolicy, nowMs: number): void {
    this.http = this.#bucket(this.http, rateLimit?.http ?? null, nowMs, "http");
    this.tcp = this.#bucket(this.tcp, rateLimit?.tcp ?? null, nowMs, "tcp");
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

  /** A request was not copied. */
  mirrorDropped(reason: MirrorDrop): void {
    this.#mirrorDrops.set(reason, (this.#mirrorDrops.get(reason) ?? 0) + 1);
  }

  counts(listener: number): RoutePolicyCounts {
    return {
      ...this.#labels,
      listener,
      rateLimited: { ...this.rateLimited },
      budgetExhausted: this.budgetExhausted,
      faults: { ...this.faults },
      mirrored: this.mirrored,
      mirrorDrops: Object.fromEntries(this.#mirrorDrops),
    };
  }
}
