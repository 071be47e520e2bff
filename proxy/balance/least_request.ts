/** LeastRequest: of two endpoints the one with fewer requests under way. */
import type { Random } from "../../base/random.ts";
import type { Balancer } from "./balancer.ts";
import type { BalancedEndpoint } from "./endpoint.ts";
import type { EndpointGroup } from "./endpoint_group.ts";
import { cheaperOfTwo, type CostModel } from "./two_choices.ts";

export class LeastRequest implements Balancer, CostModel {
  pick<Target>(
    group: EndpointGroup<Target>,
    nowMs: number,
    random: Random,
  ): BalancedEndpoint<Target> | null {
    return cheaperOfTwo(group, nowMs, random, this);
  }

  cost(endpoint: BalancedEndpoint<unknown>): number {
    return endpoint.active + 1;
  }
}
