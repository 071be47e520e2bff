/**
 * NameIndex: finds a number by an ASCII-case-insensitive name that is still bytes in a buffer.
 * Never changed once it is made; looking up allocates nothing and makes no string. One with a few other names is made of
 * copies of its lists, which takes little more than the memory.
 */

/** Same value for both cases of an ASCII letter, one multiplication a byte. */
const HASH_START = 0x811c9dc5;
const HASH_FACTOR = 0x01000193;
const MISSING = -1;

const encoder = new TextEncoder();

/** `byte` in lower case, where it is an ASCII capital. */
export function lowerByte(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/** In any case; an empty one is left out. Values are 0 or more. */
type NameEntry = readonly [name: string | Uint8Array, value: number];

export class NameIndex {
  /**
   * Four numbers a slot: hash, start and end in the arena, value; an end of 0 marks an empty slot, a length of 0 one that was
   * emptied.
   */
  #slots: Int32Array<ArrayBuffer>;
  #mask: number;
  #arena: Uint8Array<ArrayBuffer>;
  /** Where the arena is free. */
  #end = 0;
  /** Slots that are not empty. */
  #used = 0;
  /**
   * Bit n: some name has n bytes (31 stands for 31 and more). Most misses end here, before any
   * hashing.
   */
  #lengths = 0;
  #hasEqualNames = false;

  /** Of two equal names the first counts. @param room for so many more */
  constructor(entries: Iterable<NameEntry>, room = 0) {
    const names: { bytes: Uint8Array; value: number }[] = [];
    let size = 0;
    for (const [name, value] of entries) {
      const bytes = typeof name === "string" ? encoder.encode(name) : name;
      names.push({ bytes, value });
      size += bytes.length;
    }
    let capacity = 8;
    while (capacity < (names.length + room) * 2) capacity *= 2; // At most half full: probes stay short.
    this.#mask = capacity - 1;
    this.#slots = new Int32Array(4 * capacity);
    this.#arena = new Uint8Array(size);
    for (const { bytes, value } of names) this.#add(bytes, value);
  }

  /** Some names were equal: which of them counts once one is gone is not known here. */
  get hasEqualNames(): boolean {
    return this.#hasEqualNames;
  }

  /**
   * An index without some names and with others; null: some names are equal, so that it is to be made anew.
   * @param gone names that are here
   */
  after(gone: readonly string[], come: readonly (readonly [string, number])[]): NameIndex | null {
    if (this.#hasEqualNames) return null;
    // A copy may get fuller than a new one, so that few changes in many need a new one.
    const isFull = 4 * (this.#used + come.length) > 3 * (this.#mask + 1);
    const next = isFull ? new NameIndex(this.#entries(), come.length) : this.#copy();
    for (const name of gone) next.#remove(encoder.encode(name));
    for (const [name, value] of come) next.#add(encoder.encode(name), value);
    return next.#hasEqualNames ? null : next;
  }

  #copy(): NameIndex {
    const copy = new NameIndex([]);
    copy.#slots = this.#slots.slice();
    copy.#mask = this.#mask;
    copy.#arena = this.#arena.slice();
    copy.#end = this.#end;
    copy.#used = this.#used;
    copy.#lengths = this.#lengths;
    return copy;
  }

  *#entries(): Iterable<NameEntry> {
    for (let slot = 0; slot <= this.#mask; slot++) {
      const [, start, end, value] = this.#slots.subarray(4 * slot, 4 * slot + 4);
      if (end > start) yield [this.#arena.subarray(start, end), value];
    }
  }

  #add(name: Uint8Array, value: number): void {
    if (name.length === 0) return;
    if (this.#find(name, 0, name.length) !== -1) {
      this.#hasEqualNames = true;
      return;
    }
    const start = this.#end;
    this.#end += name.length;
    if (this.#end > this.#arena.length) {
      const grown = new Uint8Array(this.#end + (this.#end >> 2));
      grown.set(this.#arena);
      this.#arena = grown;
    }
    let hash = HASH_START;
    for (let i = 0; i < name.length; i++) {
      const byte = lowerByte(name[i]);
      this.#arena[start + i] = byte;
      hash = Math.imul(hash ^ byte, HASH_FACTOR);
    }
    let slot = spread(hash) & this.#mask;
    while (this.#slots[4 * slot + 2] !== 0) slot = (slot + 1) & this.#mask;
    this.#slots[4 * slot] = hash;
    this.#slots[4 * slot + 1] = start;
    this.#slots[4 * slot + 2] = this.#end;
    this.#slots[4 * slot + 3] = value;
    this.#used++;
    this.#lengths |= lengthBit(name.length);
  }

  #remove(name: Uint8Array): void {
    const slot = this.#find(name, 0, name.length);
    if (slot === -1) return;
    // What stands behind it is still found past it.
    this.#slots[4 * slot + 1] = this.#slots[4 * slot + 2];
  }

  /** The value of the name at `bytes[start, end)`, or -1. */
  get(bytes: Uint8Array, start: number, end: number): number {
    if ((this.#lengths & lengthBit(end - start)) === 0) return MISSING;
    const slot = this.#find(bytes, start, end);
    return slot === -1 ? MISSING : this.#slots[4 * slot + 3];
  }

  /** The slot of a name that is not empty, or -1. */
  #find(bytes: Uint8Array, start: number, end: number): number {
    let hash = HASH_START;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ lowerByte(bytes[i]), HASH_FACTOR);
    const slots = this.#slots;
    for (let slot = spread(hash) & this.#mask;; slot = (slot + 1) & this.#mask) {
      const nameEnd = slots[4 * slot + 2];
      if (nameEnd === 0) return -1;
      const nameStart = slots[4 * slot + 1];
      if (slots[4 * slot] !== hash || nameEnd - nameStart !== end - start) continue;
      if (this.#equals(nameStart, nameEnd, bytes, start)) return slot;
    }
  }

  #equals(nameStart: number, nameEnd: number, bytes: Uint8Array, start: number): boolean {
    const arena = this.#arena;
    for (let i = nameStart, j = start; i < nameEnd; i++, j++) {
      if (arena[i] !== lowerByte(bytes[j])) return false;
    }
    return true;
  }
}

function lengthBit(length: number): number {
  return 1 << Math.min(length, 31);
}

/** Moves high bits, where a multiplicative hash is best, to where the mask looks. */
function spread(hash: number): number {
  return hash ^ (hash >>> 15);
}
