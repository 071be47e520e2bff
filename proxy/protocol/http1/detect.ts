/**
 * Whether a connection begins with an HTTP/1 request line (RFC 9112 3). Other protocols begin with words too (EHLO, NICK,
 * RTSP's OPTIONS), so a whole line counts by its version. A part of one, or one that is too long, counts by a method that HTTP has.
 */
import type { Detection, Protocol } from "../detector.ts";
import { CR, IS_TOKEN, LF, SP } from "./lexical.ts";
import { DETECTED_LINE_BYTES_MAX, METHOD_BYTES_MAX, SCHEME_BYTES_MAX } from "../../limits.ts";

/** Methods by which a line is known without its end: those of RFC 9110, PATCH, and of WebDAV the common ones. */
const METHODS = [
  ..."GET HEAD PUT POST DELETE CONNECT OPTIONS TRACE PATCH".split(" "),
  ..."PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK REPORT SEARCH".split(" "),
].map((method) => new TextEncoder().encode(`${method} `));

const CONNECT = new TextEncoder().encode("CONNECT ");
const SCHEME_END = new TextEncoder().encode("://");
const VERSION = new TextEncoder().encode(" HTTP/1.");

export const HTTP1_PROTOCOL: Protocol = { detect, carries: "requests" };

/** What a client asks of a forward proxy that it has chosen: only that one can answer what follows. */
export const HTTP1_PROXY: Protocol = { detect: detectForProxy, carries: "bytes" };

function detect(bytes: Uint8Array, start: number, end: number): Detection {
  // Empty lines before a request are passed over (RFC 9112 2.2).
  while (start < end && (bytes[start] === CR || bytes[start] === LF)) start++;
  if (start === end) return "more";
  const word = wordEnd(bytes, start, end);
  if (word === -1) return "no";
  const line = bytes.subarray(start, Math.min(end, start + DETECTED_LINE_BYTES_MAX));
  const length = line.indexOf(LF);
  if (length !== -1) return hasVersion(bytes, start, start + length) ? "yes" : "no";
  const isLong = line.length === DETECTED_LINE_BYTES_MAX;
  if (METHODS.some((method) => startsWith(bytes, start, end, method))) {
    return isLong ? "yes" : "likely";
  }
  return isLong ? "no" : "more";
}

/**
 * Whether that line asks a forward proxy: by CONNECT, or by a target with a scheme (RFC 9112 3.2.2, 3.2.3).
 */
function detectForProxy(bytes: Uint8Array, start: number, end: number): Detection {
  const verdict = detect(bytes, start, end);
  if (verdict === "no" || verdict === "more") return verdict;
  while (bytes[start] === CR || bytes[start] === LF) start++;
  if (startsWith(bytes, start, end, CONNECT)) return verdict;
  const target = wordEnd(bytes, start, end) + 1;
  const limit = Math.min(end, target + SCHEME_BYTES_MAX);
  let at = target;
  while (at < limit && IS_TOKEN[bytes[at]] === 1) at++;
  const rest = bytes.subarray(at, limit).subarray(0, SCHEME_END.length);
  if (at === target || !rest.every((byte, i) => byte === SCHEME_END[i])) return "no";
  if (rest.length === SCHEME_END.length) return verdict;
  return limit === end ? "more" : "no";
}

/** End of the method, or of what has arrived of it; -1: this is no method (RFC 9110 5.6.2). */
function wordEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    if (bytes[at] === SP) return at === start ? -1 : at;
    if (IS_TOKEN[bytes[at]] === 0 || at - start >= METHOD_BYTES_MAX) return -1;
  }
  return end;
}

/** Whether the line ends with ` HTTP/1.` and a digit. */
function hasVersion(bytes: Uint8Array, start: number, lineEnd: number): boolean {
  const last = bytes[lineEnd - 1] === CR ? lineEnd - 2 : lineEnd - 1;
  const digit = bytes[last] - 0x30;
  const versionStart = last - VERSION.length;
  return digit >= 0 && digit <= 9 && versionStart > start &&
    startsWith(bytes, versionStart, last, VERSION);
}

function startsWith(bytes: Uint8Array, start: number, end: number, text: Uint8Array): boolean {
  return end - start >= text.length && text.every((byte, i) => bytes[start + i] === byte);
}
