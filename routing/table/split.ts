/**
 * SplitState: how far each split sequence of one client has got. Mutable, one per event loop and listener; loops whose states
 * have one store take turns in one sequence. `rebind` carries every sequence over to a new table by route id, so that an
 * unrelated change restarts none.
 *
 * What a sequence promises, with W the sum of the reduced weights and w a backend's own. After any n requests from its start,
 * between floor(n*w/W) and ceil(n*w/W) went to the backend. With two backends so did any n in a row. With a seed, the chance that
 * the k-th request goes to the backend is exactly w/W for every k, taken over seeds. Only with three or more backends and W above
 * `PERIOD_MAX` a seed costs something: the chance is within 1/2048 of w/W, and the count within less than 2 of n*w/W.
 */
import { assert } from "../../base/assert.ts";
import { Random } from "../../base/random.ts";
import { LOCAL_STATE } from "../../base/state_store.ts";
import type { StateStore, StoredPlace, StoredTally } from "../../base/state_store.ts";
import { changesBetween } from "./changes.ts";
import { canonicalPeriod, quotaPick, randomPeriod } from "./quota_order.ts";
import type { Table, TableBackend, TableRoute, TableService } from "./table.ts";
import { PERIOD_MAX } from "../limits.ts";

/**
 * Sequences that are picked online start, with a seed, after one of this many requests of the
 * canonical order.
 */
const ONLINE_STARTS = 4096;

/** In the place of a count: the phase is drawn with the first request, because it takes a while. */
const UNSTARTED = -1;

/** One sequence. What counts how far it has got follows from the number of backends and the sum of the weights. */
interface Sequence {
  /** The route that it is of, by the table in force. */
  route: TableRoute;
  readonly weights: readonly number[];
  readonly weightTotal: number;
  /** Counts the restarts that changed weights forced: each restart draws its phase anew. */
  readonly epoch: number;
  /**
   * Two backends: an accumulator, which grows by the second one's weight. Three or more, `weightTotal` at most
   * `PERIOD_MAX`: the place in the period. Null: there is no choice, or `debts` counts.
   */
  readonly place: StoredPlace | null;
  /**
   * Three or more, above it: for each backend n*w - c*W, c being the requests it got of n, and behind them n modulo
   * `weightTotal`, or `UNSTARTED`.
   */
  readonly debts: StoredTally | null;
  /** The backend at each place of the period; made at first use. */
  period: Uint16Array | null;
}

/** A route of the table before, with its sequence. */
interface Before {
  readonly route: TableRoute;
  readonly sequence: Sequence | undefined;
}

export class SplitState {
  readonly #store: StateStore;
  #table: Table;
  /** By the number of the route. None of a route that has always had one backend at most. */
  readonly #sequences: (Sequence | undefined)[] = [];
  /** Places of backends whose turn was taken and came to nothing: the next requests get them, before the sequence goes on. */
  readonly #unused = new Map<Sequence, number[]>();

  /** @param store keeps how far sequences have got */
  constructor(table: Table, store: StateStore = LOCAL_STATE) {
    this.#store = store;
    this.#table = table;
    this.#start(table.services.values(), new Map());
  }

  /** The table that `pick` takes routes of. */
  get table(): Table {
    return this.#table;
  }

