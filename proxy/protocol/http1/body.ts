/**
 * Body: finds the end of a message body as its bytes go by, and refuses a chunked body that two parsers could
 * read two ways (RFC 9112 6 and 7). It keeps a few numbers and never the bytes. What is for this hop only, or has no place
 * where it stands, is taken out: chunk extensions, and trailers that would frame or route the message.
 */
import { CHUNK_LINE_BYTES_MAX, CHUNK_SIZE_DIGITS_MAX, TRAILER_BYTES_MAX } from "../../limits.ts";
import { COLON, CR, equalsIgnoreCase, IS_TOKEN, IS_VALUE, isBlank, LF } from "./lexical.ts";
import { BARRED_BYTES_MAX, mayTrail } from "./trailers.ts";

const SEMICOLON = 59;
const EQUALS = 61;
const QUOTE = 34;
const BACKSLASH = 92;

/** Where in a chunked body the next byte stands. */
const SIZE_FIRST = 0;
const SIZE = 1;
const SIZE_LF = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILER_START = 6;
const TRAILER_NAME = 7;
const TRAILER_VALUE = 8;
const TRAILER_LF = 9;
const LAST_LF = 10;
/** In an extension; from here on it is nothing but that (RFC 9112 7.1.1). */
const EXTENSION_SEMICOLON = 11;
const EXTENSION_START = 12;
const EXTENSION_NAME = 13;
const EXTENSION_EQUALS = 14;
const EXTENSION_VALUE = 15;
const EXTENSION_TOKEN = 16;
const EXTENSION_QUOTED = 17;
const EXTENSION_ESCAPE = 18;
const EXTENSION_QUOTED_END = 19;

const NONE: readonly string[] = [];

export class Body {
  /** All bytes of the body have gone by. */
  isDone = true;
  /** The bytes are not a body; the connection cannot be used any further. */
  isBroken = false;
  isChunked = false;
  /** Ends when the connection does. */
  isUntilClose = false;
  /** Bytes that the last `advance` or `unchunk` took out; what stood behind them was moved up by as many. */
  takenOut = 0;
  /** Bytes of trailer lines that `unchunk` has left in place, all calls together. */
  trailerBytes = 0;
  /** Bytes to come: of the body, or of the chunk in hand. */
  #remaining = 0;
  #state = SIZE_FIRST;
  #digits = 0;
  #lineBytes = 0;
  /** Names, in lower case, that `Connection` has nominated: their trailers are for this hop (RFC 9110 7.6.1). */
  #nominated = NONE;
  /** The trailer line in hand is passed on. */
  #keepsLine = true;

  startEmpty(): void {
    this.#start(true);
  }

  startLength(length: number): void {
    this.#start(length === 0);
    this.#remaining = length;
  }

  /** @param nominated names of trailers, in lower case, that are taken out besides those that may never trail */
  startChunked(nominated = NONE): void {
    this.#start(false);
    this.isChunked = true;
    this.#nominated = nominated;
  }

  startUntilClose(): void {
    this.#start(false);
    this.isUntilClose = true;
  }

  /** Bytes that are still to come whatever they say: of the body, or of the data of the chunk in hand. */
  get leastToCome(): number {
    return this.isChunked && this.#state !== DATA ? 0 : this.#remaining;
  }

  /** So many of those have gone by unseen. */
  skip(count: number): void {
    this.takenOut = 0;
    this.#remaining -= count;
    if (this.#remaining > 0) return;
    if (this.isChunked) this.#state = DATA_CR;
    else this.isDone = true;
  }

  /** The connection has ended, and with it a body that lasts until then. */
  end(): void {
    this.isDone = true;
  }

  #start(isDone: boolean): void {
    this.isDone = isDone;
    this.isBroken = false;
    this.isChunked = false;
    this.isUntilClose = false;
    this.takenOut = 0;
    this.trailerBytes = 0;
    this.#remaining = 0;
    this.#state = SIZE_FIRST;
    this.#digits = 0;
    this.#lineBytes = 0;
  }

