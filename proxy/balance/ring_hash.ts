/**
 * RingHash: requests with one key go to one endpoint, and adding or removing an endpoint moves only its own share
 * (Karger et al. 1997). Every endpoint has many points on a ring of 2^32; a request goes to the first point at or after
 * its hash whose endpoint is available.
 */
import { mix32 } from "../../base/hash.ts";
import type { Random } from "../../base/random.ts";
import type { Balancer } from "./balancer.ts";
import type { BalancedEndpoint } from "./endpoint.ts";
import type { EndpointGroup } from "./endpoint_group.ts";

/** With 128 points the shares of equal endpoints differ by a tenth or so (standard deviation 1 / sqrt(128)). */
const POINTS_PER_ENDPOINT = 128;
/** 65 536 points take 512 KiB; beyond 512 endpoints each has fewer. */
const POINTS_MAX = 65_536;

export class RingHash implements Balancer {
  #generation = -1;
  /** Sorted. */
  #points = new Uint32Array(0);
  /** Place in `group.all` of the endpoint that has the point. */
  #places = new Uint32Array(0);

  pick<Target>(
    group: EndpointGroup<Target>,
    _nowMs: number,
    _random: Random,
    hash: number,
  ): BalancedEndpoint<Target> | null {
    const { all, available } = group;
    if (available.length === 0) return null;
    if (group.generation !== this.#generation) this.#build(group);
    const count = this.#points.length;
    let at = this.#firstFrom(hash);
    for (let steps = 0; steps < count; steps++, at++) {
      if (at === count) at = 0;
      const endpoint = all[this.#places[at]];
      if (endpoint.isAvailable) return endpoint;
    }
    // More endpoints than points; some other that has none.
    return available[hash % available.length];
  }

  /** Binary search: the first point that is not before the hash; the ring's end leads to its start. */
  #firstFrom(hash: number): number {
    const points = this.#points;
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (points[middle] < hash) low = middle + 1;
      else high = middle;
    }
    return low === points.length ? 0 : low;
  }

  #build(group: EndpointGroup<unknown>): void {
    this.#generation = group.generation;
    const { all } = group;
    const perEndpoint = Math.max(
      1,
      Math.min(POINTS_PER_ENDPOINT, Math.floor(POINTS_MAX / all.length)),
    );
    const count = Math.min(all.length * perEndpoint, POINTS_MAX);
    // Point and place in one number, so that one sort of numbers orders both: 2^32 * 2^16 is below 2^53.
    const packed = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const place = Math.floor(i / perEndpoint);
      const seed = hashText(all[place].key);
      const point = mix32(seed + Math.imul(i % perEndpoint + 1, 0x9e3779b9));
      packed[i] = point * POINTS_MAX + place;
    }
    packed.sort();
    this.#points = Uint32Array.from(packed, (both) => Math.floor(both / POINTS_MAX));
    this.#places = Uint32Array.from(packed, (both) => both % POINTS_MAX);
  }
}

/** The hash of a short ASCII text, such as an address: 0 to 2^32 - 1. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix32(hash);
}
