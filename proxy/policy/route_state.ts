/** RouteState: what one proxy does with the requests of a route, by its policy. */
import type { Fault } from "../../base/policy.ts";
import type { PlanRewrite, PlanRoutePolicy } from "../../routing/plan.ts";
import { affinityCookie } from "../../routing/table/affinity.ts";
import { RetryPolicy } from "../balance/retry_policy.ts";
import type { TableMirror } from "../../routing/table/table.ts";
import type { BackendState } from "./backend_state.ts";
import { HeaderEdits, headerEdits, headerLines } from "./header_edits.ts";
import type { MirrorDrop } from "../observe/metrics.ts";
import type { CountedSection, RouteMemory } from "./route_memory.ts";
import type { EndpointSet } from "../../routing/table/endpoint_set.ts";

/** A mirror, with what is known of its endpoints. */
export interface BoundMirror {
  readonly table: TableMirror;
  readonly set: EndpointSet;
  readonly backend: BackendState;
}

export class RouteState {
  readonly #rateMemory: RouteMemory;
  readonly #retryMemory: RouteMemory;
  readonly #faultMemory: RouteMemory;
  readonly #mirrorMemory: RouteMemory;
  readonly limitStatus: number;
  /** Header lines of the answer to a request over the limit; and whether they say when to come back. */
  readonly #limitHeaders: Uint8Array<ArrayBuffer>;
  readonly #saysRetryAfter: boolean;
  readonly retry: RetryPolicy | null;
  /** In place of the proxy's own. Infinity: no limit. Null: the policy says nothing of it. */
  readonly requestMs: number | null;
  /** Likewise. */
  readonly idleMs: number | null;
  readonly requestEdits: HeaderEdits | null;
  readonly responseEdits: HeaderEdits | null;
  readonly rewrite: PlanRewrite | null;
  readonly fault: Fault | null;
  readonly mirror: BoundMirror | null;
  /** What stands before and after the value of the cookie that keeps callers on a backend; null if there is none. */
  readonly #cookie: { readonly start: string; readonly end: string } | null;

  constructor(
    policy: PlanRoutePolicy,
    memoryOf: (section: CountedSection) => RouteMemory,
    mirror: BoundMirror | null,
  ) {
    this.#rateMemory = memoryOf("rateLimit");
    this.#retryMemory = memoryOf("retry");
    this.#faultMemory = memoryOf("fault");
    this.#mirrorMemory = memoryOf("mirror");
    this.limitStatus = policy.rateLimit?.status ?? 429;
    const limitHeaders = policy.rateLimit?.headers ?? [];
    this.#limitHeaders = headerLines(limitHeaders);
    this.#saysRetryAfter = limitHeaders.some(({ name }) => name === "retry-after");
    this.retry = policy.retry === undefined ? null : new RetryPolicy(policy.retry);
    this.requestMs = limitOf(policy.timeouts?.requestMs);
    this.idleMs = limitOf(policy.timeouts?.idleMs);
    this.requestEdits = headerEdits(policy.headers?.request);
    this.responseEdits = headerEdits(policy.headers?.response);
    this.rewrite = policy.rewrite ?? null;
    this.fault = policy.fault ?? null;
    this.mirror = mirror;
    const affinity = policy.sessionAffinity;
    this.#cookie = affinity?.key.source === "cookie"
      ? cookieTexts(affinity.key.name, affinity.ttlSeconds)
      : null;
  }

  /** Counts a request. False: it is one too many. */
  allowsRequest(nowMs: number): boolean {
    const isAllowed = this.#rateMemory.http?.take(nowMs) ?? true;
    if (!isAllowed) this.#rateMemory.counts.rateLimit.refused.http++;
    return isAllowed;
  }

  /**
   * Header lines of the answer to a request over the limit: those of the policy. If they do not say when a token comes in again
   * (RFC 6585 4), a line says it, for a call as clients of gRPC heed it.
   */
  limitHeaders(isCall: boolean, nowMs: number): Uint8Array<ArrayBuffer> {
    if (this.#saysRetryAfter && !isCall) return this.#limitHeaders;
    const waitMs = Math.round(this.#rateMemory.http?.waitMs(nowMs) ?? 0);
    const line = isCall
      ? { name: "grpc-retry-pushback-ms", value: String(waitMs) }
      : { name: "retry-after", value: String(Math.max(1, Math.ceil(waitMs / 1_000))) };
    return Uint8Array.of(...this.#limitHeaders, ...headerLines([line]));
  }

  /** Counts a connection. False: it is one too many. */
  allowsConnection(nowMs: number): boolean {
    const isAllowed = this.#rateMemory.tcp?.take(nowMs) ?? true;
    if (!isAllowed) this.#rateMemory.counts.rateLimit.refused.tcp++;
    return isAllowed;
  }

  /** The line that gives a caller its cookie; empty if there is none to give. @param point negative: it has one */
  cookieLine(point: number): string {
    const cookie = this.#cookie;
    return cookie === null || point < 0 ? "" : cookie.start + affinityCookie(point) + cookie.end;
  }

  /** A request is sent for the first time. */
  depositRetry(): void {
    this.#retryMemory.retries?.deposit();
  }

  /** Takes a retry out of the budget. False: it is used up. */
  withdrawRetry(nowMs: number): boolean {
    const isLeft = this.#retryMemory.retries?.withdraw(nowMs) ?? false;
    if (!isLeft) this.#retryMemory.counts.retry.exhausted++;
    return isLeft;
  }

  faultInjected(kind: "delay" | "abort"): void {
    this.#faultMemory.counts.fault.injected[kind]++;
  }

  /** The mirror has answered a copy. */
  mirrored(): void {
    this.#mirrorMemory.counts.mirror.answered++;
  }

  /** A request was to be copied, and was not, or not answered by the mirror. */
  mirrorDropped(reason: MirrorDrop): void {
    this.#mirrorMemory.counts.mirror.drops.add(reason);
  }
}

/** A plan, as JSON, cannot hold Infinity: 0 stands for it. */
function limitOf(planned: number | null | undefined): number | null {
  return planned === 0 ? Infinity : planned ?? null;
}

/** Scripts have no use for it, and it goes along where a user follows a link from elsewhere (RFC 6265bis 4.1.2). */
function cookieTexts(name: string, ttlSeconds: number | null) {
  const age = ttlSeconds === null ? "" : `; Max-Age=${ttlSeconds}`;
  return { start: `set-cookie: ${name}=`, end: `; Path=/; HttpOnly; SameSite=Lax${age}\r\n` };
}
