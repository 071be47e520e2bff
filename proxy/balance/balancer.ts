/**
 * Balancer: chooses the endpoint that takes a request. One contract for every algorithm; `balancer_test.ts` holds all of
 * them to it. Time and randomness are arguments, and choosing allocates nothing.
 */
import type { Random } from "../../base/random.ts";
import type { BalancedEndpoint, IsGood } from "./endpoint.ts";
import type { EndpointGroup } from "./endpoint_group.ts";

export interface Balancer {
  /**
   * The endpoint for the next request; null if none is available.
   * @param hash of what the request is hashed by, 0 to 2^32 - 1; 0 if the algorithm does not hash
   */
  pick<Target>(
    group: EndpointGroup<Target>,
    nowMs: number,
    random: Random,
    hash: number,
    isGood: IsGood<Target>,
  ): BalancedEndpoint<Target> | null;
}
