/** The status line, and how a response's body is delimited (RFC 9112 4 and 6.3). */
import { BAD_LINE, COMPLETE, Head, INCOMPLETE, TOO_MANY_HEADERS } from "./head.ts";
import { CR, IS_VALUE, latin1, LF, SP } from "./lexical.ts";

/** See `route/unreached.ts`. */
export const UNREACHED = "x-weft-unreached";

const HTTP_1 = [72, 84, 84, 80, 47, 49, 46];

export class Response extends Head {
  status = 0;
  /** A proxy says of which place the request did not reach the application. It is for this hop, and not passed on. */
  saysUnreached = false;

  get isInterim(): boolean {
    return this.status < 200 && this.status !== 101;
  }

  /** Parses the head that starts at `start`: `INCOMPLETE`, `COMPLETE` or a refusal. */
  parse(bytes: Uint8Array, start: number, end: number): number {
    this.reset(start);
    this.saysUnreached = false;
    const fixed = Math.min(end - start, HTTP_1.length);
    for (let i = 0; i < fixed; i++) if (bytes[start + i] !== HTTP_1[i]) return BAD_LINE;
    // "HTTP/1.1 200" and at least CR LF.
    if (end - start < 14) return INCOMPLETE;
    const minor = bytes[start + 7] - 48;
    if (minor < 0 || minor > 9 || bytes[start + 8] !== SP) return BAD_LINE;
    this.minorVersion = minor;
    const hundreds = bytes[start + 9] - 48;
    const tens = bytes[start + 10] - 48;
    const ones = bytes[start + 11] - 48;
    if (hundreds < 1 || hundreds > 9 || tens < 0 || tens > 9 || ones < 0 || ones > 9) {
      return BAD_LINE;
    }
    this.status = 100 * hundreds + 10 * tens + ones;
    let at = start + 12;
    // The reason phrase and even the space before it may be missing in practice.
    if (bytes[at] !== SP && bytes[at] !== CR) return BAD_LINE;
    while (at < end && IS_VALUE[bytes[at]] === 1) at++;
    if (at >= end || (bytes[at] === CR && at + 1 >= end)) return INCOMPLETE;
    if (bytes[at] !== CR || bytes[at + 1] !== LF) return BAD_LINE;
    return this.parseHeaders(bytes, at + 2, end);
  }

  protected override note(bytes: Uint8Array, index: number, nameLength: number): number {
    if (nameLength === UNREACHED.length && this.isNamed(bytes, index, UNREACHED)) {
      this.saysUnreached = true;
      return this.drop(index) ? COMPLETE : TOO_MANY_HEADERS;
    }
    const isFraming = (nameLength === 14 && this.isNamed(bytes, index, "content-length")) ||
      (nameLength === 17 && this.isNamed(bytes, index, "transfer-encoding"));
    // Interim answers and 204 end with their head, so nothing may tell of a body (RFC 9112 6.1, 6.3).
    if (!isFraming || (this.status >= 200 && this.status !== 204)) {
      return super.note(bytes, index, nameLength);
    }
    return this.drop(index) ? COMPLETE : TOO_MANY_HEADERS;
  }

  /** How long the endpoint keeps the connection after this answer (`Keep-Alive: timeout`), in milliseconds; `Infinity`: it does not say. */
  keepAliveMs(bytes: Uint8Array): number {
    const index = this.keepAliveHeader;
    if (index < 0) return Infinity;
    const slot = 4 * index;
    const value = latin1(bytes, this.headers[slot + 2], this.headers[slot + 3]);
    const seconds = /(?:^|[,;\s])timeout\s*=\s*"?(\d{1,6})/i.exec(value)?.[1];
    return seconds === undefined ? Infinity : Number(seconds) * 1_000;
  }

  /** Whether the answer to this request can have a body at all (RFC 9110 6.4.1). */
  hasBody(isHeadRequest: boolean): boolean {
    return hasContent(this.status, isHeadRequest);
  }
}

/** Whether an answer with this status can have a body at all (RFC 9112 6.3). */
export function hasContent(status: number, isHeadRequest: boolean): boolean {
  return !isHeadRequest && status >= 200 && status !== 204 && status !== 304;
}
