/** Which bytes may stand where in HTTP/1.1 (RFC 9110 5.5 and 5.6.2, RFC 9112 3). Tables of 256, 1 for yes. */
import { LONG_HEAD_BYTES } from "../../limits.ts";

export const CR = 13;
export const LF = 10;
export const SP = 32;
export const HTAB = 9;
export const COLON = 58;
export const COMMA = 44;

function tableOf(allows: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => allows(byte) ? 1 : 0);
}

/** `tchar`: methods and field names. */
export const IS_TOKEN = tableOf((byte) =>
  /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte))
);

/** Field values: visible bytes, SP, HTAB and obs-text. Controls other than HTAB are refused (RFC 9110 5.5). */
export const IS_VALUE = tableOf((byte) => byte === HTAB || (byte >= 32 && byte !== 127));

/** Visible ASCII without `#`, which never goes over the wire (RFC 9112 3.2). */
export const IS_TARGET_LIKE = tableOf((byte) => byte > 32 && byte < 127 && byte !== 35);

/**
 * Request targets (RFC 3986 3.3 and 3.4), and `[` and `]`, which many write into queries as they are. What else is visible has to
 * be percent-encoded: some recipients take `\` for `/`, and others end a target at `"` or `<`.
 */
export const IS_TARGET = tableOf((byte) =>
  /[A-Za-z0-9\-._~%!$&'()*+,;=:@/?[\]]/.test(String.fromCharCode(byte))
);

/** `host[:port]` (RFC 3986 3.2.2), without user information: unreserved, sub-delims, `%`, `:`, `[` and `]`. */
export const IS_AUTHORITY = tableOf((byte) =>
  /[A-Za-z0-9\-._~!$&'()*+,;=%:[\]]/.test(String.fromCharCode(byte))
);

const LOWER = Uint8Array.from(
  { length: 256 },
  (_, byte) => byte >= 65 && byte <= 90 ? byte | 32 : byte,
);

/** Whether the bytes from `start` to `end` are `text`, ASCII letters in any case. `text` is lower case. */
export function equalsIgnoreCase(
  bytes: Uint8Array,
  start: number,
  end: number,
  text: string,
): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) {
    if (LOWER[bytes[start + i]] !== text.charCodeAt(i)) return false;
  }
  return true;
}

/** The bytes from `start` to `end` as text, one character a byte. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]);
  return text;
}

export function isBlank(byte: number): boolean {
  return byte === SP || byte === HTAB;
}

/** The first byte from `at` on that is not blank, or `end`. */
export function skipBlanks(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && isBlank(bytes[at])) at++;
  return at;
}

/** Where the bytes from `start` to `end` end without the blanks behind them. */
export function trimBlanks(bytes: Uint8Array, start: number, end: number): number {
  while (end > start && isBlank(bytes[end - 1])) end--;
  return end;
}

/** A number in digits, exact up to 2^53; -1 where it is none. */
export function numberOf(bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return -1;
  let number = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at] - 48;
    if (digit < 0 || digit > 9) return -1;
    number = 10 * number + digit;
  }
  return number;
}

/** The first line feed between `from` and `to`, or `to`. */
export function indexOfLineFeed(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] !== LF) at++;
  return at;
}

/**
 * Whether what came between `from` and `to` can have completed the head that begins at `start`, or shown it to be malformed. Only
 * the end of a line can; in a long head only an empty line does, or a line that is not ended as it should be.
 */
export function mayEndHead(bytes: Uint8Array, start: number, from: number, to: number): boolean {
  if (to - start <= LONG_HEAD_BYTES) return indexOfLineFeed(bytes, from, to) < to;
  let at = indexOfLineFeed(bytes, from - 2, to);
  while (at < to) {
    if (bytes[at - 1] !== CR || (at + 2 < to && bytes[at + 1] === CR)) return true;
    at = indexOfLineFeed(bytes, at + 1, to);
  }
  return false;
}
