/**
 * The header section that requests and responses share (RFC 9112 5 to 9). It finds the lines, refuses what two parsers could read
 * in two ways, and notes the fields that steer framing and the connection. Sans-IO: it sees bytes, not sockets. Request and
 * status lines are in `request.ts` and `response.ts`.
 */
import type { RefusalReason } from "../../../base/refusals.ts";
import { HEADERS_EXPECTED } from "../../../routing/request.ts";
import { CONNECTION_OPTIONS_MAX, CONTENT_LENGTH_MAX, DROPPED_HEADERS_MAX } from "../../limits.ts";
import {
  COLON,
  COMMA,
  CR,
  equalsIgnoreCase,
  IS_TOKEN,
  IS_VALUE,
  latin1,
  LF,
  numberOf,
  skipBlanks,
  SP,
  trimBlanks,
} from "./lexical.ts";
import { HEADERS_MAX } from "../../../routing/limits.ts";

/** What parsing came to. Anything above `COMPLETE` is a refusal; `REFUSALS` says how it is answered. */
export const INCOMPLETE = 0;
export const COMPLETE = 1;
export const BAD_LINE = 2;
export const BAD_HEADER = 3;
export const BAD_HOST = 4;
const BAD_CONTENT_LENGTH = 5;
const BAD_TRANSFER_ENCODING = 6;
export const BAD_FRAMING = 7;
export const BAD_VERSION = 8;
const UNKNOWN_CODING = 9;
export const TOO_MANY_HEADERS = 10;
export const TARGET_TOO_LONG = 11;
export const UNKNOWN_EXPECTATION = 12;
export const HEAD_TOO_LARGE = 13;

/** The reason of each refusal of a request; a response that is refused is always invalid. */
const REASONS: readonly RefusalReason[] = [
  "bad-start-line",
  "bad-header",
  "bad-host",
  "bad-content-length",
  "bad-transfer-encoding",
  "ambiguous-framing",
  "version-unsupported",
  "transfer-coding-unsupported",
  "too-many-headers",
  "target-too-long",
  "expectation-unsupported",
  "head-too-large",
];

/** Why a request is refused, by what parsing came to. */
export function reasonOf(result: number): RefusalReason {
  return REASONS[result - BAD_LINE];
}

/** Headers that `Connection` cannot take out: the next recipient relies on them. */
const NEVER_NOMINATED = [
  "host",
  "content-length",
  "transfer-encoding",
  "trailer",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-weft-hops",
];

const NONE: readonly string[] = [];

/** A parsed head. All offsets are into the bytes that were parsed; the next parse overwrites everything. */
export class Head {
  /** Four numbers a header: name start, name end, value start, value end. */
  headers: Int32Array;
  headerCount = 0;
  /** The x of HTTP/1.x: 0, 1, or a version to come that is read as 1.1 (RFC 9110 6.2). */
  minorVersion = 1;
  /** First byte of the start line. */
  start = 0;
  /** First byte of the first header line. */
  headersStart = 0;
  /** The empty line; `end` is two bytes on. */
  headersEnd = 0;
  end = 0;

  /** -1: none. */
  contentLength = -1;
  isChunked = false;
  /** `Connection: close`, `keep-alive`, `upgrade`. */
  saysClose = false;
  saysKeepAlive = false;
  saysUpgrade = false;
  /** `Connection: HTTP2-Settings` (RFC 7540 3.2.1). */
  saysHttp2Settings = false;
  /** Index of the last `Keep-Alive` header, or -1. */
  keepAliveHeader = -1;
  /** Index of the first `Upgrade` header, or -1. */
  upgradeHeader = -1;
  upgradeCount = 0;
  /** Indexes of headers that are not passed on, ascending. */
  readonly dropped = new Int32Array(DROPPED_HEADERS_MAX);
  droppedCount = 0;
  /** Lines elsewhere in the same bytes that are passed on after the head's own; none where the two are equal. */
  addedStart = 0;
  addedEnd = 0;
  /** Names, in lower case, that `Connection` nominates and a chunked message may have among its trailers. */
  nominated = NONE;

  /** The element of a list that was read last. */
  protected elementStart = 0;
  protected elementEnd = 0;
  /** There is a coding besides `chunked`. */
  #hasUnknownCoding = false;
  /** `dropped` as parsing left it. */
  readonly #parsedDropped = new Int32Array(DROPPED_HEADERS_MAX);
  #parsedDroppedCount = 0;
  readonly #connectionHeaders = new Int32Array(8);
  #connectionHeaderCount = 0;
  #connectionOptionCount = 0;

