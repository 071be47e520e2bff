/**
 * RouteState: what one proxy does with the requests of a route, by its policy, and what it must remember for it from request to
 * request: how much of a rate or of a retry budget is left.
 */
import type { Fault, Rate } from "../../base/policy.ts";
import type { PlanRoutePolicy } from "../../routing/plan.ts";
import { RetryBudget } from "../balance/retry_budget.ts";
import { RetryPolicy } from "../balance/retry_policy.ts";
import { TokenBucket } from "../balance/token_bucket.ts";
import type { EndpointSet, TableMirror } from "../../routing/table/table.ts";
import type { BackendState } from "./backend_state.ts";
import { HeaderEdits, headerEdits, headerLines } from "./header_edits.ts";

/** A mirror, with what is known of its endpoints. */
export interface BoundMirror {
  readonly table: TableMirror;
  readonly set: EndpointSet;
  readonly backend: BackendState;
}

/** What must be remembered, by what the policy is attached to: all its rules share it. */
export class RouteMemory {
  http: TokenBucket | null = null;
  tcp: TokenBucket | null = null;
  retries: RetryBudget | null = null;

  bind({ rateLimit, retry }: PlanRoutePolicy, nowMs: number): void {
    this.http = bucketOf(this.http, rateLimit?.http ?? null, nowMs);
    this.tcp = bucketOf(this.tcp, rateLimit?.tcp ?? null, nowMs);
    if (retry === undefined) this.retries = null;
    else if (this.retries === null) this.retries = new RetryBudget(retry.budgetPercent, nowMs);
    else this.retries.percent = retry.budgetPercent;
  }
}

function bucketOf(known: TokenBucket | null, rate: Rate | null, nowMs: number): TokenBucket | null {
  if (rate === null) return null;
  if (known === null) return new TokenBucket(rate, nowMs);
  known.change(rate, nowMs);
  return known;
}

export class RouteState {
  readonly #rateMemory: RouteMemory;
  readonly #retryMemory: RouteMemory;
  readonly limitStatus: number;
  /** Header lines of the answer to a request over the limit. */
  readonly limitHeaders: Uint8Array<ArrayBuffer>;
  readonly retry: RetryPolicy | null;
  readonly requestMs: number | null;
  readonly idleMs: number | null;
  readonly requestEdits: HeaderEdits | null;
  readonly responseEdits: HeaderEdits | null;
  readonly fault: Fault | null;
  readonly mirror: BoundMirror | null;
  /** `name` and attributes of the cookie that keeps callers on a backend: `name=`, `; Path=/`; null where there is none. */
  readonly cookie: { readonly start: string; readonly end: string } | null;

  constructor(
    policy: PlanRoutePolicy,
    memoryOf: (section: "rateLimit" | "retry") => RouteMemory,
    mirror: BoundMirror | null,
  ) {
    this.#rateMemory = memoryOf("rateLimit");
    this.#retryMemory = memoryOf("retry");
    this.limitStatus = policy.rateLimit?.status ?? 429;
    this.limitHeaders = headerLines(policy.rateLimit?.headers ?? []);
    this.retry = policy.retry === undefined ? null : new RetryPolicy(policy.retry);
    this.requestMs = policy.timeouts?.requestMs ?? null;
    this.idleMs = policy.timeouts?.idleMs ?? null;
    this.requestEdits = headerEdits(policy.headers?.request);
    this.responseEdits = headerEdits(policy.headers?.response);
    this.fault = policy.fault ?? null;
    this.mirror = mirror;
    const affinity = policy.sessionAffinity;
    this.cookie = affinity?.key.source === "cookie"
      ? cookieTexts(affinity.key.name, affinity.ttlSeconds)
      : null;
  }

  /** Counts a request. False: it is one too many. */
  allowsRequest(nowMs: number): boolean {
    return this.#rateMemory.http?.take(nowMs) ?? true;
  }

  /** Counts a connection. False: it is one too many. */
  allowsConnection(nowMs: number): boolean {
    return this.#rateMemory.tcp?.take(nowMs) ?? true;
  }

  /** A request is sent for the first time. */
  depositRetry(): void {
    this.#retryMemory.retries?.deposit();
  }

  /** Takes a retry out of the budget. False: it is used up. */
  withdrawRetry(nowMs: number): boolean {
    return this.#retryMemory.retries?.withdraw(nowMs) ?? false;
  }
}

/** Scripts have no use for it, and it goes along where a user follows a link from elsewhere (RFC 6265bis 4.1.2). */
function cookieTexts(name: string, ttlSeconds: number | null) {
  const age = ttlSeconds === null ? "" : `; Max-Age=${ttlSeconds}`;
  return { start: `set-cookie: ${name}=`, end: `; Path=/; HttpOnly; SameSite=Lax${age}\r\n` };
}
