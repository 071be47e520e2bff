/**
 * PeakEwma: of two endpoints the one where a request is likely answered first. An endpoint's latency is an average
 * that rises at once and falls slowly, so that a slow one is left alone from its first slow answer on and tried again
 * little by little; it is multiplied by the requests that are waiting there (Twitter's Finagle, Linkerd).
 */
import type { Random } from "../../base/random.ts";
import type { Balancer } from "./balancer.ts";
import type { BalancedEndpoint } from "./endpoint.ts";
import type { EndpointGroup } from "./endpoint_group.ts";
import { cheaperOfTwo, type CostModel } from "./two_choices.ts";

/** An answer counts e times less after this long: an endpoint that was slow gets its share back in half a minute. */
const DECAY_MS = 10_000;

/** Latencies below it are taken for it: on one network they differ by chance, and the rotation is the better judge. */
const LATENCY_MIN_MS = 1;

/**
 * Of an endpoint that has answered nothing yet but has a request: it gets no second one before the first is answered,
 * however fast the others are.
 */
const UNKNOWN_LATENCY_MS = 60_000;

/** Counts as the latency of a request that failed without an answer: an endpoint that refuses at once is not fast. */
export const FAILURE_LATENCY_MS = 1_000;

export class PeakEwma implements Balancer, CostModel {
  pick<Target>(
    group: EndpointGroup<Target>,
    nowMs: number,
    random: Random,
  ): BalancedEndpoint<Target> | null {
    return cheaperOfTwo(group, nowMs, random, this);
  }

  cost(endpoint: BalancedEndpoint<unknown>, nowMs: number): number {
    if (endpoint.latencyMs < 0) {
      return endpoint.active === 0 ? LATENCY_MIN_MS : UNKNOWN_LATENCY_MS * endpoint.active;
    }
    const latencyMs = decayed(endpoint, nowMs);
    return (latencyMs > LATENCY_MIN_MS ? latencyMs : LATENCY_MIN_MS) * (endpoint.active + 1);
  }
}

/** A request was answered, or failed, after `latencyMs`. */
export function observeLatency(
  endpoint: BalancedEndpoint<unknown>,
  latencyMs: number,
  nowMs: number,
): void {
  if (latencyMs >= endpoint.latencyMs) endpoint.latencyMs = latencyMs;
  else {
    const weight = Math.exp((endpoint.latencyAtMs - nowMs) / DECAY_MS);
    endpoint.latencyMs = endpoint.latencyMs * weight + latencyMs * (1 - weight);
  }
  endpoint.latencyAtMs = nowMs;
}

/** Without answers the latency falls as if there were fast ones, so that a slow endpoint is tried again some time. */
function decayed({ latencyMs, latencyAtMs }: BalancedEndpoint<unknown>, nowMs: number): number {
  return latencyMs <= LATENCY_MIN_MS
    ? latencyMs
    : latencyMs * Math.exp((latencyAtMs - nowMs) / DECAY_MS);
}