  constructor(headers: Int32Array = new Int32Array(4 * HEADERS_EXPECTED)) {
    this.headers = headers;
  }

  protected reset(start: number): void {
    this.start = start;
    this.headerCount = 0;
    this.contentLength = -1;
    this.isChunked = false;
    this.saysClose = false;
    this.saysKeepAlive = false;
    this.saysUpgrade = false;
    this.saysHttp2Settings = false;
    this.keepAliveHeader = -1;
    this.upgradeHeader = -1;
    this.upgradeCount = 0;
    this.droppedCount = 0;
    this.addedStart = this.addedEnd = 0;
    this.nominated = NONE;
    this.#hasUnknownCoding = false;
    this.#connectionHeaderCount = 0;
    this.#connectionOptionCount = 0;
  }

  /** It has been more headers than most have: the table takes more memory than is to be kept. */
  get isGrown(): boolean {
    return this.headers.length > 4 * HEADERS_EXPECTED;
  }

  /** Makes room for more headers, up to `HEADERS_MAX`. */
  protected grow(): void {
    const grown = new Int32Array(Math.min(2 * this.headers.length, 4 * HEADERS_MAX));
    grown.set(this.headers);
    this.headers = grown;
  }

  /** Whether the connection outlives this message, going by its own version and `Connection` header. */
  get isPersistent(): boolean {
    return this.minorVersion === 0 ? this.saysKeepAlive && !this.saysClose : !this.saysClose;
  }

  /** Where the line of a header ends and the next begins. */
  lineEnd(index: number): number {
    return index + 1 < this.headerCount ? this.headers[4 * index + 4] : this.headersEnd;
  }

  /** How many headers are called `name` (lower case). */
  countOf(bytes: Uint8Array, name: string): number {
    let count = 0;
    for (let index = 0; index < this.headerCount; index++) {
      if (this.isNamed(bytes, index, name)) count++;
    }
    return count;
  }

  /** Index of the first header called `name` (lower case), or -1. */
  indexOf(bytes: Uint8Array, name: string): number {
    for (let index = 0; index < this.headerCount; index++) {
      if (this.isNamed(bytes, index, name)) return index;
    }
    return -1;
  }

  /** The value of the one header called `name` (lower case), as text; empty where there is none, or more than one. */
  valueOf(bytes: Uint8Array, name: string): string {
    if (this.countOf(bytes, name) !== 1) return "";
    const index = this.indexOf(bytes, name);
    return latin1(bytes, this.headers[4 * index + 2], this.headers[4 * index + 3]);
  }

  /** Marks a header as not passed on. False: there are too many of them. */
  drop(index: number): boolean {
    let at = this.droppedCount;
    while (at > 0 && this.dropped[at - 1] >= index) {
      if (this.dropped[at - 1] === index) return true;
      at--;
    }
    if (this.droppedCount === DROPPED_HEADERS_MAX) return false;
    this.dropped.copyWithin(at + 1, at, this.droppedCount);
    this.dropped[at] = index;
    this.droppedCount++;
    return true;
  }

  /** Drops every header called `name` (lower case). False: there are too many of them. */
  dropNamed(bytes: Uint8Array, name: string): boolean {
    for (let index = 0; index < this.headerCount; index++) {
      if (this.isNamed(bytes, index, name) && !this.drop(index)) return false;
    }
    return true;
  }

  /** Drops every `Upgrade`: it is for this hop, and goes on only where it is taken up. */
  dropUpgrades(bytes: Uint8Array): boolean {
    return this.upgradeCount === 0 || this.dropNamed(bytes, "upgrade");
  }

