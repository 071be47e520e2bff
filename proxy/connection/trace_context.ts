/**
 * TraceContext: begins traces for requests that belong to none (W3C Trace Context 1, section 3.2), where it is asked to. What a
 * request brings of W3C or B3 is passed on as it is: a proxy that reports no spans of its own is no parent.
 */
import type { Random } from "../../base/random.ts";
import { equalsIgnoreCase, latin1 } from "../protocol/http1/lexical.ts";
import type { Request } from "../protocol/http1/request.ts";

const TRACEPARENT = "traceparent";
/** Any of these says that the request belongs to a trace, or is to belong to none. */
const CONTEXT_HEADERS = [TRACEPARENT, "b3", "x-b3-traceid", "x-b3-sampled"];
const TRACE_ID = /^[0-9a-f]{2}-([0-9a-f]{32})-/;

export class TraceContext {
  readonly #share: number;
  readonly #random: Random;

  /** @param share of the requests without a context that are given one, 0 to 1 */
  constructor(share: number, random: Random) {
    this.#share = share;
    this.#random = random;
  }

  /** The header line that a request is to get besides its own; empty: none. */
  lineFor(bytes: Uint8Array, request: Request): string {
    if (this.#share === 0 || this.#random.next32() >= this.#share * 2 ** 32) return "";
    if (CONTEXT_HEADERS.some((name) => findHeader(bytes, request, name) >= 0)) return "";
    const traceId = this.#hex() + this.#hex() + this.#hex() + this.#hex();
    return `${TRACEPARENT}: 00-${traceId}-${this.#hex()}${this.#hex()}-01\r\n`;
  }

  #hex(): string {
    return this.#random.next32().toString(16).padStart(8, "0");
  }
}

/** The trace that a request belongs to, by the line it was given or else by its own header; empty: none. */
export function traceIdOf(bytes: Uint8Array, request: Request, line: string): string {
  let value = line.slice(TRACEPARENT.length + 2);
  if (line === "") {
    const index = findHeader(bytes, request, TRACEPARENT);
    if (index < 0) return "";
    const { headers } = request;
    value = latin1(bytes, headers[4 * index + 2], headers[4 * index + 3]);
  }
  return TRACE_ID.exec(value)?.[1] ?? "";
}

/** Index of the first header with this name (lower case), or -1. */
function findHeader(bytes: Uint8Array, { headers, headerCount }: Request, name: string): number {
  for (let index = 0; index < headerCount; index++) {
    const slot = 4 * index;
    if (equalsIgnoreCase(bytes, headers[slot], headers[slot + 1], name)) return index;
  }
  return -1;
}
