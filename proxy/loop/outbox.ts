/**
 * Outbox: bytes that a socket did not take at once, in a buffer of the arena; what that does not hold is kept beside it, up to a bound.
 * A socket has one only while something waits.
 */
import { BUFFER_BYTES, OUTBOX_BEYOND_BYTES_MAX } from "../limits.ts";
import { type GatherList, NO_BUFFER, writeAscii } from "./arena.ts";
import type { Loop } from "./loop.ts";

const NOTHING = new Uint8Array(0);

export class Outbox {
  readonly #loop: Loop;
  readonly #buffer: number;
  /** What is to be written, as offsets into the arena. */
  sent: number;
  end: number;
  /** Comes after that: what the buffer does not hold of a head that a policy has added lines to, or of several heads. */
  #beyond: Uint8Array = NOTHING;

  /** Null: there is no buffer. */
  static open(loop: Loop): Outbox | null {
    const buffer = loop.buffers.take();
    return buffer === NO_BUFFER ? null : new Outbox(loop, buffer);
  }

  private constructor(loop: Loop, buffer: number) {
    this.#loop = loop;
    this.#buffer = buffer;
    this.sent = this.end = buffer;
  }

  /** More waits than the buffer holds. */
  get isOverfull(): boolean {
    return this.#beyond.length > 0;
  }

  /** Room in the buffer. */
  get room(): number {
    return this.isOverfull ? 0 : this.#buffer + BUFFER_BYTES - this.end;
  }

  /** ASCII text. False: it is more than is kept. */
  addText(text: string): boolean {
    if (text.length > this.room) return this.#addBeyond(bytesOfText(text));
    this.end += writeAscii(this.#loop.arena, this.end, text);
    return true;
  }

  /** The list without its first `skip` bytes. False: that is more than is kept. */
  addGathered(list: GatherList, skip: number): boolean {
    const { arena } = this.#loop;
    if (list.bytes - skip > this.room) return this.#addBeyond(list.join(arena, skip));
    for (let i = 0; i < list.count; i++) {
      const drop = Math.min(skip, list.lengths[i]);
      skip -= drop;
      this.addFrom(list.offsets[i] + drop, list.lengths[i] - drop);
    }
    return true;
  }

  /** Bytes of the arena, for which there is room. */
  addFrom(offset: number, length: number): void {
    this.#loop.arena.copyWithin(this.end, offset, offset + length);
    this.end += length;
  }

  /** The buffer has been written: refills it with what waits beyond it. False: nothing does. */
  refill(): boolean {
    const count = Math.min(this.#beyond.length, BUFFER_BYTES);
    if (count === 0) return false;
    this.#loop.arena.set(this.#beyond.subarray(0, count), this.#buffer);
    this.sent = this.#buffer;
    this.end = this.#buffer + count;
    this.#beyond = count < this.#beyond.length ? this.#beyond.slice(count) : NOTHING;
    return true;
  }

  release(): void {
    this.#loop.buffers.give(this.#buffer);
  }

  #addBeyond(bytes: Uint8Array): boolean {
    const beyond = new Uint8Array(this.#beyond.length + bytes.length);
    if (beyond.length > OUTBOX_BEYOND_BYTES_MAX) return false;
    beyond.set(this.#beyond);
    beyond.set(bytes, this.#beyond.length);
    this.#beyond = beyond;
    if (this.sent === this.end) this.refill();
    return true;
  }
}

function bytesOfText(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  writeAscii(bytes, 0, text);
  return bytes;
}
