/**
 * NameIndex: finds a number by an ASCII-case-insensitive name that is still bytes in a buffer.
 * Built once, never changed; looking up allocates nothing and makes no string.
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

export class NameIndex {
  /**
   * Four numbers a slot: hash, start and end in the arena, value; an end of 0 marks an empty slot.
   */
  readonly #slots: Int32Array;
  readonly #mask: number;
  readonly #arena: Uint8Array;
  /**
   * Bit n: some name has n bytes (31 stands for 31 and more). Most misses end here, before any
   * hashing.
   */
  readonly #lengths: number;

  /**
   * Names in any case, each not empty; of two equal names the first counts. Values are 0 or more.
   */
  constructor(entries: Iterable<readonly [name: string | Uint8Array, value: number]>) {
    const names: { bytes: Uint8Array; value: number }[] = [];
    let size = 0;
    for (const [name, value] of entries) {
      const bytes = typeof name === "string" ? encoder.encode(name) : name.slice();
      if (bytes.length === 0) continue;
      for (let i = 0; i < bytes.length; i++) bytes[i] = lowerByte(bytes[i]);
      names.push({ bytes, value });
      size += bytes.length;
    }
    let capacity = 8;
    while (capacity < names.length * 2) capacity *= 2; // At most half full: probes stay short.
    this.#mask = capacity - 1;
    this.#slots = new Int32Array(4 * capacity);
    this.#arena = new Uint8Array(size);
    let lengths = 0;
    let start = 0;
    for (const { bytes, value } of names) {
      if (this.#find(bytes, 0, bytes.length) !== MISSING) continue;
      this.#arena.set(bytes, start);
      this.#insert(start, start + bytes.length, value);
      start += bytes.length;
      lengths |= lengthBit(bytes.length);
    }
    this.#lengths = lengths;
  }

  #insert(start: number, end: number, value: number): void {
    let hash = HASH_START;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ this.#arena[i], HASH_FACTOR);
    let slot = spread(hash) & this.#mask;
    while (this.#slots[4 * slot + 2] !== 0) slot = (slot + 1) & this.#mask;
    this.#slots[4 * slot] = hash;
    this.#slots[4 * slot + 1] = start;
    this.#slots[4 * slot + 2] = end;
    this.#slots[4 * slot + 3] = value;
  }

  /** The value of the name at `bytes[start, end)`, or -1. */
  get(bytes: Uint8Array, start: number, end: number): number {
    if ((this.#lengths & lengthBit(end - start)) === 0) return MISSING;
    return this.#find(bytes, start, end);
  }

  #find(bytes: Uint8Array, start: number, end: number): number {
    let hash = HASH_START;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ lowerByte(bytes[i]), HASH_FACTOR);
    const slots = this.#slots;
    for (let slot = spread(hash) & this.#mask;; slot = (slot + 1) & this.#mask) {
      const nameEnd = slots[4 * slot + 2];
      if (nameEnd === 0) return MISSING;
      const nameStart = slots[4 * slot + 1];
      if (slots[4 * slot] !== hash || nameEnd - nameStart !== end - start) continue;
      if (this.#equals(nameStart, nameEnd, bytes, start)) return slots[4 * slot + 3];
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
