/**
 * The bytes of an update on the wire. What one connection after the other is told in the same words is encoded once, because a change is told
 * to all that use it in a row. A part that is large is encoded once whatever is told beside it: a split of a megabyte that a thousand
 * proxies use is a megabyte in memory, and not a thousand.
 */
import type { Part } from "../../routing/parts.ts";
import type { SourceUpdate } from "../../routing/source/messages.ts";
import { LARGE_PART_BYTES } from "../limits.ts";

const ENCODER = new TextEncoder();
const large = new WeakMap<Part, Uint8Array>();

/** Of the update that was encoded last, where it is of parts only. */
let last: { readonly parts: SourceUpdate["parts"]; readonly bytes: readonly Uint8Array[] } | null =
  null;

/** What `JSON.stringify` would make of it, and the end of a line, in pieces that are written one after the other. */
export function bytesOfUpdate(update: SourceUpdate): Iterable<Uint8Array> {
  const { header, answers, parts } = update;
  // Answers are to what one proxy has asked.
  if (header !== undefined || answers.length > 0) return piecesOf(update);
  if (last === null || !areSame(last.parts, parts)) last = { parts, bytes: [...piecesOf(update)] };
  return last.bytes;
}

function areSame(some: SourceUpdate["parts"], others: SourceUpdate["parts"]): boolean {
  return some.length === others.length && some.every(([key, hashed], i) => {
    const [otherKey, other] = others[i];
    return key === otherKey && hashed?.part === other?.part;
  });
}

function* piecesOf({ parts, ...rest }: SourceUpdate): Iterable<Uint8Array> {
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
