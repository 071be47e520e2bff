/**
 * Balancer: chooses the endpoint that takes a request. One contract for every algorithm; `balancer_cases.ts` holds all
 * of them to it. Time and randomness are arguments, and choosing allocates nothing.
 */
import type { Random } from "../../base/random.ts";
import type { BalancingAlgorithm } from "../../base/policy.ts";
import type { BalancedEndpoint } from "./endpoint.ts";
import type { EndpointGroup } from "./endpoint_group.ts";
import { LeastRequest } from "./least_request.ts";
import { PeakEwma } from "./peak_ewma.ts";
import { RingHash } from "./ring_hash.ts";
import { RoundRobin } from "./round_robin.ts";

export interface Balancer {
  /**
   * The endpoint for the next request; null where none is available.
   * @param hash of what the request is hashed by, 0 to 2^32 - 1; only a ring looks at it
   */
  pick<Target>(
    group: EndpointGroup<Target>,
    nowMs: number,
    random: Random,
    hash: number,
  ): BalancedEndpoint<Target> | null;
}

/** What balances a backend for which no policy says anything. */
export const DEFAULT_ALGORITHM: BalancingAlgorithm = "PeakEwma";

/**
 * A balancer for one backend: a ring keeps what it has worked out for it.
 * @param maxLoadPercent of the average load, for a ring; null: no bound
 */
export function balancerOf(
  algorithm: BalancingAlgorithm,
  maxLoadPercent: number | null = null,
): Balancer {
  switch (algorithm) {
    case "RoundRobin":
      return new RoundRobin();
    case "LeastRequest":
      return new LeastRequest();
    case "PeakEwma":
      return new PeakEwma();
    case "RingHash":
      return new RingHash(maxLoadPercent);
  }
}
