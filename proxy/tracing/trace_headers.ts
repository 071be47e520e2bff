/**
 * TraceHeaders: the trace context of a request, as W3C Trace Context (traceparent) or B3 (one header or several) says it.
 * Finds and reads it; decides nothing.
 */
import { equalsIgnoreCase, latin1 } from "../protocol/http1/lexical.ts";
import type { Head } from "../protocol/http1/head.ts";

export const TRACEPARENT = "traceparent";
export const TRACESTATE = "tracestate";
export const B3 = "b3";
export const B3_TRACE_ID = "x-b3-traceid";
export const B3_SPAN_ID = "x-b3-spanid";
export const B3_PARENT_SPAN_ID = "x-b3-parentspanid";
export const B3_SAMPLED = "x-b3-sampled";
export const B3_FLAGS = "x-b3-flags";

/** Headers that say which trace a request belongs to, or that it is to belong to none. */
const NAMES = [
  TRACEPARENT,
  TRACESTATE,
  B3,
  B3_TRACE_ID,
  B3_SPAN_ID,
  B3_PARENT_SPAN_ID,
  B3_SAMPLED,
  B3_FLAGS,
] as const;

type TraceHeaderName = typeof NAMES[number];

/** The span that a request is a part of. */
export interface TraceParent {
  /** 32 hexadecimal digits, lower case; empty if the request only says whether to sample. */
  readonly traceId: string;
  /** 16 of them. */
  readonly spanId: string;
  /** Null: left to the next proxy (B3). */
  readonly isSampled: boolean | null;
}

const W3C =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const B3_SINGLE = /^([0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?$/i;
const B3_IDS = /^([0-9a-f]{16}|[0-9a-f]{32}) ([0-9a-f]{16})$/i;
const ZEROS = /^0*$/;

/** Reads `traceparent` (Trace Context 1, section 3.2); null: it is malformed, and the trace has to begin anew. */
export function parseTraceparent(text: string): TraceParent | null {
  const [, version, traceId, spanId, flags, more] = W3C.exec(text) ?? [];
  // Version 00 ends with the flags; what later ones append is passed over (3.2.4).
  if (version === undefined || (version === "00" && more !== undefined)) return null;
  return { traceId, spanId, isSampled: (parseInt(flags, 16) & 1) === 1 };
}

/** Reads the header `b3`; null: it is malformed. */
export function parseB3(text: string): TraceParent | null {
  if (text === "0") return { traceId: "", spanId: "", isSampled: false };
  if (text === "1" || text === "d") return { traceId: "", spanId: "", isSampled: true };
  const [, traceId, spanId, sampled] = B3_SINGLE.exec(text) ?? [];
  return traceId === undefined ? null : b3Parent(traceId, spanId, sampled);
}

function isDebugB3(text: string): boolean {
  return text === "d" || B3_SINGLE.exec(text)?.[3]?.toLowerCase() === "d";
}

function b3Parent(
  traceId: string,
  spanId: string,
  sampled: string | undefined,
): TraceParent | null {
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return null;
  return {
    traceId: traceId.toLowerCase().padStart(32, "0"),
    spanId: spanId.toLowerCase(),
    isSampled: sampled === undefined ? null : sampled !== "0",
  };
}

/** Scratch: valid until the next `find`. */
export class TraceHeaders {
  /** Index of the first header with each name, by place in `NAMES`; -1: none. */
  readonly #indexes = new Int32Array(NAMES.length);
  /** Several headers `traceparent`, which is as good as none. */
  #isAmbiguous = false;
  #bytes: Uint8Array = new Uint8Array(0);
  #head: Head | null = null;
  /** What `parent` gave is of `traceparent`, which `tracestate` belongs to. */
  isW3c = false;

  /** Looks through a head. False: it says nothing of traces. */
  find(bytes: Uint8Array, head: Head): boolean {
    this.#bytes = bytes;
    this.#head = head;
    this.#indexes.fill(-1);
    this.#isAmbiguous = false;
    let isFound = false;
    for (let index = 0; index < head.headerCount; index++) {
      const name = nameAt(bytes, head.headers[4 * index], head.headers[4 * index + 1]);
      if (name < 0) continue;
      isFound = true;
      if (this.#indexes[name] < 0) this.#indexes[name] = index;
      else if (NAMES[name] === TRACEPARENT) this.#isAmbiguous = true;
    }
    return isFound;
  }

  has(name: TraceHeaderName): boolean {
    return this.#indexes[NAMES.indexOf(name)] >= 0;
  }

  /** The value of the first header with this name; empty: there is none. */
  valueOf(name: TraceHeaderName): string {
    const index = this.#indexes[NAMES.indexOf(name)];
    if (index < 0 || this.#head === null) return "";
    const { headers } = this.#head;
    return latin1(this.#bytes, headers[4 * index + 2], headers[4 * index + 3]);
  }

  /** By W3C, else by B3, as far as they are well-formed; null: the request belongs to no trace. */
  parent(): TraceParent | null {
    const w3c = this.#isAmbiguous || !this.has(TRACEPARENT)
      ? null
      : parseTraceparent(this.valueOf(TRACEPARENT));
    this.isW3c = w3c !== null;
    return w3c ?? (this.has(B3) ? parseB3(this.valueOf(B3)) : null) ?? this.#b3Headers();
  }

  /** The trace is debugged, whichever form of B3 says so: every proxy is to sample it. */
  get isDebug(): boolean {
    return this.#saysFlags || (this.has(B3) && isDebugB3(this.valueOf(B3)));
  }

  get #saysFlags(): boolean {
    return this.has(B3_FLAGS) && this.valueOf(B3_FLAGS) === "1";
  }

  #b3Headers(): TraceParent | null {
    const sampled = this.#saysFlags ? "1" : SAMPLED[this.valueOf(B3_SAMPLED).toLowerCase()];
    const ids = B3_IDS.exec(`${this.valueOf(B3_TRACE_ID)} ${this.valueOf(B3_SPAN_ID)}`);
    const parent = ids === null ? null : b3Parent(ids[1], ids[2], sampled);
    if (parent !== null || sampled === undefined) return parent;
    return { traceId: "", spanId: "", isSampled: sampled === "1" };
  }
}

/** Some write booleans. */
const SAMPLED: Readonly<Record<string, string>> = { "0": "0", "1": "1", "true": "1", "false": "0" };

/** Place in `NAMES`, or -1. Most names differ in their first letter or their length. */
function nameAt(bytes: Uint8Array, start: number, end: number): number {
  const first = bytes[start] | 32;
  if (first !== 116 && first !== 98 && first !== 120) return -1;
  for (let i = 0; i < NAMES.length; i++) {
    if (equalsIgnoreCase(bytes, start, end, NAMES[i])) return i;
  }
  return -1;
}
