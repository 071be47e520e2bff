/** Http2Downstream: an HTTP/2 connection of a client. What becomes of each request on it is its stream's. */
import type { Fd } from "../io/io.ts";
import { DRAIN_IDLE_MS } from "../limits.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Context } from "../loop/context.ts";
import type { Connection } from "../loop/socket.ts";
import { letGo } from "../accept/detecting.ts";
import { Http2Socket } from "./socket.ts";
import type { Router } from "../route/router.ts";
import { Http2ServerStream } from "./server_stream.ts";

const SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";

export class Http2Downstream extends Http2Socket {
  readonly kind = "client";
  readonly peer: string;
  /** The client began in HTTP/1.1, so it does not know what its server speaks. */
  isUpgraded = false;
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

  /** Goes on in HTTP/2 on the connection of `other`, whose request asked for it with these settings (RFC 7540 3.2). */
  static upgrade(
    other: Connection,
    router: Router,
    peer: string,
    { request, settings }: { readonly request: Request; readonly settings: Uint8Array },
  ): void {
    const { context, fd } = other;
    const downstream = new Http2Downstream(context, router, fd, peer);
    downstream.isUpgraded = true;
    downstream.takeSecurity(other);
    context.io.handOver(fd, downstream);
    downstream.startMachine(SWITCHING);
    if (downstream.isOpen) downstream.#takeFirst(request, settings);
    // Only now: the request is read from its buffer.
    letGo(other);
  }

  #takeFirst(request: Request, settings: Uint8Array): void {
    const { machine } = this;
    machine.adoptUpgrade(settings);
    const stream = new Http2ServerStream(this.context, this, 1);
    machine.setOwner(1, stream);
    this.busy();
    stream.beginUpgraded(request);
  }

  /** Nothing is under way, so a draining proxy may close this connection. */
  get isIdle(): boolean {
    return this.streams.size === 0;
  }

  /** Told when the proxy begins to drain: streams under way end, no more are taken. */
  onDraining(): void {
    this.drain();
    if (this.isOpen && this.isIdle) this.#restUntilRequest();
  }

  onRequest(streamId: number, isEnd: boolean): void {
    const stream = new Http2ServerStream(this.context, this, streamId);
    this.machine.setOwner(streamId, stream);
    this.busy();
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
    if (!this.isOpen || this.isLingering || this.streams.size > 0) return;
    // It came while the proxy was draining already, and has had what it came for.
    if (this.context.isDraining && !this.machine.isDraining) this.onDraining();
    else this.#restUntilRequest();
  }

  protected override get settingsMs(): number {
    return this.context.timeouts.requestHeadMs;
  }

  protected override onIdle(): void {
    if (!this.context.isDraining) this.abort();
    else if (this.machine.isDraining) this.finish();
    else this.onDraining();
  }

  protected override finish(): void {
    this.linger();
  }

  #restUntilRequest(): void {
    const { timeouts, isDraining } = this.context;
    this.rest(isDraining ? DRAIN_IDLE_MS : timeouts.clientIdleMs);
  }
}
