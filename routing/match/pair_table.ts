/**
 * PairTable: a map from two numbers to a number, without objects. Open addressing; bounded by its
 * owner.
 */

const FIRST_SLOTS = 64;

export class PairTable {
  /** Three numbers a slot: the two keys and the value; a value of 0 marks an empty slot. */
  #slots = new Int32Array(3 * FIRST_SLOTS);
  #mask = FIRST_SLOTS - 1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The value, or 0 if there is none. */
  get(some: number, other: number): number {
    const slots = this.#slots;
    for (let slot = hashOf(some, other) & this.#mask;; slot = (slot + 1) & this.#mask) {
      const value = slots[3 * slot + 2];
      if (value === 0 || (slots[3 * slot] === some && slots[3 * slot + 1] === other)) return value;
    }
  }

  /** Adds a pair that is not there yet. `value` is not 0. */
  add(some: number, other: number, value: number): void {
    if (2 * ++this.#size > this.#mask) this.#grow();
    this.#put(some, other, value);
  }

  clear(): void {
    this.#slots = new Int32Array(3 * FIRST_SLOTS);
    this.#mask = FIRST_SLOTS - 1;
    this.#size = 0;
  }

  #put(some: number, other: number, value: number): void {
    let slot = hashOf(some, other) & this.#mask;
    while (this.#slots[3 * slot + 2] !== 0) slot = (slot + 1) & this.#mask;
    this.#slots.set([some, other, value], 3 * slot);
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(2 * old.length);
    this.#mask = 2 * this.#mask + 1;
    for (let i = 0; i < old.length; i += 3) {
      if (old[i + 2] !== 0) this.#put(old[i], old[i + 1], old[i + 2]);
    }
  }
}

function hashOf(some: number, other: number): number {
  const hash = Math.imul(Math.imul(some, 0x9e3779b1) ^ other, 0x85ebca6b);
  return hash ^ (hash >>> 16);
}
