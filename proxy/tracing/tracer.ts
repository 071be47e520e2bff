/**
 * Tracer: decides which exchanges are traced, and what their requests say of it to the next hop. If spans are made, each is a
 * child of what the request brought and the parent of what becomes of it. If not, what a request brings is passed on as it is,
 * and a share of the requests without a trace gets one.
 */
import type { Random } from "../../base/random.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { ProxyConfig } from "../config.ts";
import { writeAscii } from "../loop/arena.ts";
import { NewIds } from "./new_ids.ts";
import type { Span } from "./span.ts";
import {
  B3,
  B3_FLAGS,
  B3_PARENT_SPAN_ID,
  B3_SAMPLED,
  B3_SPAN_ID,
  B3_TRACE_ID,
  TraceHeaders,
  TRACEPARENT,
  TRACESTATE,
} from "./trace_headers.ts";
import type { TraceParent } from "./trace_headers.ts";
import { CLOCK_DRIFT_MS } from "../limits.ts";

const TWO_32 = 2 ** 32;

const NONE: readonly string[] = [];

/** How the trace of one exchange goes on. */
export interface ExchangeTrace {
  /** Null: it is not sampled. */
  readonly span: Span | null;
  /** Headers, in lower case, that the request loses. */
  readonly dropped: readonly string[];
  /** Writes the lines that it gets instead; returns their length. */
  writeLines(bytes: Uint8Array, offset: number): number;
  /** Writes the 32 digits of the trace's id; returns where they end. */
  writeTraceId(bytes: Uint8Array, offset: number): number;
}

/** It begins at this proxy. */
class BegunTrace implements ExchangeTrace {
  readonly dropped = NONE;
  readonly #ids: NewIds;
  readonly #isSampled: boolean;

  constructor(ids: NewIds, isSampled: boolean, readonly span: Span | null) {
    this.#ids = ids;
    this.#isSampled = isSampled;
  }

  writeLines(bytes: Uint8Array, offset: number): number {
    return this.#ids.writeLine(bytes, offset, this.#isSampled);
  }

  writeTraceId(bytes: Uint8Array, offset: number): number {
    return this.#ids.writeTraceId(bytes, offset);
  }
}

/** The request says something of it. */
class PassedTrace implements ExchangeTrace {
  readonly dropped: readonly string[];
  readonly #traceId: string;
  readonly #lines: string;

  constructor(
    traceId: string,
    readonly span: Span | null,
    { dropped, lines }: { dropped: readonly string[]; lines: string },
  ) {
    this.dropped = dropped;
    this.#traceId = traceId;
    this.#lines = lines;
  }

