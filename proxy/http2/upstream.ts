/** Http2Upstream: an HTTP/2 connection to an endpoint, which many exchanges share. */
import type { TlsFailure, TlsInfo } from "../io/tls.ts";
import type { Context } from "../loop/context.ts";
import type { CarrierFailure } from "../exchange/carrier_failure.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { Http2Socket } from "./socket.ts";
import type { EndpointPool } from "../pool/pool.ts";
import { Http2ClientStream } from "./client_stream.ts";

export class Http2Upstream extends Http2Socket {
  readonly kind = "endpoint";
  readonly pool: EndpointPool;
  /** The socket is connected, and our side has begun. */
  #hasBegun = false;
  /** The endpoint's SETTINGS have come: it speaks HTTP/2, and has said how many streams it takes. */
  isConnected = false;
  /** The endpoint takes no new streams. */
  #isLeaving = false;

  /** Starts to connect. Null: the connection failed at once. */
  static open(context: Context, pool: EndpointPool): Http2Upstream | null {
    const upstream = new Http2Upstream(context, pool);
    upstream.fd = context.io.connect(pool.address, upstream);
    if (upstream.fd < 0) {
      context.unregister(upstream);
      pool.connectionEnded();
      return null;
    }
    pool.secure(context.io, upstream.fd, "h2");
    pool.addShared(upstream);
    upstream.rest(pool.connectMs(context.timeouts));
    return upstream;
  }

  private constructor(context: Context, pool: EndpointPool) {
    super(context, "client");
    this.pool = pool;
  }

  /** Whether another exchange can be carried, now or once it is connected. */
  get canCarry(): boolean {
    if (!this.isOpen || this.#isLeaving) return false;
    if (!this.isConnected) return this.streams.size < this.pool.streamsMax;
    return this.machine.canOpen && this.streams.size < this.machine.peer.streamsMax;
  }

  /** The endpoint is no longer in the plan: what is under way ends, nothing new is taken. */
  retire(): void {
    this.#isLeaving = true;
    if (this.streams.size === 0) this.close();
  }

  carry(exchange: Exchange): Http2ClientStream {
    if (this.isConnected) this.busy();
    return new Http2ClientStream(this.context, this, exchange);
  }

  override onSecured(info: TlsInfo): void {
    super.onSecured(info);
    if (info.alpn !== "h2") this.#leaveToHttp1();
  }

  /** The endpoint has chosen HTTP/1.1: what can be said in that goes by connections of it. */
  #leaveToHttp1(): void {
    const { io, telemetry } = this.context;
    this.pool.choseHttp1(io.nowMs);
    const streams = [...this.streams];
    this.close();
    for (const stream of streams) {
      if ((stream as Http2ClientStream).leaveToHttp1()) continue;
      telemetry.tlsFailed(
        { code: "tls-protocol", detail: "Endpoint has no HTTP/2" },
        this.pool.key,
      );
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
    // Whoever it was opened for may have given up meanwhile.
    if (this.streams.size === 0) return this.onStreamGone();
    this.busy();
    for (const stream of [...this.streams]) (stream as Http2ClientStream).onConnected();
  }

  override onHangup(failure?: TlsFailure): void {
    if (failure !== undefined) this.context.telemetry.tlsFailed(failure, this.pool.key);
    this.#failAll(failure !== undefined ? "tls" : this.isConnected ? "reset" : "refused");
  }

  protected override get settingsMs(): number {
    return this.pool.connectMs(this.context.timeouts);
  }

  protected override onIdle(): void {
    if (this.isConnected) this.abort();
    else this.#failAll("connect-timeout");
  }

  #failAll(failure: CarrierFailure): void {
    const streams = [...this.streams];
    this.close();
    for (const stream of streams) (stream as Http2ClientStream).fail(failure);
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
    if (this.isConnected) this.rest(this.context.timeouts.upstreamIdleMs);
  }
}
