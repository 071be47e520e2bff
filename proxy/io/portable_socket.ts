/**
 * Non-blocking sockets played over Deno's promises: a read is started ahead into a buffer of its own, a write is
 * copied and goes on in the background. Every promise ends here; none can be rejected without being handled.
 */
import { ACCEPT_PAUSE_MS, FLUSH_MS, WRITE_BYTES_MAX } from "../limits.ts";
import { AGAIN, BROKEN, END } from "./io.ts";
import type { Fd, Handler, ListenerHandler, OriginalDestination } from "./io.ts";
import type { ByteStream, Handshake } from "./portable_tls.ts";
import type { TlsFailure, TlsInfo } from "./tls.ts";

/** What an idle connection waits with; one that sends more is read with `BUFFER_BYTES`. */
const PROBE_BYTES = 2_048;

/** Something that may have events to deliver. It is in a batch at most once. */
export interface EventSource {
  deliver(): void;
}

/** What the driver does for its sockets. */
export interface PortableHost {
  /** Names an accepted connection. */
  accepted(connection: Deno.TcpConn): Fd;
  close(fd: Fd): void;
  /** Puts a source into the next batch; `isRepeat`: it only says again what is known. */
  enqueue(source: EventSource, isRepeat: boolean): void;
  /** A handshake came to an end of either kind. */
  handshakeEnded(socket: PortableSocket): void;
  /** A large read buffer, to be given back. */
  takeBuffer(): Uint8Array<ArrayBuffer>;
  giveBuffer(buffer: Uint8Array<ArrayBuffer>): void;
}

export class PortableListener implements EventSource {
  readonly #io: PortableHost;
  readonly #listener: Deno.TcpListener;
  readonly #handler: ListenerHandler;
  #isOpen = true;
  #accepted: Deno.TcpConn[] = [];
  #pause: { readonly timer: ReturnType<typeof setTimeout>; resume(): void } | null = null;

  constructor(io: PortableHost, listener: Deno.TcpListener, handler: ListenerHandler) {
    this.#io = io;
    this.#listener = listener;
    this.#handler = handler;
    this.#run();
  }

  deliver(): void {
    for (const connection of this.#accepted.splice(0)) {
      if (!this.#isOpen) {
        connection.close();
        continue;
      }
      const fd = this.#io.accepted(connection);
      try {
        this.#handler.onAccept(fd, connection.remoteAddr.hostname);
      } catch (error) {
        this.#io.close(fd);
        this.#handler.onFault(error);
      }
    }
  }

