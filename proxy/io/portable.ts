/**
 * The portable driver: the same interface over Deno.listen and Deno.connect, for systems without epoll or
 * without permission for FFI. This file owns descriptors, batches and sweeps; `portable_socket.ts` plays the
 * non-blocking socket.
 */
import { formatIp, parseIp } from "../../base/ip.ts";
import {
  BUFFER_BYTES,
  REPEATED_BATCHES_MAX,
  SPARE_BUFFERS_MAX,
  TLS_HANDSHAKE_MS,
  TLS_HANDSHAKES_MAX,
} from "../limits.ts";
import { IoError } from "./io.ts";
import type { Fd, Handler, Io, ListenerHandler, OriginalDestination, SocketAddress } from "./io.ts";
import { PortableListener, PortableSocket } from "./portable_socket.ts";
import type { EventSource, PortableHost } from "./portable_socket.ts";
import { PortableTlsContext } from "./portable_tls.ts";
import type { TlsContext, TlsSettings, TlsTarget } from "./tls.ts";
import { TIMER_MS_MAX } from "../../base/limits.ts";

interface Address {
  readonly hostname: string;
  readonly port: number;
}

export class PortableIo implements Io, PortableHost {
  readonly kind = "portable";
  readonly arena: Uint8Array<ArrayBuffer>;
  nowMs = performance.now();
  readonly splicer = null;

