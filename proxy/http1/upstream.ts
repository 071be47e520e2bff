/**
 * Upstream: one HTTP/1.1 connection to an endpoint. It connects, carries one exchange at a time, reads the
 * answer and passes it on, and waits in its endpoint's pool between exchanges.
 */
import { assert } from "../../base/assert.ts";
import { AGAIN, BROKEN, END } from "../io/io.ts";
import type { TlsFailure } from "../io/tls.ts";
import { Body } from "../protocol/http1/body.ts";
import { COMPLETE, INCOMPLETE } from "../protocol/http1/head.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Response } from "../protocol/http1/response.ts";
import { Connection } from "../loop/socket.ts";
import type { Context } from "../loop/context.ts";
import type { Buffered } from "../loop/inbox.ts";
import type { CarrierFailure } from "../exchange/carrier_failure.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { Carrier, ExchangeClient } from "../exchange/sides.ts";
import { dropUpgrades } from "./pieces.ts";
import type { EndpointPool } from "../pool/pool.ts";
import { cutBoth, tunnelRead, tunnelWrite } from "../loop/tunnel.ts";
import type { TunnelEnd } from "../loop/tunnel.ts";

type Phase = "connecting" | "idle" | "head" | "body" | "tunnel";

export class Upstream extends Connection implements Carrier {
  readonly kind = "endpoint";
  readonly pool: EndpointPool;
  /** The exchange that this connection carries. */
  exchange: Exchange | null = null;
  isReused = false;
  #phase: Phase = "connecting";
  readonly #body = new Body();
  /** `sent` when the deadline was last put off. */
  #sentBefore = 0;
  /** The endpoint keeps the connection open after this answer. */
  #isPersistent = true;
  /** The client takes no chunks: their data is taken out of the framing. */
  #isUnchunking = false;
  /** The other end of a tunnel, and what is told of its end. */
  #tunnelPeer: TunnelEnd | null = null;
  #onTunnelEnd: () => void = () => {};

  /** Starts to connect. Null: the connection failed at once. */
  static open(context: Context, pool: EndpointPool, exchange: Exchange): Upstream | null {
    const upstream = new Upstream(context, pool);
    upstream.fd = context.io.connect(pool.address, upstream);
    if (upstream.fd < 0) {
      context.unregister(upstream);
      pool.connectionEnded();
      return null;
    }
    pool.secure(context.io, upstream.fd, "http/1.1");
    upstream.exchange = exchange;
    upstream.deadlineMs = context.io.nowMs + pool.connectMs(context.timeouts);
    return upstream;
  }

  private constructor(context: Context, pool: EndpointPool) {
    super(context);
    this.pool = pool;
  }

  get isConnected(): boolean {
    return this.#phase !== "connecting";
  }

  get isReady(): boolean {
    return this.#phase === "head" || this.#phase === "body";
  }

  get hasWholeAnswer(): boolean {
    return this.#body.isDone;
  }

  get source(): Buffered {
    return this;
  }

  passRequest(request: Request, exchange: Exchange): void {
    const { arena, pieces, texts } = this.context;
    const { client } = exchange;
    const peer = texts.peer(exchange.namedPeer, client.isSecure);
    if (!pieces.setRequest(arena, request, texts, peer)) {
      return exchange.refuse(431, "too-many-headers");
    }
    this.#phase = "head";
    const isChunking = request.isChunked && client.isPlain;
    this.startWriting(isChunking);
    const body = isChunking ? null : client.source;
    if (!this.sendHead(pieces, body)) return exchange.onFailed(this, "reset");
    // What went out with the head made room for more.
    if (isChunking || !client.hasSentRequest) client.onCarrierWritable();
    else this.#awaitAnswer(true);
  }

  passBody(source: Buffered, isLast: boolean): number {
    // Where nothing more can be written there may still be an answer to read; reading says if there is not.
    const result = Math.max(0, this.writeBody(source, isLast));
    if (this.#phase === "head") this.#awaitAnswer(isLast && result === 1);
    return result;
  }

  /** `isSent`: the endpoint has all of the request, so that it is its turn. */
  #awaitAnswer(isSent: boolean): void {
    const { responseMs, stallMs } = this.#carried();
    this.deadlineMs = this.context.io.nowMs + (isSent ? responseMs : stallMs);
  }

  startTunnel(peer: TunnelEnd, onEnd: () => void): void {
    this.#phase = "tunnel";
    this.#tunnelPeer = peer;
    this.#onTunnelEnd = onEnd;
    this.exchange = null;
  }

