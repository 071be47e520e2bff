/**
 * Decoder: a header block into a `FieldList` (RFC 7541 3, 6). One a connection, since every block changes its dynamic table;
 * so a block is decoded to its end even where its fields are not wanted. What a field means is none of its business.
 */
import { assert } from "../../../../base/assert.ts";
import { IS_TOKEN, IS_VALUE } from "../../http1/lexical.ts";
import { DynamicTable } from "./dynamic_table.ts";
import { MALFORMED, NEVER_INDEXED, STATIC_AREA_BYTES } from "./field_list.ts";
import type { FieldList } from "./field_list.ts";
import { HUFFMAN_INVALID, HUFFMAN_TOO_LONG, huffmanDecode } from "./huffman.ts";
import { CONTENT_TYPE_BYTES_MAX, INTEGER_CONTINUATIONS_MAX } from "../limits.ts";
import { NAME_CONTENT_TYPE, NAME_UNKNOWN, nameIdOf } from "./names.ts";
import { NAME_OFFSETS, STATIC_COUNT, STATIC_NAME_IDS } from "./static_table.ts";

const COLON = 58;
const SP = 32;
const HTAB = 9;

/** Which bytes a field name may hold: a token without capital letters (RFC 9113 8.2.1). */
const IS_NAME: Uint8Array = IS_TOKEN.map((isToken, byte) => byte >= 65 && byte <= 90 ? 0 : isToken);

/** `#string` and `#literal`: decoded, against HPACK, or larger than the area. */
const DECODED = 0;
const INVALID = -1;
const TOO_LONG = -2;

export class Decoder {
  readonly #table: DynamicTable;
  readonly #tableBytesMax: number;
  readonly #textBytesMax: number;
  /** The next byte of the block. */
  #at = 0;

  /**
   * @param tableBytesMax what SETTINGS_HEADER_TABLE_SIZE tells the peer
   * @param textBytesMax a list of more than this in names and values is given up
   */
  constructor(tableBytesMax: number, textBytesMax: number) {
    this.#table = new DynamicTable(tableBytesMax);
    this.#tableBytesMax = tableBytesMax;
    this.#textBytesMax = textBytesMax;
  }

  /** Bytes that the dynamic table holds, by RFC 7541 4.1. */
  get tableBytes(): number {
    return this.#table.sizeBytes;
  }

