/**
 * RequestKeyReader: finds what tells one caller from another in a request, a header or a cookie, and hashes it.
 * Allocates nothing; makes no string from bytes.
 */
import { hashRange32 } from "../../base/hash.ts";
import type { RequestKey } from "../../base/policy.ts";
import { lowerByte } from "../match/name_index.ts";
import type { RequestHead } from "../request.ts";

/** What `hash` gives where the request does not have the key. */
export const NO_KEY = -1;

const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const SPACE = 0x20;
const TAB = 0x09;
const QUOTE = 0x22;

const encoder = new TextEncoder();

export class RequestKeyReader {
  /** Lower case. */
  readonly #headerName: Uint8Array;
  /** Null if the whole header is the key. */
  readonly #cookieName: Uint8Array | null;
  /** Of the value found last, in the bytes of its request. */
  start = 0;
  end = 0;

  /** @param key of source `header` or `cookie`; the client's address is not in a request */
  constructor(key: RequestKey) {
    this.#headerName = encoder.encode(key.source === "cookie" ? "cookie" : key.name);
    this.#cookieName = key.source === "cookie" ? encoder.encode(key.name) : null;
  }

  /** The hash of the value, 0 to 2^32 - 1, or `NO_KEY`. Of several values the first counts. */
  hash(head: RequestHead, seed: number): number {
    return this.find(head) ? hashRange32(head.bytes, this.start, this.end, seed) : NO_KEY;
  }

  /** Sets `start` and `end`. False: the request does not have the key, or it is empty. */
  find({ bytes, headers, headerCount }: RequestHead): boolean {
    for (let slot = 0; slot < 4 * headerCount; slot += 4) {
      if (!hasName(bytes, headers[slot], headers[slot + 1], this.#headerName)) continue;
      // A cookie may stand in any of several Cookie headers (RFC 9113 8.2.3).
      if (this.#take(bytes, headers[slot + 2], headers[slot + 3])) return true;
    }
    return false;
  }

  #take(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#cookieName !== null) return this.#findCookie(bytes, this.#cookieName, start, end);
    this.start = start;
    this.end = end;
    return start < end;
  }

  /** `a=1; name=value; b="2"` (RFC 6265 4.2.1). */
  #findCookie(bytes: Uint8Array, name: Uint8Array, start: number, end: number): boolean {
    for (let at = start; at < end;) {
      let pairEnd = at;
      while (pairEnd < end && bytes[pairEnd] !== SEMICOLON) pairEnd++;
      while (at < pairEnd && isBlank(bytes[at])) at++;
      const valueStart = at + name.length + 1;
      if (valueStart < pairEnd && bytes[valueStart - 1] === EQUALS && startsWith(bytes, at, name)) {
        return this.#takeCookie(bytes, valueStart, pairEnd);
      }
      at = pairEnd + 1;
    }
    return false;
  }

  #takeCookie(bytes: Uint8Array, start: number, end: number): boolean {
    while (end > start && isBlank(bytes[end - 1])) end--;
    const isQuoted = end - start >= 2 && bytes[start] === QUOTE && bytes[end - 1] === QUOTE;
    this.start = isQuoted ? start + 1 : start;
    this.end = isQuoted ? end - 1 : end;
    return this.start < this.end;
  }
}

function hasName(bytes: Uint8Array, start: number, end: number, lowerName: Uint8Array): boolean {
  if (end - start !== lowerName.length) return false;
  for (let i = 0; i < lowerName.length; i++) {
    if (lowerByte(bytes[start + i]) !== lowerName[i]) return false;
  }
  return true;
}

/** Names of cookies are told apart by case. */
function startsWith(bytes: Uint8Array, at: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) {
    if (bytes[at + i] !== name[i]) return false;
  }
  return true;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}
