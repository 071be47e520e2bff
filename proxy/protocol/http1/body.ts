/**
 * Body: finds the end of a message body as its bytes go by, and refuses a chunked body that two parsers could
 * read two ways (RFC 9112 6 and 7). It keeps a few numbers and never the bytes.
 */
import { CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX } from "../../limits.ts";
import { COLON, CR, IS_TOKEN, IS_VALUE, LF } from "./lexical.ts";

const SEMICOLON = 59;
const QUOTE = 34;
/** Hexadecimal digits of the largest chunk size: beyond 2^52 a double is not exact. */
const CHUNK_SIZE_DIGITS_MAX = 13;

/** Where in a chunked body the next byte stands. */
const SIZE_FIRST = 0;
const SIZE = 1;
const EXTENSION = 2;
const SIZE_LF = 3;
const DATA = 4;
const DATA_CR = 5;
const DATA_LF = 6;
const TRAILER_START = 7;
const TRAILER_NAME = 8;
const TRAILER_VALUE = 9;
const TRAILER_LF = 10;
const LAST_LF = 11;

export class Body {
  /** All bytes of the body have gone by. */
  isDone = true;
  /** The bytes are not a body; the connection cannot be used any further. */
  isBroken = false;
  isChunked = false;
  /** Ends when the connection does. */
  isUntilClose = false;
  /** Bytes to come: of the body, or of the chunk in hand. */
  #remaining = 0;
  #state = SIZE_FIRST;
  #digits = 0;
  #lineBytes = 0;

  startEmpty(): void {
    this.#start(true);
  }

  startLength(length: number): void {
    this.#start(length === 0);
    this.#remaining = length;
  }

  startChunked(): void {
    this.#start(false);
    this.isChunked = true;
  }

  startUntilClose(): void {
    this.#start(false);
    this.isUntilClose = true;
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
    this.#remaining = 0;
    this.#state = SIZE_FIRST;
    this.#digits = 0;
    this.#lineBytes = 0;
    this.trailerBytes = 0;
  }

  /** Takes what belongs to the body of the bytes from `from` to `to`; returns where that ends. */
  advance(bytes: Uint8Array, from: number, to: number): number {
    if (this.isDone) return from;
    if (this.isChunked) return this.#advanceChunked(bytes, from, to, -1);
    if (this.isUntilClose) return to;
    const taken = Math.min(to - from, this.#remaining);
    this.#remaining -= taken;
    this.isDone = this.#remaining === 0;
    return from + taken;
  }

  /** Where the data ends that `unchunk` left in place at its last call. */
  unchunkedEnd = 0;
  /** Bytes of trailer lines that `unchunk` has left in place, all calls together. */
  trailerBytes = 0;

  /**
   * As `advance` for a chunked body, but moves its data down to `from`, leaving out the framing: for a recipient that knows
   * another, or none. The data is then `from` to `unchunkedEnd`; behind it stand trailers, as lines. Once some of those
   * have come there is no more data, and `from` is where they went on last time.
   */
  unchunk(bytes: Uint8Array, from: number, to: number): number {
    this.unchunkedEnd = from;
    return this.#advanceChunked(bytes, from, to, from);
  }

  #advanceChunked(bytes: Uint8Array, from: number, to: number, packAt: number): number {
    let at = from;
    while (at < to && !this.isDone && !this.isBroken) {
      if (this.#state === DATA) {
        const taken = Math.min(to - at, this.#remaining);
        if (packAt >= 0) {
          bytes.copyWithin(packAt, at, at + taken);
          this.unchunkedEnd = packAt += taken;
        }
        at += taken;
        this.#remaining -= taken;
        if (this.#remaining === 0) this.#state = DATA_CR;
      } else {
        const byte = bytes[at++];
        const isTrailer = this.#state >= TRAILER_START && this.#state <= TRAILER_LF;
        this.#step(byte);
        if (packAt < 0 || !isTrailer || this.#state === LAST_LF) continue;
        bytes[packAt++] = byte;
        this.trailerBytes++;
      }
    }
    return at;
  }

  /** One byte of framing. */
  #step(byte: number): void {
    switch (this.#state) {
      case SIZE_FIRST:
        this.#remaining = 0;
        this.#digits = 0;
        this.#lineBytes = 0;
        if (!this.#takeDigit(byte)) this.isBroken = true;
        this.#state = SIZE;
        break;
      case SIZE:
        if (this.#takeDigit(byte)) break;
        if (byte === CR) this.#state = SIZE_LF;
        else if (byte === SEMICOLON) this.#state = EXTENSION;
        else this.isBroken = true;
        break;
      case EXTENSION:
        // Passed on as it is, so nothing in it may end the line for anyone (RFC 9112 7.1.1).
        if (byte === CR) this.#state = SIZE_LF;
        else if (IS_VALUE[byte] === 0 || byte === QUOTE) this.isBroken = true;
        else if (++this.#lineBytes > CHUNK_LINE_BYTES_MAX) this.isBroken = true;
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
      default:
        this.#stepTrailer(byte);
    }
  }

  #stepTrailer(byte: number): void {
    if (++this.#lineBytes > TRAILER_BYTES_MAX) this.isBroken = true;
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
