/**
 * Upstream: one HTTP/1.1 connection to an endpoint. It connects, carries one exchange at a time, reads the answer, and waits in its
 * endpoint's pool between exchanges.
 */
import { REFUSALS } from "../../base/refusals.ts";
import type { CarrierFailure } from "../exchange/failures.ts";
import type { Carrier, CarrierEvents, RequestSource } from "../exchange/sides.ts";
import { AGAIN, BROKEN, END } from "../io/io.ts";
import type { TlsFailure } from "../io/tls.ts";
import { HEAD_BUFFER_BYTES, HEAD_BUFFER_WAIT_MS, KEEP_ALIVE_MARGIN_MS } from "../limits.ts";
import { isHeadBuffer } from "../loop/arena.ts";
import type { Inbox } from "../loop/inbox.ts";
import type { Loop } from "../loop/loop.ts";
import type { Tunnel } from "../loop/tunnel.ts";
import type { EndpointPool, IdleConnection } from "../pool/pool.ts";
import { Body } from "../protocol/http1/body.ts";
import { COMPLETE, INCOMPLETE, TOO_MANY_HEADERS } from "../protocol/http1/head.ts";
import { mayEndHead } from "../protocol/http1/lexical.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Response } from "../protocol/http1/response.ts";
import { gatherRequest } from "./heads.ts";
import { Http1Socket } from "./socket.ts";

type Phase = "connecting" | "idle" | "head" | "body" | "tunnel";

export class Upstream extends Http1Socket implements Carrier, IdleConnection {
  readonly kind = "endpoint";
  readonly pool: EndpointPool;
  isReused = false;
  /** Until when its endpoint keeps it while it is idle. */
  #idleUntilMs = Infinity;
  /** The exchange that this connection carries; null where it carries none. */
  #events: CarrierEvents | null;
  #phase: Phase = "connecting";
  /** How much of an incomplete head has been looked at; 0: nothing. */
  #parsedBytes = 0;
  readonly #body = new Body();
  /** The endpoint keeps the connection open after this answer; for how long, where it says so. */
  #isPersistent = true;
  #keepAliveMs = Infinity;
  /** The client takes no chunks: their data is taken out of the framing. */
  #isUnchunking = false;