  override onReadable(): void {
    switch (this.#phase) {
      case "head":
        return this.#readHead();
      case "body":
        return this.#readBody();
      case "tunnel":
        return this.#tunnelPeer === null ? this.close() : tunnelRead(this, this.#tunnelPeer);
      case "connecting":
        return this.#readTooEarly();
      case "idle":
        // The endpoint ended it, or says something that nobody asked for.
        return this.close();
    }
  }

  override onWritable(): void {
    switch (this.#phase) {
      case "connecting":
        return this.#connected();
      case "tunnel":
        return this.#tunnelPeer === null ? this.close() : tunnelWrite(this.#tunnelPeer, this);
      case "head":
      case "body":
        return this.#client().onCarrierWritable();
    }
  }

  override onHangup(failure?: TlsFailure): void {
    if (failure !== undefined) {
      this.context.telemetry.tlsFailed(failure, this.pool.key);
      return this.#fail("tls");
    }
    // What was read before the hang-up still goes to the client.
    if (this.#phase === "body" && (this.#body.isDone || this.sent < this.ready)) return;
    if (this.#phase === "tunnel" && this.outlivesHangup) return;
    this.#fail(this.#phase === "connecting" ? "refused" : "reset");
  }

  override onDeadline(): void {
    if (this.#phase === "connecting") return this.#fail("connect-timeout");
    // The client has taken some of what it is owed: it is slow, and not stuck.
    if (this.#phase === "body" && this.sent !== this.#sentBefore) return this.#postpone();
    this.#fail(this.#isClientsTurn ? "client-timeout" : "timeout");
  }

  /** The endpoint has all that has come of a request, and that is not all of it. */
  get #isClientsTurn(): boolean {
    if (this.#phase !== "head" || this.exchange === null || !this.owesNothing) return false;
    const { source, hasSentRequest } = this.exchange.client;
    return !hasSentRequest && source.sent === source.ready;
  }

  override abort(): void {
    if (this.#tunnelPeer !== null) cutBoth(this, this.#tunnelPeer);
    else if (this.exchange !== null) this.exchange.client.abort();
    else this.close();
  }

  #fail(failure: CarrierFailure): void {
    if (this.exchange === null) this.abort();
    else this.exchange.onFailed(this, failure);
  }

  override close(): void {
    if (!this.isOpen) return;
    if (this.#phase === "idle") this.pool.remove(this);
    this.#onTunnelEnd();
    this.pool.connectionEnded();
    this.exchange = null;
    super.close();
  }

  onDrained(): void {
    if (!this.#body.isDone) this.context.io.wantRead(this.fd, true);
    this.#relayed(true);
  }

  #carried(): Exchange {
    assert(this.exchange !== null, "An upstream that is not idle carries an exchange");
    return this.exchange;
  }

  #client(): ExchangeClient {
    return this.#carried().client;
  }

  #connected(): void {
    this.context.io.wantWrite(this.fd, false);
    this.pool.forgive();
    this.#carried().onConnected(this);
  }

  /** Readable before it is known to be connected: refused, most often; or it speaks first, as it may in a tunnel. */
  #readTooEarly(): void {
    if (!this.haveBuffer()) return;
    const count = this.fill();
    if (count === AGAIN) return this.releaseIfEmpty();
    if (count === BROKEN) return this.#fail("refused");
    if (count === END || !this.#carried().isConnect) return this.#fail("invalid");
    this.ready = this.end;
    this.#connected();
  }

  #readHead(): void {
    if (!this.haveBuffer()) return;
    if (this.room === 0) this.compact();
    if (this.room === 0) return this.#fail("invalid");
    const count = this.fill();
    if (count === AGAIN) return this.releaseIfEmpty();
    if (count === END || count === BROKEN) return this.#fail("reset");
    this.#takeHeads();
  }

  /** Interim answers, any number of them, and then the final one (RFC 9110 15.2). */
  #takeHeads(): void {
    const { arena, response } = this.context;
    while (this.#phase === "head") {
      const result = response.parse(arena, this.start, this.end);
      if (result === INCOMPLETE) return;
      if (result !== COMPLETE) return this.#fail("invalid");
      this.sent = this.ready = response.end;
      if (response.status === 101) return this.#switchProtocols(response);
      if (!response.isInterim) return this.#startAnswer(response);
      if (!this.#passInterim(response)) return;
      this.start = response.end;
      if (this.start === this.end) return this.releaseIfEmpty();
    }
  }

  #passInterim(response: Response): boolean {
    const client = this.#client();
    if (client.passInterim(response)) return true;
    client.abort();
    return false;
  }

  #switchProtocols(response: Response): void {
    const { client, wantsUpgrade } = this.#carried();
    if (!wantsUpgrade) return this.#fail("invalid");
    this.start = this.sent;
    this.ready = this.end;
    client.openTunnel(this, response);
  }

