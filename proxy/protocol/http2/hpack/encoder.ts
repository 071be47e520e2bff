/**
 * Encoder: a `FieldList` into a header block (RFC 7541 6). What is in a table goes by its index; what has been seen before
 * enters the table; secrets never do; everything else is sent as it is.
 */
import { DynamicTable } from "./dynamic_table.ts";
import { NEVER_INDEXED } from "./field_list.ts";
import type { FieldList } from "./field_list.ts";
import { huffmanEncode, huffmanLength } from "./huffman.ts";
import {
  NAME_AUTHORIZATION,
  NAME_COOKIE,
  NAME_PROXY_AUTHORIZATION,
  NAME_SET_COOKIE,
  NAME_UNKNOWN,
  nameIdOf,
} from "./names.ts";
import { STATIC_COUNT, STATIC_NAME_IDS, STATIC_OFFSETS, STATIC_TEXT } from "./static_table.ts";
import { ENCODER_TABLE_BYTES_MAX } from "../limits.ts";

/**
 * Slots of the index by hash: twice the entries that fit the table. An entry is in one of two neighbouring slots, the newer one
 * first. With one slot, two fields of it in every head would push each other out for ever.
 */
const SLOT_COUNT = 256;
/** Values are remembered by hash, also two by two, until about this many others have been seen. */
const SEEN_COUNT = 256;
/** What a field may take beyond its text: a type, and two lengths of up to four bytes. */
const FIELD_FRAMING_BYTES = 10;
const RESIZE_BYTES = 10;

/** Literals: with incremental indexing, without, never indexed (RFC 7541 6.2). */
const INDEXING = 0x40;
const NOT_INDEXING = 0x00;
const NEVER_INDEXING = 0x10;

const SAME: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => byte);
/** HTTP/1.1 names come in any case (RFC 9113 8.2). */
const LOWER: Uint8Array = SAME.map((byte) => byte >= 65 && byte <= 90 ? byte | 32 : byte);

export class Encoder {
  readonly #table = new DynamicTable(ENCODER_TABLE_BYTES_MAX);
  /** Number of the entry with a hash, which may have been evicted; 0: none. Made with the first entry. */
  #slots: Int32Array | null = null;
  #seen: Int32Array | null = null;
  /** The smallest size since the last block, where it changed; -1: it did not. */
  #sizeBytesLeast = -1;