  /**
   * Takes what belongs to the body of the bytes from `from` to `to`; returns where that ends which is to be passed on.
   * Bytes behind it may belong to the body too: a name that has not all come is looked at again with more of it.
   */
  advance(bytes: Uint8Array, from: number, to: number): number {
    this.takenOut = 0;
    if (this.isDone) return from;
    if (this.isChunked) return this.#advanceChunked(bytes, from, to, true);
    if (this.isUntilClose) return to;
    const taken = Math.min(to - from, this.#remaining);
    this.#remaining -= taken;
    this.isDone = this.#remaining === 0;
    return from + taken;
  }

  /**
   * As `advance` for a chunked body, but takes its framing out too: for a recipient that knows another, or none. Returns where
   * the data ends; behind it stand trailers, as lines, `trailerBytes` of them. `from` is where the data ended last time.
   */
  unchunk(bytes: Uint8Array, from: number, to: number): number {
    this.takenOut = 0;
    if (this.isDone) return from;
    const end = this.#advanceChunked(bytes, from + this.trailerBytes, to, false);
    return end - this.trailerBytes;
  }

  /**
   * Takes the framing out of what `advance` has passed, from `from` to `passed`; bytes up to `to` move up behind it. Goes on where
   * `advance` was, also within a line of which the beginning has been taken out. Returns as `unchunk` does.
   */
  unchunkPassed(bytes: Uint8Array, from: number, passed: number, to: number): number {
    const { isDone } = this;
    const [state, remaining, digits] = [this.#state, this.#remaining, this.#digits];
    const [lineBytes, keepsLine] = [this.#lineBytes, this.#keepsLine];
    this.startChunked(this.#nominated);
    const end = this.#advanceChunked(bytes, from, passed, false);
    bytes.copyWithin(end, passed, to);
    this.isDone = isDone;
    [this.#state, this.#remaining, this.#digits] = [state, remaining, digits];
    [this.#lineBytes, this.#keepsLine] = [lineBytes, keepsLine];
    return end - this.trailerBytes;
  }

  #advanceChunked(bytes: Uint8Array, from: number, to: number, keepsFraming: boolean): number {
    let at = from;
    let end = from;
    while (at < to && !this.isDone && !this.isBroken) {
      if (this.#state === DATA) {
        const taken = Math.min(to - at, this.#remaining);
        if (end < at) bytes.copyWithin(end, at, at + taken);
        end += taken;
        at += taken;
        this.#remaining -= taken;
        if (this.#remaining === 0) this.#state = DATA_CR;
      } else if (this.#state < TRAILER_START) {
        const byte = bytes[at++];
        this.#stepFraming(byte);
        if (keepsFraming && this.#state < EXTENSION_SEMICOLON) bytes[end++] = byte;
      } else if (this.#state >= EXTENSION_SEMICOLON) {
        const byte = bytes[at++];
        this.#stepExtension(byte);
        if (keepsFraming && this.#state < EXTENSION_SEMICOLON) bytes[end++] = byte;
      } else {
        if (this.#state === TRAILER_START && !this.#readName(bytes, at, to)) break;
        const byte = bytes[at++];
        if (this.#stepTrailer(byte, keepsFraming)) bytes[end++] = byte;
      }
    }
    if (end < at) bytes.copyWithin(end, at, to);
    this.takenOut = at - end;
    return end;
  }

  /** Decides about the trailer line that begins at `at`, if one does. False: its name has not all come. */
  #readName(bytes: Uint8Array, at: number, to: number): boolean {
    let end = at;
    while (end < to && IS_TOKEN[bytes[end]] === 1) end++;
    const isWhole = end < to || end - at > this.#nameBytesMax;
    if (isWhole) this.#keepsLine = mayTrail(bytes, at, end) && !this.#isNominated(bytes, at, end);
    return isWhole;
  }

  get #nameBytesMax(): number {
    return this.#nominated.reduce((most, { length }) => Math.max(most, length), BARRED_BYTES_MAX);
  }

  #isNominated(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#nominated.some((name) => equalsIgnoreCase(bytes, start, end, name));
  }

  #stepFraming(byte: number): void {
    switch (this.#state) {
      case SIZE_FIRST:
        this.#remaining = 0;
        this.#digits = 0;
        this.#lineBytes = 0;
        if (!this.#takeDigit(byte)) this.isBroken = true;
        this.#state = SIZE;
        break;
      case SIZE:
        if (!this.#takeDigit(byte)) this.#endExtension(byte);
        break;
      case SIZE_LF:
        if (byte !== LF) this.isBroken = true;
        this.#lineBytes = 0;
        this.#state = this.#remaining === 0 ? TRAILER_START : DATA;
        break;
      case DATA_CR:
        if (byte !== CR) this.isBroken = true;
        this.#state = DATA_LF;
        break;
      case DATA_LF:
        if (byte !== LF) this.isBroken = true;
        this.#state = SIZE_FIRST;
        break;
    }
  }

  #stepExtension(byte: number): void {
    if (++this.#lineBytes > CHUNK_LINE_BYTES_MAX && byte !== CR) this.isBroken = true;
    switch (this.#state) {
      case EXTENSION_SEMICOLON:
        if (byte === SEMICOLON) this.#state = EXTENSION_START;
        else if (!isBlank(byte)) this.isBroken = true;
        break;
      case EXTENSION_START:
        if (IS_TOKEN[byte] === 1) this.#state = EXTENSION_NAME;
        else if (!isBlank(byte)) this.isBroken = true;
        break;
      case EXTENSION_NAME:
        if (byte === EQUALS) this.#state = EXTENSION_VALUE;
        else if (isBlank(byte)) this.#state = EXTENSION_EQUALS;
        else if (IS_TOKEN[byte] === 0) this.#endExtension(byte);
        break;
      case EXTENSION_EQUALS:
        if (byte === EQUALS) this.#state = EXTENSION_VALUE;
        else if (byte === SEMICOLON) this.#state = EXTENSION_START;
        else if (!isBlank(byte)) this.isBroken = true;
        break;
      case EXTENSION_VALUE:
        if (byte === QUOTE) this.#state = EXTENSION_QUOTED;
        else if (IS_TOKEN[byte] === 1) this.#state = EXTENSION_TOKEN;
        else if (!isBlank(byte)) this.isBroken = true;
        break;
      case EXTENSION_TOKEN:
        if (IS_TOKEN[byte] === 0) this.#endExtension(byte);
        break;
      case EXTENSION_QUOTED:
        if (byte === QUOTE) this.#state = EXTENSION_QUOTED_END;
        else if (byte === BACKSLASH) this.#state = EXTENSION_ESCAPE;
        else if (IS_VALUE[byte] === 0) this.isBroken = true;
        break;
      case EXTENSION_ESCAPE:
        if (IS_VALUE[byte] === 0) this.isBroken = true;
        this.#state = EXTENSION_QUOTED;
        break;
      case EXTENSION_QUOTED_END:
        this.#endExtension(byte);
        break;
    }
  }

  /** The byte after a size, or after a whole extension: the line ends, or another extension begins. */
  #endExtension(byte: number): void {
    if (byte === CR) this.#state = SIZE_LF;
    else if (byte === SEMICOLON) this.#state = EXTENSION_START;
    else if (isBlank(byte)) this.#state = EXTENSION_SEMICOLON;
    else this.isBroken = true;
  }

  /** True: the byte is passed on. */
  #stepTrailer(byte: number, keepsFraming: boolean): boolean {
    if (++this.#lineBytes > TRAILER_BYTES_MAX) this.isBroken = true;
    const isLine = this.#state !== LAST_LF && (this.#state !== TRAILER_START || byte !== CR);
    switch (this.#state) {
      case TRAILER_START:
        if (byte === CR) this.#state = LAST_LF;
        else if (IS_TOKEN[byte] === 1) this.#state = TRAILER_NAME;
        else this.isBroken = true;
        break;
      case TRAILER_NAME:
        if (byte === COLON) this.#state = TRAILER_VALUE;
        else if (IS_TOKEN[byte] === 0) this.isBroken = true;
        break;
      case TRAILER_VALUE:
        if (byte === CR) this.#state = TRAILER_LF;
        else if (IS_VALUE[byte] === 0) this.isBroken = true;
        break;
      case TRAILER_LF:
        if (byte !== LF) this.isBroken = true;
        this.#state = TRAILER_START;
        break;
      case LAST_LF:
        if (byte !== LF) this.isBroken = true;
        else this.isDone = true;
        break;
    }
    if (!isLine) return keepsFraming;
    if (this.#keepsLine && !keepsFraming) this.trailerBytes++;
    return this.#keepsLine;
  }

  #takeDigit(byte: number): boolean {
    const value = byte >= 48 && byte <= 57
      ? byte - 48
      : byte >= 65 && byte <= 70
      ? byte - 55
      : byte >= 97 && byte <= 102
      ? byte - 87
      : -1;
    if (value < 0) return false;
    this.#remaining = this.#remaining * 16 + value;
    if (++this.#digits > CHUNK_SIZE_DIGITS_MAX) this.isBroken = true;
    return true;
  }
}
