/**
 * AccessText: text of an access log as bytes (UTF-8), written without making a string of it. Bytes of requests are characters of one
 * byte each (ISO 8859-1), as elsewhere in the proxy. Who writes has made room before.
 */

const QUOTE = 34;
const BACKSLASH = 92;
const POINT = 46;
const ZERO = 48;
const PER_SECOND = 1000;

/** Letters that stand for controls in JSON. */
const SHORT_ESCAPES: Readonly<Record<number, string>> = {
  8: "b",
  9: "t",
  10: "n",
  12: "f",
  13: "r",
};

const HEX_DIGITS = new TextEncoder().encode("0123456789abcdef");

/** Of bytes that stand for themselves in JSON: 1. */
const IS_PLAIN_IN_JSON = Uint8Array.from(
  { length: 256 },
  (_, byte) => byte >= 32 && byte < 128 && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0,
);

/** In a quoted field of the common format no control may be either. */
const IS_PLAIN_IN_QUOTES = IS_PLAIN_IN_JSON.with(127, 0);

const ENCODER = new TextEncoder();

export class AccessText {
  readonly #usualBytes: number;
  /** Made when it is first needed: most proxies have no access log. */
  #bytes = new Uint8Array(0);
  #at = 0;
  /** Since 1970, and their text. */
  #isoSecond = -1;
  #iso = new Uint8Array(0);
  #commonSecond = -1;
  #common = new Uint8Array(0);

  constructor(usualBytes: number) {
    this.#usualBytes = usualBytes;
  }

  hasRoom(count: number): boolean {
    return this.#at + count <= this.#bytes.length;
  }

  /** Room for so many bytes, after `clear`. */
  makeRoom(count: number): void {
    const size = Math.max(count, this.#usualBytes);
    if (this.#bytes.length !== size) this.#bytes = new Uint8Array(size);
  }

  /** Valid until the next byte is written. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  clear(): void {
    this.#at = 0;
    // One that a single long line needed is not kept.
    if (this.#bytes.length > this.#usualBytes) this.#bytes = new Uint8Array(0);
  }

  /** ASCII. */
  add(text: string): void {
    const bytes = this.#bytes;
    const at = this.#at;
    for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
    this.#at = at + text.length;
  }

  /** Some 20 bytes: of so few a call costs more than the bytes do. */
  short(from: Uint8Array): void {
    const bytes = this.#bytes;
    const at = this.#at;
    for (let i = 0; i < from.length; i++) bytes[at + i] = from[i];
    this.#at = at + from.length;
  }

  bytes(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** A text as it is, `-` for none. */
  plain(text: string): void {
    if (text === "") return this.add("-");
    for (let i = 0; i < text.length; i++) {
      if (text.charCodeAt(i) >= 128) return this.bytes(ENCODER.encode(text));
    }
    this.add(text);
  }

  /** A text in JSON, with its quotes. */
  json(text: string): void {
    const bytes = this.#bytes;
    let at = this.#at;
    bytes[at++] = QUOTE;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 128 || IS_PLAIN_IN_JSON[code] === 0) {
        return this.bytes(ENCODER.encode(JSON.stringify(text)));
      }
      bytes[at++] = code;
    }
    bytes[at++] = QUOTE;
    this.#at = at;
  }

  /** Inside of a text of JSON. */
  jsonBytes(from: Uint8Array, start: number, end: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = start; i < end; i++) {
      const byte = from[i];
      if (IS_PLAIN_IN_JSON[byte] === 1) bytes[at++] = byte;
      else {
        this.#at = at;
        this.#escapeInJson(byte);
        at = this.#at;
      }
    }
    this.#at = at;
  }