  /**
   * Decodes the block from `start` to `end` into `list`. False: it is no valid block, and the connection cannot go on
   * (COMPRESSION_ERROR). True with `list.isTooLarge`: valid, but the list is not to be used.
   */
  decode(bytes: Uint8Array, start: number, end: number, list: FieldList): boolean {
    // What does not fit the area must not fit the table either, or the table would lack it.
    assert(
      list.areaEnd - list.areaStart - STATIC_AREA_BYTES >= this.#tableBytesMax,
      "A field list's area holds any entry of the dynamic table",
    );
    list.clear();
    this.#at = start;
    let mayResize = true;
    while (this.#at < end) {
      const first = bytes[this.#at];
      if ((first & 0xe0) === 0x20) {
        if (!mayResize || !this.#resize(bytes, end)) return false;
        continue;
      }
      mayResize = false;
      if (first >= 0x80) {
        if (!this.#addIndexed(bytes, end, list)) return false;
      } else if (!this.#addLiteral(bytes, end, list)) return false;
      if (list.textBytes > this.#textBytesMax) giveUp(list);
    }
    return true;
  }

  /** A new size of the table, only before the first field of a block (RFC 7541 4.2, 6.3). */
  #resize(bytes: Uint8Array, end: number): boolean {
    const size = this.#integer(bytes, end, 0x1f);
    if (size < 0 || size > this.#tableBytesMax) return false;
    this.#table.resize(size);
    return true;
  }

  /** An integer with a prefix of `mask` bits (RFC 7541 5.1); -1: cut off, or too large. */
  #integer(bytes: Uint8Array, end: number, mask: number): number {
    let value = bytes[this.#at++] & mask;
    if (value < mask) return value;
    for (let i = 0; i < INTEGER_CONTINUATIONS_MAX; i++) {
      if (this.#at >= end) return -1;
      const byte = bytes[this.#at++];
      value += (byte & 0x7f) << (7 * i);
      if (byte < 0x80) return value;
    }
    return -1;
  }

  #addIndexed(bytes: Uint8Array, end: number, list: FieldList): boolean {
    const index = this.#integer(bytes, end, 0x7f);
    if (index <= 0) return false;
    if (index <= STATIC_COUNT) {
      if (!list.isTooLarge && !list.addStatic(index, STATIC_NAME_IDS[index])) giveUp(list);
      return true;
    }
    const table = this.#table;
    const number = table.newest - (index - STATIC_COUNT - 1);
    if (!table.has(number)) return false;
    if (list.isTooLarge && table.name(number) !== NAME_CONTENT_TYPE) return true;
    const nameLength = table.nameLength(number);
    const length = nameLength + table.valueLength(number);
    const at = list.textEnd;
    if (at + length > list.areaEnd) {
      giveUp(list);
      return true;
    }
    copy(table.text, table.nameStart(number), length, list.bytes, at);
    const name = table.name(number);
    const middle = at + nameLength;
    if (list.isTooLarge) {
      keepContentType(list, list.bytes, middle, at + length);
      return true;
    }
    list.textEnd = at + length;
    if (!list.add(at, middle, middle, at + length, name, table.flags(number))) giveUp(list);
    return true;
  }

  #addLiteral(bytes: Uint8Array, end: number, list: FieldList): boolean {
    const from = this.#at;
    if (list.isTooLarge) giveUp(list);
    const result = this.#literal(bytes, end, list);
    if (result !== TOO_LONG) return result === DECODED;
    if (!list.isTooLarge) {
      // Once more, with the whole area for this field: the table may need it.
      giveUp(list);
      this.#at = from;
      return this.#addLiteral(bytes, end, list);
    }
    return true;
  }

  /** `TOO_LONG` with a list that was given up: the field was passed over, and the table is as if it had been added. */
  #literal(bytes: Uint8Array, end: number, list: FieldList): number {
    const first = bytes[this.#at];
    const isAdded = first >= 0x40;
    const index = this.#integer(bytes, end, isAdded ? 0x3f : 0x0f);
    if (index < 0) return INVALID;
    let nameStart = list.textEnd;
    let nameEnd = nameStart;
    let name = NAME_UNKNOWN;
    let flags = !isAdded && (first & 0x10) !== 0 ? NEVER_INDEXED : 0;
    let isTooLong = false;
    if (index === 0) {
      const result = this.#string(bytes, end, list);
      if (result === INVALID) return INVALID;
      isTooLong = result === TOO_LONG;
      nameEnd = list.textEnd;
      name = nameIdOf(list.bytes, nameStart, nameEnd);
      if (!isName(list.bytes, nameStart, nameEnd, name)) flags |= MALFORMED;
    } else if (index <= STATIC_COUNT) {
      name = STATIC_NAME_IDS[index];
      nameStart = list.areaStart + NAME_OFFSETS[2 * name];
      nameEnd = list.areaStart + NAME_OFFSETS[2 * name + 1];
    } else {
      const number = this.#table.newest - (index - STATIC_COUNT - 1);
      if (!this.#table.has(number)) return INVALID;
      nameEnd = nameStart + this.#table.nameLength(number);
      if (nameEnd > list.areaEnd) isTooLong = true;
      else {
        copy(
          this.#table.text,
          this.#table.nameStart(number),
          nameEnd - nameStart,
          list.bytes,
          nameStart,
        );
        list.textEnd = nameEnd;
        name = this.#table.name(number);
        flags |= nameFlags(list.bytes, nameStart, nameEnd, name);
      }
    }
    const valueStart = list.textEnd;
    const result = this.#string(bytes, end, list);
    if (result === INVALID) return INVALID;
    if (isTooLong || result === TOO_LONG) {
      if (isAdded && list.isTooLarge) this.#table.clear();
      return TOO_LONG;
    }
    const valueEnd = list.textEnd;
    if (!isValue(list.bytes, valueStart, valueEnd)) flags |= MALFORMED;
    if (isAdded) this.#remember(list.bytes, nameStart, nameEnd, valueStart, valueEnd, name, flags);
    if (list.isTooLarge) {
      if (name === NAME_CONTENT_TYPE) {
        keepContentType(list, list.bytes, valueStart, valueEnd);
      }
      return DECODED;
    }
    if (!list.add(nameStart, nameEnd, valueStart, valueEnd, name, flags)) giveUp(list);
    return DECODED;
  }

  #remember(
    bytes: Uint8Array,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    name: number,
    flags: number,
  ): void {
    const nameLength = nameEnd - nameStart;
    const at = this.#table.add(nameLength, valueEnd - valueStart, name, flags);
    if (at < 0) return;
    copy(bytes, nameStart, nameLength, this.#table.text, at);
    copy(bytes, valueStart, valueEnd - valueStart, this.#table.text, at + nameLength);
  }

  /** A string (RFC 7541 5.2) to the end of the list's text. */
  #string(bytes: Uint8Array, end: number, list: FieldList): number {
    if (this.#at >= end) return INVALID;
    const isHuffman = bytes[this.#at] >= 0x80;
    const length = this.#integer(bytes, end, 0x7f);
    const from = this.#at;
    if (length < 0 || length > end - from) return INVALID;
    this.#at = from + length;
    if (isHuffman) {
      const decodedEnd = huffmanDecode(
        bytes,
        from,
        from + length,
        list.bytes,
        list.textEnd,
        list.areaEnd,
      );
      if (decodedEnd === HUFFMAN_INVALID) return INVALID;
      if (decodedEnd === HUFFMAN_TOO_LONG) return TOO_LONG;
      list.textEnd = decodedEnd;
      return DECODED;
    }
    if (list.textEnd + length > list.areaEnd) return TOO_LONG;
    copy(bytes, from, length, list.bytes, list.textEnd);
    list.textEnd += length;
    return DECODED;
  }
}

/** Forgets the list's fields but for what a refusal is worded by; what is decoded from now on is passed over. */
function giveUp(list: FieldList): void {
  const { bytes, names, offsets, count, lostContentType, isTooLarge } = list;
  list.clear();
  list.isTooLarge = true;
  if (isTooLarge) list.lostContentType = lostContentType;
  const index = names.subarray(0, count).indexOf(NAME_CONTENT_TYPE);
  if (index >= 0) keepContentType(list, bytes, offsets[4 * index + 2], offsets[4 * index + 3]);
}

function keepContentType(list: FieldList, bytes: Uint8Array, start: number, end: number): void {
  if (end - start <= CONTENT_TYPE_BYTES_MAX) list.lostContentType = bytes.slice(start, end);
}

/** Strings are short: a loop takes less time than a view of the bytes. */
function copy(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  for (let i = 0; i < length; i++) to[at + i] = from[start + i];
}

/** `MALFORMED` where a name of the dynamic table is: its entry may say so for its value only. */
function nameFlags(bytes: Uint8Array, start: number, end: number, name: number): number {
  return isName(bytes, start, end, name) ? 0 : MALFORMED;
}

function isName(bytes: Uint8Array, start: number, end: number, name: number): boolean {
  if (start === end) return false;
  // The only names with a colon are the known pseudo-headers.
  let at = bytes[start] === COLON && name !== NAME_UNKNOWN ? start + 1 : start;
  for (; at < end; at++) if (IS_NAME[bytes[at]] === 0) return false;
  return true;
}

function isValue(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end) return true;
  const first = bytes[start];
  const last = bytes[end - 1];
  if (first === SP || first === HTAB || last === SP || last === HTAB) return false;
  for (let at = start; at < end; at++) if (IS_VALUE[bytes[at]] === 0) return false;
  return true;
}
