/**
 * LeastRequest: the endpoint with the fewest requests under way; among equals the one whose turn it is. So requests that do
 * not overlap go to the endpoints in turn, and a slow endpoint gets fewer.
 */
import type { Random } from "../../base/random.ts";
import type { Balancer } from "./balancer.ts";
import type { BalancedEndpoint, IsGood } from "./endpoint.ts";
import type { EndpointGroup } from "./endpoint_group.ts";

const TWO_32 = 2 ** 32;

export class LeastRequest implements Balancer {
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
    const isWarming = group.isWarming(nowMs);
    let best = -1;
    let least = Infinity;
    // From the one whose turn it is: the first that has nothing to do need not be compared with the others.
    for (let steps = 0, place = group.turn; steps < count && least > 0; steps++, place++) {
      if (place === count) place = 0;
      const endpoint = available[place];
      let load = endpoint.active;
      if (load >= least || !isGood(endpoint)) continue;
      if (isWarming) {
        // In slow start it lets some of its turns pass, and what it has to do counts for more.
        const warmth = group.warmth(endpoint, nowMs);
        load /= warmth;
        if (load >= least || random.next32() / TWO_32 >= warmth) continue;
      }
      best = place;
      least = load;
    }
    return group.take(best < 0 ? group.firstGood(group.turn, isGood) : best);
  }
}