  writeLines(bytes: Uint8Array, offset: number): number {
    return writeAscii(bytes, offset, this.#lines);
  }

  writeTraceId(bytes: Uint8Array, offset: number): number {
    return offset + writeAscii(bytes, offset, this.#traceId);
  }
}

export class Tracer {
  readonly #share: number;
  readonly #makesSpans: boolean;
  readonly #outboundCount: number;
  readonly #random: Random;
  readonly #headers = new TraceHeaders();
  /** What the loop's clock lacks to the one on the wall. */
  #wallOffsetMs = performance.timeOrigin;

  constructor(
    { traceShare, spans, outbound }: Pick<ProxyConfig, "traceShare" | "spans" | "outbound">,
    random: Random,
  ) {
    this.#share = traceShare ?? 0;
    this.#makesSpans = spans !== undefined;
    this.#outboundCount = outbound.length;
    this.#random = random;
  }

  /**
   * The trace of a request; null: the request is passed on as it is, because nothing is traced, or its trace is not sampled.
   * @param listener whose request it is, outbound ones first; negative: a copy, which has no span of its own
   * @param nowMs of the loop's clock
   */
  begin(
    bytes: Uint8Array,
    request: Request,
    listener: number,
    isSecure: boolean,
    nowMs: number,
  ): ExchangeTrace | null {
    if (!this.#makesSpans && this.#share === 0) return null;
    if (listener < 0) return null;
    if (!this.#makesSpans) return this.#beginForOthers(bytes, request);
    const hasHeaders = this.#headers.find(bytes, request);
    const parent = hasHeaders ? this.#headers.parent() : null;
    if (parent !== null && parent.isSampled === false) return null;
    const ids = new NewIds(this.#random);
    const isGoingOn = parent !== null && parent.traceId !== "";
    const isSampled = parent?.isSampled ??
      (this.#headers.isDebug || (isGoingOn ? shareOf(parent.traceId) : ids.share) < this.#share);
    if (!hasHeaders && !isSampled) return new BegunTrace(ids, false, null);
    const traceId = isGoingOn ? parent.traceId : ids.traceId;
    const { spanId } = ids;
    const span: Span | null = isSampled
      ? {
        kind: listener < this.#outboundCount ? "client" : "server",
        traceId,
        spanId,
        parentId: parent?.spanId ?? "",
        isSecure,
        startMs: this.wallMs(nowMs),
        retries: [],
      }
      : null;
    if (!hasHeaders) return new BegunTrace(ids, isSampled, span);
    return new PassedTrace(traceId, span, this.#passOn(parent, traceId, spanId, isSampled));
  }

  /** Milliseconds since 1970 for a moment of the loop's clock. */
  wallMs(nowMs: number): number {
    // Not `nowMs`, which stands still while a batch of events is worked on.
    const offsetMs = Date.now() - performance.now();
    if (Math.abs(offsetMs - this.#wallOffsetMs) > CLOCK_DRIFT_MS) this.#wallOffsetMs = offsetMs;
    return nowMs + this.#wallOffsetMs;
  }

  /** Without spans of its own the proxy is no parent; a trace is begun for those that have some. */
  #beginForOthers(bytes: Uint8Array, request: Request): ExchangeTrace | null {
    if (this.#random.next32() >= this.#share * TWO_32) return null;
    if (this.#headers.find(bytes, request)) return null;
    return new BegunTrace(new NewIds(this.#random), true, null);
  }

  /** In the formats that the request came with, by W3C where it came with none. */
  #passOn(
    parent: TraceParent | null,
    traceId: string,
    spanId: string,
    isSampled: boolean,
  ): { dropped: string[]; lines: string } {
    const headers = this.#headers;
    const dropped: string[] = [];
    let lines = "";
    const hasB3 = headers.has(B3);
    const hasB3Headers = headers.has(B3_TRACE_ID) || headers.has(B3_SAMPLED) ||
      headers.has(B3_FLAGS);
    const { isDebug } = headers;
    const flag = isDebug ? "d" : isSampled ? "1" : "0";
    if (hasB3 && parent !== null) {
      dropped.push(B3);
      const before = parent.spanId === "" ? "" : `-${parent.spanId}`;
      lines += `${B3}: ${traceId}-${spanId}-${flag}${before}\r\n`;
    }
    if (hasB3Headers && parent !== null) {
      dropped.push(B3_TRACE_ID, B3_SPAN_ID, B3_PARENT_SPAN_ID, B3_SAMPLED, B3_FLAGS);
      lines += `${B3_TRACE_ID}: ${traceId}\r\n${B3_SPAN_ID}: ${spanId}\r\n`;
      if (parent.spanId !== "") lines += `${B3_PARENT_SPAN_ID}: ${parent.spanId}\r\n`;
      // Debug is not said beside sampled, which it implies.
      lines += isDebug ? `${B3_FLAGS}: 1\r\n` : `${B3_SAMPLED}: ${flag}\r\n`;
    }
    if (headers.has(TRACEPARENT) || lines === "") {
      dropped.push(TRACEPARENT);
      // The state belongs to the trace that is not gone on with (Trace Context 1, section 3.2.2.5).
      if (parent === null || !headers.isW3c) dropped.push(TRACESTATE);
      lines += traceparentLine(traceId, spanId, isSampled);
    }
    return { dropped, lines };
  }
}

/** The lower half of an id, by which OpenTelemetry's `TraceIdRatioBased` decides too: samplers of one ratio agree. */
function shareOf(traceId: string): number {
  const high = parseInt(traceId.slice(16, 24), 16);
  const low = parseInt(traceId.slice(24), 16);
  return (high + low / TWO_32) / TWO_32;
}

function traceparentLine(traceId: string, spanId: string, isSampled: boolean): string {
  return `${TRACEPARENT}: 00-${traceId}-${spanId}-${isSampled ? "01" : "00"}\r\n`;
}