  /**
   * Moves to a new table for the same client, and carries over every sequence that it still has. States with one store
   * are to take the same tables in the same order, none of them more than one ahead of another.
   */
  rebind(
    table: Table,
    { gone, come } = changesBetween(this.#table.services, table.services),
  ): void {
    this.#table = table;
    const before = new Map<string, Before>();
    for (const { routes } of gone) {
      for (const route of routes) {
        before.set(route.plan.id, { route, sequence: this.#sequences[route.index] });
        this.#sequences[route.index] = undefined;
      }
    }
    this.#start(come, before);
    for (const { sequence } of before.values()) if (sequence !== undefined) this.#end(sequence);
  }

  /** Starts the sequences of routes that have come, or goes on with those that they had. What is left in `before` is of no more use. */
  #start(come: Iterable<TableService>, before: Map<string, Before>): void {
    const sequences = this.#sequences;
    while (sequences.length < this.#table.routeNumbers.size) sequences.push(undefined);
    for (const { routes } of come) {
      for (const route of routes) {
        const known = before.get(route.plan.id);
        const sequence = this.#carryOver(route, known);
        sequences[route.index] = sequence;
        if (sequence !== undefined && sequence === known?.sequence) before.delete(route.plan.id);
      }
    }
  }

  #end(sequence: Sequence): void {
    this.#unused.delete(sequence);
    sequence.place?.release();
    sequence.debts?.release();
  }

  /** Takes the next backend of the route's sequence; null if the route has none. */
  pick(route: TableRoute): TableBackend | null {
    const backends = route.backends;
    if (backends.length === 1) return backends[0];
    if (backends.length === 0) return null;
    const sequence = this.#sequenceOf(route);
    if (this.#unused.size > 0) {
      const unused = this.#takeUnused(sequence);
      if (unused !== undefined) return backends[unused];
    }
    const { place } = sequence;
    if (place === null) return backends[this.#pickOnline(sequence)];
    if (backends.length > 2) return backends[this.#periodOf(sequence)[place.advance(1)]];
    const weight = sequence.weights[1];
    return backends[place.advance(weight) + weight < sequence.weightTotal ? 0 : 1];
  }

  #sequenceOf({ index }: TableRoute): Sequence {
    const sequence = this.#sequences[index];
    assert(sequence !== undefined, "A route with a choice has a sequence");
    return sequence;
  }

  /**
   * What `pick` gave came to nothing, so the next request of the route gets it. A turn of a route that is no more as it was is
   * lost.
   */
  giveBack(route: TableRoute, backend: TableBackend): void {
    const sequence = this.#sequences[route.index];
    if (route.backends.length < 2 || sequence?.route !== route) return;
    const unused = this.#unused.get(sequence) ?? [];
    unused.push(route.backends.indexOf(backend));
    this.#unused.set(sequence, unused);
  }

  #takeUnused(sequence: Sequence): number | undefined {
    const unused = this.#unused.get(sequence);
    const taken = unused?.shift();
    if (unused?.length === 0) this.#unused.delete(sequence);
    return taken;
  }

  /** What `pick` would give for the request after `ahead` more; changes nothing. */
  peek(route: TableRoute, ahead = 0): TableBackend | null {
    assert(ahead >= 0 && Number.isInteger(ahead), "peek looks ahead by a whole number of requests");
    const backends = route.backends;
    if (backends.length < 2) return backends[0] ?? null;
    const sequence = this.#sequenceOf(route);
    const unused = this.#unused.get(sequence) ?? [];
    if (ahead < unused.length) return backends[unused[ahead]];
    const steps = (ahead - unused.length) % sequence.weightTotal; // Every kind of sequence repeats after weightTotal.
    const { place, weights, weightTotal } = sequence;
    if (place === null) {
      const debts = this.#debtsOf(sequence);
      for (let i = 0; i < steps; i++) quotaPick(weights, debts);
      return backends[quotaPick(weights, debts)];
    }
    if (backends.length > 2) {
      return backends[this.#periodOf(sequence)[(place.value + steps) % weightTotal]];
    }
    let accumulator = place.value;
    for (let i = 0; i < steps; i++) accumulator = (accumulator + weights[1]) % weightTotal;
    return backends[accumulator + weights[1] < weightTotal ? 0 : 1];
  }

  /** Requests taken from the route's sequence since it started, modulo `route.weightTotal`. */
  position(route: TableRoute): number {
    if (route.backends.length < 2) return 0;
    const sequence = this.#sequenceOf(route);
    const { place, weights, weightTotal } = sequence;
    if (place === null) return this.#debtsOf(sequence)[weights.length];
    const step = weights.length === 2 ? weights[1] : 1;
    return stepsBetween(place.start, place.value, step, weightTotal);
  }

  #pickOnline(sequence: Sequence): number {
    const { debts, weights, weightTotal } = sequence;
    assert(debts !== null, "A sequence with a choice has a place or debts");
    const numbers = debts.enter();
    this.#startOnline(sequence, numbers);
    const picked = quotaPick(weights, numbers);
    const position = numbers[weights.length] + 1;
    numbers[weights.length] = position === weightTotal ? 0 : position;
    debts.leave();
    return picked;
  }

  /** A copy. */
  #debtsOf(sequence: Sequence): Float64Array {
    const { debts } = sequence;
    assert(debts !== null, "A sequence with a choice has a place or debts");
    const numbers = debts.enter();
    this.#startOnline(sequence, numbers);
    const copy = numbers.slice();
    debts.leave();
    return copy;
  }

  #startOnline({ route, epoch, weights }: Sequence, numbers: Float64Array): void {
    if (numbers[weights.length] !== UNSTARTED) return;
    numbers[weights.length] = 0;
    const skipped = randomOf(this.#table, epoch, route)?.below(ONLINE_STARTS) ?? 0;
    for (let i = 0; i < skipped; i++) quotaPick(weights, numbers);
  }

  #periodOf(sequence: Sequence): Uint16Array {
    if (sequence.period === null) {
      const random = randomOf(this.#table, sequence.epoch, sequence.route);
      sequence.period = random === null
        ? canonicalPeriod(sequence.weights)
        : randomPeriod(sequence.weights, (favourable, total) => random.below(total) < favourable);
    }
    return sequence.period;
  }

  #carryOver(route: TableRoute, before: Before | undefined): Sequence | undefined {
    if (before === undefined) return this.#newSequence(route, 0, null);
    const { route: was, sequence } = before;
    const epoch = sequence?.epoch ?? 0;
    const [keys, weights] = [keysOf(route), weightsOf(route)];
    if (!sameItems(keysOf(was), keys)) return this.#newSequence(route, epoch + 1, null);
    if (sameItems(weightsOf(was), weights)) {
      if (sequence !== undefined) sequence.route = route;
      return sequence;
    }
    return weights.length === 2
      ? this.#newSequence(route, epoch, sequence ?? null)
      : this.#newSequence(route, epoch + 1, null);
  }

