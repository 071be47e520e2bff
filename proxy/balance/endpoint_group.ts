/**
 * EndpointGroup: the endpoints of one backend, which of them may take requests now, and whose turn it is. Picking looks at
 * `available` alone, so that it costs the same however many are ejected.
 *
 * Endpoints keep their order while others come, go, are ejected and return: the turns go on after the one that had the
 * last, and none has two where another had none.
 */
import { BALANCED_PARTS_MAX } from "../limits.ts";
import { BalancedEndpoint, type IsGood } from "./endpoint.ts";

/** The share that slow start begins with. */
const COLD_SHARE = 0.1;

export class EndpointGroup<Target> {
  /** In the order of turns. */
  #all: readonly BalancedEndpoint<Target>[] = [];
  #available: readonly BalancedEndpoint<Target>[] = [];
  #byKey: ReadonlyMap<string, BalancedEndpoint<Target>> = new Map();
  /** Used longest ago first. */
  readonly #parts = new Map<string, EndpointGroup<Target>>();
  /** Counts the changes of `all`, for what is derived from it. */
  generation = 0;
  /** Where the turns begin. */
  readonly #start: number;
  /** Whose turn it is: a place in `available`, or one past its end for the first. */
  #turn = 0;
  /** Whose turn it was when there was last one that was available. */
  #next: BalancedEndpoint<Target> | undefined;
  #windowMs = 0;
  /** Until then some endpoint has less than its whole share. */
  #coldUntilMs = -Infinity;

  /** @param start any whole number: where the turns begin, so that a fleet does not begin at one endpoint */
  constructor(start = 0) {
    this.#start = start;
  }

  get all(): readonly BalancedEndpoint<Target>[] {
    return this.#all;
  }

  get available(): readonly BalancedEndpoint<Target>[] {
    return this.#available;
  }

  /**
   * Takes the endpoints of a new plan. One that was there already keeps what is known of it; the others start now.
   * @param slowStartMs over this long a new endpoint's share grows; 0: it has its whole share at once
   */
  replace(
    targets: readonly { readonly key: string; readonly target: Target }[],
    nowMs: number,
    slowStartMs: number,
  ): void {
    const isFirst = this.#all.length === 0;
    this.#windowMs = slowStartMs;
    this.#coldUntilMs = -Infinity;
    const endpoints = targets.map(({ key, target }) => {
      // Those that come all at once are as new as each other: none is to be spared.
      const endpoint = this.#byKey.get(key) ??
        new BalancedEndpoint(key, target, isFirst ? -Infinity : nowMs);
      endpoint.target = target;
      endpoint.isAvailable = !endpoint.isEjected;
      this.#coldUntilMs = Math.max(this.#coldUntilMs, endpoint.startedMs + slowStartMs);
      return endpoint;
    });
    this.#takeIn(endpoints);
  }

  /**
   * Some of the endpoints, which share all that is known of them but take turns of their own. It lasts until `replace`;
   * the next one of the same name goes on with its turns.
   */
  part(
    name: string,
    isPart: (endpoint: BalancedEndpoint<Target>) => boolean,
  ): EndpointGroup<Target> {
    const part = this.#parts.get(name) ?? new EndpointGroup<Target>(this.#start);
    this.#parts.delete(name);
    this.#parts.set(name, part);
    for (const [oldest] of this.#parts) {
      if (this.#parts.size <= BALANCED_PARTS_MAX) break;
      this.#parts.delete(oldest);
    }
    part.#windowMs = this.#windowMs;
    part.#coldUntilMs = this.#coldUntilMs;
    part.#takeIn(this.#all.filter(isPart));
    return part;
  }

  has(endpoint: BalancedEndpoint<Target>): boolean {
    return this.#byKey.get(endpoint.key) === endpoint;
  }

  /** After ejections: takes up what may be used. In a panic that is everything. */
  refresh(isPanic: boolean): void {
    for (const endpoint of this.#all) endpoint.isAvailable = isPanic || !endpoint.isEjected;
    this.#takeUp();
    for (const part of this.#parts.values()) part.#takeUp();
  }

  #takeIn(endpoints: readonly BalancedEndpoint<Target>[]): void {
    const byKey = new Map(endpoints.map((endpoint) => [endpoint.key, endpoint]));
    const stays = (endpoint: BalancedEndpoint<Target>) => byKey.get(endpoint.key) === endpoint;
    const inTurn = this.#inTurn();
    const known = inTurn.filter(stays);
    this.#all = known.length === 0
      ? turned(endpoints, this.#start % endpoints.length)
      : merged(known, endpoints);
    this.#byKey = byKey;
    this.#available = [];
    this.#next = undefined;
    this.generation++;
    this.#takeUp();
  }

  #takeUp(): void {
    this.#available = this.#inTurn().filter(({ isAvailable }) => isAvailable);
    this.#turn = 0;
  }

  /** `all` from the one whose turn it is. */
  #inTurn(): readonly BalancedEndpoint<Target>[] {
    if (this.#available.length > 0) this.#next = this.#available[this.turn];
    return this.#next === undefined ? this.#all : turned(this.#all, this.#all.indexOf(this.#next));
  }

  // Turns. At least one endpoint must be available.

  /** Whose turn it is: a place in `available`. */
  get turn(): number {
    return this.#turn < this.#available.length ? this.#turn : 0;
  }

  /** The first endpoint from `place` on that is good, or else the one at `place`: a place in `available`. */
  firstGood(place: number, isGood: IsGood<Target>): number {
    const count = this.#available.length;
    for (let steps = 0; steps < count; steps++) {
      const at = place + steps < count ? place + steps : place + steps - count;
      if (isGood(this.#available[at])) return at;
    }
    return place < count ? place : place - count;
  }

  /** The endpoint at `place` has its turn now, and the one after it the next. */
  take(place: number): BalancedEndpoint<Target> {
    this.#turn = place + 1;
    return this.#available[place];
  }

  // Slow start.

  /** How much of its share an endpoint is given: 1 but in slow start. */
  warmth(endpoint: BalancedEndpoint<Target>, nowMs: number): number {
    if (nowMs >= this.#coldUntilMs) return 1;
    const part = (nowMs - endpoint.startedMs) / this.#windowMs;
    return part >= 1 ? 1 : COLD_SHARE + (1 - COLD_SHARE) * part;
  }

  /** Some endpoint has less than its whole share. */
  isWarming(nowMs: number): boolean {
    return nowMs < this.#coldUntilMs;
  }
}

/** `items` from the one at `place` on, and then those before it. */
function turned<Item>(items: readonly Item[], place: number): readonly Item[] {
  return place <= 0 || items.length === 0
    ? items
    : [...items.slice(place), ...items.slice(0, place)];
}

/** `known` in its order, with what else is in `all` after those that it follows there. */
function merged<Item>(known: readonly Item[], all: readonly Item[]): readonly Item[] {
  if (known.length === all.length) return known;
  const followers = new Map<Item, Item[]>(known.map((item) => [item, []]));
  // The last of all comes before the first.
  let leader = all.findLast((item) => followers.has(item));
  for (const item of all) {
    if (followers.has(item)) leader = item;
    else if (leader !== undefined) followers.get(leader)?.push(item);
  }
  return known.flatMap((item) => [item, ...followers.get(item) ?? []]);
}
