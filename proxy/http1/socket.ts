/** Http1Socket: how a connection of HTTP/1.1, of either side, reads and writes a body: as it comes, or with chunks (RFC 9112 7.1). */
import { AGAIN, BROKEN } from "../io/io.ts";
import { BUFFER_BYTES, CHUNK_FRAMING_BYTES, SPLICED_CHUNK_BYTES_MIN } from "../limits.ts";
import type { Inbox } from "../loop/inbox.ts";
import { Socket } from "../loop/socket.ts";
import type { Body } from "../protocol/http1/body.ts";

export abstract class Http1Socket extends Socket {
  /** The body being written is framed here, as chunks; and whether the last of them is written. */
  #isChunking = false;
  #hasEndedChunks = false;

  /** A head fits no ordinary buffer, and there is no large one to be had now. */
  protected isShortOfRoom = false;

  /** A buffer for a large head, or `NO_BUFFER`. */
  protected abstract takeHeadBuffer(): number;

  /** Makes sure that there is room for more of a head. False: there is none to be had now, and reading is put off. */
  protected haveRoomForHead(): boolean {
    if (this.room > 0) return true;
    this.isShortOfRoom = !this.haveHeadRoom(() => this.takeHeadBuffer());
    if (this.isShortOfRoom) this.onStarved();
    return !this.isShortOfRoom;
  }

  /** Moves `ready` over what belongs to the body of the bytes that have arrived, and is passed on. */
  protected advance(body: Body, isUnchunking: boolean): void {
    const { arena } = this.loop;
    this.ready = isUnchunking
      ? body.unchunk(arena, this.ready, this.end)
      : body.advance(arena, this.ready, this.end);
    this.end -= body.takenOut;
    if (isUnchunking && body.isDone) this.trailersEnd = this.ready + body.trailerBytes;
  }

  /** As `fillPipe`, for a body: only what is certain to belong to it. */
  protected fillPipeWith(body: Body): number {
    if (body.isChunked && body.leastToCome < SPLICED_CHUNK_BYTES_MIN) return AGAIN;
    const count = this.fillPipe(body.leastToCome);
    if (count > 0) body.skip(count);
    return count;
  }

  /** With chunks around it a body goes by the arena. */
  override get takesPipe(): boolean {
    return !this.#isChunking && super.takesPipe;
  }

  /** A message begins whose body is written by `writeBody`; `isChunking`: it is framed here, as chunks. */
  protected startWriting(isChunking: boolean): void {
    this.#isChunking = isChunking;
    this.#hasEndedChunks = false;
  }

  /**
   * As `flush`, in the framing that `startWriting` was told. `isLast`: with what `source` has ready, and with its
   * trailers, the body ends.
   */
  protected writeBody(source: Inbox, isLast: boolean): number {
    if (!this.#isChunking) return this.flush(source);
    const result = this.#flushChunks(source);
    if (result !== 1 || !isLast || this.#hasEndedChunks) return result;
    const end = this.#endChunks(source);
    this.#hasEndedChunks = end !== BROKEN;
    return end;
  }

  /** Nothing is missing of the body that was begun: there was a buffer for its end too. */
  protected get hasEndedBody(): boolean {
    return !this.#isChunking || this.#hasEndedChunks;
  }

  /** As `flush`, with what `source` has ready as chunks; it is copied, together with its framing. */
  #flushChunks(source: Inbox): number {
    let result = this.flush(this);
    while (result === 1 && source.sent < source.ready) {
      const outbox = this.outbox;
      if (outbox === null) return BROKEN;
      const length = Math.min(source.ready - source.sent, BUFFER_BYTES - CHUNK_FRAMING_BYTES);
      outbox.addText(`${length.toString(16)}\r\n`);
      outbox.addFrom(source.sent, length);
      outbox.addText("\r\n");
      source.sent += length;
      result = this.flush(this);
    }
    return result;
  }

  /**
   * Writes the last chunk, with the trailers of `source`: 1 when it is written, 0 when the socket takes no more
   * now, `BROKEN`.
   */
  #endChunks(source: Inbox): number {
    const length = source.hasTrailers ? source.trailersEnd - source.ready : 0;
    const outbox = this.outbox;
    if (outbox === null) return BROKEN;
    outbox.addText("0\r\n");
    // Those that do not fit are left out, as any recipient may (RFC 9110 6.5.1).
    if (length > 0 && length <= BUFFER_BYTES - CHUNK_FRAMING_BYTES) {
      outbox.addFrom(source.ready, length);
    }
    outbox.addText("\r\n");
    return this.flush(this);
  }
}
