/**
 * The bytes of an update on the wire. A part that is large is encoded once, and all connections write the same bytes: a split of a megabyte
 * that a thousand proxies use is a megabyte in memory, and not a thousand.
 */
import type { Part } from "../../routing/parts.ts";
import type { SourceUpdate } from "../../routing/source/messages.ts";
import { LARGE_PART_BYTES } from "../limits.ts";

const ENCODER = new TextEncoder();
const large = new WeakMap<Part, Uint8Array>();

/** What `JSON.stringify` would make of it, and the end of a line, in pieces that are written one after the other. */
export function* bytesOfUpdate({ parts, ...rest }: SourceUpdate): Iterable<Uint8Array> {
  // Up to the items of the list, which are its last field.
  let text = JSON.stringify({ ...rest, parts: [] }).slice(0, -2);
  for (const [i, [key, hashed]] of parts.entries()) {
    if (i > 0) text += ",";
    if (hashed === null) {
      text += JSON.stringify([key, null]);
      continue;
    }
    const { hash, part } = hashed;
    text += `[${JSON.stringify(key)},{"hash":${JSON.stringify(hash)},"part":`;
    const content = contentOf(part);
    if (typeof content === "string") text += content;
    else {
      yield ENCODER.encode(text);
      yield content;
      text = "";
    }
    text += "}]";
  }
  yield ENCODER.encode(`${text}]}\n`);
}

function contentOf(part: Part): string | Uint8Array {
  const known = large.get(part);
  if (known !== undefined) return known;
  const text = JSON.stringify(part);
  if (text.length < LARGE_PART_BYTES) return text;
  const bytes = ENCODER.encode(text);
  large.set(part, bytes);
  return bytes;
}