  readonly #open: (PortableSocket | PortableListener | null)[] = [];
  readonly #freeFds: Fd[] = [];
  /** Connections, not counting listeners: with none there is nothing to sweep. */
  #connections = 0;
  #gathered: Uint8Array[] = [];
  #ready: EventSource[] = [];
  #isBatchDue = false;
  #repeats = 0;
  #sweepTimer: ReturnType<typeof setInterval> | null = null;
  #sweepIntervalMs = -1;
  #sweep: () => void = () => {};
  #wakeAtMs = Infinity;
  #wakeTimer: ReturnType<typeof setTimeout> | undefined;
  #batchEnd: () => void = () => {};
  /** Closed connections that still send what was written to them. */
  readonly #flushing = new Set<Promise<void>>();
  /** When each handshake under way must be done; oldest first. */
  readonly #handshaking = new Map<PortableSocket, number>();
  readonly #spareBuffers: Uint8Array<ArrayBuffer>[] = [];

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
    const fd = this.#enter(new PortableListener(this, listener, handler));
    return { fd, port: listener.addr.port };
  }

  address(address: string, port: number): SocketAddress {
    const ip = parseIp(address);
    if (ip === null) throw new IoError(`Cannot use ${address}: not an IP address`);
    return { hostname: formatIp(ip, 0, ip.length as 4 | 16), port } satisfies Address;
  }

  connect(address: SocketAddress, handler: Handler): Fd {
    const socket = new PortableSocket(this);
    socket.connect(address as Address, handler);
    return this.#enter(socket);
  }

  accepted(connection: Deno.TcpConn): Fd {
    const socket = new PortableSocket(this);
    socket.open(connection);
    return this.#enter(socket);
  }

  watch(fd: Fd, handler: Handler): void {
    this.#socket(fd).watch(handler);
  }

  handOver(fd: Fd, handler: Handler): void {
    this.#socket(fd).handOver(handler);
  }

  /** Deno does not tell. */
  originalDestination(_fd: Fd): OriginalDestination | null {
    return null;
  }

  destination(fd: Fd): OriginalDestination | null {
    const entry = this.#open[fd];
    return entry instanceof PortableSocket ? entry.localPlace : null;
  }

  isOwn(_fd: Fd): boolean {
    return false;
  }

  wantRead(fd: Fd, wanted: boolean): void {
    const entry = this.#open[fd];
    if (entry instanceof PortableSocket) entry.wantRead(wanted);
  }

  comesFirst(): void {}

  unacknowledged(): number {
    return 0;
  }

  wantWrite(fd: Fd, wanted: boolean): void {
    this.#socket(fd).wantWrite(wanted);
  }

  read(fd: Fd, offset: number, length: number): number {
    return this.#socket(fd).read(this.arena, offset, length);
  }

  peek(fd: Fd, offset: number, length: number): number {
    return this.#socket(fd).peek(this.arena, offset, length);
  }

  gather(offset: number, length: number): void {
    this.#gathered.push(this.arena.subarray(offset, offset + length));
  }

  write(fd: Fd): number {
    const count = this.#socket(fd).write(this.#gathered);
    this.#gathered.length = 0;
    return count;
  }

  shutdown(fd: Fd): void {
    this.#socket(fd).shutdown();
  }

  close(fd: Fd): void {
    const entry = this.#open[fd];
    if (entry === null || entry === undefined) return;
    this.#open[fd] = null;
    this.#freeFds.push(fd);
    if (entry instanceof PortableSocket) {
      this.#connections--;
      this.#setSweeping();
    }
    const flushed = entry.close();
    if (flushed === null) return;
    this.#flushing.add(flushed);
    flushed.then(() => this.#flushing.delete(flushed));
  }

  reset(fd: Fd): void {
    this.#socket(fd).cut();
    this.close(fd);
  }

  tls(settings: TlsSettings): TlsContext {
    return new PortableTlsContext(settings);
  }

  secure(fd: Fd, context: TlsContext, target: TlsTarget | null): void {
    if (!(context instanceof PortableTlsContext)) throw new Error("A context of another driver");
    if (this.#handshaking.size >= TLS_HANDSHAKES_MAX) {
      for (const oldest of this.#handshaking.keys()) {
        oldest.failHandshake({ code: "tls-crowded", detail: "Too many handshakes at once" });
        break;
      }
    }
    const socket = this.#socket(fd);
    this.#handshaking.set(socket, this.nowMs + TLS_HANDSHAKE_MS);
    socket.secure((raw) => context.start(raw, target));
  }

  handshakeEnded(socket: PortableSocket): void {
    this.#handshaking.delete(socket);
  }

  onSweep(intervalMs: number, sweep: () => void): void {
    this.#sweepIntervalMs = intervalMs;
    this.#sweep = sweep;
    this.#setSweeping();
  }

  wakeBy(atMs: number): void {
    if (atMs >= this.#wakeAtMs) return;
    clearTimeout(this.#wakeTimer);
    this.#wakeAtMs = atMs;
    this.#wakeTimer = setTimeout(() => {
      this.#wakeAtMs = Infinity;
      this.nowMs = performance.now();
      if (this.#connections > 0) this.#sweep();
      this.#batchEnd();
    }, Math.min(Math.max(0, Math.ceil(atMs - this.nowMs)), TIMER_MS_MAX));
  }

  onBatchEnd(done: () => void): void {
    this.#batchEnd = done;
  }

  stop(): void {
    clearTimeout(this.#wakeTimer);
    for (let fd = 0; fd < this.#open.length; fd++) this.close(fd);
  }

  /** Resolves once closed connections have sent what was written to them, or could not; await it before exiting. */
  async flushed(): Promise<void> {
    while (this.#flushing.size > 0) await Promise.all(this.#flushing);
  }

  /**
   * Puts a source into the next batch. The events of one turn of Deno's loop come together: the batch runs in a
   * microtask after theirs. What only repeats an event (level-triggered) now and then waits for a turn instead,
   * so that a handler that leaves its bytes unread cannot lock everything else out.
   */
  enqueue(source: EventSource, isRepeat: boolean): void {
    if (!isRepeat) this.#repeats = 0;
    this.#ready.push(source);
    if (this.#isBatchDue) return;
    this.#isBatchDue = true;
    if (isRepeat && ++this.#repeats > REPEATED_BATCHES_MAX) setTimeout(() => this.#runBatch(), 0);
    else queueMicrotask(() => this.#runBatch());
  }

  takeBuffer(): Uint8Array<ArrayBuffer> {
    return this.#spareBuffers.pop() ?? new Uint8Array(BUFFER_BYTES);
  }

  giveBuffer(buffer: Uint8Array<ArrayBuffer>): void {
    if (this.#spareBuffers.length < SPARE_BUFFERS_MAX) this.#spareBuffers.push(buffer);
  }

  #runBatch(): void {
    this.#isBatchDue = false;
    this.nowMs = performance.now();
    const ready = this.#ready;
    this.#ready = [];
    for (const source of ready) source.deliver();
    this.#batchEnd();
  }

  #setSweeping(): void {
    const isWanted = this.#connections > 0 && this.#sweepIntervalMs >= 0;
    if (isWanted === (this.#sweepTimer !== null)) return;
    if (this.#sweepTimer !== null) {
      clearInterval(this.#sweepTimer);
      this.#sweepTimer = null;
      return;
    }
    this.#sweepTimer = setInterval(() => {
      this.nowMs = performance.now();
      this.#sweepHandshakes();
      this.#sweep();
      this.#batchEnd();
    }, this.#sweepIntervalMs);
  }

  #sweepHandshakes(): void {
    for (const [socket, deadlineMs] of this.#handshaking) {
      if (this.nowMs < deadlineMs) return;
      socket.failHandshake({ code: "tls-timeout", detail: "Handshake took too long" });
    }
  }

  #enter(entry: PortableSocket | PortableListener): Fd {
    const fd = this.#freeFds.pop() ?? this.#open.length;
    this.#open[fd] = entry;
    if (entry instanceof PortableSocket) {
      this.#connections++;
      this.#setSweeping();
    }
    return fd;
  }

  #socket(fd: Fd): PortableSocket {
    const entry = this.#open[fd];
    if (!(entry instanceof PortableSocket)) throw new Error(`Descriptor ${fd} is no connection`);
    return entry;
  }
}
