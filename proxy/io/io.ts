/**
 * Io: everything the data plane needs of an operating system, as non-blocking calls and events. Two drivers
 * implement it: `epoll.ts` (Linux) and `portable.ts`. Both pass the cases in `io_cases.ts`.
 *
 * No promise and no buffer crosses this interface: bytes live in one arena and are named by offset and length.
 */

import type { TlsContext, TlsFailure, TlsInfo, TlsSettings, TlsTarget } from "./tls.ts";

/** A connection or listener, named by a small non-negative integer that is reused after `close`. */
export type Fd = number;

/** `read`: the peer has sent everything it will send. */
export const END = 0;
/** `read`, `write`: nothing can be moved now; an event will say when. */
export const AGAIN = -1;
/** `read`, `write`: the connection is of no more use; close it. */
export const BROKEN = -2;

/** What a connection is told. A handler may close any connection, its own included, in any call. */
export interface Handler {
  /** Bytes or the end of the stream may be read. Comes again while some are left and reading is wanted. */
  onReadable(): void;
  /** Comes after a write that took less than it was given, or when a connection is established. */
  onWritable(): void;
  /** Nothing more can be read or written (reset, refused). `failure`: there is no TLS with the peer, and why. */
  onHangup(failure?: TlsFailure): void;
  /** A handler threw: a defect of Weft, which must cost this connection and no other. */
  onFault(error: unknown): void;
  /** The TLS handshake is done, and its peer known. What else it is told comes after that. */
  onSecured?(info: TlsInfo): void;
}

export interface ListenerHandler {
  /** `fd` is not watched until `watch` is called. `peer` is the client's IP address. */
  onAccept(fd: Fd, peer: string): void;
  /** `onAccept` threw. Its connection has been closed; the listener goes on. */
  onFault(error: unknown): void;
}

/** Where a client meant to connect to, before its connection was redirected to this process. */
export interface OriginalDestination {
  readonly address: string;
  readonly port: number;
}

/** An address made ready for `connect`; opaque to everything but its driver. */
export type SocketAddress = unknown;

/** Thrown by `listen` and `address`; `message` is fit for a user. */
export class IoError extends Error {
  override readonly name = "IoError";
}

/** A pipe of the kernel: bytes on their way from one connection to another that never come by the arena. */
export interface SplicePipe {
  /** How many bytes are in it. */
  readonly held: number;
}

/** Moves bytes through pipes of the kernel. */
export interface Splicer {
  /** Whether bytes of this connection can go through pipes: not where TLS is on it. */
  canMove(fd: Fd): boolean;
  /** Lends an empty pipe; null: there is none to be had now. */
  take(): SplicePipe | null;
  /** Takes it back. What is still in it is lost. */
  give(pipe: SplicePipe): void;
  /** As `Io.read`, into an empty pipe. */
  read(fd: Fd, pipe: SplicePipe, length: number): number;
  /** As `Io.write`, of what is in the pipe. */
  write(fd: Fd, pipe: SplicePipe): number;
}

export interface Io {
  readonly kind: "native" | "portable";
  /** The arena. Its buffers are handed out by `BufferPool`; `read` and `write` move bytes of it. */
  readonly arena: Uint8Array;
  /** Monotonic milliseconds, read once for each batch of events. */
  readonly nowMs: number;
  /** Null: bytes can only go by the arena. */
  readonly splicer: Splicer | null;

  /**
   * Listens on an IP address. Port 0 takes a free port.
   * @throws {IoError} the address cannot be had.
   */
  listen(address: string, port: number, handler: ListenerHandler): { fd: Fd; port: number };
  /** @throws {IoError} `address` is not an IP address. */
  address(address: string, port: number): SocketAddress;
  /** Starts to connect; `onWritable` says it is done, `onHangup` that it failed. `BROKEN`: failed at once. */
  connect(address: SocketAddress, handler: Handler): Fd;
  /** Starts to deliver events of an accepted connection, readable events first. */
  watch(fd: Fd, handler: Handler): void;
  /** Delivers the events of a watched connection to another handler, as if it were watched anew. */
  handOver(fd: Fd, handler: Handler): void;
  /**
   * Where the client of an accepted connection meant to connect to; null if it was not redirected here, or where
   * the driver cannot tell.
   */
  originalDestination(fd: Fd): OriginalDestination | null;
  /**
   * Where the client of an accepted connection connected to, redirected or not, as far as this machine knows; null if it is closed, or the
   * driver cannot tell.
   */
  destination(fd: Fd): OriginalDestination | null;
  /**
   * Whether the other end of an accepted connection is one that this Io opened with `connect`; false if the driver
   * cannot tell.
   */
  isOwn(fd: Fd): boolean;
  /** Whether `onReadable` is wanted. Off is back-pressure: the peer's sending stalls. */
  wantRead(fd: Fd, wanted: boolean): void;
  /**
   * Whether the events of a connection are delivered before those of others in the same batch: its end has to be seen before anything
   * else in the batch uses it. The portable driver has no batches.
   */
  comesFirst(fd: Fd, isFirst: boolean): void;
  /** Whether `onWritable` is wanted. */
  wantWrite(fd: Fd, wanted: boolean): void;

  /** Reads at most `length` bytes into the arena at `offset`: a count, `END`, `AGAIN` or `BROKEN`. */
  read(fd: Fd, offset: number, length: number): number;
  /** As `read`, but what it gives stays to be read. */
  peek(fd: Fd, offset: number, length: number): number;
  /** Adds a piece of the arena to the next `write`. At most `DRIVER_PIECES_MAX` pieces. */
  gather(offset: number, length: number): void;
  /** Writes the gathered pieces, and forgets them: a count, `AGAIN` or `BROKEN`. */
  write(fd: Fd): number;
  /** Bytes that were written and that the peer's system has not said it has (RFC 9293 3.4); 0 where the driver cannot tell. */
  unacknowledged(fd: Fd): number;
  /** Tells the peer that nothing more will be sent; reading goes on. */
  shutdown(fd: Fd): void;
  close(fd: Fd): void;
  /**
   * As `close`, but tells the peer that what it was sent is not all (RST); what it has not got yet is dropped. The
   * portable driver cannot, and closes.
   */
  reset(fd: Fd): void;

  /**
   * Makes certificates ready for `secure`.
   * @throws {IoError} they are of no use, or there is no TLS on this machine.
   */
  tls(settings: TlsSettings): TlsContext;
  /**
   * Puts TLS on a connection that is watched or being made, before anything is read of it or written to it. Its handler is told nothing until `onSecured`, or
   * `onHangup`. From then on `shutdown` and `close` tell the peer that the end is meant (close_notify); a stream that
   * ends without it is `BROKEN`, not `END`. `target` is whom a client wants to talk to.
   */
  secure(fd: Fd, context: TlsContext, target: TlsTarget | null): void;

  /** Calls `sweep` about every `intervalMs` while connections are open. */
  onSweep(intervalMs: number, sweep: () => void): void;
  /** Calls `sweep` no later than `atMs`, once, while connections are open; of several moments the soonest counts. */
  wakeBy(atMs: number): void;
  /** Calls `done` after each batch of events. */
  onBatchEnd(done: () => void): void;
  /** Closes everything that is open and ends the loop. */
  stop(): void;
}
