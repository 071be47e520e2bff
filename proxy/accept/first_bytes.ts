/**
 * FirstBytes: what a client's first bytes say that it speaks. The one mechanism that tells protocols apart before anything
 * is parsed. It reads nothing: what it has looked at is still there to be read.
 */
import { AGAIN, BROKEN, END } from "../io/io.ts";
import type { Fd } from "../io/io.ts";
import { BUFFER_BYTES, DETECTION_MS } from "../limits.ts";
import { NO_BUFFER } from "../loop/arena.ts";
import type { Loop } from "../loop/loop.ts";
import { detectProtocol, type ProtocolName, type Protocols } from "../protocol/mod.ts";
import { serverNameOf } from "../protocol/tls/server_name.ts";

/**
 * `opaque`: bytes of no protocol that was asked for, or too few of them in time; `silent`: none so far; `more`: too few so far;
 * `ended`: none, and none will come.
 */
export type Look = ProtocolName | "opaque" | "silent" | "more" | "ended" | "broken" | "starved";

export class FirstBytes {
  readonly #loop: Loop;
  readonly #fd: Fd;
  readonly #among: Protocols;
  /** When those that have come by then must do; known with the first of them. */
  #limitMs = Infinity;
  /** The one that a TLS client gives; else empty. */
  serverName = "";

  constructor(loop: Loop, fd: Fd, among: Protocols) {
    this.#loop = loop;
    this.#fd = fd;
    this.#among = among;
  }

  look(): Look {
    const { buffers } = this.#loop;
    const offset = buffers.take();
    if (offset === NO_BUFFER) return "starved";
    const look = this.#lookInto(offset);
    buffers.give(offset);
    return look;
  }

  #lookInto(offset: number): Look {
    const { io, arena } = this.#loop;
    const count = io.peek(this.#fd, offset, BUFFER_BYTES);
    if (count === BROKEN) return "broken";
    if (count === END) return "ended";
    if (count === AGAIN && this.#limitMs === Infinity) return "silent";
    this.#limitMs = Math.min(this.#limitMs, io.nowMs + DETECTION_MS);
    const end = offset + Math.max(0, count);
    const isAll = io.nowMs >= this.#limitMs || count === BUFFER_BYTES;
    const detected = detectProtocol(arena, offset, end, isAll, this.#among);
    if (detected === "undecided") return "more";
    if (detected === "tls") this.serverName = serverNameOf(arena, offset, end);
    return detected;
  }
}