  close(): null {
    this.#isOpen = false;
    this.#listener.close();
    if (this.#pause !== null) {
      clearTimeout(this.#pause.timer);
      this.#pause.resume();
    }
    return null;
  }

  async #run(): Promise<void> {
    while (this.#isOpen) {
      try {
        const connection = await this.#listener.accept();
        this.#accepted.push(connection);
        if (this.#accepted.length === 1) this.#io.enqueue(this, false);
      } catch {
        if (!this.#isOpen) return;
        await new Promise<void>((resume) => {
          this.#pause = { timer: setTimeout(resume, ACCEPT_PAUSE_MS), resume };
        });
        this.#pause = null;
      }
    }
  }
}

export class PortableSocket implements EventSource {
  readonly #io: PortableHost;
  #handler: Handler | null = null;
  /** Null: not yet established, or closed. */
  #connection: ByteStream | null = null;
  /** Where an accepted connection came in; null: it was opened here. */
  localPlace: OriginalDestination | null = null;
  #connecting: AbortController | null = null;
  #isOpen = true;
  #isQueued = false;
  #isBroken = false;
  /** Nothing more can be sent; what the peer sent before may still be read. */
  #isSendBroken = false;
  #isHangupTold = false;
  #wantsRead = true;
  #wantsWrite = false;

  /** The small buffer, kept, and the large one, held only while the connection sends much. */
  #probe: Uint8Array<ArrayBuffer> | null = null;
  #large: Uint8Array<ArrayBuffer> | null = null;
  /** What has been read ahead is `#input`, from `#inputStart` to `#inputEnd`. */
  #input: Uint8Array<ArrayBuffer> | null = null;
  #inputStart = 0;
  #inputEnd = 0;
  #hasEnded = false;
  #isReading = false;

  /** The background write under way; until it is done no more is taken. */
  #writing: Promise<void> | null = null;
  #isShutdownDue = false;

  /** Puts TLS on a connection that is yet to be established. */
  #securing: ((raw: ByteStream) => Handshake) | null = null;
  #handshake: Handshake | null = null;
  /** What came of the handshake and is yet to be told. */
  #info: TlsInfo | null = null;
  #failure: TlsFailure | null = null;
  /** The read under way, and into what. */
  #reading: { readonly count: Promise<number | null>; readonly buffer: Uint8Array } | null = null;

  constructor(io: PortableHost) {
    this.#io = io;
  }

  connect(address: { hostname: string; port: number }, handler: Handler): void {
    this.#handler = handler;
    this.#wantsWrite = true;
    this.#connecting = new AbortController();
    this.#connect({ ...address, signal: this.#connecting.signal });
  }

  /** Takes over an established connection. */
  open(connection: Deno.TcpConn): void {
    const { hostname, port } = connection.localAddr;
    this.#connection = connection;
    this.localPlace = { address: hostname, port };
    try {
      connection.setNoDelay(true);
      // As often as the system does by default, mostly after two hours.
      connection.setKeepAlive(true);
    } catch {
      // Already reset by the peer; the next read says so.
    }
  }

  watch(handler: Handler): void {
    this.#handler = handler;
    this.#readAhead();
  }

  /** Nothing is told, read or written until the handshake that `start` makes is done. */
  secure(start: (raw: ByteStream) => Handshake): void {
    if (this.#connection === null) this.#securing = start;
    else this.#startHandshake(this.#connection, start);
  }

  failHandshake(failure: TlsFailure): void {
    if (this.#handshake === null && this.#securing === null) return;
    this.#io.handshakeEnded(this);
    this.#securing = null;
    this.#handshake?.abort();
    this.#handshake = null;
    this.#failure = failure;
    this.#isBroken = true;
    this.#enqueueIfDue(false);
  }

  handOver(handler: Handler): void {
    this.#handler = handler;
    this.wantWrite(false);
    this.wantRead(true);
    this.#enqueueIfDue(false);
  }

  wantRead(wanted: boolean): void {
    if (this.#wantsRead === wanted) return;
    this.#wantsRead = wanted;
    this.#isHangupTold = false;
    if (wanted) this.#readAhead();
    this.#enqueueIfDue(true);
  }

  wantWrite(wanted: boolean): void {
    if (this.#wantsWrite === wanted) return;
    this.#wantsWrite = wanted;
    this.#isHangupTold = false;
    this.#enqueueIfDue(true);
  }

  read(target: Uint8Array, offset: number, length: number): number {
    const held = this.#inputEnd - this.#inputStart;
    const count = this.peek(target, offset, length);
    if (count <= 0) return count;
    this.#inputStart += count;
    if (count === held) this.#readAhead();
    return count;
  }

  peek(target: Uint8Array, offset: number, length: number): number {
    const held = this.#inputEnd - this.#inputStart;
    if (held === 0 || this.#input === null) {
      return this.#isBroken ? BROKEN : this.#hasEnded ? END : AGAIN;
    }
    const count = Math.min(held, length);
    target.set(this.#input.subarray(this.#inputStart, this.#inputStart + count), offset);
    return count;
  }

  write(pieces: readonly Uint8Array[]): number {
    if (this.#isBroken || this.#isSendBroken) return BROKEN;
    if (this.#connection === null || this.#writing !== null) return AGAIN;
    let length = 0;
    for (const piece of pieces) length += piece.length;
    const bytes = new Uint8Array(Math.min(length, WRITE_BYTES_MAX));
    let at = 0;
    for (const piece of pieces) {
      const part = piece.length <= bytes.length - at ? piece : piece.subarray(0, bytes.length - at);
      bytes.set(part, at);
      at += part.length;
    }
    this.#writing = this.#writeAll(this.#connection, bytes);
    return bytes.length;
  }

  shutdown(): void {
    this.#isShutdownDue = true;
    if (this.#writing === null) this.#shutdownNow();
  }

  /** Drops what is not sent, where the peer can be kept from taking that for all. `close` comes after it. */
  cut(): void {
    if (this.#connection?.cut === undefined) return;
    this.#connection.cut();
    this.#connection = null;
    this.#writing = null;
  }

  /** Null, or what resolves when the last bytes are sent: they must still go out. */
  close(): Promise<void> | null {
    this.#isOpen = false;
    this.#handler = null;
    this.#connecting?.abort();
    this.#io.handshakeEnded(this);
    this.#handshake?.abort();
    if (this.#writing === null) {
      this.#closeNow();
      return null;
    }
    const limit = setTimeout(() => this.#closeNow(), FLUSH_MS);
    return this.#writing.then(() => {
      clearTimeout(limit);
      this.#closeNow();
    });
  }

  /** Readable events first, as the native driver does. */
  deliver(): void {
    this.#isQueued = false;
    const handler = this.#handler;
    if (handler === null) return;
    try {
      this.#tellOfTls(handler);
      if (!this.#isOpen) return;
      if (this.#isReadable) handler.onReadable();
      else if (this.#isHangupDue) {
        this.#isHangupTold = true;
        handler.onHangup();
        return;
      }
      if (this.#isOpen && this.#isWritable) handler.onWritable();
    } catch (error) {
      handler.onFault(error);
    }
    this.#enqueueIfDue(true);
  }

  #tellOfTls(handler: Handler): void {
    const info = this.#info;
    const failure = this.#failure;
    this.#info = null;
    this.#failure = null;
    if (info !== null) handler.onSecured?.(info);
    if (failure === null) return;
    this.#isHangupTold = true;
    this.#wantsRead = false;
    handler.onHangup(failure);
  }

  get #isReadable(): boolean {
    return this.#wantsRead &&
      (this.#inputStart < this.#inputEnd || this.#hasEnded || this.#isBroken);
  }

  get #isWritable(): boolean {
    return this.#wantsWrite && this.#connection !== null && this.#writing === null &&
      !this.#isBroken && !this.#isSendBroken;
  }

  get #isHangupDue(): boolean {
    // Where reading is wanted, it will find out by itself.
    return !this.#isHangupTold && (this.#isBroken || (this.#isSendBroken && !this.#wantsRead));
  }

  /** @param isRepeat nothing new has come from the system */
  #enqueueIfDue(isRepeat: boolean): void {
    if (this.#isQueued || !this.#isOpen || this.#handler === null) return;
    const isTlsDue = this.#info !== null || this.#failure !== null;
    if (!isTlsDue && !this.#isReadable && !this.#isWritable && !this.#isHangupDue) return;
    this.#isQueued = true;
    this.#io.enqueue(this, isRepeat);
  }

  async #connect(options: Deno.ConnectOptions): Promise<void> {
    try {
      const connection = await Deno.connect(options);
      if (!this.#isOpen) return connection.close();
      this.open(connection);
      if (this.#securing !== null) this.#startHandshake(connection, this.#securing);
      else this.#readAhead();
    } catch {
      this.#isBroken = true;
      this.#securing = null;
      this.#io.handshakeEnded(this);
    }
    this.#connecting = null;
    this.#enqueueIfDue(false);
  }

  async #readAhead(): Promise<void> {
    const connection = this.#connection;
    if (this.#isReading || connection === null || !this.#isOpen) return;
    if (this.#inputStart < this.#inputEnd || this.#hasEnded || this.#isBroken) return;
    this.#isReading = true;
    const buffer = this.#nextBuffer();
    const reading = { count: connection.read(buffer), buffer };
    this.#reading = reading;
    try {
      const count = await reading.count;
      // TLS was put on the connection meanwhile: they are bytes of the handshake.
      if (this.#reading !== reading) return;
      this.#input = buffer;
      this.#inputStart = 0;
      this.#inputEnd = count ?? 0;
      this.#hasEnded = count === null;
    } catch {
      if (this.#reading !== reading) return;
      this.#isBroken = true;
    }
    this.#reading = null;
    this.#isReading = false;
    if (this.#isOpen) this.#enqueueIfDue(false);
    else this.#giveLarge();
  }

  /** A small one, unless the last one was filled. */
  #nextBuffer(): Uint8Array<ArrayBuffer> {
    if (this.#input !== null && this.#inputEnd >= PROBE_BYTES) {
      this.#large ??= this.#io.takeBuffer();
      return this.#large;
    }
    this.#giveLarge();
    this.#probe ??= new Uint8Array(PROBE_BYTES);
    return this.#probe;
  }

  #giveLarge(): void {
    if (this.#large !== null) this.#io.giveBuffer(this.#large);
    this.#large = null;
  }

  /** Takes the connection away until its handshake is done, with what has been read of it. */
  #startHandshake(connection: ByteStream, start: (raw: ByteStream) => Handshake): void {
    this.#securing = null;
    const held = this.#input?.slice(this.#inputStart, this.#inputEnd);
    const raw = new RawStream(connection, held ?? new Uint8Array(0), this.#reading);
    this.#connection = null;
    this.#reading = null;
    this.#isReading = false;
    this.#probe = this.#large = this.#input = null;
    this.#inputStart = this.#inputEnd = 0;
    const handshake = start(raw);
    this.#handshake = handshake;
    handshake.result.then((result) => this.#onHandshake(handshake, result));
  }

  #onHandshake(handshake: Handshake, result: Awaited<Handshake["result"]>): void {
    if (this.#handshake !== handshake || !this.#isOpen) {
      if ("stream" in result) result.stream.close();
      return;
    }
    if (!("stream" in result)) return this.failHandshake(result);
    this.#handshake = null;
    this.#io.handshakeEnded(this);
    this.#connection = result.stream;
    this.#info = result.info;
    this.#readAhead();
    this.#enqueueIfDue(false);
  }

  async #writeAll(connection: ByteStream, bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    } catch {
      this.#isSendBroken = true;
    }
    this.#writing = null;
    if (!this.#isOpen) return;
    if (this.#isShutdownDue) this.#shutdownNow();
    this.#enqueueIfDue(false);
  }

  #shutdownNow(): void {
    this.#isShutdownDue = false;
    this.#connection?.closeWrite().catch(() => {});
  }

  #closeNow(): void {
    const connection = this.#connection;
    this.#connection = null;
    // A read under way still has the large buffer.
    if (!this.#isReading) this.#giveLarge();
    try {
      connection?.close();
    } catch {
      // Closed already.
    }
  }
}

/** A connection of which something has been read: gives that first. */
class RawStream implements ByteStream {
  readonly #connection: ByteStream;
  #held: Uint8Array;
  #reading: { readonly count: Promise<number | null>; readonly buffer: Uint8Array } | null;

  constructor(
    connection: ByteStream,
    held: Uint8Array,
    reading: { readonly count: Promise<number | null>; readonly buffer: Uint8Array } | null,
  ) {
    this.#connection = connection;
    this.#held = held;
    this.#reading = reading;
  }

  async read(target: Uint8Array): Promise<number | null> {
    if (this.#held.length === 0 && this.#reading !== null) {
      const { count, buffer } = this.#reading;
      this.#reading = null;
      const length = await count;
      if (length === null) return null;
      this.#held = buffer.subarray(0, length);
    }
    if (this.#held.length === 0) return await this.#connection.read(target);
    const count = Math.min(this.#held.length, target.length);
    target.set(this.#held.subarray(0, count));
    this.#held = this.#held.subarray(count);
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#connection.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#connection.closeWrite();
  }

  close(): void {
    try {
      this.#connection.close();
    } catch {
      // Closed already.
    }
  }
}
