/**
 * The portable driver: the same interface over Deno.listen and Deno.connect, for systems without epoll or
 * without permission for FFI. It plays a non-blocking socket: a read is started ahead into a small buffer of
 * its own, a write is copied and goes on in the background, and events are batched by microtask turns.
 */
import { formatIp, parseIp } from "../../base/ip.ts";
import { BUFFER_BYTES } from "../limits.ts";
import { AGAIN, BROKEN, END, IoError } from "./io.ts";
import type { Fd, Handler, Io, ListenerHandler, SocketAddress } from "./io.ts";

interface Address {
  readonly hostname: string;
  readonly port: number;
}

export class PortableIo implements Io {
  readonly kind = "portable";
  readonly arena: Uint8Array<ArrayBuffer>;
  nowMs = performance.now();

  readonly #sockets: (Socket | Acceptor | null)[] = [];
  readonly #freeFds: Fd[] = [];
  #gathered: Uint8Array[] = [];
  #sweepTimer: ReturnType<typeof setInterval> | undefined;
  #batchEnd: () => void = () => {};
  #ready: (() => void)[] = [];
  #isBatchDue = false;

  constructor(options: { readonly arenaBytes: number }) {
    this.arena = new Uint8Array(options.arenaBytes);
  }

  listen(address: string, port: number, handler: ListenerHandler): { fd: Fd; port: number } {
    this.address(address, port);
    let listener: Deno.TcpListener;
    try {
      listener = Deno.listen({ hostname: address, port });
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      throw new IoError(`Cannot listen on ${address}:${port}: ${cause}`);
    }
    const acceptor = new Acceptor(this, listener, handler);
    const fd = this.#enter(acceptor);
    acceptor.run();
    return { fd, port: listener.addr.port };
  }

  address(address: string, port: number): SocketAddress {
    const ip = parseIp(address);
    if (ip === null) throw new IoError(`Cannot use ${address}: not an IP address`);
    return { hostname: formatIp(ip, 0, ip.length as 4 | 16), port } satisfies Address;
  }

  connect(address: SocketAddress, handler: Handler): Fd {
    const socket = new Socket(this, handler);
    const fd = this.#enter(socket);
    const { hostname, port } = address as Address;
    Deno.connect({ hostname, port }).then(
      (connection) => socket.open(connection),
      () => socket.fail(),
    );
    return fd;
  }

  watch(fd: Fd, handler: Handler): void {
    this.#socket(fd).start(handler);
  }

  wantRead(fd: Fd, wanted: boolean): void {
    this.#socket(fd).wantRead(wanted);
  }

  wantWrite(fd: Fd, wanted: boolean): void {
    this.#socket(fd).wantWrite(wanted);
  }

  read(fd: Fd, offset: number, length: number): number {
    return this.#socket(fd).read(this.arena.subarray(offset, offset + length));
  }

  gather(offset: number, length: number): void {
    this.#gathered.push(this.arena.subarray(offset, offset + length));
  }

  write(fd: Fd): number {
    const pieces = this.#gathered;
    this.#gathered = [];
    return this.#socket(fd).write(pieces);
  }

  shutdown(fd: Fd): void {
    this.#socket(fd).shutdown();
  }

  close(fd: Fd): void {
    this.#sockets[fd]?.close();
    this.#sockets[fd] = null;
    this.#freeFds.push(fd);
  }

