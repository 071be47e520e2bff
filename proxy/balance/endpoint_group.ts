/**
 * EndpointGroup: the endpoints of one backend, and which of them may take requests now. Picking looks at
 * `available` alone, so that it costs the same however many are ejected.
 */
import { BalancedEndpoint } from "./endpoint.ts";

/** The share that slow start begins with. */
const COLD_SHARE = 0.1;

export class EndpointGroup<Target> {
  #all: readonly BalancedEndpoint<Target>[] = [];
  #available: BalancedEndpoint<Target>[] = [];
  #byKey = new Map<string, BalancedEndpoint<Target>>();
  readonly #parts: EndpointGroup<Target>[] = [];
  /** Counts the changes of `all`, for what is derived from it. */
  generation = 0;
  /** Whose turn it is: a place in `available`. */
  #turn: number;
  #windowMs = 0;
  /** Until then some endpoint has less than its whole share. */
  #coldUntilMs = -Infinity;

  /** @param turn any whole number: where the rotation starts, so that a fleet does not start at one endpoint */
  constructor(turn = 0) {
    this.#turn = turn;
  }

  get all(): readonly BalancedEndpoint<Target>[] {
    return this.#all;
  }

  /** In the order of `all`. */
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
    const before = this.#byKey;
    const isFirst = this.#all.length === 0;
    const inTurn = this.#inTurn();
    this.#parts.length = 0;
    this.#byKey = new Map();
    this.#windowMs = slowStartMs;
    this.#coldUntilMs = -Infinity;
    this.#all = targets.map(({ key, target }) => {
      // Those that come all at once are as new as each other: none is to be spared.
      const endpoint = before.get(key) ??
        new BalancedEndpoint(key, target, isFirst ? -Infinity : nowMs);
      endpoint.target = target;
      this.#byKey.set(key, endpoint);
      this.#coldUntilMs = Math.max(this.#coldUntilMs, endpoint.startedMs + slowStartMs);
      return endpoint;
    });
    this.generation++;
    this.refresh(false);
    // The rotation goes on at the endpoint whose turn it was, or at the next one after it that is still there.
    const next = inTurn.find((endpoint) => endpoint.isAvailable && this.has(endpoint));
    if (next !== undefined) this.#turn = this.#available.indexOf(next);
  }

  /** Some of the endpoints, which share all that is known of them. It lasts until `replace`. */
  part(isPart: (endpoint: BalancedEndpoint<Target>) => boolean): EndpointGroup<Target> {
    const part = new EndpointGroup<Target>(this.#turn);
    part.#all = this.#all.filter(isPart);
    part.#byKey = new Map(part.#all.map((endpoint) => [endpoint.key, endpoint]));
    part.#windowMs = this.#windowMs;
    part.#coldUntilMs = this.#coldUntilMs;
    part.#takeUp();
    this.#parts.push(part);
    return part;
  }

  has(endpoint: BalancedEndpoint<Target>): boolean {
    return this.#byKey.get(endpoint.key) === endpoint;
  }

  /** After ejections: takes up what may be used. In a panic that is everything. */
  refresh(isPanic: boolean): void {
    for (const endpoint of this.#all) endpoint.isAvailable = isPanic || !endpoint.isEjected;
    this.#takeUp();
    for (const part of this.#parts) part.#takeUp();
  }

  #takeUp(): void {
    this.#available = this.#all.filter(({ isAvailable }) => isAvailable);
  }

  /** `available` from the one whose turn it is. */
  #inTurn(): readonly BalancedEndpoint<Target>[] {
    const available = this.#available;
    const turn = available.length === 0 ? 0 : this.#turn % available.length;
    return [...available.slice(turn), ...available.slice(0, turn)];
  }

  /** The place in `available` whose turn it is, and on to the next. At least one must be available. */
  takeTurn(): number {
    const place = this.#turn < this.#available.length
      ? this.#turn
      : this.#turn % this.#available.length;
    this.#turn = place + 1;
    return place;
  }

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
