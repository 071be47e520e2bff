/**
 * SplitState: how far each split sequence of one client has got. Mutable, one per client proxy and
 * listener. `rebind` carries every sequence over to a new table by route id, so that an unrelated
 * change restarts none.
 *
 * What a sequence promises, with W the sum of the reduced weights and w a backend's own: after any
 * n requests from its start, between floor(n*w/W) and ceil(n*w/W) went to the backend; with two
 * backends so did any n in a row. With a seed, the chance that the k-th request goes to the backend
 * is exactly w/W for every k, taken over seeds. Only with three or more backends and W above
 * `PERIOD_MAX` a seed costs something: the chance is within 1/2048 of w/W, and the count within
 * less than 2 of n*w/W.
 */
import { assert } from "../../base/assert.ts";
import { Random } from "../../base/random.ts";
import { canonicalPeriod, PERIOD_MAX, quotaPick, randomPeriod } from "./quota_order.ts";
import type { Table, TableBackend, TableRoute } from "./table.ts";

/**
 * Sequences that are picked online start, with a seed, after one of this many requests of the
 * canonical order.
 */
const ONLINE_STARTS = 4096;

/**
 * One sequence. Which fields count follows from the number of backends and the sum of the weights.
 */
interface Sequence {
  readonly id: string;
  readonly keys: readonly string[];
  readonly weights: readonly number[];
  readonly weightTotal: number;
  /** Counts the restarts that changed weights forced: each restart draws its phase anew. */
  readonly epoch: number;
  /** Requests taken, modulo `weightTotal`. */
  position: number;
  /** Two backends: the accumulator, from 0 to `weightTotal - 1`. */
  accumulator: number;
  /**
   * Three or more, `weightTotal` at most `PERIOD_MAX`: the backend at each position; made at first
   * use.
   */
  period: Uint16Array | null;
  /**
   * Three or more, above it: for each backend n*w - c*W, c being the requests it got of n; made at
   * first use.
   */
  debts: Float64Array | null;
}

export class SplitState {
  #table: Table;
  #sequences: Sequence[];

  constructor(table: Table) {
    this.#table = table;
    this.#sequences = sequencesOf(table, new Map());
  }

  /** The table that `pick` takes routes of. */
  get table(): Table {
    return this.#table;
  }

