/** RoundRobin: each available endpoint in turn. In slow start an endpoint lets some of its turns pass. */
import type { Random } from "../../base/random.ts";
import type { Balancer } from "./balancer.ts";
import type { BalancedEndpoint, IsGood } from "./endpoint.ts";
import type { EndpointGroup } from "./endpoint_group.ts";
import { TURN_PASSES_MAX } from "../limits.ts";

const TWO_32 = 2 ** 32;

export class RoundRobin implements Balancer {
  pick<Target>(
    group: EndpointGroup<Target>,
    nowMs: number,
    random: Random,
    _hash: number,
    isGood: IsGood<Target>,
  ): BalancedEndpoint<Target> | null {
    const { available } = group;
    if (available.length === 0) return null;
    let place = group.firstGood(group.turn, isGood);
    const passesMax = group.isWarming(nowMs) ? TURN_PASSES_MAX : 0;
    for (let passes = 0; passes < passesMax; passes++) {
      if (random.next32() / TWO_32 < group.warmth(available[place], nowMs)) break;
      place = group.firstGood(place + 1, isGood);
    }
    return group.take(place);
  }
}