  onSweep(intervalMs: number, sweep: () => void): void {
    clearInterval(this.#sweepTimer);
    this.#sweepTimer = setInterval(() => this.deliver(sweep), intervalMs);
  }

  onBatchEnd(done: () => void): void {
    this.#batchEnd = done;
  }

  stop(): void {
    clearInterval(this.#sweepTimer);
    for (const [fd, socket] of this.#sockets.entries()) if (socket !== null) this.close(fd);
  }

  /** Calls `event` in the next batch of events. */
  deliver(event: () => void): void {
    this.#ready.push(event);
    if (this.#isBatchDue) return;
    this.#isBatchDue = true;
    queueMicrotask(() => this.#runBatch());
  }

  /** Names an accepted connection. */
  accepted(connection: Deno.TcpConn): Fd {
    const socket = new Socket(this, null);
    const fd = this.#enter(socket);
    socket.open(connection);
    return fd;
  }

  #runBatch(): void {
    this.#isBatchDue = false;
    this.nowMs = performance.now();
    const ready = this.#ready;
    this.#ready = [];
    for (const event of ready) event();
    this.#batchEnd();
  }

  #enter(socket: Socket | Acceptor): Fd {
    const fd = this.#freeFds.pop() ?? this.#sockets.length;
    this.#sockets[fd] = socket;
    return fd;
  }

  #socket(fd: Fd): Socket {
    const socket = this.#sockets[fd];
    if (!(socket instanceof Socket)) throw new Error(`Descriptor ${fd} is not a connection`);
    return socket;
  }
}

class Acceptor {
  readonly #io: PortableIo;
  readonly #listener: Deno.TcpListener;
  readonly #handler: ListenerHandler;
  #isOpen = true;

  constructor(io: PortableIo, listener: Deno.TcpListener, handler: ListenerHandler) {
    this.#io = io;
    this.#listener = listener;
    this.#handler = handler;
  }

  async run(): Promise<void> {
    while (this.#isOpen) {
      try {
        const connection = await this.#listener.accept();
        this.#io.deliver(() => {
          if (!this.#isOpen) return connection.close();
          this.#handler.onAccept(this.#io.accepted(connection), connection.remoteAddr.hostname);
        });
      } catch {
        // Out of descriptors, or closed; the former passes.
        if (this.#isOpen) await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  close(): void {
    this.#isOpen = false;
    this.#listener.close();
  }
}

class Socket {
  readonly #io: PortableIo;
  #handler: Handler | null;
  #connection: Deno.TcpConn | null = null;
  #isOpen = true;
  #isBroken = false;
  #wantsRead = true;
  /** An outgoing connection is told when it is established. */
  #wantsWrite: boolean;
  /** What has been read ahead: from `#inputStart` to `#inputEnd`. */
  readonly #input = new Uint8Array(BUFFER_BYTES);
  #inputStart = 0;
  #inputEnd = 0;
  #hasEnded = false;
  #isReading = false;
  /** A background write is under way; until it is done no more is taken. */
  #isWriting = false;
  #isShutdownDue = false;
  #isReadableDue = false;

  constructor(io: PortableIo, handler: Handler | null) {
    this.#io = io;
    this.#handler = handler;
    this.#wantsWrite = handler !== null;
  }

  open(connection: Deno.TcpConn): void {
    if (!this.#isOpen) return connection.close();
    this.#connection = connection;
    try {
      connection.setNoDelay(true);
    } catch {
      // Already reset by the peer; the next read says so.
    }
    if (this.#handler !== null) {
      this.#readAhead();
      this.#notifyWritable();
    }
  }

  start(handler: Handler): void {
    this.#handler = handler;
    this.#readAhead();
  }

  fail(): void {
    this.#isBroken = true;
    this.#notify((handler) => this.#wantsRead ? handler.onReadable() : handler.onHangup());
  }

  wantRead(wanted: boolean): void {
    this.#wantsRead = wanted;
    if (!wanted) return;
    if (this.#hasInput) this.#notifyReadable();
    else this.#readAhead();
  }

  wantWrite(wanted: boolean): void {
    const isNew = wanted && !this.#wantsWrite;
    this.#wantsWrite = wanted;
    if (isNew && !this.#isWriting && this.#connection !== null) this.#notifyWritable();
  }

  read(target: Uint8Array): number {
    const held = this.#inputEnd - this.#inputStart;
    if (held === 0) return this.#isBroken ? BROKEN : this.#hasEnded ? END : AGAIN;
    const count = Math.min(held, target.length);
    target.set(this.#input.subarray(this.#inputStart, this.#inputStart + count));
    this.#inputStart += count;
    // Level-triggered: what is left, and the end, are told of again.
    if (this.#inputStart < this.#inputEnd || this.#hasEnded) this.#notifyReadable();
    else this.#readAhead();
    return count;
  }

  write(pieces: Uint8Array[]): number {
    if (this.#isBroken) return BROKEN;
    if (this.#connection === null || this.#isWriting) return AGAIN;
    const length = Math.min(pieces.reduce((sum, piece) => sum + piece.length, 0), 2 * BUFFER_BYTES);
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      const part = piece.subarray(0, length - at);
      bytes.set(part, at);
      at += part.length;
    }
    this.#isWriting = true;
    this.#writeAll(this.#connection, bytes);
    return length;
  }

  shutdown(): void {
    this.#isShutdownDue = true;
    if (!this.#isWriting) this.#shutdownNow();
  }

  close(): void {
    this.#isOpen = false;
    this.#handler = null;
    // What was written must still go out; the background write closes when it is done.
    if (!this.#isWriting) this.#closeNow();
  }

  get #hasInput(): boolean {
    return this.#inputStart < this.#inputEnd || this.#hasEnded || this.#isBroken;
  }

  async #readAhead(): Promise<void> {
    if (this.#isReading || this.#hasInput || this.#connection === null) return;
    this.#isReading = true;
    try {
      const count = await this.#connection.read(this.#input);
      this.#inputStart = 0;
      this.#inputEnd = count ?? 0;
      if (count === null) this.#hasEnded = true;
    } catch {
      this.#isBroken = true;
    }
    this.#isReading = false;
    this.#notifyReadable();
  }

  async #writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    } catch {
      this.#isBroken = true;
    }
    this.#isWriting = false;
    if (!this.#isOpen) return this.#closeNow();
    if (this.#isBroken) {
      return this.#notify((handler) => this.#wantsRead ? handler.onReadable() : handler.onHangup());
    }
    if (this.#isShutdownDue) this.#shutdownNow();
    this.#notifyWritable();
  }

  #shutdownNow(): void {
    this.#isShutdownDue = false;
    this.#connection?.closeWrite().catch(() => {});
  }

  #closeNow(): void {
    try {
      this.#connection?.close();
    } catch {
      // Closed already.
    }
    this.#connection = null;
  }

  #notifyReadable(): void {
    if (this.#isReadableDue || !this.#wantsRead) return;
    this.#isReadableDue = true;
    this.#notify((handler) => {
      this.#isReadableDue = false;
      if (this.#wantsRead && this.#hasInput) handler.onReadable();
    });
  }

  #notifyWritable(): void {
    this.#notify((handler) => {
      if (this.#wantsWrite && !this.#isWriting) handler.onWritable();
    });
  }

  #notify(event: (handler: Handler) => void): void {
    this.#io.deliver(() => {
      const handler = this.#handler;
      if (!this.#isOpen || handler === null) return;
      try {
        event(handler);
      } catch (error) {
        handler.onFault(error);
      }
    });
  }
}
