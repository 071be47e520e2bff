/**
 * The balancer of each algorithm. To add one: its file, its line in `BALANCING_ALGORITHMS` of `base/policy.ts`, and its
 * line here, without which this file does not type-check.
 */
import type { BalancingAlgorithm } from "../../base/policy.ts";
import type { Balancer } from "./balancer.ts";
import { LeastRequest } from "./least_request.ts";
import { PeakEwma } from "./peak_ewma.ts";
import { RingHash } from "./ring_hash.ts";
import { RoundRobin } from "./round_robin.ts";

const BALANCERS: Readonly<
  Record<BalancingAlgorithm, (maxLoadPercent: number | null) => Balancer>
> = {
  RoundRobin: () => new RoundRobin(),
  LeastRequest: () => new LeastRequest(),
  PeakEwma: () => new PeakEwma(),
  RingHash: (maxLoadPercent) => new RingHash(maxLoadPercent),
};

/** What balances a backend for which no policy says anything. */
export const DEFAULT_ALGORITHM: BalancingAlgorithm = "LeastRequest";

/**
 * A balancer for one backend: a ring keeps what it has worked out for it.
 * @param maxLoadPercent of the average load, for an algorithm that hashes; null: no bound
 */
export function balancerOf(
  algorithm: BalancingAlgorithm,
  maxLoadPercent: number | null = null,
): Balancer {
  return BALANCERS[algorithm](maxLoadPercent);
}
