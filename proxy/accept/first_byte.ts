/**
 * FirstByte: a connection whose client may do without TLS. One byte tells, which it looks at and does not read.
 */
import { AGAIN, BROKEN, END } from "../io/io.ts";
import type { Fd } from "../io/io.ts";
import { DRAIN_IDLE_MS } from "../limits.ts";
import { NO_BUFFER } from "../loop/arena.ts";
import { Connection } from "../loop/socket.ts";
import type { Context } from "../loop/context.ts";
import { letGo } from "./detecting.ts";

/** A record of a TLS handshake begins with it (RFC 8446 5.1); no request, and no preface of HTTP/2, does. */
const HANDSHAKE = 22;

export class FirstByte extends Connection {
  readonly kind = "client";
  readonly #onKnown: (isTls: boolean) => void;

  /**
   * @param limitMs a client that is silent for as long is taken for one that waits for its server, in plain
   * @param onKnown takes the connection over; it is watched
   */
  constructor(context: Context, fd: Fd, limitMs: number, onKnown: (isTls: boolean) => void) {
    super(context);
    this.fd = fd;
    this.#onKnown = onKnown;
    this.deadlineMs = context.io.nowMs + limitMs;
  }

  override onReadable(): void {
    const { buffers, io, arena } = this.context;
    const offset = buffers.take();
    if (offset === NO_BUFFER) return this.onStarved();
    const count = io.peek(this.fd, offset, 1);
    const isTls = arena[offset] === HANDSHAKE;
    buffers.give(offset);
    if (count === AGAIN) return;
    if (count === BROKEN) return this.close();
    this.#finish(count !== END && isTls);
  }

  override onWritable(): void {}

  override onHangup(): void {
    this.close();
  }

  override onDeadline(): void {
    this.#finish(false);
  }

  /** A client at rest, which what takes the connection over ends as such. */
  onDraining(): void {
    this.deadlineMs = Math.min(this.deadlineMs, this.context.io.nowMs + DRAIN_IDLE_MS);
  }

  override abort(): void {
    this.close();
  }

  #finish(isTls: boolean): void {
    letGo(this);
    this.#onKnown(isTls);
  }
}
