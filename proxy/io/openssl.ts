/**
 * OpensslTransport: TLS of one event loop. It owns what its connections share: the place where a record is put together,
 * the queue of those that have bytes the kernel does not know of, and the bounds of handshakes.
 */
import {
  BUFFER_BYTES,
  TLS_FLUSH_MS,
  TLS_HANDSHAKE_MS,
  TLS_HANDSHAKES_MAX,
  TLS_HANDSHAKES_TURN_MAX,
} from "../limits.ts";
import { IoError } from "./io.ts";
import type { Fd, Handler } from "./io.ts";
import { openOpenssl, pointerTo } from "./libc_openssl.ts";
import type { Openssl, Pointer } from "./libc_openssl.ts";
import { OpensslContext } from "./openssl_context.ts";
import { OpensslSocket } from "./openssl_socket.ts";
import type { SocketTransport } from "./openssl_socket.ts";
import type { TlsContext, TlsSettings, TlsTarget } from "./tls.ts";

/** What the loop does for the connections under TLS. */
interface OpensslHost {
  readonly arena: Uint8Array<ArrayBuffer>;
  readonly nowMs: number;
  /** Where in the arena records are put together: `BUFFER_BYTES` that nothing else uses. */
  readonly stagingOffset: number;
  /** Copies the gathered pieces, without their first `skip` bytes, to the arena at `offset`: at most `length` bytes. */
  copyGathered(skip: number, offset: number, length: number): number;
  /** What the kernel is to tell of a descriptor. */
  watch(fd: Fd, readable: boolean, writable: boolean): void;
  /** Closes a descriptor for good. */
  release(fd: Fd): void;
}

export class OpensslTransport implements SocketTransport {
  readonly openssl: Openssl;
  readonly staging: Pointer;
  readonly #host: OpensslHost;
  /** Oldest first: all have the same time. */
  readonly #handshaking = new Set<OpensslSocket>();
  readonly #lingering = new Set<OpensslSocket>();
  #pending: OpensslSocket[] = [];
  #handshakesLeft = TLS_HANDSHAKES_TURN_MAX;

  /** @throws {IoError} this machine has no OpenSSL 3 */
  constructor(host: OpensslHost) {
    this.#host = host;
    try {
      this.openssl = openOpenssl();
    } catch (error) {
      throw new IoError(error instanceof Error ? error.message : String(error));
    }
    const { arena, stagingOffset } = host;
    this.staging = pointerTo(arena.subarray(stagingOffset, stagingOffset + BUFFER_BYTES));
  }

  /** @throws {IoError} the certificates are of no use */
  context(settings: TlsSettings): TlsContext {
    return new OpensslContext(this.openssl, settings);
  }

  /** Puts TLS on a connection; the result takes its events from now on. */
  open(fd: Fd, handler: Handler, context: TlsContext, target: TlsTarget | null): OpensslSocket {
    if (this.#handshaking.size >= TLS_HANDSHAKES_MAX) {
      for (const oldest of this.#handshaking) {
        deliver(oldest, () => oldest.onCrowdedOut());
        break;
      }
    }
    if (!(context instanceof OpensslContext)) throw new Error("A context of another driver");
    const deadlineMs = this.#host.nowMs + TLS_HANDSHAKE_MS;
    const socket = new OpensslSocket(this, fd, handler, context, target, deadlineMs);
    this.#handshaking.add(socket);
    return socket;
  }

  /** Some connections have bytes to read that no event will tell of. */
  get hasPending(): boolean {
    return this.#pending.length > 0;
  }

  /** Some connections still send what they were given before they were closed. */
  get isLingering(): boolean {
    return this.#lingering.size > 0;
  }

  /** After the events of a turn. */
  turnEnded(): void {
    this.#handshakesLeft = TLS_HANDSHAKES_TURN_MAX;
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    for (const socket of pending) {
      deliver(socket, () => socket.deliverPending());
    }
  }

  /** Ends what has taken too long. */
  sweep(): void {
    const { nowMs } = this.#host;
    for (const sockets of [this.#handshaking, this.#lingering]) {
      for (const socket of sockets) {
        if (nowMs < socket.deadlineMs) break;
        deliver(socket, () => socket.onDeadline());
      }
    }
  }

  // For its connections.

  mayHandshake(): boolean {
    return this.#handshakesLeft-- > 0;
  }

  handshakeEnded(socket: OpensslSocket): void {
    if (this.#handshaking.delete(socket)) return;
    this.#lingering.delete(socket);
  }

  linger(socket: OpensslSocket): void {
    socket.deadlineMs = this.#host.nowMs + TLS_FLUSH_MS;
    this.#lingering.add(socket);
  }

  enqueue(socket: OpensslSocket): void {
    if (socket.isQueued) return;
    socket.isQueued = true;
    this.#pending.push(socket);
  }

  stage(skip: number, length: number): number {
    return this.#host.copyGathered(skip, this.#host.stagingOffset, length);
  }

  unstage(offset: number, length: number): void {
    const { arena, stagingOffset } = this.#host;
    arena.copyWithin(offset, stagingOffset, stagingOffset + length);
  }

  watch(fd: Fd, readable: boolean, writable: boolean): void {
    this.#host.watch(fd, readable, writable);
  }

  release(fd: Fd): void {
    this.#host.release(fd);
  }
}

/** Tells a connection something outside of its own events: a defect costs that one. */
function deliver(socket: OpensslSocket, tell: () => void): void {
  try {
    tell();
  } catch (error) {
    socket.onFault(error);
  }
}