  /** Forgets what was dropped and added since the head was parsed: it is to be edited once more. */
  undoEdits(): void {
    this.dropped.set(this.#parsedDropped);
    this.droppedCount = this.#parsedDroppedCount;
    this.addedStart = this.addedEnd = 0;
  }

  /** Parses header lines from `from`, the byte after the start line. */
  protected parseHeaders(bytes: Uint8Array, from: number, end: number): number {
    let headers = this.headers;
    this.headersStart = from;
    let at = from;
    for (let count = 0;; count++) {
      if (at >= end) return INCOMPLETE;
      if (bytes[at] === CR) return this.#finish(bytes, at, end, count);
      if (count === HEADERS_MAX) return TOO_MANY_HEADERS;
      const nameStart = at;
      while (at < end && IS_TOKEN[bytes[at]] === 1) at++;
      if (at >= end) return INCOMPLETE;
      // Covers a space before the colon, a folded line and an empty name (RFC 9112 5.1, 5.2).
      if (bytes[at] !== COLON || at === nameStart) return BAD_HEADER;
      const nameEnd = at++;
      at = skipBlanks(bytes, at, end);
      const valueStart = at;
      while (at < end && IS_VALUE[bytes[at]] === 1) at++;
      if (at >= end || (bytes[at] === CR && at + 1 >= end)) return INCOMPLETE;
      if (bytes[at] !== CR || bytes[at + 1] !== LF) return BAD_HEADER;
      const valueEnd = trimBlanks(bytes, valueStart, at);
      at += 2;
      const slot = 4 * count;
      if (slot === headers.length) {
        this.grow();
        headers = this.headers;
      }
      headers[slot] = nameStart;
      headers[slot + 1] = nameEnd;
      headers[slot + 2] = valueStart;
      headers[slot + 3] = valueEnd;
      const result = this.note(bytes, count, nameEnd - nameStart);
      if (result !== COMPLETE) return result;
    }
  }

  /** Looks at one header for what steers the message; by length first, so that most cost one switch. */
  protected note(bytes: Uint8Array, index: number, nameLength: number): number {
    switch (nameLength) {
      case 7:
        if (this.isNamed(bytes, index, "upgrade")) {
          if (this.upgradeCount++ === 0) this.upgradeHeader = index;
        }
        break;
      case 10:
        if (this.isNamed(bytes, index, "connection")) {
          if (this.#connectionHeaderCount === 8) return TOO_MANY_HEADERS;
          this.#connectionHeaders[this.#connectionHeaderCount++] = index;
          if (!this.drop(index)) return TOO_MANY_HEADERS;
        } else if (this.isNamed(bytes, index, "keep-alive")) {
          this.keepAliveHeader = index;
          if (!this.drop(index)) return TOO_MANY_HEADERS;
        }
        break;
      case 14:
        if (this.isNamed(bytes, index, "content-length")) {
          return this.#noteContentLength(bytes, index);
        }
        break;
      case 16:
        if (this.isNamed(bytes, index, "proxy-connection")) {
          if (!this.drop(index)) return TOO_MANY_HEADERS;
        }
        break;
      case 17:
        if (this.isNamed(bytes, index, "transfer-encoding")) {
          return this.#noteTransferEncoding(bytes, index);
        }
        break;
    }
    return COMPLETE;
  }

  protected isNamed(bytes: Uint8Array, index: number, name: string): boolean {
    const slot = 4 * index;
    return equalsIgnoreCase(bytes, this.headers[slot], this.headers[slot + 1], name);
  }

  #finish(bytes: Uint8Array, at: number, end: number, count: number): number {
    if (at + 1 >= end) return INCOMPLETE;
    if (bytes[at + 1] !== LF) return BAD_HEADER;
    this.headerCount = count;
    this.headersEnd = at;
    this.end = at + 2;
    // One of them would be believed by someone, the other by someone else (RFC 9112 6.1).
    const hasCoding = this.isChunked || this.#hasUnknownCoding;
    if (hasCoding && (this.contentLength >= 0 || this.minorVersion === 0)) return BAD_FRAMING;
    if (this.#hasUnknownCoding) return UNKNOWN_CODING;
    for (let i = 0; i < this.#connectionHeaderCount; i++) {
      if (!this.#noteConnection(bytes, this.#connectionHeaders[i])) return TOO_MANY_HEADERS;
    }
    this.#parsedDroppedCount = this.droppedCount;
    for (let i = 0; i < this.droppedCount; i++) this.#parsedDropped[i] = this.dropped[i];
    return COMPLETE;
  }

  /**
   * Reads one element of a list, which ends at `end`, from `at`; returns where the next would begin. Empty ones are elements too,
   * and each use of a list says what it makes of them (RFC 9110 5.6.1).
   */
  protected readElement(bytes: Uint8Array, at: number, end: number): number {
    const start = skipBlanks(bytes, at, end);
    let comma = start;
    while (comma < end && bytes[comma] !== COMMA) comma++;
    this.elementStart = start;
    this.elementEnd = trimBlanks(bytes, start, comma);
    return comma + 1;
  }

  /** Whether the element that was read last is `text` (lower case). */
  protected isElement(bytes: Uint8Array, text: string): boolean {
    return equalsIgnoreCase(bytes, this.elementStart, this.elementEnd, text);
  }

  /**
   * A list of equal lengths, in one line or in several, is one length and is passed on as one (RFC 9112 6.3). In a line,
   * what follows the first becomes blank, which changes nothing where the head is parsed once more.
   */
  #noteContentLength(bytes: Uint8Array, index: number): number {
    const slot = 4 * index;
    const start = this.headers[slot + 2];
    const end = this.headers[slot + 3];
    const isRepeated = this.contentLength >= 0;
    const only = isRepeated ? -1 : numberOf(bytes, start, end);
    if (only >= 0 && only <= CONTENT_LENGTH_MAX) {
      this.contentLength = only;
      return COMPLETE;
    }
    let firstEnd = end;
    for (let at = start; at <= end;) {
      at = this.readElement(bytes, at, end);
      const length = numberOf(bytes, this.elementStart, this.elementEnd);
      if (length < 0 || length > CONTENT_LENGTH_MAX) return BAD_CONTENT_LENGTH;
      if (this.contentLength >= 0 && this.contentLength !== length) return BAD_CONTENT_LENGTH;
      this.contentLength = length;
      firstEnd = Math.min(firstEnd, this.elementEnd);
    }
    if (isRepeated) return this.drop(index) ? COMPLETE : TOO_MANY_HEADERS;
    if (firstEnd < end) bytes.fill(SP, firstEnd, end);
    this.headers[slot + 3] = firstEnd;
    return COMPLETE;
  }

  /** Codings are one list, in one line or in several (RFC 9110 5.3), of which `chunked` is the last (RFC 9112 6.1). */
  #noteTransferEncoding(bytes: Uint8Array, index: number): number {
    const end = this.headers[4 * index + 3];
    for (let at = this.headers[4 * index + 2]; at <= end;) {
      at = this.readElement(bytes, at, end);
      const isEmpty = this.elementStart === this.elementEnd;
      if (isEmpty || this.isChunked || this.isElement(bytes, "identity")) {
        return BAD_TRANSFER_ENCODING;
      }
      if (this.isElement(bytes, "chunked")) this.isChunked = true;
      else this.#hasUnknownCoding = true;
    }
    return COMPLETE;
  }

  /** Reads the options of one `Connection` header; drops the headers that it nominates. */
  #noteConnection(bytes: Uint8Array, index: number): boolean {
    const start = this.headers[4 * index + 2];
    const end = this.headers[4 * index + 3];
    // Most lists are of one option.
    if (this.#noteOption(bytes, start, end)) return true;
    for (let at = start; at <= end;) {
      at = this.readElement(bytes, at, end);
      const { elementStart, elementEnd } = this;
      const isNoted = elementStart === elementEnd ||
        this.#noteOption(bytes, elementStart, elementEnd) ||
        this.#dropNominated(bytes, elementStart, elementEnd);
      if (!isNoted) return false;
    }
    return true;
  }

  /** False: it is none of the options that Weft knows. */
  #noteOption(bytes: Uint8Array, start: number, end: number): boolean {
    if (equalsIgnoreCase(bytes, start, end, "keep-alive")) this.saysKeepAlive = true;
    else if (equalsIgnoreCase(bytes, start, end, "close")) this.saysClose = true;
    else if (equalsIgnoreCase(bytes, start, end, "upgrade")) this.saysUpgrade = true;
    else if (equalsIgnoreCase(bytes, start, end, "http2-settings")) this.saysHttp2Settings = true;
    else return false;
    return true;
  }

  #dropNominated(bytes: Uint8Array, start: number, end: number): boolean {
    if (++this.#connectionOptionCount > CONNECTION_OPTIONS_MAX) return false;
    if (NEVER_NOMINATED.some((name) => equalsIgnoreCase(bytes, start, end, name))) return true;
    if (this.isChunked) {
      if (this.nominated.length === DROPPED_HEADERS_MAX) return false;
      this.nominated = [...this.nominated, latin1(bytes, start, end).toLowerCase()];
    }
    for (let index = 0; index < this.headerCount; index++) {
      const nameStart = this.headers[4 * index];
      if (this.headers[4 * index + 1] - nameStart !== end - start) continue;
      let same = true;
      for (let i = 0; same && i < end - start; i++) {
        same = (bytes[nameStart + i] | 32) === (bytes[start + i] | 32);
      }
      if (same && !this.drop(index)) return false;
    }
    return true;
  }
}
