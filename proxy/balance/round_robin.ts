/** RoundRobin: each available endpoint in turn. In slow start an endpoint lets some of its turns pass. */
import type { Random } from "../../base/random.ts";
import type { Balancer } from "./balancer.ts";
import type { BalancedEndpoint, IsGood } from "./endpoint.ts";
import type { EndpointGroup } from "./endpoint_group.ts";

const TWO_32 = 2 ** 32;
/** Turns that are let pass for one request. Beyond it the share of a new endpoint is off by less than 1 %. */
const PASSES_MAX = 8;

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
    const passesMax = group.isWarming(nowMs) ? PASSES_MAX : 0;
    for (let passes = 0; passes < passesMax; passes++) {
      if (random.next32() / TWO_32 < group.warmth(available[place], nowMs)) break;
      place = group.firstGood(place + 1, isGood);
    }
    return group.take(place);
  }
}
