/**
 * Pipes of the kernel, which bytes go through from one connection to another without being copied into this process (splice(2)).
 * Owns their descriptors and how many there may be; whose bytes they are is for others to say.
 */
import { SPLICE_PIPE_BYTES, SPLICE_PIPES_KEPT, SPLICE_PIPES_MAX } from "../limits.ts";
import { AGAIN, BROKEN } from "./io.ts";
import type { Fd, SplicePipe, Splicer } from "./io.ts";
import * as libc from "./libc.ts";

const PIPE_FLAGS = libc.O_CLOEXEC | libc.O_NONBLOCK;

class KernelPipe implements SplicePipe {
  readonly #c: libc.Libc;
  readonly #readEnd: Fd;
  readonly #writeEnd: Fd;
  held = 0;

  constructor(c: libc.Libc, readEnd: Fd, writeEnd: Fd) {
    this.#c = c;
    this.#readEnd = readEnd;
    this.#writeEnd = writeEnd;
  }

  /** What splice gives: a count, 0 at the end of the stream, or -1. */
  takeFrom(fd: Fd, length: number): number {
    const count = this.#c.splice(fd, 0, this.#writeEnd, 0, length, libc.SPLICE_F_NONBLOCK);
    if (count > 0) this.held += count;
    return count;
  }

  /** A count, or -1. Who ignores SIGPIPE, as Deno does, is told of a lost connection by its events. */
  giveTo(fd: Fd): number {
    const count = this.#c.splice(this.#readEnd, 0, fd, 0, this.held, libc.SPLICE_F_NONBLOCK);
    if (count > 0) this.held -= count;
    return count;
  }

  close(): void {
    this.#c.close(this.#readEnd);
    this.#c.close(this.#writeEnd);
  }
}

/** What of connections the driver knows. */
interface Connections {
  isSecured(fd: Fd): boolean;
  /** A hang-up or an error of it has been reported. */
  isGone(fd: Fd): boolean;
}

export class KernelSplicer implements Splicer {
  readonly #c: libc.Libc;
  readonly #connections: Connections;
  readonly #kept: KernelPipe[] = [];
  readonly #ends = new Int32Array(2);
  readonly #endBytes = new Uint8Array(this.#ends.buffer);
  #lentCount = 0;
  /** The kernel gives this user no pipe that is worth it. */
  #isDenied = false;

  constructor(c: libc.Libc, connections: Connections) {
    this.#c = c;
    this.#connections = connections;
  }

  canMove(fd: Fd): boolean {
    return !this.#connections.isSecured(fd);
  }

  take(): KernelPipe | null {
    if (this.#lentCount >= SPLICE_PIPES_MAX) return null;
    const pipe = this.#kept.pop() ?? this.#open();
    if (pipe !== null) this.#lentCount++;
    return pipe;
  }

  give(pipe: KernelPipe): void {
    this.#lentCount--;
    if (pipe.held === 0 && this.#kept.length < SPLICE_PIPES_KEPT) this.#kept.push(pipe);
    else pipe.close();
  }

  read(fd: Fd, pipe: KernelPipe, length: number): number {
    const count = pipe.takeFrom(fd, length);
    return count >= 0 ? count : this.#failureOf(fd);
  }

  write(fd: Fd, pipe: KernelPipe): number {
    const count = pipe.giveTo(fd);
    return count > 0 ? count : this.#failureOf(fd);
  }

  /** Closes the pipes that are not on loan. */
  close(): void {
    for (const pipe of this.#kept.splice(0)) pipe.close();
  }

  #failureOf(fd: Fd): number {
    return this.#connections.isGone(fd) ? BROKEN : AGAIN;
  }

  #open(): KernelPipe | null {
    if (this.#isDenied || this.#c.pipe2(this.#endBytes, PIPE_FLAGS) < 0) return null;
    const [readEnd, writeEnd] = this.#ends;
    const pipe = new KernelPipe(this.#c, readEnd, writeEnd);
    // All pipes of one user have a bound, over which they are tiny (pipe-user-pages-soft).
    const bytes = this.#c.fcntl(readEnd, libc.F_SETPIPE_SZ, SPLICE_PIPE_BYTES);
    if (bytes >= SPLICE_PIPE_BYTES) return pipe;
    this.#isDenied = true;
    pipe.close();
    return null;
  }
}
