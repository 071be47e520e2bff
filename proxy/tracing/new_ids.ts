/**
 * NewIds: a trace and a span in it that begin at this proxy. Most are not sampled: their ids are written into one head as they are,
 * and no text is made of them.
 */
import type { Random } from "../../base/random.ts";
import { TRACEPARENT } from "./trace_headers.ts";

const TWO_32 = 2 ** 32;

const DIGITS = new TextEncoder().encode("0123456789abcdef");
const START = new TextEncoder().encode(`${TRACEPARENT}: 00-`);
const DASH = 45;
const [NOT_SAMPLED, SAMPLED] = ["-00\r\n", "-01\r\n"].map((text) => new TextEncoder().encode(text));

export class NewIds {
  /** Words of 32 bits: four of the trace's id, two of the span's. No array, which would be another object for each request. */
  readonly #trace0: number;
  readonly #trace1: number;
  readonly #trace2: number;
  readonly #trace3: number;
  readonly #span0: number;
  readonly #span1: number;

  constructor(random: Random) {
    this.#trace0 = wordOf(random);
    this.#trace1 = wordOf(random);
    this.#trace2 = wordOf(random);
    this.#trace3 = wordOf(random);
    this.#span0 = wordOf(random);
    this.#span1 = wordOf(random);
  }

  /** The lower half of the trace's id, as a share of one. */
  get share(): number {
    return ((this.#trace2 >>> 0) + (this.#trace3 >>> 0) / TWO_32) / TWO_32;
  }

  get traceId(): string {
    const bytes = new Uint8Array(32);
    this.writeTraceId(bytes, 0);
    return String.fromCharCode(...bytes);
  }

  get spanId(): string {
    const bytes = new Uint8Array(16);
    this.#writeSpanId(bytes, 0);
    return String.fromCharCode(...bytes);
  }

  /** Writes the line `traceparent` with its end (Trace Context 1, section 3.2); returns its length. */
  writeLine(bytes: Uint8Array, offset: number, isSampled: boolean): number {
    let at = write(bytes, offset, START);
    at = this.writeTraceId(bytes, at);
    bytes[at++] = DASH;
    at = this.#writeSpanId(bytes, at);
    return write(bytes, at, isSampled ? SAMPLED : NOT_SAMPLED) - offset;
  }

  /** Writes the id of the trace; returns where it ends. */
  writeTraceId(bytes: Uint8Array, offset: number): number {
    let at = writeWord(bytes, offset, this.#trace0);
    at = writeWord(bytes, at, this.#trace1);
    at = writeWord(bytes, at, this.#trace2);
    return writeWord(bytes, at, this.#trace3);
  }

  #writeSpanId(bytes: Uint8Array, offset: number): number {
    return writeWord(bytes, writeWord(bytes, offset, this.#span0), this.#span1);
  }
}

/** Never zero, so that no id is. */
function wordOf(random: Random): number {
  return (random.next32() || 1) | 0;
}

/** Eight digits; returns where they end. */
function writeWord(bytes: Uint8Array, offset: number, word: number): number {
  let at = offset;
  for (let shift = 28; shift >= 0; shift -= 4) bytes[at++] = DIGITS[word >>> shift & 15];
  return at;
}

function write(bytes: Uint8Array, offset: number, text: Uint8Array): number {
  for (let i = 0; i < text.length; i++) bytes[offset + i] = text[i];
  return offset + text.length;
}
