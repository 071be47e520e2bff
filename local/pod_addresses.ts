/**
 * Which loopback address a pod has: the same in every run, so that a log, a bookmark or a debugger's setting stays
 * right. Knows nothing of sockets; `local/places.ts` finds out whether an address can be used.
 */
import { assert } from "../base/assert.ts";
import { fnv1a32 } from "../base/hash.ts";

/** 127.0.x.y is left alone (127.0.0.1, and 127.0.0.53 of systemd), and so are .0 and .255 at the end. */
const SECOND_COUNT = 254;
const THIRD_COUNT = 256;
const FOURTH_COUNT = 254;
const ADDRESS_COUNT = SECOND_COUNT * THIRD_COUNT * FOURTH_COUNT;

/** The address a pod has where no other pod took it before: `127.x.y.z` with x from 1 to 254. */
export function loopbackAddress(namespace: string, pod: string): string {
  return addressAt(preferredIndex(namespace, pod));
}

/** Gives every pod an address of its own and keeps it for as long as the book lives. */
export class PodAddresses {
  readonly #byPod = new Map<string, string>();
  readonly #taken = new Set<string>();

  /** The pod's address; the first call for a pod decides it. */
  addressOf(namespace: string, pod: string): string {
    const key = `${namespace}/${pod}`;
    const known = this.#byPod.get(key);
    if (known !== undefined) return known;
    assert(this.#taken.size < ADDRESS_COUNT, "More pods than loopback addresses");
    let index = preferredIndex(namespace, pod);
    // Two names with one hash: the next free one. Only the second pod of such a pair depends on the order.
    while (this.#taken.has(addressAt(index))) index = (index + 1) % ADDRESS_COUNT;
    const address = addressAt(index);
    this.#byPod.set(key, address);
    this.#taken.add(address);
    return address;
  }
}

function preferredIndex(namespace: string, pod: string): number {
  return fnv1a32(`${namespace}/${pod}`) % ADDRESS_COUNT;
}

function addressAt(index: number): string {
  const fourth = 1 + index % FOURTH_COUNT;
  const third = Math.floor(index / FOURTH_COUNT) % THIRD_COUNT;
  const second = 1 + Math.floor(index / (FOURTH_COUNT * THIRD_COUNT));
  return `127.${second}.${third}.${fourth}`;
}
