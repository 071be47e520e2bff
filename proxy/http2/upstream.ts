/** Http2Upstream: an HTTP/2 connection to an endpoint, which many exchanges share. */
import { MESH_ALPN } from "../protocol/tls/mesh.ts";
import type { CarrierFailure } from "../exchange/failures.ts";
import type { CarrierEvents } from "../exchange/sides.ts";
import type { TlsFailure, TlsInfo } from "../io/tls.ts";
import { SETTINGS_ACK_MS } from "../limits.ts";
import type { Loop } from "../loop/loop.ts";
import type { Http2Counts } from "../observe/telemetry.ts";
import type { EndpointPool, SharedConnection } from "../pool/pool.ts";
import { Http2ClientStream } from "./client_stream.ts";
import { Http2Socket } from "./socket.ts";

export class Http2Upstream extends Http2Socket implements SharedConnection {
  readonly kind = "endpoint";
  readonly pool: EndpointPool;
  /** The socket is connected, and our side has begun. */
  #hasBegun = false;
  /** The endpoint's SETTINGS have come: it speaks HTTP/2, and has said how many streams it takes. */
  isConnected = false;
  /** The endpoint takes no new streams. */
  #isLeaving = false;

  /** Starts to connect, after `takeConnection` of the pool. Null: the connection failed at once. */
  static open(
    loop: Loop,
    pool: EndpointPool,
    counts: Http2Counts,
  ): Http2Upstream | null {
    const upstream = new Http2Upstream(loop, pool, counts);
    if (!pool.connect(upstream, "h2")) return null;
    pool.addShared(upstream);
    upstream.rest(pool.connectMs(loop.timeouts));
    return upstream;
  }

  private constructor(
    loop: Loop,
    pool: EndpointPool,
    counts: Http2Counts,
  ) {
    super(loop, "client", counts);
    this.pool = pool;
  }

  get canCarry(): boolean {
    if (!this.isOpen || this.isOver || this.#isLeaving) return false;
    if (!this.isConnected) return this.streams.size < this.pool.streamsMax;
    return this.machine.canOpen && this.streams.size < this.machine.peer.streamsMax;
  }

  retire(): void {
    this.#isLeaving = true;
    if (this.streams.size === 0) this.close();
  }

  carry(events: CarrierEvents): Http2ClientStream {
    if (this.isConnected) {
      this.busy();
      this.loop.io.comesFirst(this.fd, false);
    }
    return new Http2ClientStream(this.loop, this, events);
  }

  override onSecured(info: TlsInfo): void {
    super.onSecured(info);
    if (info.alpn !== "h2" && info.alpn !== MESH_ALPN.h2) this.#leaveToHttp1();
  }

  /** The endpoint has chosen HTTP/1.1: what can be said in that goes by connections of it. */
  #leaveToHttp1(): void {
    const { io, events } = this.loop;
    this.pool.choseHttp1(io.nowMs);
    const streams = this.#carried;
    this.close();
    for (const stream of streams) {
      if (stream.leaveToHttp1()) continue;
      events.tlsFailed({ code: "tls-protocol", detail: "Endpoint has no HTTP/2" }, this.pool.key);
    }
  }

  override onWritable(): void {
    if (this.#hasBegun) return this.send();
    this.#hasBegun = true;
    this.startMachine();
  }

  override onReadable(): void {
    // An endpoint may speak first; and where it refused, reading says so.
    if (!this.#hasBegun) this.onWritable();
    if (this.isOpen) super.onReadable();
  }

  override onSettings(): void {
    this.pool.streamsMax = this.machine.peer.streamsMax;
    if (this.isConnected) return;
    this.isConnected = true;
    this.pool.forgive();
    // Those that it was opened for may have given up meanwhile.
    if (this.streams.size === 0) return this.onStreamGone();
    this.busy();
    for (const stream of this.#carried) stream.onConnected();
  }

  /** The endpoint has broken the protocol; before its SETTINGS, it does not speak it. */
  override onConnectionError(code: number, debug: string): void {
    this.isOver = true;
    this.pool.removeShared(this);
    for (const stream of this.#carried) stream.fail(this.isConnected ? "reset" : "protocol");
    super.onConnectionError(code, debug);
  }

  override onHangup(failure?: TlsFailure): void {
    if (failure !== undefined) this.loop.events.tlsFailed(failure, this.pool.key);
    this.#failAll(failure !== undefined ? "tls" : this.isConnected ? "reset" : "refused");
  }

  protected override get settingsMs(): number {
    return SETTINGS_ACK_MS;
  }

  protected override onIdle(): void {
    if (this.isConnected) this.abort();
    else this.#failAll("connect-timeout");
  }

  #failAll(failure: CarrierFailure): void {
    const streams = this.#carried;
    this.close();
    for (const stream of streams) stream.fail(failure);
  }

  /** A copy: some leave at once. */
  get #carried(): Http2ClientStream[] {
    return Array.from(this.streams, (stream) => stream as Http2ClientStream);
  }

  override abort(): void {
    if (this.isOpen) this.#failAll(this.isConnected ? "reset" : "refused");
  }

  override close(): void {
    if (!this.isOpen) return;
    this.pool.connectionEnded();
    this.pool.removeShared(this);
    super.close();
  }

  onRequest(): void {}
  onRequestTooLarge(): void {}

  onResponse(streamId: number, isEnd: boolean): void {
    const stream = this.machine.ownerOf(streamId);
    if (stream instanceof Http2ClientStream) stream.takeHead(isEnd);
  }

  onGoaway(): void {
    this.#isLeaving = true;
    this.pool.removeShared(this);
    if (this.streams.size === 0) this.close();
  }

  override onStreamGone(): void {
    if (!this.isOpen || this.streams.size > 0) return;
    if (this.#isLeaving || !this.pool.isInPlan) return this.close();
    if (!this.isConnected) return;
    this.rest(this.loop.timeouts.upstreamIdleMs);
    // Its end has to be seen before a request of the same batch of events takes it.
    this.loop.io.comesFirst(this.fd, true);
  }
}
