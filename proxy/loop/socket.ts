/**
 * Socket: one connection, the bytes read from it that are not yet passed on, and the bytes that it did not take yet. It owns
 * back-pressure and knows no protocol. What is read from one connection of a pair is written to the other. If that one takes no
 * more, reading stops once the buffer is full.
 */
import { isMeshAlpn } from "../protocol/tls/mesh.ts";
import { AGAIN, BROKEN } from "../io/io.ts";
import type { Fd, Handler } from "../io/io.ts";
import type { TlsFailure, TlsInfo } from "../io/tls.ts";
import { ANONYMOUS, type Caller, callerOf } from "../tls/caller.ts";
import { type GatherList, NO_BUFFER } from "./arena.ts";
import {
  COUNTED_BYTES_MAX,
  LARGE_BUFFER_BYTES,
  SPLICE_PIPE_BYTES,
  SPLICED_BYTES_MIN,
} from "../limits.ts";
import { Inbox } from "./inbox.ts";
import type { Loop, Timed } from "./loop.ts";
import { Outbox } from "./outbox.ts";
import type { Tunnel, TunnelEnd, TunnelSocket } from "./tunnel.ts";

export abstract class Socket extends Inbox implements Handler, Timed, TunnelSocket {
  abstract readonly kind: Timed["kind"];
  fd: Fd = -1;
  isOpen = true;
  /** TLS is on it, and it is not the mesh's own, which is nothing to those at its ends. */
  isSecure = false;
  /** Who the peer is, where TLS asked it. */
  caller: Caller = ANONYMOUS;
  /** The peer has sent everything it will send. */
  hasEnded = false;
  /** The peer of a tunnel has been told that it gets no more. */
  hasSentEnd = false;
  slot = -1;
  deadlineMs = Infinity;
  /** The tunnel that this is one end of. */
  protected tunnel: Tunnel | null = null;
  /** Null where nothing waits to be written. */
  #outbox: Outbox | null = null;
  #isCut = false;

  constructor(loop: Loop) {
    super(loop);
    loop.register(this);
  }

  abstract onReadable(): void;
  abstract onWritable(): void;
  abstract onHangup(failure?: TlsFailure): void;
  abstract onDeadline(): void;
  /** Closes the connection and ends whatever it carries. */
  abstract abort(): void;

  onSecured(info: TlsInfo): void {
    this.isSecure = !isMeshAlpn(info.alpn);
    this.caller = callerOf(info, this.loop.trustDomain);
    this.loop.events.secured(info.isResumed);
  }

  onFault(error: unknown): void {
    this.loop.contain(error, this);
  }

  /** Takes the place of `other` on its socket: with its bytes, and with what TLS made known. */
  replace(other: Socket): void {
    this.takeBuffer(other);
    this.takeSecurity(other);
    other.letGo();
    this.loop.io.handOver(this.fd, this);
  }

  takeSecurity(other: Socket): void {
    this.isSecure = other.isSecure;
    this.caller = other.caller;
  }

  /** Ends its part without ending the socket, which another handler takes over. */
  letGo(): void {
    this.isOpen = false;
    this.deadlineMs = Infinity;
    this.releaseBuffer();
    this.releasePipe();
    this.loop.unregister(this);
  }

  protected override onStarved(): void {
    this.wantRead(false);
    this.loop.starve(this);
  }

  onFed(): void {
    this.wantRead(true);
  }

  wantRead(wanted: boolean): void {
    this.loop.io.wantRead(this.fd, wanted);
  }

  /** Reads into the room that is left, at most `most` bytes: a count, or `END`, `AGAIN`, `BROKEN`. */
  fill(most: number = LARGE_BUFFER_BYTES): number {
    const room = Math.min(this.room, most);
    const count = this.loop.io.read(this.fd, this.end, room);
    if (count > 0) {
      this.end += count;
      this.isBulk = count === room;
    }
    return count;
  }

  /**
   * As `fill`, past the arena: for bytes that are passed on as they are, where much is coming. `AGAIN` says too that they are to be read,
   * because nothing can be moved in that way.
   */
  fillPipe(most: number): number {
    const { splicer } = this.loop.io;
    const isWorthIt = this.isBulk && most >= SPLICED_BYTES_MIN && this.buffer === NO_BUFFER;
    if (splicer === null || !isWorthIt || !splicer.canMove(this.fd)) return AGAIN;
    const pipe = splicer.take();
    if (pipe === null) return AGAIN;
    const count = splicer.read(this.fd, pipe, Math.min(most, SPLICE_PIPE_BYTES));
    this.isBulk = count >= SPLICED_BYTES_MIN;
    if (count > 0) this.pipe = pipe;
    else splicer.give(pipe);
    return count;
  }

  override get takesPipe(): boolean {
    return this.loop.io.splicer?.canMove(this.fd) === true;
  }

  // Writing.

  /** Of all writes since it was set to 0, at most `COUNTED_BYTES_MAX`. */
  protected writtenBytes = 0;

  /** Nothing waits to be written. */
  get isFlushed(): boolean {
    return this.#outbox === null;
  }