  /**
   * @param turned of the same two backends: a backend that was about to get a request still is. Null: the phase is
   * drawn
   */
  #newSequence(route: TableRoute, epoch: number, turned: Sequence | null): Sequence | undefined {
    const { plan: { id }, weightTotal } = route;
    const weights = weightsOf(route);
    // There is nothing to remember of it but that it was never another one.
    if (weights.length < 2 && epoch === 0) return undefined;
    const name = `split ${id} ${epoch} ${keysOf(route).join()} ${weights.join()}`;
    const isOnline = weights.length > 2 && weightTotal > PERIOD_MAX;
    const place = weights.length < 2 || isOnline
      ? null
      : this.#store.place(name, weightTotal, () => {
        if (weights.length > 2) return 0;
        return turned === null
          ? startOfPair(weightTotal, randomOf(this.#table, epoch, route))
          : turnOfPair(turned, weightTotal);
      });
    const debts = !isOnline ? null : this.#store.tally(name, weights.length + 1, (numbers) => {
      numbers[weights.length] = UNSTARTED;
    });
    return { route, weights, weightTotal, epoch, place, debts, period: null };
  }
}

function keysOf({ backends }: TableRoute): string[] {
  return backends.map(({ key }) => key);
}

function weightsOf({ backends }: TableRoute): number[] {
  return backends.map(({ weight }) => weight);
}

function startOfPair(weightTotal: number, random: Random | null): number {
  return random === null ? Math.floor(weightTotal / 2) : random.below(weightTotal);
}

/** The same share of a whole turn. */
function turnOfPair({ place, weightTotal: before }: Sequence, weightTotal: number): number {
  const turn = (place?.value ?? 0) / before;
  return Math.min(Math.floor(turn * weightTotal), weightTotal - 1);
}

/** How many steps on a ring lead from one place to another; `step` and `modulus` have no common divisor. */
function stepsBetween(from: number, to: number, step: number, modulus: number): number {
  // Bézout: step * inverse + modulus * something = 1.
  let [rest, nextRest] = [BigInt(modulus), BigInt(step)];
  let [inverse, nextInverse] = [0n, 1n];
  while (nextRest !== 0n) {
    const quotient = rest / nextRest;
    [rest, nextRest] = [nextRest, rest - quotient * nextRest];
    [inverse, nextInverse] = [nextInverse, inverse - quotient * nextInverse];
  }
  const steps = (BigInt(to) - BigInt(from)) * inverse % BigInt(modulus);
  return Number(steps < 0n ? steps + BigInt(modulus) : steps);
}

/** Null: the canonical order. */
function randomOf(
  { client: { seed } }: Table,
  epoch: number,
  { plan: { id } }: TableRoute,
): Random | null {
  return seed === null ? null : new Random(seed, `split ${epoch} ${id}`);
}

function sameItems<T>(some: readonly T[], others: readonly T[]): boolean {
  return some.length === others.length && some.every((item, i) => item === others[i]);
}