  /** Bytes that the dynamic table holds, by RFC 7541 4.1. */
  get tableBytes(): number {
    return this.#table.sizeBytes;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. The next block tells it what came of it (RFC 7541 4.2). */
  limitTable(sizeBytesMax: number): void {
    const size = Math.min(sizeBytesMax, ENCODER_TABLE_BYTES_MAX);
    if (size === this.#table.sizeBytesMax) return;
    this.#table.resize(size);
    this.#sizeBytesLeast = this.#sizeBytesLeast < 0 ? size : Math.min(this.#sizeBytesLeast, size);
  }

  /** The most bytes that `encode` writes for `list`. */
  bound(list: FieldList): number {
    return RESIZE_BYTES + list.textBytes + list.count * FIELD_FRAMING_BYTES;
  }

  /** Writes the block into `out` from `at`, where `bound` bytes are free; returns where it ends. */
  encode(list: FieldList, out: Uint8Array, at: number): number {
    if (this.#sizeBytesLeast >= 0) at = this.#writeSizes(out, at);
    for (let i = 0; i < list.count; i++) at = this.#encodeField(list, i, out, at);
    return at;
  }

  /** The smallest size that held in between evicted entries, so the peer must hear of it too. */
  #writeSizes(out: Uint8Array, at: number): number {
    const size = this.#table.sizeBytesMax;
    if (this.#sizeBytesLeast < size) at = writeInteger(out, at, 0x20, 0x1f, this.#sizeBytesLeast);
    this.#sizeBytesLeast = -1;
    return writeInteger(out, at, 0x20, 0x1f, size);
  }

  #encodeField(list: FieldList, index: number, out: Uint8Array, at: number): number {
    const { bytes, offsets } = list;
    const slot = 4 * index;
    const nameStart = offsets[slot];
    const nameEnd = offsets[slot + 1];
    const valueStart = offsets[slot + 2];
    const valueEnd = offsets[slot + 3];
    let name = list.names[index];
    if (name === NAME_UNKNOWN) name = nameIdOf(bytes, nameStart, nameEnd);
    if ((list.flags[index] & NEVER_INDEXED) !== 0 || isSecret(name)) {
      at = writeName(bytes, nameStart, nameEnd, name, NEVER_INDEXING, 0x0f, out, at);
      return writePlain(bytes, valueStart, valueEnd, SAME, out, at);
    }
    const entry = staticEntry(bytes, valueStart, valueEnd, name);
    if (entry > 0) {
      out[at] = 0x80 | entry;
      return at + 1;
    }
    const seed = name === NAME_UNKNOWN ? hashOf(bytes, nameStart, nameEnd, 0) : name;
    const hash = hashOf(bytes, valueStart, valueEnd, seed);
    const number = this.#find(bytes, nameStart, nameEnd, valueStart, valueEnd, name, hash);
    if (number > 0) {
      return writeInteger(out, at, 0x80, 0x7f, STATIC_COUNT + 1 + this.#table.newest - number);
    }
    // A value that came once may never come again, and would only push out those that do. What comes twice is
    // worth its place, and worth coding, since that is paid once.
    if (this.#isNew(hash)) {
      at = writeName(bytes, nameStart, nameEnd, name, NOT_INDEXING, 0x0f, out, at);
      return writePlain(bytes, valueStart, valueEnd, SAME, out, at);
    }
    this.#remember(bytes, nameStart, nameEnd, valueStart, valueEnd, name, hash);
    at = writeName(bytes, nameStart, nameEnd, name, INDEXING, 0x3f, out, at);
    return writeShorter(bytes, valueStart, valueEnd, SAME, out, at);
  }

  /** Whether the hash has not been seen of late; it has been after this. */
  #isNew(hash: number): boolean {
    this.#seen ??= new Int32Array(SEEN_COUNT);
    const slot = hash & (SEEN_COUNT - 2);
    if (this.#seen[slot] === hash || this.#seen[slot + 1] === hash) return false;
    this.#seen[slot + 1] = this.#seen[slot];
    this.#seen[slot] = hash;
    return true;
  }

  /** The entry's number, or 0. */
  #find(
    bytes: Uint8Array,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    name: number,
    hash: number,
  ): number {
    if (this.#slots === null) return 0;
    const slot = slotOf(hash);
    const first = this.#slots[slot];
    if (this.#is(first, bytes, nameStart, nameEnd, valueStart, valueEnd, name)) return first;
    const second = this.#slots[slot + 1];
    return this.#is(second, bytes, nameStart, nameEnd, valueStart, valueEnd, name) ? second : 0;
  }

  /** Whether the table still has the entry, and it is this field. */
  #is(
    number: number,
    bytes: Uint8Array,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    name: number,
  ): boolean {
    const table = this.#table;
    if (number === 0 || !table.has(number) || table.name(number) !== name) return false;
    const nameLength = nameEnd - nameStart;
    const valueLength = valueEnd - valueStart;
    if (table.nameLength(number) !== nameLength || table.valueLength(number) !== valueLength) {
      return false;
    }
    const text = table.text;
    const at = table.nameStart(number);
    // A known name is the same name.
    for (let i = 0; i < nameLength && name === NAME_UNKNOWN; i++) {
      if (LOWER[bytes[nameStart + i]] !== text[at + i]) return false;
    }
    const valueAt = at + nameLength;
    for (let i = 0; i < valueLength; i++) {
      if (bytes[valueStart + i] !== text[valueAt + i]) return false;
    }
    return true;
  }

  #remember(
    bytes: Uint8Array,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    name: number,
    hash: number,
  ): void {
    const table = this.#table;
    const start = table.add(nameEnd - nameStart, valueEnd - valueStart, name, 0);
    if (start < 0) return;
    const text = table.text;
    let at = start;
    for (let i = nameStart; i < nameEnd; i++) text[at++] = LOWER[bytes[i]];
    for (let i = valueStart; i < valueEnd; i++) text[at++] = bytes[i];
    this.#slots ??= new Int32Array(SLOT_COUNT);
    const slot = slotOf(hash);
    this.#slots[slot + 1] = this.#slots[slot];
    this.#slots[slot] = table.newest;
  }
}

/** Fields that a guess, tried often enough, must not find by the length of what is sent (RFC 7541 7.1). */
export function isSecret(name: number): boolean {
  return name === NAME_COOKIE || name === NAME_AUTHORIZATION || name === NAME_SET_COOKIE ||
    name === NAME_PROXY_AUTHORIZATION;
}

/** The static entry with this name and value, or 0. Those with values come first, and stand together. */
function staticEntry(bytes: Uint8Array, start: number, end: number, name: number): number {
  if (name === NAME_UNKNOWN || name > 16) return 0;
  const length = end - start;
  for (let entry = name; STATIC_NAME_IDS[entry] === name; entry++) {
    const valueStart = STATIC_OFFSETS[4 * entry + 2];
    if (length === 0 || STATIC_OFFSETS[4 * entry + 3] - valueStart !== length) continue;
    let i = 0;
    while (i < length && STATIC_TEXT[valueStart + i] === bytes[start + i]) i++;
    if (i === length) return entry;
  }
  return 0;
}

/** Four bytes a step; letters in lower case, which costs values nothing but a few more equal hashes. */
function hashOf(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed ^ (end - start);
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    hash = Math.imul(hash ^ (word | 0x20202020), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ (bytes[at] | 0x20), 0x85ebca6b);
  // The slots go by a few bits, so every bit must have come to bear on them.
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35);
  return hash ^ (hash >>> 15);
}

/** The first of the two slots. Other bits of the hash than those that `#seen` goes by. */
function slotOf(hash: number): number {
  return (hash >>> 8) & (SLOT_COUNT - 2);
}

function writeInteger(
  out: Uint8Array,
  at: number,
  type: number,
  mask: number,
  value: number,
): number {
  if (value < mask) {
    out[at] = type | value;
    return at + 1;
  }
  out[at++] = type | mask;
  value -= mask;
  while (value >= 0x80) {
    out[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  out[at++] = value;
  return at;
}

/** The first byte of a literal and its name: by index where the static table has it. */
function writeName(
  bytes: Uint8Array,
  start: number,
  end: number,
  name: number,
  type: number,
  mask: number,
  out: Uint8Array,
  at: number,
): number {
  if (name !== NAME_UNKNOWN && name <= STATIC_COUNT) {
    return writeInteger(out, at, type, mask, name);
  }
  out[at++] = type;
  return type === INDEXING
    ? writeShorter(bytes, start, end, LOWER, out, at)
    : writePlain(bytes, start, end, LOWER, out, at);
}

/** A string as it is: coding it would take longer than sending the fifth that it would save. */
function writePlain(
  bytes: Uint8Array,
  start: number,
  end: number,
  fold: Uint8Array,
  out: Uint8Array,
  at: number,
): number {
  at = writeInteger(out, at, 0, 0x7f, end - start);
  for (let i = start; i < end; i++) out[at++] = fold[bytes[i]];
  return at;
}

/** A string, Huffman-coded where that is shorter. */
function writeShorter(
  bytes: Uint8Array,
  start: number,
  end: number,
  fold: Uint8Array,
  out: Uint8Array,
  at: number,
): number {
  const length = huffmanLength(bytes, start, end, fold);
  if (length >= end - start) return writePlain(bytes, start, end, fold, out, at);
  at = writeInteger(out, at, 0x80, 0x7f, length);
  return huffmanEncode(bytes, start, end, fold, out, at);
}
