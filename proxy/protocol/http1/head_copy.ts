/** The text of a head, for what outlives the bytes that it was parsed from. */
import type { Head } from "./head.ts";

/** A head as it is passed on, but for the lines that are added to it, as text of its own. */
export function copyHead(bytes: Uint8Array, head: Head): Uint8Array {
  const text = new Uint8Array(head.end - head.start);
  let length = 0;
  const append = (start: number, end: number) => {
    text.set(bytes.subarray(start, end), length);
    length += end - start;
  };
  let at = head.start;
  for (let i = 0; i < head.droppedCount; i++) {
    const index = head.dropped[i];
    append(at, head.headers[4 * index]);
    at = head.lineEnd(index);
  }
  append(at, head.end);
  return text.subarray(0, length);
}
