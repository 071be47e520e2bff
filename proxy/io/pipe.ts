/**
 * Pipe: one way from any thread to an `EpollIo`, which watches its reading end. It is a pair of sockets, so that it
 * is read as any connection is.
 */
import * as libc from "./libc.ts";
import { AGAIN, IoError } from "./io.ts";
import type { Fd } from "./io.ts";

export class Pipe {
  readonly #c = libc.openLibc();
  readonly #ends = new Int32Array(2);

  constructor() {
    const type = libc.SOCK_STREAM | libc.SOCK_NONBLOCK | libc.SOCK_CLOEXEC;
    if (this.#c.socketpair(libc.AF_UNIX, type, 0, new Uint8Array(this.#ends.buffer)) < 0) {
      throw new IoError("Cannot create a pair of sockets");
    }
  }

  get readEnd(): Fd {
    return this.#ends[0];
  }

  /** Writes as much as the pipe takes now: a count, or `AGAIN`. */
  write(bytes: Uint8Array<ArrayBuffer>): number {
    const count = this.#c.send(this.#ends[1], bytes, bytes.length, libc.MSG_NOSIGNAL);
    return count >= 0 ? count : AGAIN;
  }

  /** Closes the writing end; the reader closes its own. */
  close(): void {
    this.#c.close(this.#ends[1]);
  }
}
