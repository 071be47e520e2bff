/**
 * StateStore: where numbers are kept that requests change and plans do not: places in sequences, tokens, counts. Their owner
 * is handed a store, so that it need not know whether one thread has them or several share them.
 */

/** A place on a ring, such as that of a sequence which repeats. Moves by whole steps. */
export interface StoredPlace {
  /** Where it was when it was made. */
  readonly start: number;
  /** From 0 to less than the modulus. With other threads about, it may have moved on by the time it is looked at. */
  readonly value: number;
  /** Moves on by `step`, from 0 to less than the modulus, in one go; returns where it was before. */
  advance(step: number): number;
  /** It is of no more use to its owner. */
  release(): void;
}

/** A few numbers that are only right together. */
export interface StoredTally {
  /** The numbers, for their owner alone until `leave`. Both are to be called in one breath. */
  enter(): Float64Array;
  leave(): void;
  /** It is of no more use to its owner. */
  release(): void;
}

export interface StateStore {
  /** Whether other threads have a hand in what is kept here. */
  readonly isShared: boolean;
  /** Added to this thread's clock, it gives one that all threads of the store agree on. Milliseconds. */
  readonly clockOffsetMs: number;
  /**
   * The place called `key`, made where there is none.
   * @param modulus the same for every owner of the place; at most 2^31 - 1
   */
  place(key: string, modulus: number, start: () => number): StoredPlace;
  /**
   * The numbers called `key`, made where there are none.
   * @param length how many there are, the same for every owner
   * @param fill sets them where they are new; they are zero before
   */
  tally(key: string, length: number, fill: (numbers: Float64Array) => void): StoredTally;
}

class LocalPlace implements StoredPlace {
  readonly start: number;
  value: number;
  readonly #modulus: number;

  constructor(start: number, modulus: number) {
    this.start = start;
    this.value = start;
    this.#modulus = modulus;
  }

  advance(step: number): number {
    const before = this.value;
    const next = before + step;
    this.value = next < this.#modulus ? next : next - this.#modulus;
    return before;
  }

  release(): void {}
}

class LocalTally implements StoredTally {
  readonly #numbers: Float64Array;

  constructor(numbers: Float64Array) {
    this.#numbers = numbers;
  }

  enter(): Float64Array {
    return this.#numbers;
  }

  leave(): void {}

  release(): void {}
}

/** Each owner has its own, whatever the keys: for a thread that shares nothing. */
export const LOCAL_STATE: StateStore = {
  isShared: false,
  clockOffsetMs: 0,
  place: (_key, modulus, start) => new LocalPlace(start(), modulus),
  tally(_key, length, fill) {
    const numbers = new Float64Array(length);
    fill(numbers);
    return new LocalTally(numbers);
  },
};

/** A part of a store, whose keys no other part uses. */
export function prefixed(store: StateStore, prefix: string): StateStore {
  const { isShared, clockOffsetMs } = store;
  return {
    isShared,
    clockOffsetMs,
    place: (key, modulus, start) => store.place(`${prefix} ${key}`, modulus, start),
    tally: (key, length, fill) => store.tally(`${prefix} ${key}`, length, fill),
  };
}
