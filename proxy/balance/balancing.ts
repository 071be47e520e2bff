/**
 * Balancing: which endpoint of one backend takes a request, by the backend's policy or, without one, by the default. It
 * lasts from plan to plan: endpoints that stay keep their turns, and what is known of them.
 */
import type { LoadBalancing } from "../../base/policy.ts";
import { Random } from "../../base/random.ts";
import type { RequestHead } from "../../routing/request.ts";
import { NO_KEY, RequestKeyReader } from "../../routing/table/request_key.ts";
import type { EndpointSet } from "../../routing/table/endpoint_set.ts";
import { balancerOf, DEFAULT_ALGORITHM } from "./algorithms.ts";
import type { Balancer } from "./balancer.ts";
import { callerHash } from "./caller_hash.ts";
import type { BalancedEndpoint, IsGood } from "./endpoint.ts";
import { EndpointGroup } from "./endpoint_group.ts";

const DEFAULT: LoadBalancing = { algorithm: DEFAULT_ALGORITHM, hashKey: null };

export class Balancing<Target> {
  readonly group: EndpointGroup<Target>;
  /** The same for all event loops of a proxy. */
  readonly #seed: number | null;
  readonly #random: Random;
  /** Groups for the sets that traffic targets cut out of it. */
  readonly #parts = new Map<EndpointSet, EndpointGroup<Target>>();
  /** What they are cut out of. */
  #whole: EndpointSet | null = null;
  #strangers = 0;
  #policy = DEFAULT;
  #balancer: Balancer = balancerOf(DEFAULT_ALGORITHM);
  #keyReader: RequestKeyReader | null = null;

  /**
   * @param key of the backend
   * @param seed of where the turns begin; null: with the first endpoint
   * @param random for what is drawn
   */
  constructor(key: string, seed: number | null, random: Random) {
    this.#seed = seed;
    this.#random = random;
    this.group = new EndpointGroup(
      seed === null ? 0 : new Random(seed, `balance ${key}`).next32(),
    );
  }

  /**
   * Takes the endpoints and the policy of a new plan.
   * @param whole all endpoints of the backend
   * @param targets those of them that have an address
   */
  bind(
    whole: EndpointSet,
    targets: readonly { readonly key: string; readonly target: Target }[],
    policy: LoadBalancing | undefined,
    nowMs: number,
    slowStartMs: number,
  ): void {
    this.#parts.clear();
    this.#whole = whole;
    this.group.replace(targets, nowMs, slowStartMs);
    const { algorithm, hashKey, maxLoadPercent } = policy ?? DEFAULT;
    if (algorithm !== this.#policy.algorithm || maxLoadPercent !== this.#policy.maxLoadPercent) {
      this.#balancer = balancerOf(algorithm, maxLoadPercent);
    }
    this.#policy = policy ?? DEFAULT;
    this.#keyReader = hashKey === null || hashKey.source === "source-ip"
      ? null
      : new RequestKeyReader(hashKey);
  }

  /** What the request is hashed by, 0 to 2^32 - 1; a request without it may go anywhere. */
  hashOf(head: RequestHead | null, peer: string): number {
    const { hashKey } = this.#policy;
    if (hashKey === null) return 0;
    if (hashKey.source === "source-ip") return callerHash(peer, this.#seed);
    const hash = head === null ? NO_KEY : this.#keyReader?.hash(head, 0) ?? NO_KEY;
    return hash === NO_KEY ? this.#random.next32() : hash;
  }

  /**
   * The endpoint for the next attempt; null if there is none.
   * @param set of the backend, or the part of it that traffic targets leave
   * @param isGood endpoints that are not are passed over where another will do
   */
  pick(
    set: EndpointSet,
    hash: number,
    nowMs: number,
    isGood: IsGood<Target>,
  ): BalancedEndpoint<Target> | null {
    // What was to choose from all that an earlier plan had may choose from today's.
    const group = set.whole === null ? this.group : this.#part(set);
    return this.#balancer.pick(group, nowMs, this.#random, hash, isGood);
  }

  /** One that an earlier plan cut out shares nothing with today's of the same name, whose endpoints may be others. */
  #part(set: EndpointSet): EndpointGroup<Target> {
    let part = this.#parts.get(set);
    if (part === undefined) {
      const keys = new Set(set.endpoints.map(({ key }) => key));
      const name = set.whole === this.#whole ? set.key : `${set.key} ${++this.#strangers}`;
      part = this.group.part(name, ({ key }) => keys.has(key));
      this.#parts.set(set, part);
    }
    return part;
  }
}
