/**
 * PeakEwma: of two endpoints the one where a request is likely answered first. An endpoint's latency is an average that rises at
 * once and falls slowly. So a slow one is left alone from its first slow answer on, and tried again little by little. The latency
 * is multiplied by the requests that wait there (Twitter's Finagle, Linkerd).
 *
 * The two are the endpoint whose turn it is and one drawn at random (Mitzenmacher 2001), so that endpoints that cost the same are
 * used evenly. One that was left alone for long takes its turn whatever it costs: an old latency says little.
 */
import type { Random } from "../../base/random.ts";
import type { Balancer } from "./balancer.ts";
import type { BalancedEndpoint, IsGood } from "./endpoint.ts";
import type { EndpointGroup } from "./endpoint_group.ts";
import { EWMA_DECAY_MS, EWMA_PROBE_MS, LATENCY_MS_MIN, UNKNOWN_LATENCY_MS } from "../limits.ts";

const TWO_32 = 2 ** 32;

export class PeakEwma implements Balancer {
  pick<Target>(
    group: EndpointGroup<Target>,
    nowMs: number,
    random: Random,
    _hash: number,
    isGood: IsGood<Target>,
  ): BalancedEndpoint<Target> | null {
    const { available } = group;
    const count = available.length;
    if (count === 0) return null;
    const place = group.firstGood(group.turn, isGood);
    const first = group.take(place);
    let choice = first;
    if (count > 1 && nowMs - first.usedMs < EWMA_PROBE_MS) {
      // Any but the first; the bias of the product is below 2^-32 * count.
      const step = 1 + Math.floor(random.next32() / TWO_32 * (count - 1));
      const second = available[group.firstGood((place + step) % count, isGood)];
      if (isCheaper(second, first, group, nowMs)) choice = second;
    }
    choice.usedMs = nowMs;
    return choice;
  }
}

function isCheaper<Target>(
  one: BalancedEndpoint<Target>,
  other: BalancedEndpoint<Target>,
  group: EndpointGroup<Target>,
  nowMs: number,
): boolean {
  const cost = costOf(one, nowMs);
  const otherCost = costOf(other, nowMs);
  if (!group.isWarming(nowMs)) return cost < otherCost;
  return cost / group.warmth(one, nowMs) < otherCost / group.warmth(other, nowMs);
}

/** What one more request costs at an endpoint. */
function costOf(endpoint: BalancedEndpoint<unknown>, nowMs: number): number {
  if (endpoint.latencyMs < 0) {
    return endpoint.active === 0 ? LATENCY_MS_MIN : UNKNOWN_LATENCY_MS * endpoint.active;
  }
  const latencyMs = decayed(endpoint, nowMs);
  return (latencyMs > LATENCY_MS_MIN ? latencyMs : LATENCY_MS_MIN) * (endpoint.active + 1);
}

/** A request was answered, or failed, after `latencyMs`. */
export function observeLatency(
  endpoint: BalancedEndpoint<unknown>,
  latencyMs: number,
  nowMs: number,
): void {
  if (latencyMs >= endpoint.latencyMs) endpoint.latencyMs = latencyMs;
  else {
    const weight = Math.exp((endpoint.latencyAtMs - nowMs) / EWMA_DECAY_MS);
    endpoint.latencyMs = endpoint.latencyMs * weight + latencyMs * (1 - weight);
  }
  endpoint.latencyAtMs = endpoint.usedMs = nowMs;
}

/** Without answers the latency falls as if there were fast ones, so that a slow endpoint is tried again some time. */
function decayed({ latencyMs, latencyAtMs }: BalancedEndpoint<unknown>, nowMs: number): number {
  return latencyMs <= LATENCY_MS_MIN
    ? latencyMs
    : latencyMs * Math.exp((latencyAtMs - nowMs) / EWMA_DECAY_MS);
}
