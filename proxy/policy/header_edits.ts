/**
 * HeaderEdits: what a policy changes in the heads of one direction. The lines it adds are text that was made once, and are copied
 * next to the head's other pieces when it is composed. An exchange may outlive the plan of its policy, so the text is no place in
 * the arena, which may be another's by then.
 */
import type { HeaderChanges } from "../../base/policy.ts";
import type { Head } from "../protocol/http1/head.ts";
import { equalsIgnoreCase } from "../protocol/http1/lexical.ts";

export class HeaderEdits {
  /** Lower case: those that are removed, and those that are set anew. */
  readonly #dropped: readonly string[];
  readonly #lines: Uint8Array;

  constructor({ set, add, remove }: HeaderChanges) {
    this.#dropped = [...new Set([...remove, ...set.map(({ name }) => name)])];
    this.#lines = headerLines([...set, ...add]);
  }

  /** Whether headers of this name (lower case) are removed, or set anew. */
  drops(name: string): boolean {
    return this.#dropped.includes(name);
  }

  /**
   * Takes headers out of `head` and adds lines to it, which are written to `room`. Returns the bytes that are used of
   * it, or -1: more headers are taken out than a head can lack.
   */
  apply(bytes: Uint8Array, head: Head, room: number): number {
    for (let index = 0; index < head.headerCount; index++) {
      const start = head.headers[4 * index];
      const end = head.headers[4 * index + 1];
      for (const name of this.#dropped) {
        if (end - start !== name.length || !equalsIgnoreCase(bytes, start, end, name)) continue;
        if (!head.drop(index)) return -1;
      }
    }
    bytes.set(this.#lines, room);
    return this.#lines.length;
  }
}

/** Null if nothing is changed. */
export function headerEdits(changes: HeaderChanges | undefined): HeaderEdits | null {
  if (changes === undefined) return null;
  const { set, add, remove } = changes;
  return set.length + add.length + remove.length === 0 ? null : new HeaderEdits(changes);
}

/** Header lines as they are sent. */
export function headerLines(headers: HeaderChanges["add"]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    headers.map(({ name, value }) => `${name}: ${value}\r\n`).join(""),
    (character) => character.charCodeAt(0),
  );
}
