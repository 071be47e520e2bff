/**
 * OutlierDetector: takes endpoints that fail again and again out of the rotation for a while, never more of them than
 * allowed, and none at all where too few would be left. Passive: it sees only what requests bring about.
 */
import type { OutlierDetection } from "../../base/policy.ts";
import type { BalancedEndpoint } from "./endpoint.ts";
import type { EndpointGroup } from "./endpoint_group.ts";
import { EJECTION_FACTOR_MAX } from "../limits.ts";

export class OutlierDetector<Target> {
  readonly #group: EndpointGroup<Target>;
  #policy: OutlierDetection;
  #ejectedCount = 0;
  /** When the next ejection ends. */
  #nextReturnMs = Infinity;

  constructor(group: EndpointGroup<Target>, policy: OutlierDetection) {
    this.#group = group;
    this.#policy = policy;
  }

  get ejectedCount(): number {
    return this.#ejectedCount;
  }

  /** The most endpoints that may be ejected at once. */
  get ejectedMax(): number {
    return Math.floor(this.#group.all.length * this.#policy.maxEjectedPercent / 100);
  }

  /** Too few endpoints are left, so that the ejected ones take requests too. */
  get isPanic(): boolean {
    const total = this.#group.all.length;
    return total - this.#ejectedCount < total * this.#policy.panicThresholdPercent / 100;
  }

  /** After the group has other endpoints, or the policy other bounds: keeps what is ejected within them. */
  rebind(policy: OutlierDetection, nowMs: number): void {
    this.#policy = policy;
    const ejected = this.#group.all.filter(({ isEjected }) => isEjected)
      .sort((a, b) => a.ejectedUntilMs - b.ejectedUntilMs);
    for (const endpoint of ejected.slice(0, Math.max(0, ejected.length - this.ejectedMax))) {
      endpoint.isEjected = false;
    }
    this.#update(nowMs);
  }

  /** Before a pick: lets endpoints back in whose time is over. */
  restore(nowMs: number): void {
    if (nowMs >= this.#nextReturnMs) this.#update(nowMs);
  }

  succeeded(endpoint: BalancedEndpoint<Target>, nowMs: number): void {
    endpoint.failures = 0;
    if (endpoint.ejections === 0 || endpoint.isEjected) return;
    // Well for as long as the last ejection lasted: the next one is a step shorter.
    const lengthMs = endpoint.ejectedUntilMs - endpoint.ejectedAtMs;
    if (nowMs - endpoint.ejectedUntilMs < lengthMs) return;
    endpoint.ejections--;
    endpoint.ejectedAtMs = nowMs - lengthMs;
    endpoint.ejectedUntilMs = nowMs;
  }

  /** True: that was one failure too many, and the endpoint is ejected. */
  failed(endpoint: BalancedEndpoint<Target>, nowMs: number): boolean {
    endpoint.failures++;
    if (endpoint.isEjected || endpoint.failures < this.#policy.consecutiveFailures) return false;
    // An exchange may outlive the plan that its endpoint was in.
    if (!this.#group.has(endpoint) || this.#ejectedCount >= this.ejectedMax) return false;
    endpoint.failures = 0;
    endpoint.ejections = Math.min(endpoint.ejections + 1, EJECTION_FACTOR_MAX);
    endpoint.isEjected = true;
    endpoint.ejectedAtMs = nowMs;
    endpoint.ejectedUntilMs = nowMs + this.#policy.ejectionTimeMs * endpoint.ejections;
    this.#update(nowMs);
    return true;
  }

  #update(nowMs: number): void {
    this.#ejectedCount = 0;
    this.#nextReturnMs = Infinity;
    for (const endpoint of this.#group.all) {
      if (endpoint.isEjected && nowMs >= endpoint.ejectedUntilMs) endpoint.isEjected = false;
      if (!endpoint.isEjected) continue;
      this.#ejectedCount++;
      this.#nextReturnMs = Math.min(this.#nextReturnMs, endpoint.ejectedUntilMs);
    }
    this.#group.refresh(this.isPanic);
  }
}
