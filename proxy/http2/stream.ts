/**
 * Http2Stream: what a stream of either side has in common: bodies in both directions, under the windows of
 * RFC 9113 5.2. What comes in is held in one buffer and passed on as plain data; the peer's window opens again
 * only as far as it has been passed on. It is also one end of a tunnel, once CONNECT has been answered.
 */
import { BROKEN } from "../io/io.ts";
import { BUFFER_BYTES } from "../limits.ts";
import { bufferBytes, NO_BUFFER } from "../loop/arena.ts";
import { HEAD_BYTES_MAX, Inbox } from "../loop/inbox.ts";
import type { Loop, Timed } from "../loop/loop.ts";
import type { Tunnel, TunnelEnd } from "../loop/tunnel.ts";
import { CANCEL, PROTOCOL_ERROR } from "../protocol/http2/error_code.ts";
import type { FieldList } from "../protocol/http2/hpack/field_list.ts";
import type { Http2Socket, SocketStream } from "./socket.ts";
import { fieldLines, fieldsOfTrailers } from "./text.ts";
import { NO_ROOM, NO_STREAM, NO_WINDOW } from "../protocol/http2/sender.ts";

export abstract class Http2Stream extends Inbox implements TunnelEnd, Timed, SocketStream {
  readonly kind = "stream";
  readonly socket: Http2Socket;
  /** 0 until the stream has been opened. */
  streamId = 0;
  isOpen = true;
  slot = -1;
  deadlineMs = Infinity;
  /** The peer's message has come to its end. */
  protected hasReceivedEnd = false;
  /** Our message has come to its end. */
  #hasSentEnd = false;
  /** A tunnel is asked for: what comes in waits until it is open. */
  protected isTunnel = false;
  /** What tells the peer that the tunnel was cut. */
  protected cutCode = CANCEL;
  /** The tunnel that this is one end of. */
  #tunnel: Tunnel | null = null;
  /** Window that the peer has used, and does not have back yet. */
  #unreturned = 0;
  /** What did not fit into the buffer; the windows bound it. */
  #overflow: Uint8Array[] = [];
  /** It waits for a buffer to take the rest into. */
  #isStarving = false;
  /** Trailers that came while there was no room for them behind the data, as lines of HTTP/1.1. */
  #heldTrailers: Uint8Array | null = null;

  constructor(loop: Loop, socket: Http2Socket) {
    super(loop);
    this.socket = socket;
    socket.streams.add(this);
    loop.register(this);
  }

  /** The stream is no more. `isByPeer`: it said so; else the peer broke a rule, or the connection has ended. */
  protected abstract onReset(code: number, isByPeer: boolean): void;
  /** There is room, or window, to send more. */
  protected abstract onRoom(): void;
  /** What it carries ends, and the peer is told. */
  protected abstract onAbort(): void;
  /** The deadline has passed. */
  protected abstract onLate(): void;
  /** Data has been taken in, from `from` to `ready`. */
  protected onData(_from: number): void {}
  /** There is more to pass on, or the end. */
  protected abstract onBody(): void;

