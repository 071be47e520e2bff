/**
 * Slots: one block of shared memory, cut into slots that threads find by key and use together. A slot comes to be with its
 * first owner and goes with its last. Knows words and numbers, not what they mean.
 */
import { Random } from "../../base/random.ts";
import { lock, unlock } from "./mutex.ts";

/** Numbers that a slot holds. */
export const SLOT_NUMBERS = 7;

/** A slot is one line of most processors' caches: a lock, a word, and the numbers. */
const SLOT_BYTES = 64;
const SLOT_WORDS = SLOT_BYTES / 4;

// Words at the start of the block.
const LOCK = 0;
/** The first slot that was used and is free now, as its number and 1; 0: none. */
const FREED = 1;
/** Slots that have ever been used. */
const USED = 2;
/** Slots that have an owner. */
const OWNED = 3;
const HEAD_WORDS = 16;

// Words that are kept about each slot, apart from the slots: only finding and leaving one looks at them.
const NEXT = 0;
const HASH = 1;
const HASH_2 = 2;
const OWNERS = 3;
const ENTRY_WORDS = 4;

/** Where one slot is. */
export interface Slot {
  readonly index: number;
  /** Its lock and its word in `words`, and the first of its numbers in `numbers`. */
  readonly lock: number;
  readonly word: number;
  readonly number: number;
}

export class Slots {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly numbers: Float64Array<SharedArrayBuffer>;
  readonly #count: number;
  /** Chains of entries, by hash: number of an entry and 1; 0 ends a chain. As many as slots. */
  readonly #chains: number;
  readonly #entries: number;
  readonly #slots: number;

  /** Opens a block that `Slots.allocate` made. */
  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory);
    this.numbers = new Float64Array(memory);
    this.#count = countOf(memory.byteLength);
    this.#chains = HEAD_WORDS;
    this.#entries = this.#chains + this.#count;
    this.#slots = this.#entries + this.#count * ENTRY_WORDS;
  }

  /** @param count of slots, a multiple of 16; memory that is not used is only address space */
  static allocate(count: number): SharedArrayBuffer {
    return new SharedArrayBuffer(bytesFor(count));
  }

  /** Slots with an owner. */
  get ownedCount(): number {
    return Atomics.load(this.words, OWNED);
  }

  /**
   * The slots with this key, for one more owner; null if there are not that many left.
   * @param count of slots, the same for every owner
   * @param fill makes new ones what they are to be, before any other thread can have them; all of it is zero before
   */
  take(key: string, count: number, fill: (slots: readonly Slot[]) => void): readonly Slot[] | null {
    const { words } = this;
    const entries = Array.from({ length: count }, (_, part) => hashesOf(`${key} ${part}`));
    lock(words, LOCK);
    try {
      const known = entries.map((entry) => this.#find(entry));
      // They come and go together.
      const isNew = known[0] === -1;
      if (isNew && this.#count - words[OWNED] < count) return null;
      const taken = known.map((index, part) => {
        const slot = this.#slot(isNew ? this.#add(entries[part]) : index);
        words[this.#entry(slot.index) + OWNERS]++;
        return slot;
      });
      if (isNew) fill(taken);
      return taken;
    } finally {
      unlock(words, LOCK);
    }
  }

  /** One owner less. */
  leave(slots: readonly Slot[]): void {
    lock(this.words, LOCK);
    for (const { index } of slots) {
      if (--this.words[this.#entry(index) + OWNERS] === 0) this.#remove(index);
    }
    unlock(this.words, LOCK);
  }

  #add([hash, hash2]: Hashes): number {
    const { words } = this;
    const index = this.#use();
    words[OWNED]++;
    const start = this.#slot(index).lock;
    words.fill(0, start, start + SLOT_WORDS);
    const chain = this.#chainOf(hash);
    words.set([words[chain], hash, hash2, 0], this.#entry(index));
    words[chain] = index + 1;
    return index;
  }

  #remove(index: number): void {
    const { words } = this;
    const entry = this.#entry(index);
    let link = this.#chainOf(words[entry + HASH]);
    while (words[link] !== index + 1) link = this.#entry(words[link] - 1) + NEXT;
    words[link] = words[entry + NEXT];
    words[entry + NEXT] = words[FREED];
    words[FREED] = index + 1;
    words[OWNED]--;
  }

  #chainOf(hash: number): number {
    return this.#chains + (hash >>> 0) % this.#count;
  }

  /** -1: there is none. */
  #find([hash, hash2]: Hashes): number {
    const { words } = this;
    for (
      let link = words[this.#chainOf(hash)];
      link !== 0;
      link = words[this.#entry(link - 1) + NEXT]
    ) {
      const entry = this.#entry(link - 1);
      if (words[entry + HASH] === hash && words[entry + HASH_2] === hash2) return link - 1;
    }
    return -1;
  }

  /** A slot that is free; there must be one. */
  #use(): number {
    const { words } = this;
    const freed = words[FREED];
    if (freed === 0) return words[USED]++;
    words[FREED] = words[this.#entry(freed - 1) + NEXT];
    return freed - 1;
  }

  #entry(index: number): number {
    return this.#entries + index * ENTRY_WORDS;
  }

  #slot(index: number): Slot {
    const start = this.#slots + index * SLOT_WORDS;
    return { index, lock: start, word: start + 1, number: start / 2 + 1 };
  }
}

/** 64 bits of a key: among 30,000 keys two have the same with a chance of 1 in 10^10. */
type Hashes = readonly [number, number];

function hashesOf(key: string): Hashes {
  const random = new Random(0, key);
  return [random.next32() | 0, random.next32() | 0];
}

function bytesFor(count: number): number {
  return HEAD_WORDS * 4 + count * (4 + ENTRY_WORDS * 4 + SLOT_BYTES);
}

function countOf(bytes: number): number {
  return (bytes - HEAD_WORDS * 4) / (4 + ENTRY_WORDS * 4 + SLOT_BYTES);
}
