/**
 * RingHash: requests with one key go to one endpoint, and adding or removing an endpoint moves only its own share (Karger et al.
 * 1997): a request goes to the first point of the ring at or after its hash whose endpoint is available.
 *
 * With a bound, no endpoint has more than so many times the average under way (Mirrokni, Thorup and Zadimoghaddam 2018). A
 * request that would be one too many goes on along the ring. So the keys of a full endpoint have the same second choice each
 * time, and come back as soon as there is room.
 */
import { mix32 } from "../../base/hash.ts";
import type { Random } from "../../base/random.ts";
import type { Balancer } from "./balancer.ts";
import type { BalancedEndpoint, IsGood } from "./endpoint.ts";
import type { EndpointGroup } from "./endpoint_group.ts";
import { Ring } from "./ring.ts";
import { RING_REHASHES_MAX } from "../limits.ts";

export class RingHash implements Balancer {
  /** Null: an endpoint may have any number of requests under way. */
  readonly #maxLoadPercent: number | null;
  /** A backend has several groups, where traffic targets keep callers from some of its endpoints. */
  readonly #rings = new WeakMap<EndpointGroup<unknown>, Ring>();

  /** @param maxLoadPercent of the average, above 100 */
  constructor(maxLoadPercent: number | null) {
    this.#maxLoadPercent = maxLoadPercent;
  }

  pick<Target>(
    group: EndpointGroup<Target>,
    _nowMs: number,
    random: Random,
    hash: number,
    isGood: IsGood<Target>,
  ): BalancedEndpoint<Target> | null {
    const { available } = group;
    if (available.length === 0) return null;
    const choice = this.#at(group, hash);
    if (isGood(choice)) return choice;
    // The keys of a bad endpoint have the same second choice each time, and not all of them the same one.
    for (let i = 1; i <= RING_REHASHES_MAX; i++) {
      const second = this.#at(group, mix32(hash + i));
      if (isGood(second)) return second;
    }
    const other = available[group.firstGood(random.below(available.length), isGood)];
    return isGood(other) ? other : choice;
  }

  /** At least one must be available. */
  #at<Target>(group: EndpointGroup<Target>, hash: number): BalancedEndpoint<Target> {
    const { all, available } = group;
    const ring = this.#ringOf(group);
    const activeMax = this.#activeMax(available);
    let at = ring.firstFrom(hash);
    for (let steps = 0; steps < ring.length; steps++, at++) {
      if (at === ring.length) at = 0;
      const endpoint = all[ring.placeAt(at)];
      if (endpoint.isAvailable && endpoint.active < activeMax) return endpoint;
    }
    // More endpoints than points; some other that has none.
    return available[hash % available.length];
  }

  #ringOf(group: EndpointGroup<unknown>): Ring {
    let ring = this.#rings.get(group);
    if (ring === undefined || ring.generation !== group.generation) {
      ring = new Ring(group);
      this.#rings.set(group, ring);
    }
    return ring;
  }

  /**
   * How many requests an endpoint may have under way, the new one among them. It is at least the average, rounded up, so
   * there is always an endpoint below it.
   */
  #activeMax(available: readonly BalancedEndpoint<unknown>[]): number {
    if (this.#maxLoadPercent === null) return Infinity;
    let active = 1;
    for (const endpoint of available) active += endpoint.active;
    return Math.ceil(active * this.#maxLoadPercent / 100 / available.length);
  }
}
