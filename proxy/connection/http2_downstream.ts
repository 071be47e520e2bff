/** Http2Downstream: an HTTP/2 connection of a client. What becomes of each request on it is its stream's. */
import type { Fd } from "../io/io.ts";
import { DRAIN_IDLE_MS } from "../limits.ts";
import type { Context } from "./context.ts";
import type { Connection } from "./connection.ts";
import { letGo } from "./detecting.ts";
import { Http2Socket } from "./http2_socket.ts";
import type { Router } from "./router.ts";
import { Http2ServerStream } from "./http2_server_stream.ts";

export class Http2Downstream extends Http2Socket {
  readonly peer: string;
  readonly router: Router;

  constructor(context: Context, router: Router, fd: Fd, peer: string) {
    super(context, "server");
    this.router = router;
    this.fd = fd;
    this.peer = peer;
    this.#restUntilRequest();
  }

  /** Takes a connection over from `other`, with the bytes that it has read and not looked at. */
  static takeOver(other: Connection, router: Router, peer: string): void {
    const { context, fd } = other;
    const downstream = new Http2Downstream(context, router, fd, peer);
    downstream.takeBuffer(other);
    downstream.takeSecurity(other);
    letGo(other);
    context.io.handOver(fd, downstream);
    downstream.startMachine();
    downstream.receiveHeld();
  }

  /** Nothing is under way, so a draining proxy may close this connection. */
  get isIdle(): boolean {
    return this.streams.size === 0;
  }

  /** Told when the proxy begins to drain: streams under way end, no more are taken. */
  onDraining(): void {
    if (!this.prepare()) return;
    this.machine.drain();
    this.sendLater();
    if (this.isIdle) this.deadlineMs = this.context.io.nowMs + DRAIN_IDLE_MS;
  }

  onRequest(streamId: number, isEnd: boolean): void {
    const stream = new Http2ServerStream(this.context, this, streamId);
    this.machine.setOwner(streamId, stream);
    this.deadlineMs = Infinity;
    stream.begin(isEnd);
  }

  onRequestTooLarge(streamId: number, isEnd: boolean): void {
    const stream = new Http2ServerStream(this.context, this, streamId);
    this.machine.setOwner(streamId, stream);
    stream.refuseUnread(431, "head-too-large", isEnd);
  }

  onResponse(): void {}
  onGoaway(): void {}
  onSettings(): void {}

  override onStreamGone(): void {
    if (this.isOpen && !this.isLingering && this.streams.size === 0) this.#restUntilRequest();
  }

  override onDeadline(): void {
    if (!this.isIdle) return;
    if (this.context.isDraining && !this.isLingering) this.finish();
    else this.abort();
  }

  protected override finish(): void {
    this.linger();
  }

  #restUntilRequest(): void {
    const { io, timeouts, isDraining } = this.context;
    this.deadlineMs = io.nowMs + (isDraining ? DRAIN_IDLE_MS : timeouts.clientIdleMs);
  }
}
