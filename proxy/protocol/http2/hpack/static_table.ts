/**
 * The static table (RFC 7541 appendix A), as text that stands once at the beginning of every `FieldList`'s area, so
 * that a static field is decoded without moving a byte.
 */
import { nameText } from "./names.ts";

/** Entries are numbered from 1. */
export const STATIC_COUNT = 61;

/** Values of the entries that have one. */
const VALUES: Readonly<Record<number, string>> = {
  2: "GET",
  3: "POST",
  4: "/",
  5: "/index.html",
  6: "http",
  7: "https",
  8: "200",
  9: "204",
  10: "206",
  11: "304",
  12: "400",
  13: "404",
  14: "500",
  16: "gzip, deflate",
};

/** Texts that the proxy itself sends, kept with the static ones. */
const OWN_NAMES_FROM = STATIC_COUNT + 1;
const OWN_NAMES_TO = 73;

/** Id of the name of each entry: the index of the first entry with that name. */
export const STATIC_NAME_IDS: Uint8Array = new Uint8Array(STATIC_COUNT + 1);
/** Four numbers an entry: name start, name end, value start, value end, from the start of the text. */
export const STATIC_OFFSETS: Int32Array = new Int32Array(4 * (STATIC_COUNT + 1));
/** Two numbers a known name: start, end. */
export const NAME_OFFSETS: Int32Array = new Int32Array(2 * OWN_NAMES_TO);
/** All names and values. */
export const STATIC_TEXT: Uint8Array = buildText();

function buildText(): Uint8Array {
  let text = "";
  const append = (part: string): [number, number] => {
    const start = text.length;
    text += part;
    return [start, text.length];
  };
  let name = 0;
  for (let index = 1; index <= STATIC_COUNT; index++) {
    if (nameText(index) !== "") {
      name = index;
      NAME_OFFSETS.set(append(nameText(index)), 2 * index);
    }
    STATIC_NAME_IDS[index] = name;
    const value = append(VALUES[index] ?? "");
    STATIC_OFFSETS.set([NAME_OFFSETS[2 * name], NAME_OFFSETS[2 * name + 1], ...value], 4 * index);
  }
  for (let id = OWN_NAMES_FROM; id < OWN_NAMES_TO; id++) {
    NAME_OFFSETS.set(append(nameText(id)), 2 * id);
  }
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
