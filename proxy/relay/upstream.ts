/** TcpUpstream: the endpoint's end of a relayed connection. It connects, and then only moves bytes. */
import { AGAIN, BROKEN, END } from "../io/io.ts";
import type { TlsFailure } from "../io/tls.ts";
import { Connection } from "../loop/socket.ts";
import type { Context } from "../loop/context.ts";
import type { EndpointPool } from "../pool/pool.ts";
import type { TcpDownstream } from "./downstream.ts";

/** How an endpoint failed before it was connected; a reason of the access log. */
export type ConnectFailure =
  | "upstream-refused"
  | "upstream-connect-timeout"
  | "upstream-tls-failed";

export class TcpUpstream extends Connection {
  readonly kind = "endpoint";
  readonly pool: EndpointPool;
  readonly #client: TcpDownstream;
  isConnected = false;
  /** The endpoint has sent something. */
  hasSpoken = false;

  /** Starts to connect, after `takeConnection` of the pool. Null: the connection failed at once. */
  static open(context: Context, pool: EndpointPool, client: TcpDownstream): TcpUpstream | null {
    const upstream = new TcpUpstream(context, pool, client);
    upstream.fd = context.io.connect(pool.address, upstream);
    if (upstream.fd < 0) {
      context.unregister(upstream);
      pool.connectionEnded();
      return null;
    }
    pool.secure(context.io, upstream.fd, "");
    upstream.deadlineMs = context.io.nowMs + pool.connectMs(context.timeouts);
    return upstream;
  }

  private constructor(context: Context, pool: EndpointPool, client: TcpDownstream) {
    super(context);
    this.pool = pool;
    this.#client = client;
  }

  override fill(): number {
    const count = super.fill();
    if (count <= 0) return count;
    this.hasSpoken = true;
    this.#client.onEndpointBytes(count);
    return count;
  }

  override onReadable(): void {
    if (this.isConnected) this.#client.relayRead(this);
    else this.#readEarly();
  }

  override onWritable(): void {
    if (this.isConnected) this.#client.relayWrite(this);
    else this.#connected();
  }

  override onHangup(failure?: TlsFailure): void {
    if (failure !== undefined) {
      this.context.telemetry.tlsFailed(failure, this.pool.key);
      return this.#client.onConnectFailed("upstream-tls-failed");
    }
    if (!this.isConnected) return this.#client.onConnectFailed("upstream-refused");
    if (!this.outlivesHangup) this.abort();
  }

  override onDeadline(): void {
    if (this.isConnected) this.#client.onDeadline();
    else this.#client.onConnectFailed("upstream-connect-timeout");
  }

  override abort(): void {
    this.#client.abort();
  }

  override close(): void {
    if (!this.isOpen) return;
    this.pool.connectionEnded();
    super.close();
  }

  /** Readable before it is known to be connected: refused, or a server that speaks first. */
  #readEarly(): void {
    if (!this.haveBuffer()) return;
    const count = this.fill();
    if (count === AGAIN) return this.releaseIfEmpty();
    if (count === BROKEN) return this.#client.onConnectFailed("upstream-refused");
    if (count === END) {
      this.hasEnded = true;
      this.context.io.wantRead(this.fd, false);
    }
    this.ready = this.end;
    this.#connected();
  }

  #connected(): void {
    this.isConnected = true;
    this.context.io.wantWrite(this.fd, false);
    this.pool.forgive();
    this.#client.onConnected();
  }
}