  /**
   * Writes the list and then what `source` has ready. What the socket does not take of it waits in the outbox.
   * False: the socket is broken, or there is no buffer.
   */
  sendGathered(list: GatherList, source: Inbox | null): boolean {
    const { io } = this.loop;
    if (this.#outbox !== null) return this.#outbox.addGathered(list, 0);
    for (let i = 0; i < list.count; i++) io.gather(list.offsets[i], list.lengths[i]);
    const body = source === null ? 0 : source.ready - source.sent;
    if (source !== null && body > 0) io.gather(source.sent, body);
    const result = io.write(this.fd);
    if (result === BROKEN) return false;
    const count = result === AGAIN ? 0 : result;
    this.writtenBytes = Math.min(this.writtenBytes + count, COUNTED_BYTES_MAX);
    if (source !== null && count > list.bytes) source.sent += count - list.bytes;
    if (count === list.bytes + body) return true;
    io.wantWrite(this.fd, true);
    return count >= list.bytes || (this.outbox?.addGathered(list, count) ?? false);
  }

  /** Writes text. False: the socket is broken, or there is no buffer. */
  sendText(text: string): boolean {
    return this.outbox?.addText(text) === true && this.flush(this) !== BROKEN;
  }

  /** Opened where there is none. Null: there is no buffer. */
  protected get outbox(): Outbox | null {
    return this.#outbox ??= Outbox.open(this.loop);
  }

  /**
   * Writes what waits and then what `source` has ready (nothing, where `source` is this connection itself):
   * 1 when all is written, 0 when the socket takes no more now, `BROKEN`.
   */
  flush(source: Inbox): number {
    const { io } = this.loop;
    const outbox = this.#outbox;
    const waiting = outbox === null ? 0 : outbox.end - outbox.sent;
    const hasBody = source !== this && (outbox === null || !outbox.isOverfull);
    const body = hasBody ? source.ready - source.sent : 0;
    if (waiting + body === 0) return this.#flushPipe(source);
    if (outbox !== null && waiting > 0) io.gather(outbox.sent, waiting);
    if (body > 0) io.gather(source.sent, body);
    const result = io.write(this.fd);
    if (result === BROKEN) return BROKEN;
    const count = result === AGAIN ? 0 : result;
    this.writtenBytes = Math.min(this.writtenBytes + count, COUNTED_BYTES_MAX);
    const ofWaiting = Math.min(count, waiting);
    if (outbox !== null) {
      outbox.sent += ofWaiting;
      if (outbox.sent === outbox.end) {
        if (outbox.refill()) return this.flush(source);
        this.#closeOutbox(outbox);
      }
    }
    source.sent += count - ofWaiting;
    const isAll = count === waiting + body;
    io.wantWrite(this.fd, !isAll);
    return isAll ? this.#flushPipe(source) : 0;
  }

  /** Writes what comes from `source` in a pipe, behind all else. */
  #flushPipe(source: Inbox): number {
    const { pipe } = source;
    const { io } = this.loop;
    if (pipe === null || io.splicer === null || source === this) return 1;
    const count = io.splicer.write(this.fd, pipe);
    if (count === BROKEN) return BROKEN;
    if (count > 0) this.writtenBytes = Math.min(this.writtenBytes + count, COUNTED_BYTES_MAX);
    const isAll = pipe.held === 0;
    if (isAll) source.releasePipe();
    io.wantWrite(this.fd, !isAll);
    return isAll ? 1 : 0;
  }

  #closeOutbox(outbox: Outbox): void {
    outbox.release();
    this.#outbox = null;
  }

  // As one end of a tunnel.

  enter(tunnel: Tunnel): void {
    this.tunnel = tunnel;
  }

  get isComplete(): boolean {
    return this.hasEnded;
  }

  /**
   * A hang-up of this end of a tunnel changes nothing. What came before it still goes through; or both directions have ended in
   * order, which the system calls a hang-up, too.
   */
  protected get outlivesHangup(): boolean {
    return this.hasUnsent || (this.hasEnded && this.hasSentEnd);
  }

  writeTunnel(source: TunnelEnd): number {
    const result = this.flush(source);
    if (result !== 1 || !source.isComplete || this.hasSentEnd) return result;
    this.hasSentEnd = true;
    this.loop.io.shutdown(this.fd);
    return 1;
  }

  takeMore(): boolean {
    this.start = this.sent;
    this.releaseIfEmpty();
    if (this.isOpen && !this.hasEnded) this.wantRead(true);
    return false;
  }

  // Ends.

  /** As `close`, where the peer would take an orderly end for the end of what it is being sent. */
  cut(): void {
    this.#isCut = true;
    this.close();
  }

  /** Lets go of the socket and of every buffer. Safe to call twice. */
  close(): void {
    if (!this.isOpen) return;
    this.letGo();
    if (this.#outbox !== null) this.#closeOutbox(this.#outbox);
    if (this.#isCut) this.loop.io.reset(this.fd);
    else this.loop.io.close(this.fd);
  }
}
