/**
 * Upstream: one connection to an endpoint. It connects, carries the exchange of one downstream at a time, reads
 * the answer and passes it on, and waits in its endpoint's pool between exchanges.
 */
import { assert } from "../../base/assert.ts";
import { AGAIN, BROKEN, END } from "../io/io.ts";
import { Body } from "../protocol/http1/body.ts";
import { COMPLETE, INCOMPLETE } from "../protocol/http1/head.ts";
import type { Response } from "../protocol/http1/response.ts";
import { Connection } from "./connection.ts";
import type { Context } from "./context.ts";
import type { Downstream } from "./downstream.ts";
import { dropNamed, dropUpgrades } from "./pieces.ts";
import type { EndpointPool } from "./pool.ts";
import { tunnelRead, tunnelWrite } from "./tunnel.ts";

/** How an upstream failed before its answer began. */
export type UpstreamFailure = "refused" | "connect-timeout" | "reset" | "timeout" | "invalid";

type Phase = "connecting" | "idle" | "head" | "body" | "tunnel";

export class Upstream extends Connection {
  readonly pool: EndpointPool;
  /** The exchange that this connection carries. */
  downstream: Downstream | null = null;
  /** It has carried an exchange before, so the endpoint may have closed it unseen. */
  isReused = false;
  #phase: Phase = "connecting";
  readonly #body = new Body();
  /** The endpoint keeps the connection open after this answer. */
  #isPersistent = true;
  /** The client only knows HTTP/1.0: chunks are taken out of their framing. */
  #isUnchunking = false;

  /** Starts to connect. Null: the connection failed at once. */
  static open(context: Context, pool: EndpointPool, downstream: Downstream): Upstream | null {
    const upstream = new Upstream(context, pool);
    upstream.fd = context.io.connect(pool.address, upstream);
    if (upstream.fd < 0) {
      context.unregister(upstream);
      return null;
    }
    pool.openCount++;
    upstream.downstream = downstream;
    upstream.deadlineMs = context.io.nowMs + context.timeouts.connectMs;
    return upstream;
  }

  private constructor(context: Context, pool: EndpointPool) {
    super(context);
    this.pool = pool;
  }

  /** A request is on its way; `isSent` says whether all of it is. */
  expectAnswer(isSent: boolean): void {
    this.#phase = "head";
    this.requestMoved(isSent);
  }