  /** Starts to connect, after `takeConnection` of the pool. Null: the connection failed at once. */
  static open(
    loop: Loop,
    pool: EndpointPool,
    events: CarrierEvents,
  ): Upstream | null {
    const upstream = new Upstream(loop, pool, events);
    return pool.connect(upstream, "http/1.1") ? upstream : null;
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

  /** Takes it out of its pool, for another exchange. */
  carry(events: CarrierEvents): this {
    this.#events = events;
    this.deadlineMs = Infinity;
    this.loop.io.comesFirst(this.fd, false);
    return this;
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

  get isFramed(): boolean {
    return !this.#body.isUntilClose && !this.#isUnchunking;
  }

  get body(): Inbox {
    return this;
  }

  // Sending the request.

  sendRequest(request: Request, source: RequestSource, namedPeer: string): void {
    const { arena, scratch: { gather }, texts } = this.loop;
    const { client, isPlain, body } = source;
    const peer = texts.peer(namedPeer, client.isSecure);
    if (!gatherRequest(gather, arena, request, texts, peer)) {
      return this.#events?.refuse(REFUSALS["too-many-headers"]);
    }
    this.#phase = "head";
    const isChunking = request.isChunked && isPlain;
    this.startWriting(isChunking);
    this.writtenBytes = 0;
    if (!this.sendGathered(gather, isChunking ? null : body)) this.#fail(this.#failureOf(BROKEN));
  }

  sendBody({ body, hasWholeRequest }: RequestSource): number {
    // Where nothing more can be written there may still be an answer to read; reading says if there is not.
    return Math.max(0, this.writeBody(body, hasWholeRequest));
  }

  // Events of the connection.

  override onReadable(): void {
    switch (this.#phase) {
      case "head":
        return this.#readHead();
      case "body":
        return this.#readBody();
      case "tunnel":
        return this.tunnel?.read(this);
      case "connecting":
        return this.#readTooEarly();
      case "idle":
        // The endpoint ended it, or says something unasked.
        return this.close();
    }
  }

  override onWritable(): void {
    switch (this.#phase) {
      case "connecting":
        this.loop.io.wantWrite(this.fd, false);
        this.deadlineMs = Infinity;
        this.pool.forgive();
        this.#phase = "idle";
        return this.#events?.onConnected(this);
      case "tunnel":
        return this.tunnel?.passTo(this);
      case "head":
      case "body":
        return this.#events?.onCarrierRoom();
    }
  }

  override onHangup(failure?: TlsFailure): void {
    if (failure !== undefined) {
      this.loop.events.tlsFailed(failure, this.pool.key);
      return this.#fail("tls");
    }
    // What was read before the hang-up still goes to the client.
    if (this.#phase === "body" && (this.#body.isDone || this.hasUnsent)) return;
    if (this.#phase === "tunnel" && this.outlivesHangup) return;
    this.#fail(this.#phase === "connecting" ? "refused" : this.#failureOf(BROKEN));
  }

  /** While it carries an exchange, that has the deadline, but for the wait for a buffer. */
  override onDeadline(): void {
    if (this.tunnel !== null) return this.tunnel.onDeadline();
    if (this.#phase === "connecting") this.#fail("connect-timeout");
    else if (this.#phase === "head") this.#fail("no-buffer");
    else this.close();
  }

  override abort(): void {
    this.#fail("reset");
  }

  /** What it means that the endpoint ends the connection now, in order (`END`) or not (`BROKEN`). */
  #failureOf(end: number): CarrierFailure {
    if (this.#phase !== "head" || !this.isReused || this.start !== this.end) return "reset";
    // An orderly end says what its system had got by then (RFC 9293 3.10.7.4); what comes after a close is not read.
    const unread = end === END ? this.loop.io.unacknowledged(this.fd) : 0;
    return unread >= this.writtenBytes ? "stale-unread" : "stale";
  }

  #fail(failure: CarrierFailure): void {
    if (this.tunnel !== null) this.tunnel.cut("");
    else if (this.#events !== null) this.#events.onFailed(this, failure);
    else this.close();
  }

  // Reading the answer.

  /** Readable before it is known to be connected: refused, most often. */
  #readTooEarly(): void {
    if (!this.haveBuffer()) return;
    const count = this.fill();
    if (count === AGAIN) return this.releaseIfEmpty();
    this.#fail(count === BROKEN ? "refused" : "invalid");
  }

  #readHead(): void {
    if (!this.haveBuffer() || !this.#haveRoomForHead()) return;
    const count = this.fill();
    if (count === AGAIN) return this.releaseIfEmpty();
    if (count === END || count === BROKEN) return this.#fail(this.#failureOf(count));
    const isHopeless = this.#parsedBytes > 0 &&
      !mayEndHead(this.loop.arena, this.start, this.start + this.#parsedBytes, this.end);
    if (isHopeless) this.#awaitRest();
    else this.#takeHeads();
  }

  #haveRoomForHead(): boolean {
    const wasShort = this.isShortOfRoom;
    const hasRoom = this.haveRoomForHead();
    if (this.isShortOfRoom === wasShort) return hasRoom;
    this.deadlineMs = hasRoom ? Infinity : this.loop.io.nowMs + HEAD_BUFFER_WAIT_MS;
    return hasRoom;
  }

  protected override takeHeadBuffer(): number {
    return this.loop.buffers.takeForPassing(HEAD_BUFFER_BYTES);
  }

  /** The head at `start` is not whole. */
  #awaitRest(): void {
    this.#parsedBytes = this.end - this.start;
    if (this.#parsedBytes >= this.loop.headBytesMax) this.#fail("head-too-large");
  }

  /** Interim answers, any number of them, and then the final one (RFC 9110 15.2). */
  #takeHeads(): void {
    const { arena, scratch: { response } } = this.loop;
    while (this.#phase === "head") {
      const result = response.parse(arena, this.start, this.end);
      if (result === INCOMPLETE) return this.#awaitRest();
      this.#parsedBytes = 0;
      const isTooLarge = result === TOO_MANY_HEADERS ||
        (result === COMPLETE && response.end - response.start > this.loop.headBytesMax);
      if (isTooLarge) return this.#fail("head-too-large");
      if (result !== COMPLETE) return this.#fail("invalid");
      this.sent = this.ready = response.end;
      if (response.status === 101) return this.#switchProtocols(response);
      if (!response.isInterim) return this.#startAnswer(response);
      this.#events?.onInterim(this, response);
      if (!this.isOpen) return;
      this.passHead();
      if (this.start === this.end) return;
    }
  }

  #switchProtocols(response: Response): void {
    if (this.#events?.wantsUpgrade !== true) return this.#fail("invalid");
    this.start = this.sent;
    this.ready = this.end;
    this.#events.onTunnel(this, response);
    this.leaveLargeBuffer();
  }

  #startAnswer(response: Response): void {
    const events = this.#events;
    if (events === null) return this.close();
    if (!this.#startBody(response, events)) return this.#fail("invalid");
    this.#phase = "body";
    events.onAnswer(this, response);
    // The head has been sent on, or copied: a client that is slow to read the body does not keep a large buffer.
    if (isHeadBuffer(this.buffer)) this.passHead();
  }

  /** Finds out how the body ends, and takes what has arrived of it. False: the answer is ambiguous. */
  #startBody(response: Response, { isHead, client }: CarrierEvents): boolean {
    const { arena } = this.loop;
    const body = this.#body;
    this.#isPersistent = response.isPersistent;
    this.#keepAliveMs = response.keepAliveMs(arena);
    this.#isUnchunking = false;
    if (!response.dropUpgrades(arena)) return false;
    if (!response.hasBody(isHead)) body.startEmpty();
    else if (response.isChunked) {
      body.startChunked(response.nominated);
      this.#isUnchunking = !client.takesChunks;
      if (this.#isUnchunking && !response.dropNamed(arena, "transfer-encoding")) return false;
    } else if (response.contentLength >= 0) body.startLength(response.contentLength);
    else body.startUntilClose();
    this.advance(this.#body, this.#isUnchunking);
    return !body.isBroken;
  }

  #readBody(): void {
    // All of the answer is here and the client has yet to take it: what follows, or an end, is of no concern to it.
    if (this.#body.isDone || this.pipe !== null) return this.wantRead(false);
    const mayPipe = !this.#isUnchunking && this.#events?.client.takesPipe === true;
    const piped = mayPipe ? this.fillPipeWith(this.#body) : AGAIN;
    if (piped === AGAIN && !this.haveBulkBuffer()) return;
    // A trailer's name that has not all come is kept until it has.
    if (this.room === 0 && this.sent === this.ready) this.compact();
    if (piped === AGAIN && this.room === 0) return this.wantRead(false);
    const count = piped === AGAIN ? this.fill() : piped;
    if (count === AGAIN) return this.releaseIfEmpty();
    if (count === END || count === BROKEN) return this.#endBody(count === END);
    if (piped === AGAIN) this.advance(this.#body, this.#isUnchunking);
    if (this.#body.isBroken) return this.#fail("invalid");
    this.#events?.onAnswerBody(this);
  }

  /** The endpoint sends no more. */
  #endBody(isOrderly: boolean): void {
    if (!isOrderly || !this.#body.isUntilClose) return this.#fail("reset");
    this.#body.end();
    this.wantRead(false);
    this.#events?.onAnswerBody(this);
  }

  answerTaken(): boolean {
    if (this.#body.isDone) return false;
    this.passHead();
    this.wantRead(true);
    return false;
  }

  // As one end of a tunnel.

  override enter(tunnel: Tunnel): void {
    this.#phase = "tunnel";
    this.#events = null;
    super.enter(tunnel);
  }

  // Ends.

  finish(isClean: boolean): void {
    this.passOver();
    const canReuse = isClean && this.#isPersistent && !this.#body.isUntilClose &&
      this.ready === this.end && this.hasEndedBody && this.isFlushed;
    this.start = this.sent = this.ready = this.end;
    this.releaseIfEmpty();
    this.#events = null;
    if (canReuse && this.#rest()) return;
    this.close();
  }

  /** Waits for the next exchange. False: it is not wanted. */
  #rest(): boolean {
    const { io, timeouts } = this.loop;
    const idleMs = Math.min(timeouts.upstreamIdleMs, this.#keepAliveMs - KEEP_ALIVE_MARGIN_MS);
    this.#idleUntilMs = this.deadlineMs = io.nowMs + idleMs;
    if (idleMs <= 0 || !this.pool.put(this, io.nowMs)) return false;
    this.#phase = "idle";
    this.isReused = true;
    this.wantRead(true);
    // Its end has to be seen before a request of the same batch of events takes it.
    io.comesFirst(this.fd, true);
    return true;
  }

  isUsable(nowMs: number, isFresh: boolean): boolean {
    return nowMs < this.#idleUntilMs && (!isFresh || this.#isSilent);
  }

  /** The endpoint has said nothing since its answer, not even that it ends the connection. */
  get #isSilent(): boolean {
    if (!this.haveBuffer()) return false;
    const result = this.loop.io.peek(this.fd, this.end, 1);
    this.releaseIfEmpty();
    return result === AGAIN;
  }

  override close(): void {
    if (!this.isOpen) return;
    if (this.#phase === "idle") this.pool.remove(this);
    this.pool.connectionEnded();
    this.#events = null;
    super.close();
  }
}
