/**
 * RouteMemory: what must be remembered of one section of a policy from request to request and from plan to plan: how much of a
 * rate or of a retry budget is left, and what was counted. All rules that the policy is attached to by one target share it.
 */
import type { Rate } from "../../base/policy.ts";
import type { PlanRoutePolicy } from "../../routing/plan.ts";
import { RetryBudget } from "../balance/retry_budget.ts";
import { TokenBucket } from "../balance/token_bucket.ts";
import type { CountedSection, MirrorDrop, RoutePolicyCounts } from "./policy_counts.ts";

export class RouteMemory {
  readonly #labels: Pick<RoutePolicyCounts, "section" | "service" | "port" | "target">;
  http: TokenBucket | null = null;
  tcp: TokenBucket | null = null;
  retries: RetryBudget | null = null;
  /** Refused because of a rate. */
  readonly rateLimited = { http: 0, tcp: 0 };
  /** Retries that were not made because the budget was used up. */
  budgetExhausted = 0;
  readonly faults = { delay: 0, abort: 0 };
  /** Requests that were copied to their mirror. */
  mirrored = 0;
  readonly #mirrorDrops = new Map<MirrorDrop, number>();

  constructor(section: CountedSection, service: string, port: number, target: string) {
    this.#labels = { section, service, port, target };
  }

  bind({ rateLimit, retry }: PlanRoutePolicy, nowMs: number): void {
    this.http = bucketOf(this.http, rateLimit?.http ?? null, nowMs);
    this.tcp = bucketOf(this.tcp, rateLimit?.tcp ?? null, nowMs);
    if (retry === undefined) this.retries = null;
    else if (this.retries === null) this.retries = new RetryBudget(retry.budgetPercent, nowMs);
    else this.retries.percent = retry.budgetPercent;
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

function bucketOf(known: TokenBucket | null, rate: Rate | null, nowMs: number): TokenBucket | null {
  if (rate === null) return null;
  if (known === null) return new TokenBucket(rate, nowMs);
  known.change(rate, nowMs);
  return known;
}
