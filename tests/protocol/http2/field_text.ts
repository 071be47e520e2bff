/** Field lists as text, for the tests of HPACK and of the machines that use it. */
import {
  FieldList,
  MALFORMED,
  NEVER_INDEXED,
} from "../../../proxy/protocol/http2/hpack/field_list.ts";
import { nameIdOf } from "../../../proxy/protocol/http2/hpack/names.ts";

/** A list with an area of its own, as large as a buffer of the arena. */
export function fieldListForTest(areaBytes = 16_384): FieldList {
  return new FieldList(new Uint8Array(areaBytes + 64), 64, 64 + areaBytes);
}

/** Writes names and values (one character a byte) into the list. */
export function addFields(list: FieldList, fields: readonly (readonly [string, string])[]): void {
  for (const [name, value] of fields) {
    const start = list.writeText(name);
    const middle = list.textEnd;
    if (start < 0 || list.writeText(value) < 0) throw new RangeError("The list's area is full");
    const id = nameIdOf(list.bytes, start, middle);
    if (!list.add(start, middle, middle, list.textEnd, id)) throw new RangeError("Too many fields");
  }
}

/** What a list holds, one `name: value` each; `!` marks what is never indexed, `?` what is malformed. */
export function renderFields(list: FieldList): string[] {
  return Array.from({ length: list.count }, (_, i) => {
    const [nameStart, nameEnd, valueStart, valueEnd] = list.offsets.subarray(4 * i, 4 * i + 4);
    const text = (start: number, end: number) =>
      Array.from(list.bytes.subarray(start, end), (byte) => String.fromCharCode(byte)).join("");
    const marks = ((list.flags[i] & NEVER_INDEXED) !== 0 ? "!" : "") +
      ((list.flags[i] & MALFORMED) !== 0 ? "?" : "");
    return `${marks}${text(nameStart, nameEnd)}: ${text(valueStart, valueEnd)}`;
  });
}

/** Bytes from hexadecimal digits, blanks between them. */
export function hex(text: string): Uint8Array<ArrayBuffer> {
  const digits = text.replace(/\s+/g, "");
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
