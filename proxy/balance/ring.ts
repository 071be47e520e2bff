/**
 * Ring: many points of every endpoint of a group on a ring of 2^32, in order. Made anew when the group has other endpoints;
 * an endpoint's points depend on its key alone, so the others' stay where they are.
 */
import { mix32 } from "../../base/hash.ts";
import type { EndpointGroup } from "./endpoint_group.ts";
import { RING_POINTS_MAX } from "../limits.ts";

/** With 128 points the shares of equal endpoints differ by a tenth or so (standard deviation 1 / sqrt(128)). */
export const POINTS_PER_ENDPOINT = 128;

export class Ring {
  /** Of the group that the ring was made for. */
  readonly generation: number;
  /** Sorted. */
  readonly #points: Uint32Array;
  /** Place in `group.all` of the endpoint that has the point. */
  readonly #places: Uint32Array;

  constructor({ all, generation }: EndpointGroup<unknown>) {
    this.generation = generation;
    const perEndpoint = Math.max(
      1,
      Math.min(POINTS_PER_ENDPOINT, Math.floor(RING_POINTS_MAX / all.length)),
    );
    const count = Math.min(all.length * perEndpoint, RING_POINTS_MAX);
    // Point and place in one number, so that one sort of numbers orders both: 2^32 * 2^16 is below 2^53.
    const packed = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const place = Math.floor(i / perEndpoint);
      const seed = hashText(all[place].key);
      const point = mix32(seed + Math.imul(i % perEndpoint + 1, 0x9e3779b9));
      packed[i] = point * RING_POINTS_MAX + place;
    }
    packed.sort();
    this.#points = Uint32Array.from(packed, (both) => Math.floor(both / RING_POINTS_MAX));
    this.#places = Uint32Array.from(packed, (both) => both % RING_POINTS_MAX);
  }

  get length(): number {
    return this.#points.length;
  }

  /** The place of the endpoint that has the point at this position. */
  placeAt(position: number): number {
    return this.#places[position];
  }

  /** Binary search: the position of the first point that is not before the hash; the ring's end leads to its start. */
  firstFrom(hash: number): number {
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
}

/** The hash of a short ASCII text, such as an address: 0 to 2^32 - 1. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix32(hash);
}
