/**
 * World: the clock, the agenda and the dice of one simulated run. Everything that happens is on the agenda, and
 * every choice is drawn from the seed, so a seed names a run exactly.
 */
import { Random } from "../../base/random.ts";

/** A run that broke a promise of the data plane; the message says which. */
export class SimulationError extends Error {
  override readonly name = "SimulationError";
}

interface Entry {
  readonly atMs: number;
  /** Things due at one time happen in the order in which they were put down. */
  readonly order: number;
  readonly run: () => void;
}

export class World {
  nowMs = 0;
  /** Set to see what happens: one line for each thing that the proxy does. */
  onTrace: ((line: string) => void) | null = null;
  readonly #random: Random;
  /** A binary heap: the earliest entry is first. */
  readonly #agenda: Entry[] = [];
  #order = 0;

  constructor(seed: number) {
    this.#random = new Random(seed, "simulation");
  }

  /** When the next thing happens; `Infinity` when nothing will. */
  get nextMs(): number {
    return this.#agenda.length === 0 ? Infinity : this.#agenda[0].atMs;
  }

  /** True with probability `share`. */
  chance(share: number): boolean {
    return share > 0 && this.#random.next32() < share * 2 ** 32;
  }

  /** A whole number, both bounds included. */
  between(low: number, high: number): number {
    return low + this.#random.below(high - low + 1);
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.#random.below(values.length)];
  }

  /** A whole number from 1 to `high`, small ones more often. */
  skewed(high: number): number {
    return this.between(1, this.between(1, this.between(1, high)));
  }

  shuffle<Value>(values: Value[]): void {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.between(0, i);
      [values[i], values[j]] = [values[j], values[i]];
    }
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.nowMs + delayMs, run);
  }

  at(atMs: number, run: () => void): void {
    const agenda = this.#agenda;
    const entry = { atMs, order: this.#order++, run };
    let place = agenda.length;
    agenda.push(entry);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isBefore(entry, agenda[parent])) break;
      agenda[place] = agenda[parent];
      place = parent;
    }
    agenda[place] = entry;
  }

  /** Lets happen what is due by now. */
  runDue(): void {
    while (this.nextMs <= this.nowMs) this.#take().run();
  }

  #take(): Entry {
    const agenda = this.#agenda;
    const first = agenda[0];
    const last = agenda.pop() as Entry;
    const size = agenda.length;
    if (size === 0) return first;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= size) break;
      if (child + 1 < size && isBefore(agenda[child + 1], agenda[child])) child++;
      if (!isBefore(agenda[child], last)) break;
      agenda[place] = agenda[child];
      place = child;
    }
    agenda[place] = last;
    return first;
  }
}

function isBefore(some: Entry, other: Entry): boolean {
  return some.atMs < other.atMs || (some.atMs === other.atMs && some.order < other.order);
}
