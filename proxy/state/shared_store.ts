/**
 * SharedStore: a StateStore in memory that the event loops of one proxy share. So a split's ratio, a rate or a limit holds for
 * the proxy and not for each of its loops. Loops meet by key, whichever of them comes to a new plan first.
 */
import { LOCAL_STATE } from "../../base/state_store.ts";
import type { StateStore, StoredPlace, StoredTally } from "../../base/state_store.ts";
import { lock, unlock } from "./mutex.ts";
import { type Slot, SLOT_NUMBERS, Slots } from "./slots.ts";

export class SharedStore implements StateStore {
  readonly isShared = true;
  readonly clockOffsetMs: number;
  readonly #slots: Slots;
  readonly #onFull: () => void;

  /**
   * @param memory of `Slots.allocate`
   * @param clockOffsetMs from this thread's clock to the one that all agree on
   * @param onFull there are more keys than slots: from here on some are this thread's own
   */
  constructor(memory: SharedArrayBuffer, clockOffsetMs: number, onFull: () => void) {
    this.#slots = new Slots(memory);
    this.clockOffsetMs = clockOffsetMs;
    this.#onFull = onFull;
  }

  place(key: string, modulus: number, start: () => number): StoredPlace {
    const slots = this.#slots;
    const taken = slots.take(key, 1, ([{ word, number }]) => {
      slots.words[word] = slots.numbers[number] = start();
    });
    if (taken !== null) return new SlotPlace(slots, taken, modulus);
    this.#onFull();
    return LOCAL_STATE.place(key, modulus, start);
  }

  tally(key: string, length: number, fill: (numbers: Float64Array) => void): StoredTally {
    const numbers = new Float64Array(length);
    const count = Math.ceil(length / SLOT_NUMBERS);
    const taken = this.#slots.take(key, count, (slots) => {
      fill(numbers);
      for (const [part, { number }] of slots.entries()) {
        const first = part * SLOT_NUMBERS;
        this.#slots.numbers.set(numbers.subarray(first, first + SLOT_NUMBERS), number);
      }
    });
    if (taken !== null) return new SlotTally(this.#slots, taken, numbers);
    this.#onFull();
    return LOCAL_STATE.tally(key, length, fill);
  }
}

class SlotPlace implements StoredPlace {
  readonly start: number;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #at: number;
  readonly #modulus: number;
  readonly #slots: Slots;
  readonly #taken: readonly Slot[];

  constructor(slots: Slots, taken: readonly Slot[], modulus: number) {
    this.start = slots.numbers[taken[0].number];
    this.#words = slots.words;
    this.#at = taken[0].word;
    this.#modulus = modulus;
    this.#slots = slots;
    this.#taken = taken;
  }

  get value(): number {
    return Atomics.load(this.#words, this.#at);
  }

  advance(step: number): number {
    const words = this.#words;
    const at = this.#at;
    for (let before = Atomics.load(words, at);;) {
      const next = before + step;
      const wrapped = next < this.#modulus ? next : next - this.#modulus;
      const found = Atomics.compareExchange(words, at, before, wrapped);
      if (found === before) return before;
      before = found;
    }
  }

  release(): void {
    this.#slots.leave(this.#taken);
  }
}

/** Numbers in one slot or several, under the lock of the first. */
class SlotTally implements StoredTally {
  readonly #slots: Slots;
  readonly #taken: readonly Slot[];
  /** What the owner sees; the slots have it between `leave` and `enter`. */
  readonly #copy: Float64Array;

  constructor(slots: Slots, taken: readonly Slot[], copy: Float64Array) {
    this.#slots = slots;
    this.#taken = taken;
    this.#copy = copy;
  }

  enter(): Float64Array {
    const { words, numbers } = this.#slots;
    const copy = this.#copy;
    lock(words, this.#taken[0].lock);
    for (let i = 0; i < copy.length; i++) copy[i] = numbers[this.#numberAt(i)];
    return copy;
  }

  leave(): void {
    const { words, numbers } = this.#slots;
    const copy = this.#copy;
    for (let i = 0; i < copy.length; i++) numbers[this.#numberAt(i)] = copy[i];
    unlock(words, this.#taken[0].lock);
  }

  #numberAt(i: number): number {
    return this.#taken[Math.trunc(i / SLOT_NUMBERS)].number + i % SLOT_NUMBERS;
  }

  release(): void {
    this.#slots.leave(this.#taken);
  }
}
