/** RelayUpstream: a connection to an endpoint that carries bytes of no protocol: of a relayed connection, or of CONNECT. */
import type { CarrierFailure } from "../exchange/failures.ts";
import type { Carrier, CarrierEvents } from "../exchange/sides.ts";
import { AGAIN, BROKEN, END } from "../io/io.ts";
import type { TlsFailure } from "../io/tls.ts";
import type { Inbox } from "../loop/inbox.ts";
import type { Loop } from "../loop/loop.ts";
import { Socket } from "../loop/socket.ts";
import type { Tunnel } from "../loop/tunnel.ts";
import type { EndpointPool } from "../pool/pool.ts";

export class RelayUpstream extends Socket implements Carrier {
  readonly kind = "endpoint";
  readonly pool: EndpointPool;
  readonly isReused = false;
  readonly isReady = false;
  readonly isFramed = true;
  readonly hasWholeAnswer = false;
  isConnected = false;
  #events: CarrierEvents | null;

  /** Starts to connect, after `takeConnection` of the pool. Null: the connection failed at once. */
  static open(
    loop: Loop,
    pool: EndpointPool,
    events: CarrierEvents,
  ): RelayUpstream | null {
    const upstream = new RelayUpstream(loop, pool, events);
    return pool.connect(upstream, "") ? upstream : null;
  }

  private constructor(
    loop: Loop,
    pool: EndpointPool,
    events: CarrierEvents,
  ) {
    super(loop);
    this.pool = pool;
    this.#events = events;
  }

  get body(): Inbox {
    return this;
  }

  override onReadable(): void {
    if (this.tunnel !== null) this.tunnel.read(this);
    else this.#readEarly();
  }

  /** Readable before it is known to be connected: refused, or a server that speaks first. */
  #readEarly(): void {
    if (!this.haveBuffer()) return;
    const count = this.fill();
    if (count === AGAIN) return this.releaseIfEmpty();
    if (count === BROKEN) return this.#fail("refused");
    if (count === END) {
      this.hasEnded = true;
      this.wantRead(false);
    }
    this.ready = this.end;
    this.#connected();
  }

  override onWritable(): void {
    if (this.tunnel !== null) this.tunnel.passTo(this);
    else this.#connected();
  }

  #connected(): void {
    this.isConnected = true;
    this.deadlineMs = Infinity;
    this.loop.io.wantWrite(this.fd, false);
    this.pool.forgive();
    this.#events?.onConnected(this);
  }

  override onHangup(failure?: TlsFailure): void {
    if (failure !== undefined) {
      this.loop.events.tlsFailed(failure, this.pool.key);
      return this.#fail("tls");
    }
    if (this.tunnel === null) return this.#fail("refused");
    if (!this.outlivesHangup) this.tunnel.cut("");
  }

  override onDeadline(): void {
    if (this.tunnel !== null) this.tunnel.onDeadline();
    else this.#fail("connect-timeout");
  }

  override abort(): void {
    if (this.tunnel !== null) this.tunnel.cut("");
    else this.#fail("reset");
  }

  #fail(failure: CarrierFailure): void {
    const events = this.#events;
    if (events === null) this.close();
    else events.onFailed(this, failure);
  }

  override enter(tunnel: Tunnel): void {
    this.#events = null;
    super.enter(tunnel);
  }

  override close(): void {
    if (!this.isOpen) return;
    this.pool.connectionEnded();
    this.#events = null;
    super.close();
  }

  // It carries no request: it is asked for as one end of a tunnel only.

  sendRequest(): void {}

  sendBody(): number {
    return BROKEN;
  }

  answerTaken(): boolean {
    return false;
  }

  finish(): void {
    this.close();
  }
}
