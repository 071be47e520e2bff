/**
 * Http2Socket: the socket of an HTTP/2 machine, of either side. Bytes go in, frames come out at the end of each batch of events.
 * Streams that found no room for theirs go on when there is some.
 */
import { AGAIN, BROKEN, END } from "../io/io.ts";
import { BUFFER_BYTES, DRAIN_IDLE_MS, HEAD_BUFFER_BYTES, HTTP2_LINGER_MS } from "../limits.ts";
import { Http2Connection } from "../protocol/http2/connection.ts";
import { INTERNAL_ERROR, SETTINGS_TIMEOUT } from "../protocol/http2/error_code.ts";
import { CONNECTION_WINDOW_BYTES, ENDPOINT_WINDOW_BYTES } from "../protocol/http2/limits.ts";
import { WriteBuffer } from "../protocol/http2/write_buffer.ts";
import type { Http2Counts } from "../observe/telemetry.ts";
import type { FieldList } from "../protocol/http2/hpack/field_list.ts";
import type { Http2Visitor } from "../protocol/http2/visitor.ts";
import { bufferBytes, isHeadBuffer, isOrdinary, NO_BUFFER, writeAscii } from "../loop/arena.ts";
import { Socket } from "../loop/socket.ts";
import type { Loop } from "../loop/loop.ts";
import type { Victim } from "../loop/timers.ts";

/** What a socket knows of its streams. */
export interface SocketStream extends Victim {
  /** Data has come, and with `isEnd` the end of the peer's message. */
  take(offset: number, length: number, isEnd: boolean): void;
  takeTrailers(fields: FieldList): void;
  /** There is room, or window, to send more. */
  wake(): void;
  /** The stream is no more. `isByPeer`: it said so; else the peer broke a rule, or the connection has ended. */
  lose(code: number, isByPeer: boolean): void;
}

export abstract class Http2Socket extends Socket implements Http2Visitor {
  readonly machine: Http2Connection;
  readonly #output: WriteBuffer;
  #outputBuffer = NO_BUFFER;
  /** Streams that have something to send, and found no room for it. */
  readonly #waiting = new Set<SocketStream>();
  readonly streams = new Set<SocketStream>();
  readonly counts: Http2Counts;
  /** The machine has given up the connection: it closes once the last frames are sent. */
  protected isOver = false;
  /** The head that was to be written last needs a large buffer, and there is none to be had. */
  isShortOfRoom = false;
  /** Nothing is read until there is room for what it asks for. */
  #isHeldBack = false;
  /** Frames are to be sent at the end of this batch of events. */
  #isQueued = false;
  /** More was to be sent than an ordinary buffer holds: what comes next is likely to be as much. */
  #isBulk = false;
  /** All is said, and the peer may read it in peace. */
  #isLingering = false;
  /** Until when this connection may be without a stream; `Infinity` while it has one. */
  #idleUntilMs = Infinity;
  /** Until when a client may take to learn that no new streams are taken. */
  #drainUntilMs = Infinity;

  constructor(loop: Loop, role: "server" | "client", counts: Http2Counts) {
    super(loop);
    this.counts = counts;
    this.#output = new WriteBuffer(loop.arena);
    this.machine = new Http2Connection({
      role,
      visitor: this,
      scratch: loop.scratch.http2,
      output: this.#output,
      headBytesMax: loop.headBytesMax,
      connectionWindowBytes: role === "server" ? CONNECTION_WINDOW_BYTES : ENDPOINT_WINDOW_BYTES,
      takesConnectProtocol: true,
    });
  }

  abstract onRequest(streamId: number, isEnd: boolean): void;
  abstract onRequestTooLarge(streamId: number, isEnd: boolean): void;
  abstract onResponse(streamId: number, isEnd: boolean): void;
  abstract onGoaway(lastStreamId: number, code: number): void;
  abstract onSettings(): void;
  /** A stream is no more. */
  abstract onStreamGone(): void;

  /** How long the peer may take to acknowledge SETTINGS. Until it has, it may send more ahead than it is told. */
  protected abstract get settingsMs(): number;
  /** Nothing has been under way for as long as may be. */
  protected abstract onIdle(): void;

  /** Writes `text`, and the settings; the machine sends nothing before. */
  protected startMachine(text = ""): void {
    if (!this.haveOutput()) return this.abort();
    this.#output.end += writeAscii(this.loop.arena, this.#output.end, text);
    this.machine.start(this.loop.io.nowMs);
    this.#schedule();
    this.sendLater();
  }

  // Time.

  /** A stream is under way. */
  protected busy(): void {
    this.#idleUntilMs = Infinity;
    this.#schedule();
  }

  /** No stream is. */
  protected rest(idleMs: number): void {
    this.#idleUntilMs = this.loop.io.nowMs + idleMs;
    this.#schedule();
  }

  /** Streams under way end, no new ones are taken. */
  protected drain(): void {
    if (!this.prepare()) return;
    this.machine.drain();
    this.#drainUntilMs = this.loop.io.nowMs + DRAIN_IDLE_MS;
    this.#schedule();
    this.sendLater();
  }

