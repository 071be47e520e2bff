/**
 * FieldList: the fields of one head or trailer section, as offsets into the arena. The decoder fills it, the encoder
 * reads it, and a proxy changes it in between; it knows nothing of what the fields mean.
 */
import { assert } from "../../../../base/assert.ts";
import { NAME_UNKNOWN } from "./names.ts";
import { NAME_OFFSETS, STATIC_OFFSETS, STATIC_TEXT } from "./static_table.ts";
import { HEADERS_MAX } from "../../../../routing/limits.ts";

/** Headers, the pseudo-headers before them, and what is added on the way. */
const FIELDS_MAX = HEADERS_MAX + 64;

/** `flags`: must not enter any compression table, here and further on (RFC 7541 6.2.3). */
export const NEVER_INDEXED = 1;
/** `flags`: the name or value holds bytes that no field may hold (RFC 9113 8.2.1). */
export const MALFORMED = 2;

/** What each field costs beyond its text (RFC 7541 4.1). */
export const FIELD_OVERHEAD_BYTES = 32;

/** Bytes of an area that hold constant texts and not fields. */
export const STATIC_AREA_BYTES: number = STATIC_TEXT.length;

const NOTHING = new Uint8Array(0);

/** All offsets are into `bytes`; ends are exclusive. */
export class FieldList {
  readonly bytes: Uint8Array;
  /** Four numbers a field: name start, name end, value start, value end. */
  readonly offsets = new Int32Array(4 * FIELDS_MAX);
  /** Id of each field's name (`names.ts`), `NAME_UNKNOWN` for most. */
  readonly names = new Uint8Array(FIELDS_MAX);
  /** `NEVER_INDEXED`, `MALFORMED`, or both. */
  readonly flags = new Uint8Array(FIELDS_MAX);
  count = 0;
  /** Sum of names, values and 32 a field: what SETTINGS_MAX_HEADER_LIST_SIZE counts. */
  sizeBytes = 0;
  /** The decoder had more than fits; the list is not to be used. */
  isTooLarge = false;
  /** The content type of a list that is not to be used: a refusal is worded by it. Empty: none, or a long one. */
  lostContentType: Uint8Array = NOTHING;
  /** Where the constant texts stand. */
  readonly areaStart: number;
  /** `textEnd` .. `areaEnd` is free. */
  textEnd: number;
  readonly areaEnd: number;

  /** Takes `bytes` from `areaStart` to `areaEnd` for good: for the constant texts and what `clear` gives up. */
  constructor(bytes: Uint8Array, areaStart: number, areaEnd: number) {
    assert(areaEnd - areaStart > STATIC_AREA_BYTES, "A field list has room for its texts");
    this.bytes = bytes;
    this.areaStart = areaStart;
    this.textEnd = areaStart + STATIC_AREA_BYTES;
    this.areaEnd = areaEnd;
    bytes.set(STATIC_TEXT, areaStart);
  }

  clear(): void {
    this.count = 0;
    this.sizeBytes = 0;
    this.isTooLarge = false;
    this.lostContentType = NOTHING;
    this.textEnd = this.areaStart + STATIC_AREA_BYTES;
  }

  /** Bytes of names and values. */
  get textBytes(): number {
    return this.sizeBytes - this.count * FIELD_OVERHEAD_BYTES;
  }

  /** Adds a field whose text is somewhere in `bytes` already. False: the list is full. */
  add(
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    name: number = NAME_UNKNOWN,
    flags = 0,
  ): boolean {
    const index = this.count;
    if (index === FIELDS_MAX) return false;
    const slot = 4 * index;
    this.offsets[slot] = nameStart;
    this.offsets[slot + 1] = nameEnd;
    this.offsets[slot + 2] = valueStart;
    this.offsets[slot + 3] = valueEnd;
    this.names[index] = name;
    this.flags[index] = flags;
    this.sizeBytes += nameEnd - nameStart + valueEnd - valueStart + FIELD_OVERHEAD_BYTES;
    this.count = index + 1;
    return true;
  }

  /** Adds a field with a known name and a value that is in `bytes` already. */
  addKnown(name: number, valueStart: number, valueEnd: number, flags = 0): boolean {
    const start = this.areaStart + NAME_OFFSETS[2 * name];
    const end = this.areaStart + NAME_OFFSETS[2 * name + 1];
    return this.add(start, end, valueStart, valueEnd, name, flags);
  }

  /** Adds an entry of the static table with its value, such as `:method: GET` (2). */
  addStatic(index: number, name: number): boolean {
    const slot = 4 * index;
    const base = this.areaStart;
    return this.add(
      base + STATIC_OFFSETS[slot],
      base + STATIC_OFFSETS[slot + 1],
      base + STATIC_OFFSETS[slot + 2],
      base + STATIC_OFFSETS[slot + 3],
      name,
    );
  }

  /** Adds a field with a known name and a value in ASCII. False: it does not fit. */
  addText(name: number, value: string): boolean {
    const start = this.writeText(value);
    return start >= 0 && this.addKnown(name, start, this.textEnd);
  }

  /** Writes ASCII text into the area; returns where it starts, or -1 where it does not fit. */
  writeText(text: string): number {
    const start = this.textEnd;
    if (start + text.length > this.areaEnd) return -1;
    for (let i = 0; i < text.length; i++) this.bytes[start + i] = text.charCodeAt(i);
    this.textEnd = start + text.length;
    return start;
  }
}