  /**
   * Moves to a new table for the same client, and carries over every sequence that it still has.
   */
  rebind(table: Table): void {
    const before = new Map(this.#sequences.map((sequence) => [sequence.id, sequence]));
    this.#sequences = sequencesOf(table, before);
    this.#table = table;
  }

  /** Takes the next backend of the route's sequence; null where the route has none. */
  pick(route: TableRoute): TableBackend | null {
    const backends = route.backends;
    if (backends.length === 1) return backends[0];
    if (backends.length === 0) return null;
    const sequence = this.#sequences[route.sequence];
    const position = sequence.position;
    sequence.position = position + 1 === sequence.weightTotal ? 0 : position + 1;
    if (backends.length === 2) {
      const next = sequence.accumulator + sequence.weights[1];
      if (next < sequence.weightTotal) {
        sequence.accumulator = next;
        return backends[0];
      }
      sequence.accumulator = next - sequence.weightTotal;
      return backends[1];
    }
    return sequence.weightTotal > PERIOD_MAX
      ? backends[quotaPick(sequence.weights, this.#debtsOf(sequence))]
      : backends[this.#periodOf(sequence)[position]];
  }

  /** What `pick` would give for the request after `ahead` more; changes nothing. */
  peek(route: TableRoute, ahead = 0): TableBackend | null {
    assert(ahead >= 0 && Number.isInteger(ahead), "peek looks ahead by a whole number of requests");
    const backends = route.backends;
    if (backends.length < 2) return backends[0] ?? null;
    const sequence = this.#sequences[route.sequence];
    const steps = ahead % sequence.weightTotal; // Every kind of sequence repeats after weightTotal.
    if (backends.length === 2) {
      let accumulator = sequence.accumulator;
      for (let i = 0; i < steps; i++) {
        accumulator = (accumulator + sequence.weights[1]) % sequence.weightTotal;
      }
      return backends[accumulator + sequence.weights[1] < sequence.weightTotal ? 0 : 1];
    }
    if (sequence.weightTotal > PERIOD_MAX) {
      const debts = this.#debtsOf(sequence).slice();
      for (let i = 0; i < steps; i++) quotaPick(sequence.weights, debts);
      return backends[quotaPick(sequence.weights, debts)];
    }
    const period = this.#periodOf(sequence);
    return backends[period[(sequence.position + steps) % sequence.weightTotal]];
  }

  /** Requests taken from the route's sequence since it started, modulo `route.weightTotal`. */
  position(route: TableRoute): number {
    return route.backends.length < 2 ? 0 : this.#sequences[route.sequence].position;
  }

  #periodOf(sequence: Sequence): Uint16Array {
    if (sequence.period === null) {
      const random = randomOf(this.#table, sequence);
      sequence.period = random === null
        ? canonicalPeriod(sequence.weights)
        : randomPeriod(sequence.weights, (favourable, total) => random.below(total) < favourable);
    }
    return sequence.period;
  }

  #debtsOf(sequence: Sequence): Float64Array {
    if (sequence.debts === null) {
      sequence.debts = new Float64Array(sequence.weights.length);
      const skipped = randomOf(this.#table, sequence)?.below(ONLINE_STARTS) ?? 0;
      for (let i = 0; i < skipped; i++) quotaPick(sequence.weights, sequence.debts);
    }
    return sequence.debts;
  }
}

function sequencesOf(table: Table, before: ReadonlyMap<string, Sequence>): Sequence[] {
  const sequences: Sequence[] = [];
  for (const route of table.routes) {
    if (sequences[route.sequence] !== undefined) continue;
    sequences[route.sequence] = carryOver(table, route, before.get(route.plan.id));
  }
  return sequences;
}

function carryOver(table: Table, route: TableRoute, before: Sequence | undefined): Sequence {
  const keys = route.backends.map((backend) => backend.key);
  const weights = route.backends.map((backend) => backend.weight);
  if (before === undefined) return startSequence(table, route, 0);
  const isSameBackends = sameItems(before.keys, keys);
  if (isSameBackends && sameItems(before.weights, weights)) return before;
  if (isSameBackends && weights.length === 2) {
    // The same share of a whole turn: a backend that was about to get a request still is.
    const turn = before.accumulator / before.weightTotal;
    const accumulator = Math.min(Math.floor(turn * route.weightTotal), route.weightTotal - 1);
    return { ...startSequence(table, route, before.epoch), accumulator };
  }
  return startSequence(table, route, before.epoch + 1);
}

function startSequence(table: Table, route: TableRoute, epoch: number): Sequence {
  const sequence: Sequence = {
    id: route.plan.id,
    keys: route.backends.map((backend) => backend.key),
    weights: route.backends.map((backend) => backend.weight),
    weightTotal: route.weightTotal,
    epoch,
    position: 0,
    accumulator: 0,
    period: null,
    debts: null,
  };
  if (route.backends.length === 2) {
    const random = randomOf(table, sequence);
    sequence.accumulator = random === null
      ? Math.floor(route.weightTotal / 2)
      : random.below(route.weightTotal);
  }
  return sequence;
}

/** Null: the canonical order. */
function randomOf(table: Table, sequence: Sequence): Random | null {
  const seed = table.client.seed;
  if (seed === null) return null;
  return new Random(seed, `split ${sequence.epoch} ${sequence.id}`);
}

function sameItems<T>(some: readonly T[], others: readonly T[]): boolean {
  return some.length === others.length && some.every((item, i) => item === others[i]);
}