  #schedule(): void {
    this.deadlineMs = Math.min(this.#idleUntilMs, this.#drainUntilMs, this.#settingsUntilMs);
  }

  get #settingsUntilMs(): number {
    const { settingsSentMs, isClosed } = this.machine;
    return settingsSentMs === 0 || isClosed ? Infinity : settingsSentMs + this.settingsMs;
  }

  override onDeadline(): void {
    if (this.#isLingering) return this.abort();
    const { nowMs } = this.loop.io;
    if (nowMs >= this.#idleUntilMs) return this.isOver ? this.abort() : this.onIdle();
    if (nowMs >= this.#settingsUntilMs) {
      return this.#giveUp(SETTINGS_TIMEOUT, "SETTINGS unacknowledged");
    }
    if (nowMs >= this.#drainUntilMs) {
      this.#drainUntilMs = Infinity;
      if (!this.prepare()) return;
      this.machine.finishDrain();
      this.sendLater();
    }
    this.#schedule();
  }

  #giveUp(code: number, debug: string): void {
    if (!this.prepare()) return;
    this.machine.close(code, debug);
    this.onConnectionError(code, debug);
  }

  override onReadable(): void {
    if (!this.haveBulkBuffer()) return;
    if (this.#isLingering) return this.#discard();
    if (this.room === 0) return this.#holdBack();
    const count = this.fill();
    if (count === AGAIN) return this.releaseIfEmpty();
    if (count === END || count === BROKEN) return this.abort();
    this.#receive();
  }

  override onWritable(): void {
    this.send();
  }

  override onHangup(): void {
    this.abort();
  }

  /** What comes when all is said is of no concern. */
  #discard(): void {
    const count = this.fill();
    this.discard();
    if (count === END || count === BROKEN) this.close();
  }

  /** Looks at bytes that were read before this connection was the machine's. */
  protected receiveHeld(): void {
    if (this.isOpen && this.start < this.end) this.#receive();
  }

  // Frames in.

  #receive(): void {
    const { io } = this.loop;
    if (!this.haveOutput()) return this.abort();
    this.start = this.machine.receive(this.start, this.end, io.nowMs);
    if (!this.isOpen) return;
    this.sent = this.ready = this.start;
    if (this.start === this.end) this.releaseIfEmpty();
    else this.compact();
    // It asks for more than it reads: its frames wait until it has read what is there for it.
    if (this.machine.needsOutput) this.#holdBack();
    this.sendLater();
  }

  #holdBack(): void {
    this.#isHeldBack = true;
    this.loop.io.wantRead(this.fd, false);
  }

  onData(streamId: number, offset: number, length: number, isEnd: boolean): void {
    const stream = this.machine.ownerOf(streamId) as SocketStream | null;
    if (stream === null) this.machine.consumed(streamId, length);
    else stream.take(offset, length, isEnd);
  }

  onTrailers(streamId: number): void {
    const stream = this.machine.ownerOf(streamId) as SocketStream | null;
    stream?.takeTrailers(this.loop.scratch.http2.received);
  }

  onReset(streamId: number, code: number, isByPeer: boolean): void {
    this.counts.reset(isByPeer ? "peer" : "proxy", code);
    const stream = this.machine.ownerOf(streamId) as SocketStream | null;
    stream?.lose(code, isByPeer);
  }

  onWindow(streamId: number): void {
    const stream = this.machine.ownerOf(streamId) as SocketStream | null;
    stream?.wake();
  }

  onPingAcknowledged(_payload: number): void {}

  onConnectionError(code: number, _debug: string): void {
    this.counts.failed(code);
    this.isOver = true;
    this.#loseAll();
    // A peer that takes nothing would not take the last frames either.
    this.rest(HTTP2_LINGER_MS);
    this.sendLater();
  }

  // Frames out.

  /** Makes sure that the machine has somewhere to write. */
  protected haveOutput(): boolean {
    if (this.#outputBuffer !== NO_BUFFER) return true;
    const offset = this.#takeOutput();
    if (offset === NO_BUFFER) return false;
    this.#lend(offset);
    return true;
  }

  /** Large for bulk, where there is one: a write of four frames of DATA costs little more than a write of one. */
  #takeOutput(): number {
    const { buffers } = this.loop;
    const offset = this.#isBulk ? buffers.takeLarge() : NO_BUFFER;
    return offset === NO_BUFFER ? buffers.take() : offset;
  }

  #lend(offset: number): void {
    this.#outputBuffer = offset;
    this.#output.lend(offset, offset + bufferBytes(offset));
  }

  /**
   * As `prepare`, for a head: one that an ordinary buffer does not hold is written to a large one, once nothing else waits. Without one to
   * be had now it is too large.
   */
  prepareHead(fields: FieldList): boolean {
    if (!this.prepare()) return false;
    this.isShortOfRoom = false;
    const output = this.#output;
    const room = this.machine.roomFor(fields);
    output.capacityMax = HEAD_BUFFER_BYTES;
    if (room <= BUFFER_BYTES || !output.isEmpty || isHeadBuffer(this.#outputBuffer)) return true;
    const { buffers } = this.loop;
    const offset = buffers.takeForPassing(room);
    this.isShortOfRoom = offset === NO_BUFFER;
    if (this.isShortOfRoom) output.capacityMax = 0;
    else {
      buffers.give(this.#outputBuffer);
      this.#lend(offset);
    }
    return true;
  }

  /** All is written: begins the output anew, in a buffer of the size that is needed now, where there is one. */
  #lendAgain(): void {
    const buffer = this.#outputBuffer;
    if (buffer === NO_BUFFER) return;
    const isUsual = this.#isBulk
      ? !isOrdinary(buffer) && !isHeadBuffer(buffer)
      : isOrdinary(buffer);
    const offset = isUsual ? NO_BUFFER : this.#takeOutput();
    if (offset === NO_BUFFER) return this.#lend(this.#outputBuffer);
    this.loop.buffers.give(this.#outputBuffer);
    this.#lend(offset);
  }

  /** Bytes that can be written now. */
  get outputRoom(): number {
    return this.#output.room;
  }

  /** Sends what is written at the end of this batch of events, together with what is still to come. */
  sendLater(): void {
    if (this.#isQueued || !this.isOpen) return;
    this.#isQueued = true;
    this.loop.sendLater(this);
  }

  /** There was no room for what `stream` has: it is told when there is. */
  awaitRoom(stream: SocketStream): void {
    this.#waiting.add(stream);
    this.#isBulk = true;
    this.sendLater();
  }

  /** Ends a stream that the peer has not ended. */
  reset(streamId: number, code: number): void {
    this.counts.reset("proxy", code);
    this.machine.reset(streamId, code);
    this.sendLater();
  }

  /** Ready for a stream to write: false where the connection is gone, or there is no buffer, which ends it. */
  prepare(): boolean {
    if (!this.isOpen || this.#isLingering) return false;
    if (this.haveOutput()) return true;
    this.abort();
    return false;
  }

  /** Writes frames to the socket until it takes no more or there are none. */
  send(): void {
    this.#isQueued = false;
    if (this.#isLingering) return;
    const { io } = this.loop;
    const output = this.#output;
    while (this.isOpen) {
      if (!output.isEmpty) {
        const length = output.end - output.start;
        io.gather(output.start, length);
        const result = io.write(this.fd);
        if (result === BROKEN) return this.abort();
        output.start += result === AGAIN ? 0 : result;
        if (!output.isEmpty) return io.wantWrite(this.fd, true);
        if (this.#waiting.size === 0) this.#isBulk = length > BUFFER_BYTES;
      }
      this.#lendAgain();
      if (this.isOver || (this.loop.isDraining && this.machine.isDrained)) return this.finish();
      if (!this.#goOn()) break;
    }
    if (!this.isOpen) return;
    io.wantWrite(this.fd, false);
    this.#releaseOutput();
  }

  /** There is room again: for the machine, for streams that waited, for frames that were not taken. */
  #goOn(): boolean {
    if (this.machine.needsOutput) this.machine.pump();
    if (this.#isHeldBack) {
      this.#isHeldBack = false;
      this.loop.io.wantRead(this.fd, true);
      if (this.buffer !== NO_BUFFER && this.start < this.end) this.#receive();
    }
    // One that needs more room than there is waits again, at the end: each has one try in a round.
    let rest = this.#waiting.size;
    for (const stream of this.#waiting) {
      if (rest-- === 0 || !this.isOpen || this.#output.room < BUFFER_BYTES / 4) break;
      this.#waiting.delete(stream);
      stream.wake();
    }
    return this.isOpen && !this.#output.isEmpty;
  }

  /** Nothing more is sent, and nothing is under way. */
  protected finish(): void {
    this.close();
  }

  /** Ends the connection without losing what it was sent to what the peer still sends (RFC 9112 9.6). */
  protected linger(): void {
    const { io } = this.loop;
    this.#isLingering = true;
    this.#waiting.clear();
    this.discard();
    this.#releaseOutput();
    this.deadlineMs = io.nowMs + HTTP2_LINGER_MS;
    io.shutdown(this.fd);
    io.wantWrite(this.fd, false);
    io.wantRead(this.fd, true);
  }

  protected get isLingering(): boolean {
    return this.#isLingering;
  }

  override close(): void {
    if (!this.isOpen) return;
    this.#waiting.clear();
    super.close();
    this.#releaseOutput();
  }

  /** Ends the connection and every exchange on it. */
  override abort(): void {
    if (!this.isOpen) return;
    this.close();
    this.#loseAll();
  }

  #loseAll(): void {
    // A copy: they leave.
    for (const stream of [...this.streams]) {
      try {
        stream.lose(INTERNAL_ERROR, false);
      } catch (error) {
        this.loop.contain(error, stream);
      }
    }
  }

  #releaseOutput(): void {
    if (this.#outputBuffer === NO_BUFFER) return;
    this.loop.buffers.give(this.#outputBuffer);
    this.#outputBuffer = NO_BUFFER;
    this.#output.takeBack();
  }

  forget(stream: SocketStream): void {
    this.streams.delete(stream);
    this.#waiting.delete(stream);
    this.onStreamGone();
  }
}
