/** Http2Downstream: an HTTP/2 connection of a client. What becomes of each request on it is its stream's. */
import type { Exchanges } from "../exchange/sides.ts";
import type { Fd } from "../io/io.ts";
import { DRAIN_IDLE_MS } from "../limits.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Loop } from "../loop/loop.ts";
import type { Socket } from "../loop/socket.ts";
import type { Http2Counts } from "../observe/telemetry.ts";
import { Http2Socket } from "./socket.ts";
import type { Router } from "../route/router.ts";
import { type ClientConnection, Http2ServerStream } from "./server_stream.ts";

const SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";

/** What connections of clients need of their event loop. */
interface ClientServices {
  readonly loop: Loop;
  readonly exchanges: Exchanges;
  /** Of HTTP/2 connections of clients. */
  readonly counts: Http2Counts;
}

export class Http2Downstream extends Http2Socket implements ClientConnection {
  readonly kind = "client";
  readonly peer: string;
  isUpgraded = false;
  readonly router: Router;
  readonly #exchanges: Exchanges;

  private constructor(services: ClientServices, router: Router, fd: Fd, peer: string) {
    super(services.loop, "server", services.counts);
    this.#exchanges = services.exchanges;
    this.router = router;
    this.fd = fd;
    this.peer = peer;
    this.#restUntilRequest();
  }

  /** Takes a connection over from `other`, with the bytes that it has read and not looked at. */
  static takeOver(services: ClientServices, other: Socket, router: Router, peer: string): void {
    const downstream = new Http2Downstream(services, router, other.fd, peer);
    downstream.replace(other);
    downstream.startMachine();
    downstream.receiveHeld();
  }

  /** Goes on in HTTP/2 on the connection of `other`, whose request asked for it with these settings (RFC 7540 3.2). */
  static upgrade(
    services: ClientServices,
    other: Socket,
    router: Router,
    peer: string,
    { request, settings }: { readonly request: Request; readonly settings: Uint8Array },
  ): void {
    const downstream = new Http2Downstream(services, router, other.fd, peer);
    downstream.isUpgraded = true;
    downstream.takeSecurity(other);
    services.loop.io.handOver(other.fd, downstream);
    downstream.startMachine(SWITCHING);
    if (downstream.isOpen) downstream.#takeFirst(request, settings);
    // Only now: the request is read from its buffer.
    other.letGo();
  }

  #takeFirst(request: Request, settings: Uint8Array): void {
    const { machine } = this;
    machine.adoptUpgrade(settings);
    const stream = new Http2ServerStream(this.loop, this.#exchanges, this, 1);
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
    if (this.isOver) return;
    this.drain();
    if (this.isOpen && this.isIdle) this.#restUntilRequest();
  }

  onRequest(streamId: number, isEnd: boolean): void {
    const stream = new Http2ServerStream(this.loop, this.#exchanges, this, streamId);
    this.machine.setOwner(streamId, stream);
    this.busy();
    stream.begin(isEnd);
  }

  onRequestTooLarge(streamId: number, isEnd: boolean): void {
    const stream = new Http2ServerStream(this.loop, this.#exchanges, this, streamId);
    this.machine.setOwner(streamId, stream);
    stream.refuseTooLarge(isEnd);
  }

  onResponse(): void {}
  onGoaway(): void {}
  onSettings(): void {}

  override onStreamGone(): void {
    if (!this.isOpen || this.isLingering || this.streams.size > 0) return;
    // It came while the proxy was draining already, and has had what it came for.
    if (this.loop.isDraining && !this.machine.isDraining) this.onDraining();
    else this.#restUntilRequest();
  }

  protected override get settingsMs(): number {
    return this.loop.timeouts.requestHeadMs;
  }

  protected override onIdle(): void {
    if (!this.loop.isDraining) this.abort();
    else if (this.machine.isDraining) this.finish();
    else this.onDraining();
  }

  protected override finish(): void {
    this.linger();
  }

  #restUntilRequest(): void {
    const { timeouts, isDraining } = this.loop;
    this.rest(isDraining ? DRAIN_IDLE_MS : timeouts.clientIdleMs);
  }
}