  #startAnswer(response: Response): void {
    const exchange = this.#carried();
    const { client } = exchange;
    if (!this.#startBody(response, exchange)) return this.#fail("invalid");
    const isFramed = !this.#body.isUntilClose && !this.#isUnchunking;
    if (!exchange.takeAnswer(response)) return;
    this.#phase = "body";
    if (!client.passHead(response, this, isFramed, this.#body.isDone)) return client.abort();
    // The client may have refused what it cannot take.
    if (!this.isOpen) return;
    this.#relayed(client.owesNothing && this.sent === this.ready);
  }

  /** Finds out how the body ends, and takes what has arrived of it. False: the answer is ambiguous. */
  #startBody(response: Response, { isHead, client }: Exchange): boolean {
    const { arena } = this.context;
    const body = this.#body;
    this.#isPersistent = response.isPersistent;
    this.#isUnchunking = false;
    if (!dropUpgrades(arena, response)) return false;
    if (!response.hasBody(isHead)) body.startEmpty();
    else if (response.isChunked) {
      body.startChunked(response.nominated);
      this.#isUnchunking = !client.takesChunks;
      if (this.#isUnchunking && !response.dropNamed(arena, "transfer-encoding")) return false;
    } else if (response.contentLength >= 0) body.startLength(response.contentLength);
    else body.startUntilClose();
    this.#advance();
    return !body.isBroken;
  }

  #readBody(): void {
    const { io } = this.context;
    // All of the answer is here and the client has yet to take it: what follows, or an end, is of no concern to it.
    if (this.#body.isDone) return io.wantRead(this.fd, false);
    if (!this.haveBulkBuffer()) return;
    // A trailer's name that has not all come is kept until it has.
    if (this.room === 0 && this.sent === this.ready) this.compact();
    if (this.room === 0) return io.wantRead(this.fd, false);
    const count = this.fill();
    if (count === AGAIN) return this.releaseIfEmpty();
    if (count === END || count === BROKEN) return this.#endBody(count === END);
    this.#advance();
    if (this.#body.isBroken) return this.#carried().cut("upstream-invalid");
    const client = this.#client();
    const result = client.passAnswer(this, this.#body.isDone);
    if (result === BROKEN) return client.abort();
    this.#relayed(result === 1);
  }

  /** The endpoint sends no more. */
  #endBody(isOrderly: boolean): void {
    if (!isOrderly || !this.#body.isUntilClose) return this.#carried().cut("upstream-reset");
    const client = this.#client();
    this.#body.end();
    this.context.io.wantRead(this.fd, false);
    const result = client.passAnswer(this, true);
    if (result === BROKEN) return client.abort();
    this.#relayed(result === 1);
  }

  /** Moves `ready` over what belongs to the body of the bytes that have arrived, and is passed on. */
  #advance(): void {
    const { arena } = this.context;
    const body = this.#body;
    this.ready = this.#isUnchunking
      ? body.unchunk(arena, this.ready, this.end)
      : body.advance(arena, this.ready, this.end);
    this.end -= body.takenOut;
    if (this.#isUnchunking && body.isDone) this.trailersEnd = this.ready + body.trailerBytes;
  }

  /** After bytes went to the client: makes room, and ends the exchange when that was all. */
  #relayed(isFlushed: boolean): void {
    if (isFlushed) {
      if (this.#body.isDone) return this.#finish();
      this.start = this.sent;
      this.releaseIfEmpty();
    }
    this.#postpone();
  }

  #postpone(): void {
    this.#sentBefore = this.sent;
    this.deadlineMs = this.context.io.nowMs + this.#carried().stallMs;
  }

  #finish(): void {
    const client = this.#client();
    this.passOver();
    const hasSentAll = client.hasSentRequest && this.hasEndedBody && this.owesNothing;
    const isClean = this.ready === this.end && hasSentAll;
    const canReuse = this.#isPersistent && !this.#body.isUntilClose && isClean;
    this.start = this.sent = this.ready = this.end;
    this.releaseIfEmpty();
    this.exchange = null;
    if (canReuse && this.pool.put(this)) {
      this.#phase = "idle";
      this.isReused = true;
      this.context.io.wantRead(this.fd, true);
      this.deadlineMs = this.context.io.nowMs + this.context.timeouts.upstreamIdleMs;
    } else this.close();
    client.onAnswered();
  }
}