  protected override onStarved(): void {
    if (this.#isStarving) return;
    this.#isStarving = true;
    this.loop.starve(this);
  }

  onFed(): void {
    this.#isStarving = false;
    if (this.#takeOverflow()) this.#onReceived();
  }

  // What its connection and the clock tell.

  wake(): void {
    if (this.#tunnel === null) this.onRoom();
    else this.#tunnel.passTo(this);
  }

  lose(code: number, isByPeer: boolean): void {
    if (this.#tunnel === null) return this.onReset(code, isByPeer);
    this.hasReceivedEnd = true;
    this.#hasSentEnd = true;
    this.#tunnel.cut("");
  }

  onDeadline(): void {
    if (this.#tunnel === null) this.onLate();
    else this.#tunnel.onDeadline();
  }

  /** Ends it, with the tunnel or the exchange that it belongs to. */
  abort(): void {
    if (this.#tunnel === null) this.onAbort();
    else this.#tunnel.cut("fault");
  }

  #onReceived(): void {
    if (this.#tunnel !== null) this.#tunnel.passFrom(this);
    else if (!this.isTunnel) this.onBody();
  }

  // Coming in.

  take(offset: number, length: number, isEnd: boolean): void {
    const { arena } = this.loop;
    this.#unreturned += length;
    // Much is coming, and an ordinary buffer does not hold a whole frame of it.
    if (length > HEAD_BYTES_MAX) this.isBulk = true;
    if (this.#overflow.length === 0 && this.haveBulkBuffer() && this.room >= length) {
      arena.copyWithin(this.end, offset, offset + length);
      this.end += length;
      this.#showAll();
    } else if (length > 0) this.#overflow.push(arena.slice(offset, offset + length));
    if (isEnd) this.hasReceivedEnd = true;
    this.#onReceived();
  }

  /** What waits for a tunnel to open is not to be passed on. */
  #showAll(): void {
    if (this.isTunnel && this.#tunnel === null) return;
    const before = this.ready;
    this.ready = this.end;
    this.onData(before);
  }

  takeTrailers(fields: FieldList): void {
    const { arena } = this.loop;
    // There is nothing but data in a tunnel (RFC 9113 8.5).
    if (this.isTunnel) return this.#refuseTrailers();
    this.hasReceivedEnd = true;
    const end = this.#overflow.length === 0 && this.haveBuffer()
      ? fieldLines(fields, arena, this.end, this.buffer + bufferBytes(this.buffer))
      : -1;
    if (end >= 0) this.trailersEnd = this.end = end;
    else this.#holdTrailers(fields);
    this.onBody();
  }

  /** Keeps trailers until the data before them has made room. */
  #holdTrailers(fields: FieldList): void {
    const { arena, buffers } = this.loop;
    const offset = buffers.take();
    if (offset === NO_BUFFER) return;
    const end = fieldLines(fields, arena, offset, offset + BUFFER_BYTES);
    if (end > offset) this.#heldTrailers = arena.slice(offset, end);
    buffers.give(offset);
  }

  /** True: trailers that were held stand behind the data now. */
  #placeTrailers(): boolean {
    const lines = this.#heldTrailers;
    if (lines === null || this.#overflow.length > 0 || !this.haveBuffer()) return false;
    if (this.end + lines.length > this.buffer + bufferBytes(this.buffer)) return false;
    this.loop.arena.set(lines, this.end);
    this.trailersEnd = this.end += lines.length;
    this.#heldTrailers = null;
    return true;
  }

  #refuseTrailers(): void {
    this.socket.reset(this.streamId, PROTOCOL_ERROR);
    this.lose(PROTOCOL_ERROR, false);
  }

  /** All that has come of the message is in the buffer, and its end too. */
  get isComplete(): boolean {
    return this.hasReceivedEnd && this.#overflow.length === 0 && this.#heldTrailers === null;
  }

  /** What was held has been passed on: opens the window, and takes in what did not fit before. True: more of it. */
  protected passedOn(): boolean {
    const isHeld = this.sent < this.ready;
    if (isHeld) return false;
    this.start = this.sent;
    this.releaseIfEmpty();
    this.returnWindow();
    return this.#takeOverflow();
  }

  /** Gives the peer the window back that it has used for what was passed on. */
  protected returnWindow(): void {
    if (this.#unreturned === 0 || !this.socket.isOpen || this.isBacklogged) return;
    if (!this.hasReceivedEnd && this.socket.prepare()) {
      this.socket.machine.consumed(this.streamId, this.#unreturned);
      this.socket.sendLater();
    }
    this.#unreturned = 0;
  }

  /** More has come than the buffer holds. */
  protected get isBacklogged(): boolean {
    return this.#overflow.length > 0;
  }

  /** What has come is of no interest, and so is what still comes. */
  protected discardReceived(): void {
    this.#overflow = [];
    this.#heldTrailers = null;
    this.releaseBuffer();
  }

  #takeOverflow(): boolean {
    const before = this.end;
    while (this.#overflow.length > 0 && this.haveBulkBuffer()) {
      const bytes = this.#overflow[0];
      const length = Math.min(bytes.length, this.room);
      if (length === 0) break;
      this.loop.arena.set(bytes.subarray(0, length), this.end);
      this.end += length;
      if (length === bytes.length) this.#overflow.shift();
      else this.#overflow[0] = bytes.subarray(length);
      this.#showAll();
    }
    return this.#placeTrailers() || this.end > before;
  }

  // Going out.

  /**
   * Sends what `source` has ready; `isLast` ends the message with it, and with the trailers of `source`: 1 when all
   * is written, 0 when there is no room or no window now, `BROKEN`.
   */
  protected writeBody(source: Inbox, isLast: boolean): number {
    if (this.#hasSentEnd) return 1;
    const trailers = isLast && source.hasTrailers;
    for (;;) {
      if (!this.socket.isOpen || !this.socket.prepare()) return BROKEN;
      const length = source.ready - source.sent;
      const isEnd = isLast && !trailers;
      if (length === 0 && !isLast) return 1;
      if (length === 0 && trailers) return this.#sendTrailers(source);
      const { machine } = this.socket;
      const { nowMs } = this.loop.io;
      const count = machine.sendData(this.streamId, source.sent, length, isEnd, nowMs);
      this.socket.sendLater();
      if (count === NO_STREAM) return BROKEN;
      if (count === NO_WINDOW) return 0;
      if (count === NO_ROOM) {
        this.socket.awaitRoom(this);
        return 0;
      }
      source.sent += count;
      if (count === length && isEnd) {
        this.#hasSentEnd = true;
        return 1;
      }
      if (count === length && !trailers) return 1;
    }
  }

  #sendTrailers(source: Inbox): number {
    const fields = this.loop.scratch.http2.composed;
    fieldsOfTrailers(this.loop.arena, source.ready, source.trailersEnd, fields);
    const result = this.socket.machine.sendHead(this.streamId, fields, true);
    this.socket.sendLater();
    if (result === NO_ROOM) {
      this.socket.awaitRoom(this);
      return 0;
    }
    if (result < 0) return BROKEN;
    this.#hasSentEnd = true;
    return 1;
  }

  /** Our head ended our message. */
  protected sentEnd(): void {
    this.#hasSentEnd = true;
  }

  get hasSentEnd(): boolean {
    return this.#hasSentEnd;
  }

  // As one end of a tunnel.

  enter(tunnel: Tunnel): void {
    this.isTunnel = true;
    this.#tunnel = tunnel;
    this.#showAll();
  }

  writeTunnel(source: TunnelEnd): number {
    return this.writeBody(source, source.isComplete);
  }

  takeMore(): boolean {
    return this.passedOn();
  }

  /** The tunnel is open. */
  protected get isInTunnel(): boolean {
    return this.#tunnel !== null;
  }

  cut(): void {
    this.leave(this.cutCode);
  }

  close(): void {
    this.leave(CANCEL);
  }

  /** Lets go of everything; the machine's stream is reset where it has not ended by itself. */
  protected leave(code: number): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.deadlineMs = Infinity;
    const { socket, streamId } = this;
    const canWrite = socket.isOpen && socket.prepare();
    if (canWrite && streamId > 0 && !(this.hasReceivedEnd && this.#hasSentEnd)) {
      socket.reset(streamId, code);
    }
    if (canWrite && this.#unreturned > 0) socket.machine.consumed(streamId, this.#unreturned);
    this.#unreturned = 0;
    this.discardReceived();
    if (socket.isOpen && streamId > 0) socket.machine.setOwner(streamId, null);
    this.loop.unregister(this);
    socket.forget(this);
  }
}