  #escapeInJson(byte: number): void {
    if (byte >= 128) return this.#twoBytes(byte);
    if (byte === QUOTE || byte === BACKSLASH) {
      this.#bytes[this.#at++] = BACKSLASH;
      this.#bytes[this.#at++] = byte;
      return;
    }
    const letter = SHORT_ESCAPES[byte];
    if (letter !== undefined) return this.add(`\\${letter}`);
    this.add("\\u00");
    this.#hex(byte);
  }

  /** Inside of a quoted field: a quote or a control must not end the field or the line. */
  quotedBytes(from: Uint8Array, start: number, end: number): void {
    for (let i = start; i < end; i++) {
      const byte = from[i];
      if (IS_PLAIN_IN_QUOTES[byte] === 1) this.#bytes[this.#at++] = byte;
      else if (byte === QUOTE || byte === BACKSLASH) {
        this.#bytes[this.#at++] = BACKSLASH;
        this.#bytes[this.#at++] = byte;
      } else if (byte >= 160) this.#twoBytes(byte);
      else {
        this.add("\\x");
        this.#hex(byte);
      }
    }
  }

  #twoBytes(byte: number): void {
    this.#bytes[this.#at++] = 0xc0 | byte >> 6;
    this.#bytes[this.#at++] = 0x80 | byte & 0x3f;
  }

  #hex(byte: number): void {
    this.#bytes[this.#at++] = HEX_DIGITS[byte >> 4];
    this.#bytes[this.#at++] = HEX_DIGITS[byte & 15];
  }

  /** A whole number. */
  whole(value: number): void {
    if (!(value >= 0 && value < 0x8000_0000)) return this.add(String(value));
    const bytes = this.#bytes;
    let rest = value | 0;
    let end = this.#at + 1;
    for (let bound = 10; rest >= bound && bound < 1e10; bound *= 10) end++;
    this.#at = end;
    do {
      bytes[--end] = ZERO + rest % 10;
      rest = rest / 10 | 0;
    } while (rest > 0);
  }

  wholeOr(value: number | null, none: Uint8Array): void {
    if (value === null) this.short(none);
    else this.whole(value);
  }

  /** Rounded to thousandths, as few digits as that takes. */
  thousandths(value: number): void {
    const all = Math.round(value * 1000);
    const whole = Math.floor(all / 1000);
    this.whole(whole);
    let rest = all - 1000 * whole;
    if (rest === 0) return;
    this.#bytes[this.#at++] = POINT;
    for (let place = 100; rest > 0; place /= 10) {
      const digit = rest / place | 0;
      this.#bytes[this.#at++] = ZERO + digit;
      rest -= digit * place;
    }
  }

  /** Rounded to tenths, always with one. */
  tenths(value: number): void {
    const all = Math.round(value * 10);
    const whole = Math.floor(all / 10);
    this.whole(whole);
    this.#bytes[this.#at++] = POINT;
    this.#bytes[this.#at++] = ZERO + (all - 10 * whole);
  }

  /** `2026-08-01T12:03:04.567`. */
  isoTime(timeMs: number): void {
    const second = Math.floor(timeMs / PER_SECOND);
    if (second !== this.#isoSecond) {
      this.#isoSecond = second;
      const [text] = new Date(second * PER_SECOND).toISOString().split(".");
      this.#iso = ENCODER.encode(`${text}.`);
    }
    this.short(this.#iso);
    const rest = Math.floor(timeMs - second * PER_SECOND);
    this.#bytes[this.#at++] = ZERO + (rest / 100 | 0);
    this.#bytes[this.#at++] = ZERO + (rest / 10 | 0) % 10;
    this.#bytes[this.#at++] = ZERO + rest % 10;
  }

  /** `01/Aug/2026:12:03:04`. */
  commonTime(timeMs: number): void {
    const second = Math.floor(timeMs / PER_SECOND);
    if (second !== this.#commonSecond) {
      this.#commonSecond = second;
      const [, date] = /^\w+, (.*) GMT$/.exec(new Date(timeMs).toUTCString()) ?? [];
      const [day, month, year, clock] = (date ?? "").split(" ");
      this.#common = ENCODER.encode(`${day}/${month}/${year}:${clock}`);
    }
    this.bytes(this.#common);
  }
}
