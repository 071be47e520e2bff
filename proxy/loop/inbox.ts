/**
 * Inbox: bytes on their way from one side of an exchange to the other, in one buffer of the arena. It is the
 * input of a connection, or the body of a stream that shares a connection with others.
 */
import { BUFFER_BYTES, HEAD_BUFFER_BYTES, LARGE_BUFFER_BYTES } from "../limits.ts";
import type { SplicePipe } from "../io/io.ts";
import { isHeadBuffer, isOrdinary, NO_BUFFER } from "./arena.ts";
import type { Loop } from "./loop.ts";

/** Kept free at a buffer's end, so that a head still fits when forwarding headers are added to it. */
const HEADROOM_BYTES = 512;
/** The longest head that is read into an ordinary buffer. */
export const HEAD_BYTES_MAX = BUFFER_BYTES - HEADROOM_BYTES;

export abstract class Inbox {
  readonly loop: Loop;
  /**
   * `NO_BUFFER` while it would be empty. Offsets into the arena:
   * `start` .. `sent` is kept though passed on (a request that may have to be sent again),
   * `sent` .. `ready` is to be passed on, `ready` .. `end` is not yet looked at.
   */
  buffer = NO_BUFFER;
  start = 0;
  sent = 0;
  ready = 0;
  end = 0;
  /** Bytes that go by without coming here, behind those that are here; null: there are none. */
  pipe: SplicePipe | null = null;
  /** The last read filled all the room there was: more comes than fits an ordinary buffer. */
  isBulk = false;
  /** Bytes of the buffer that may be read into. */
  #usable = HEAD_BYTES_MAX;
  /** The body is all here, and its trailers stand from `ready` to this, as lines of HTTP/1.1; 0: there are none. */
  trailersEnd = 0;

  /**
   * Names of the message's fields, in lower case, that its sender wants in no table of HPACK (RFC 7541 7.1.3). Null: none but
   * those that are secret anyway.
   */
  neverIndexed: ReadonlySet<string> | null = null;

  constructor(loop: Loop) {
    this.loop = loop;
  }

  /** Room left to read into. */
  get room(): number {
    return this.buffer + this.#usable - this.end;
  }

  get hasTrailers(): boolean {
    return this.trailersEnd > this.ready;
  }

  /** Something is yet to be passed on. */
  get hasUnsent(): boolean {
    return this.sent < this.ready || this.pipe !== null;
  }

  /** What is written to its owner may come in a pipe. */
  get takesPipe(): boolean {
    return false;
  }

  /** There is no buffer to be had now: reading is put off until one is given back. */
  protected abstract onStarved(): void;

  /** Makes sure there is a buffer. False: there is none to be had now, and reading is put off. */
  haveBuffer(): boolean {
    if (this.buffer !== NO_BUFFER) return true;
    const offset = this.loop.buffers.take();
    if (offset === NO_BUFFER) {
      this.onStarved();
      return false;
    }
    this.#hold(offset, HEAD_BYTES_MAX);
    return true;
  }

  /**
   * As `haveBuffer`, for bytes that are passed on and not looked at: where much is coming, the buffer is a large one. It must be
   * given back before a head is read.
   */
  haveBulkBuffer(): boolean {
    if (this.buffer !== NO_BUFFER || !this.isBulk) return this.haveBuffer();
    const offset = this.loop.buffers.takeLarge();
    if (offset === NO_BUFFER) return this.haveBuffer();
    this.#hold(offset, LARGE_BUFFER_BYTES);
    return true;
  }

  /**
   * Makes room for more of a head than an ordinary buffer holds, in the large one that `take` gets. It grows by as much as fits an
   * ordinary one, so that what comes behind the head always does. False: there is none to be had now.
   */
  protected haveHeadRoom(take: () => number): boolean {
    if (this.room === 0) this.compact();
    if (this.room > 0) return true;
    if (isHeadBuffer(this.buffer)) {
      this.#usable = Math.min(HEAD_BUFFER_BYTES, this.#usable + HEAD_BYTES_MAX);
      return true;
    }
    const offset = take();
    if (offset === NO_BUFFER) return false;
    this.#moveInto(offset, this.end - this.start + HEAD_BYTES_MAX);
    return true;
  }

  /** A head that is kept ends here: as much fits behind it as an ordinary buffer holds. */
  protected endHead(end: number): void {
    if (!isHeadBuffer(this.buffer)) return;
    this.#usable = Math.min(HEAD_BUFFER_BYTES, end - this.buffer + HEAD_BYTES_MAX);
  }

  /** What was held of a head is passed on: gives it up, and with it a large buffer. */
  protected passHead(): void {
    this.start = this.sent;
    this.leaveLargeBuffer();
  }

  /** No head is held any more, and no bulk: goes on in an ordinary buffer, if there is one. */
  protected leaveLargeBuffer(): void {
    this.releaseIfEmpty();
    if (isOrdinary(this.buffer) || this.end - this.start > HEAD_BYTES_MAX) return;
    const offset = this.loop.buffers.take();
    if (offset !== NO_BUFFER) this.#moveInto(offset, HEAD_BYTES_MAX);
  }

  #moveInto(offset: number, usable: number): void {
    this.loop.arena.copyWithin(offset, this.start, this.end);
    this.loop.buffers.give(this.buffer);
    this.#shift(this.start - offset);
    this.buffer = offset;
    this.#usable = usable;
  }

  #hold(offset: number, usable: number): void {
    this.buffer = offset;
    this.#usable = usable;
    this.#moveTo(offset);
  }

  /** Gives the buffer back where it holds nothing any more. */
  releaseIfEmpty(): void {
    if (this.start === this.end) this.releaseBuffer();
  }

  /** Gives the buffer back with all that it holds. */
  releaseBuffer(): void {
    if (this.buffer === NO_BUFFER) return;
    this.loop.buffers.give(this.buffer);
    this.buffer = NO_BUFFER;
    this.#moveTo(0);
  }

  /** Gives the pipe back with all that it holds. */
  releasePipe(): void {
    if (this.pipe !== null) this.loop.io.splicer?.give(this.pipe);
    this.pipe = null;
  }

  /** Takes the buffer of another, which then has none, with all that it holds. */
  takeBuffer(other: Inbox): void {
    this.releaseBuffer();
    this.buffer = other.buffer;
    this.#usable = other.#usable;
    this.start = other.start;
    this.sent = other.sent;
    this.ready = other.ready;
    this.end = other.end;
    this.trailersEnd = other.trailersEnd;
    other.buffer = NO_BUFFER;
    other.#moveTo(0);
  }

  /** Forgets what is held. */
  discard(): void {
    this.releasePipe();
    this.#moveTo(this.end);
    this.releaseIfEmpty();
  }

  /** Moves what is held to the front of the buffer. */
  compact(): void {
    const shift = this.start - this.buffer;
    if (shift === 0) return;
    this.loop.arena.copyWithin(this.buffer, this.start, this.end);
    this.#shift(shift);
  }

  #shift(shift: number): void {
    this.start -= shift;
    this.sent -= shift;
    this.ready -= shift;
    this.end -= shift;
    if (this.trailersEnd > 0) this.trailersEnd -= shift;
  }

  /** The message is done with, and so are its trailers: what follows begins here. */
  passOver(): void {
    this.releasePipe();
    this.start = this.sent = this.ready = Math.max(this.ready, this.trailersEnd);
    this.trailersEnd = 0;
  }

  #moveTo(offset: number): void {
    this.start = offset;
    this.sent = offset;
    this.ready = offset;
    this.end = offset;
    this.trailersEnd = 0;
  }
}
