/**
 * Connection: one socket, the bytes read from it that are not yet passed on, and the bytes owed to it. It owns
 * back-pressure and knows nothing of HTTP. What is read from one connection of a pair is
 * written to the other; when that one takes no more, reading stops once the buffer is full.
 */
import { BUFFER_BYTES } from "../limits.ts";
import { AGAIN, BROKEN } from "../io/io.ts";
import type { Fd, Handler } from "../io/io.ts";
import type { TlsFailure, TlsInfo } from "../io/tls.ts";
import { Buffered } from "./inbox.ts";
import { NO_BUFFER, writeAscii } from "./arena.ts";
import { type Caller, callerOf, NOBODY } from "../tls/caller.ts";
import type { Context, Timed } from "./context.ts";
import type { Pieces } from "../http1/pieces.ts";
import type { TunnelEnd } from "./tunnel.ts";

/** What is kept as owed beyond one buffer: the longest head there can be, and most of another. */
const OWED_BEYOND_MAX = 2 * BUFFER_BYTES;
const NOTHING = new Uint8Array(0);

/** A chunk's size, its two line ends, and room to spare. */
const CHUNK_FRAMING_BYTES = 16;

export abstract class Connection extends Buffered implements Handler, TunnelEnd {
  abstract readonly kind: Timed["kind"];
  fd: Fd = -1;
  isOpen = true;
  /** TLS is on it. */
  isSecure = false;
  /** Who the peer is, where TLS asked it. */
  caller: Caller = NOBODY;
  /** The peer has sent everything it will send. */
  hasEnded = false;
  tunnelIdleMs = Infinity;
  /** The peer of a tunnel has been told that it gets no more. */
  hasSentEnd = false;
  /** Place in `Context.timed`. */
  slot = -1;
  /** When `onDeadline` is called, on the clock of `Io.nowMs`. */
  deadlineMs = Infinity;

  /** The body being written is framed here, as chunks; and whether the last of them is written. */
  #isChunking = false;
  #hasEndedChunks = false;
  /** Bytes owed to this socket that are no longer, or never were, in the other's read buffer. */
  #owed = NO_BUFFER;
  #owedSent = 0;
  #owedEnd = 0;
  /**
   * Owed after that: what the buffer does not hold of a head that a policy has added lines to, or of several heads.
   */
  #owedBeyond = NOTHING;
  #isCut = false;

  constructor(context: Context) {
    super(context);
    context.register(this);
  }

  abstract onReadable(): void;
  abstract onWritable(): void;
  abstract onHangup(failure?: TlsFailure): void;
  abstract onDeadline(): void;
  abstract abort(): void;

  onSecured(info: TlsInfo): void {
    this.isSecure = true;
    this.caller = callerOf(info, this.context.trustDomain);
    this.context.telemetry.secured(info.isResumed);
  }

  /** Takes over what TLS made known to `other`, whose socket this becomes the connection of. */
  takeSecurity(other: Connection): void {
    this.isSecure = other.isSecure;
    this.caller = other.caller;
  }

  onFault(error: unknown): void {
    this.context.telemetry.fault(error);
    this.abort();
  }

  get owesNothing(): boolean {
    return this.#owed === NO_BUFFER;
  }

  protected override onStarved(): void {
    this.context.io.wantRead(this.fd, false);
    this.context.starve(this);
  }

  onFed(): void {
    this.context.io.wantRead(this.fd, true);
  }

  /** Reads into the room that is left: a count, or `END`, `AGAIN`, `BROKEN`. */
  fill(): number {
    const { room } = this;
    const count = this.context.io.read(this.fd, this.end, room);
    if (count > 0) {
      this.end += count;
      this.isBulk = count === room;
    }
    return count;
  }

