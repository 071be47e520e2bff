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
import { canonicalPeriod, quotaPick, randomPeriod } from "./quota_order.ts";
import type { Table, TableBackend, TableRoute } from "./table.ts";
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
  readonly id: string;
  readonly keys: readonly string[];
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

export class SplitState {
  readonly #store: StateStore;
  #table: Table;
  #sequences: Sequence[];
  /** Places of backends whose turn was taken and came to nothing: the next requests get them, before the sequence goes on. */
  readonly #unused = new Map<Sequence, number[]>();

  /** @param store keeps how far sequences have got */
  constructor(table: Table, store: StateStore = LOCAL_STATE) {
    this.#store = store;
    this.#table = table;
    this.#sequences = this.#sequencesOf(table, new Map());
  }

  /** The table that `pick` takes routes of. */
  get table(): Table {
    return this.#table;
  }

  /**
   * Moves to a new table for the same client, and carries over every sequence that it still has. States with one store
   * are to take the same tables in the same order, none of them more than one ahead of another.
   */
  rebind(table: Table): void {
    const before = new Map(this.#sequences.map((sequence) => [sequence.id, sequence]));
    this.#sequences = this.#sequencesOf(table, before);
    this.#table = table;
    const kept = new Set(this.#sequences);
    for (const sequence of before.values()) {
      if (kept.has(sequence)) continue;
      this.#unused.delete(sequence);
      sequence.place?.release();
      sequence.debts?.release();
    }
  }

  /** Takes the next backend of the route's sequence; null if the route has none. */
  pick(route: TableRoute): TableBackend | null {
    const backends = route.backends;
    if (backends.length === 1) return backends[0];
    if (backends.length === 0) return null;
    const sequence = this.#sequences[route.index];
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

  /**
   * What `pick` gave came to nothing, so the next request of the route gets it. A turn of another table than the one in
   * force is lost.
   */
  giveBack(route: TableRoute, backend: TableBackend): void {
    if (route.backends.length < 2 || this.#table.routes[route.index] !== route) return;
    const sequence = this.#sequences[route.index];
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
    const sequence = this.#sequences[route.index];
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
    const sequence = this.#sequences[route.index];
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

  #startOnline({ id, epoch, weights }: Sequence, numbers: Float64Array): void {
    if (numbers[weights.length] !== UNSTARTED) return;
    numbers[weights.length] = 0;
    const skipped = randomOf(this.#table, epoch, id)?.below(ONLINE_STARTS) ?? 0;
    for (let i = 0; i < skipped; i++) quotaPick(weights, numbers);
  }

  #periodOf(sequence: Sequence): Uint16Array {
    if (sequence.period === null) {
      const random = randomOf(this.#table, sequence.epoch, sequence.id);
      sequence.period = random === null
        ? canonicalPeriod(sequence.weights)
        : randomPeriod(sequence.weights, (favourable, total) => random.below(total) < favourable);
    }
    return sequence.period;
  }

  #sequencesOf(table: Table, before: ReadonlyMap<string, Sequence>): Sequence[] {
    return table.routes.map((route) => this.#carryOver(table, route, before.get(route.plan.id)));
  }

  #carryOver(table: Table, route: TableRoute, before: Sequence | undefined): Sequence {
    if (before === undefined) return this.#start(table, route, 0, null);
    const isSameBackends = sameItems(before.keys, route.backends.map(({ key }) => key));
    const weights = route.backends.map(({ weight }) => weight);
    if (isSameBackends && sameItems(before.weights, weights)) return before;
    return isSameBackends && weights.length === 2
      ? this.#start(table, route, before.epoch, before)
      : this.#start(table, route, before.epoch + 1, null);
  }

  /**
   * @param turned of the same two backends: a backend that was about to get a request still is. Null: the phase is
   * drawn
   */
  #start(table: Table, route: TableRoute, epoch: number, turned: Sequence | null): Sequence {
    const { plan: { id }, weightTotal } = route;
    const keys = route.backends.map(({ key }) => key);
    const weights = route.backends.map(({ weight }) => weight);
    const name = `split ${id} ${epoch} ${keys.join()} ${weights.join()}`;
    const isOnline = weights.length > 2 && weightTotal > PERIOD_MAX;
    const place = weights.length < 2 || isOnline
      ? null
      : this.#store.place(name, weightTotal, () => {
        if (weights.length > 2) return 0;
        return turned === null
          ? startOfPair(weightTotal, randomOf(table, epoch, id))
          : turnOfPair(turned, weightTotal);
      });
    const debts = !isOnline ? null : this.#store.tally(name, weights.length + 1, (numbers) => {
      numbers[weights.length] = UNSTARTED;
    });
    return { id, keys, weights, weightTotal, epoch, place, debts, period: null };
  }
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
function randomOf({ client: { seed } }: Table, epoch: number, id: string): Random | null {
  return seed === null ? null : new Random(seed, `split ${epoch} ${id}`);
}

function sameItems<T>(some: readonly T[], others: readonly T[]): boolean {
  return some.length === others.length && some.every((item, i) => item === others[i]);
}