  /** More of the request was passed on. */
  requestMoved(isSent: boolean): void {
    if (this.#phase !== "head") return;
    const { io, timeouts } = this.context;
    this.deadlineMs = io.nowMs + (isSent ? timeouts.responseMs : timeouts.stallMs);
  }

  startTunnel(): void {
    this.#phase = "tunnel";
    this.deadlineMs = this.context.io.nowMs + this.context.timeouts.stallMs;
  }

  override onReadable(): void {
    switch (this.#phase) {
      case "head":
        return this.#readHead();
      case "body":
        return this.#readBody();
      case "tunnel":
        return tunnelRead(this, this.#client());
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
        this.context.io.wantWrite(this.fd, false);
        this.pool.forgive();
        return this.#client().onConnected(this);
      case "tunnel":
        return tunnelWrite(this.#client(), this);
      case "head":
      case "body":
        return this.#client().onUpstreamWritable(this);
    }
  }

  override onHangup(): void {
    if (this.#phase === "idle" || this.downstream === null) return this.close();
    // What was read before the hang-up still goes to the client.
    if ((this.#phase === "body" || this.#phase === "tunnel") && this.sent < this.ready) return;
    this.downstream.onUpstreamFailed(this, this.#phase === "connecting" ? "refused" : "reset");
  }

  override onDeadline(): void {
    if (this.downstream === null) return this.close();
    this.downstream.onUpstreamFailed(
      this,
      this.#phase === "connecting" ? "connect-timeout" : "timeout",
    );
  }

  override abort(): void {
    if (this.downstream === null) this.close();
    else this.downstream.abort();
  }

  override close(): void {
    if (!this.isOpen) return;
    if (this.#phase === "idle") this.pool.remove(this);
    this.pool.openCount--;
    this.downstream = null;
    super.close();
  }

  /** The client's socket has taken everything; goes on with the answer. */
  onDrained(): void {
    if (!this.#body.isDone) this.context.io.wantRead(this.fd, true);
    this.#relayed(true);
  }

  #client(): Downstream {
    assert(this.downstream !== null, "An upstream in an exchange has a downstream");
    return this.downstream;
  }

  /** Readable before it is known to be connected: most often the connection was refused. */
  #readTooEarly(): void {
    if (!this.haveBuffer()) return;
    const count = this.fill();
    if (count === AGAIN) return this.releaseIfEmpty();
    this.#client().onUpstreamFailed(this, count === BROKEN ? "refused" : "invalid");
  }

  #readHead(): void {
    if (!this.haveBuffer()) return;
    if (this.room === 0) this.compact();
    if (this.room === 0) return this.#client().onUpstreamFailed(this, "invalid");
    const count = this.fill();
    if (count === AGAIN) return this.releaseIfEmpty();
    if (count === END || count === BROKEN) return this.#client().onUpstreamFailed(this, "reset");
    this.#takeHeads();
  }

  /** Interim answers, any number of them, and then the final one (RFC 9110 15.2). */
  #takeHeads(): void {
    const { arena, response } = this.context;
    while (this.#phase === "head") {
      const result = response.parse(arena, this.start, this.end);
      if (result === INCOMPLETE) return;
      if (result !== COMPLETE) return this.#client().onUpstreamFailed(this, "invalid");
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
    if (client.minorVersion === 0) return true;
    this.context.pieces.setResponse(response, this.context.texts, null);
    if (client.sendHead(this.context.pieces, this)) return true;
    client.abort();
    return false;
  }

  #switchProtocols(response: Response): void {
    const client = this.#client();
    if (!client.wantsUpgrade) return client.onUpstreamFailed(this, "invalid");
    const { pieces, texts } = this.context;
    this.start = this.sent;
    this.ready = this.end;
    pieces.setResponse(response, texts, texts.upgrade);
    if (!client.sendHead(pieces, this)) return client.abort();
    client.startTunnel(101);
  }

  #startAnswer(response: Response): void {
    const client = this.#client();
    const { arena, pieces, texts } = this.context;
    if (!this.#startBody(arena, response, client)) return client.onUpstreamFailed(this, "invalid");
    const isClosing = !client.beginAnswer(
      response.status,
      this.#body.isUntilClose || this.#isUnchunking,
    );
    const line = isClosing ? texts.close : client.minorVersion === 0 ? texts.keepAlive : null;
    pieces.setResponse(response, texts, line);
    this.#phase = "body";
    if (!client.sendHead(pieces, this)) return client.abort();
    this.#relayed(client.owesNothing && this.sent === this.ready);
  }

  /** Finds out how the body ends, and takes what has arrived of it. False: the answer is ambiguous. */
  #startBody(arena: Uint8Array, response: Response, client: Downstream): boolean {
    const body = this.#body;
    this.#isPersistent = response.isPersistent;
    this.#isUnchunking = false;
    if (!dropUpgrades(arena, response)) return false;
    if (!response.hasBody(client.isHead)) body.startEmpty();
    else if (response.isChunked) {
      body.startChunked();
      this.#isUnchunking = client.minorVersion === 0;
      if (this.#isUnchunking && !dropNamed(arena, response, "transfer-encoding")) return false;
    } else if (response.contentLength >= 0) body.startLength(response.contentLength);
    else body.startUntilClose();
    this.#advance();
    return !body.isBroken;
  }

  #readBody(): void {
    const { io } = this.context;
    if (!this.haveBuffer()) return;
    if (this.room === 0) return io.wantRead(this.fd, false);
    const count = this.fill();
    if (count === AGAIN) return this.releaseIfEmpty();
    if (count === END || count === BROKEN) return this.#endBody(count === END);
    this.#advance();
    const client = this.#client();
    if (this.#body.isBroken) return client.abort();
    const result = client.flush(this);
    if (result === BROKEN) return client.abort();
    this.#relayed(result === 1);
  }

  /** The endpoint sends no more. */
  #endBody(isOrderly: boolean): void {
    const client = this.#client();
    if (!isOrderly || !this.#body.isUntilClose) return client.abort();
    this.#body.end();
    this.context.io.wantRead(this.fd, false);
    this.#relayed(client.owesNothing && this.sent === this.ready);
  }

  /** Moves `ready` over what belongs to the body of the bytes that have arrived. */
  #advance(): void {
    const { arena } = this.context;
    if (!this.#isUnchunking) {
      this.ready = this.#body.advance(arena, this.ready, this.end);
      return;
    }
    const taken = this.#body.unchunk(arena, this.ready, this.end);
    if (taken < this.end) this.#isPersistent = false;
    this.ready = this.#body.unchunkedEnd;
    this.end = this.ready;
  }

  /** After bytes went to the client: makes room, and ends the exchange when that was all. */
  #relayed(isFlushed: boolean): void {
    const { io, timeouts } = this.context;
    this.deadlineMs = io.nowMs + timeouts.stallMs;
    if (!isFlushed) return;
    if (this.#body.isDone) return this.#finish();
    this.start = this.sent;
    this.releaseIfEmpty();
  }

  #finish(): void {
    const client = this.#client();
    const isClean = this.ready === this.end && client.hasSentRequest;
    const canReuse = this.#isPersistent && !this.#body.isUntilClose && isClean;
    this.start = this.sent = this.ready = this.end;
    this.releaseIfEmpty();
    this.downstream = null;
    if (canReuse && this.pool.put(this)) {
      this.#phase = "idle";
      this.isReused = true;
      this.deadlineMs = this.context.io.nowMs + this.context.timeouts.upstreamIdleMs;
    } else this.close();
    client.onAnswered();
  }
}