  /**
   * Writes the head in `pieces` and then what `source` has ready to this socket. What the socket does not
   * take of the head is kept as owed. False: the socket is broken.
   */
  sendHead(pieces: Pieces, source: Buffered | null): boolean {
    const { io } = this.context;
    if (!this.owesNothing) return this.#owe(pieces, 0);
    for (let i = 0; i < pieces.count; i++) io.gather(pieces.offsets[i], pieces.lengths[i]);
    const body = source === null ? 0 : source.ready - source.sent;
    if (source !== null && body > 0) io.gather(source.sent, body);
    const result = io.write(this.fd);
    if (result === BROKEN) return false;
    const count = result === AGAIN ? 0 : result;
    if (source !== null && count > pieces.bytes) source.sent += count - pieces.bytes;
    if (count === pieces.bytes + body) return true;
    io.wantWrite(this.fd, true);
    return count >= pieces.bytes || this.#owe(pieces, count);
  }

  /** Writes text that the proxy itself answers. False: the socket is broken or there is no buffer. */
  sendText(text: string): boolean {
    if (this.#owed === NO_BUFFER && !this.#takeOwedBuffer()) return false;
    const fits = this.#owedBeyond.length === 0 &&
      this.#owedEnd + text.length <= this.#owed + BUFFER_BYTES;
    if (fits) this.#oweText(text);
    else if (!this.#oweBeyond(bytesOfText(text))) return false;
    return this.flush(this) !== BROKEN;
  }

  /**
   * Writes what is owed and then what `source` has ready (nothing, where `source` is this connection itself):
   * 1 when all is written, 0 when the socket takes no more now, `BROKEN`.
   */
  flush(source: Buffered): number {
    const { io } = this.context;
    const owed = this.#owedEnd - this.#owedSent;
    const isBeyond = this.#owedBeyond.length > 0;
    const body = source === this || isBeyond ? 0 : source.ready - source.sent;
    if (owed + body === 0) return 1;
    if (owed > 0) io.gather(this.#owedSent, owed);
    if (body > 0) io.gather(source.sent, body);
    const result = io.write(this.fd);
    if (result === BROKEN) return BROKEN;
    const count = result === AGAIN ? 0 : result;
    const ofOwed = Math.min(count, owed);
    this.#owedSent += ofOwed;
    if (this.#owed !== NO_BUFFER && this.#owedSent === this.#owedEnd) {
      if (isBeyond) {
        this.#takeBeyond();
        return this.flush(source);
      }
      this.#releaseOwed();
    }
    source.sent += count - ofOwed;
    const isAll = count === owed + body;
    io.wantWrite(this.fd, !isAll);
    return isAll ? 1 : 0;
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
  protected writeBody(source: Buffered, isLast: boolean): number {
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

  /** As `flush`, with what `source` has ready as chunks (RFC 9112 7.1); it is copied, together with its framing. */
  #flushChunks(source: Buffered): number {
    const { arena } = this.context;
    let result = this.flush(this);
    while (result === 1 && source.sent < source.ready) {
      if (!this.#takeOwedBuffer()) return BROKEN;
      const length = Math.min(source.ready - source.sent, BUFFER_BYTES - CHUNK_FRAMING_BYTES);
      this.#oweText(`${length.toString(16)}\r\n`);
      arena.copyWithin(this.#owedEnd, source.sent, source.sent + length);
      this.#owedEnd += length;
      this.#oweText("\r\n");
      source.sent += length;
      result = this.flush(this);
    }
    return result;
  }

  /**
   * Writes the last chunk, with the trailers of `source`: 1 when it is written, 0 when the socket takes no more
   * now, `BROKEN`.
   */
  #endChunks(source: Buffered): number {
    const length = source.hasTrailers ? source.trailersEnd - source.ready : 0;
    if (length > 0 && this.#takeOwedBuffer()) {
      this.#oweText("0\r\n");
      // Those that do not fit are left out, as any recipient may (RFC 9110 6.5.1).
      if (length <= BUFFER_BYTES - CHUNK_FRAMING_BYTES) {
        this.context.arena.copyWithin(this.#owedEnd, source.ready, source.trailersEnd);
        this.#owedEnd += length;
      }
      if (!this.sendText("\r\n")) return BROKEN;
    } else if (!this.sendText("0\r\n\r\n")) return BROKEN;
    return this.owesNothing ? 1 : 0;
  }

  get isComplete(): boolean {
    return this.hasEnded;
  }

  /**
   * A hang-up of this end of a tunnel changes nothing: what came before it still goes through, or both directions have ended here
   * in order, which the system calls a hang-up too.
   */
  protected get outlivesHangup(): boolean {
    return this.sent < this.ready || (this.hasEnded && this.hasSentEnd);
  }

  writeTunnel(source: TunnelEnd): number {
    const result = this.flush(source);
    if (result !== 1 || !source.isComplete || this.hasSentEnd) return result;
    this.hasSentEnd = true;
    this.context.io.shutdown(this.fd);
    return 1;
  }

  takeMore(): boolean {
    this.start = this.sent;
    this.releaseIfEmpty();
    if (this.isOpen && !this.hasEnded) this.context.io.wantRead(this.fd, true);
    return false;
  }

  /** As `close`, where the peer would take an orderly end for the end of what it is being sent. */
  cut(): void {
    this.#isCut = true;
    this.close();
  }

  /** Lets go of the socket and of every buffer. Safe to call twice. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.deadlineMs = Infinity;
    this.releaseBuffer();
    this.#owedBeyond = NOTHING;
    if (this.#owed !== NO_BUFFER) this.#releaseOwed();
    this.context.unregister(this);
    if (this.#isCut) this.context.io.reset(this.fd);
    else this.context.io.close(this.fd);
  }

  #releaseOwed(): void {
    this.context.buffers.give(this.#owed);
    this.#owed = NO_BUFFER;
    this.#owedSent = this.#owedEnd = 0;
  }

  #oweText(text: string): void {
    this.#owedEnd += writeAscii(this.context.arena, this.#owedEnd, text);
  }

  #takeOwedBuffer(): boolean {
    this.#owed = this.context.buffers.take();
    this.#owedSent = this.#owedEnd = this.#owed === NO_BUFFER ? 0 : this.#owed;
    return this.#owed !== NO_BUFFER;
  }

  /** Keeps bytes as owed that the buffer has no room for. False: they are more than is kept. */
  #oweBeyond(bytes: Uint8Array): boolean {
    const beyond = new Uint8Array(this.#owedBeyond.length + bytes.length);
    if (beyond.length > OWED_BEYOND_MAX) return false;
    beyond.set(this.#owedBeyond);
    beyond.set(bytes, this.#owedBeyond.length);
    this.#owedBeyond = beyond;
    if (this.#owedSent === this.#owedEnd) this.#takeBeyond();
    return true;
  }

  /** Fills the buffer, of which all is sent, with what is owed beyond it. */
  #takeBeyond(): void {
    const count = Math.min(this.#owedBeyond.length, BUFFER_BYTES);
    this.context.arena.set(this.#owedBeyond.subarray(0, count), this.#owed);
    this.#owedSent = this.#owed;
    this.#owedEnd = this.#owed + count;
    this.#owedBeyond = count < this.#owedBeyond.length ? this.#owedBeyond.slice(count) : NOTHING;
  }

  /** Keeps the pieces, without their first `skip` bytes, as owed. */
  #owe(pieces: Pieces, skip: number): boolean {
    if (this.#owed === NO_BUFFER && !this.#takeOwedBuffer()) return false;
    const { arena } = this.context;
    const fits = this.#owedBeyond.length === 0 &&
      this.#owedEnd + pieces.bytes - skip <= this.#owed + BUFFER_BYTES;
    if (!fits) return this.#oweBeyond(pieces.join(arena).subarray(skip));
    for (let i = 0; i < pieces.count; i++) {
      const drop = Math.min(skip, pieces.lengths[i]);
      skip -= drop;
      const from = pieces.offsets[i] + drop;
      const length = pieces.lengths[i] - drop;
      arena.copyWithin(this.#owedEnd, from, from + length);
      this.#owedEnd += length;
    }
    return true;
  }
}

function bytesOfText(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  writeAscii(bytes, 0, text);
  return bytes;
}
