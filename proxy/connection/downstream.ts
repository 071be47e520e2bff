/**
 * Downstream: one HTTP/1.1 connection of a client. It reads requests, hands each to its `Exchange`, writes the
 * answers, and decides what becomes of the connection after each.
 *
 * Requests that are pipelined wait in the read buffer; they are served one after another.
 */
import { AGAIN, BROKEN, END } from "../io/io.ts";
import type { Fd } from "../io/io.ts";
import type { TlsFailure } from "../io/tls.ts";
import { DRAIN_IDLE_MS, LINGER_MS, REQUEST_LINE_BYTES_MAX } from "../limits.ts";
import { Body } from "../protocol/http1/body.ts";
import { BAD_VERSION, COMPLETE, INCOMPLETE, REFUSALS } from "../protocol/http1/head.ts";
import { CR, latin1, LF } from "../protocol/http1/lexical.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Response } from "../protocol/http1/response.ts";
import { detectHttp2 } from "../protocol/http2/detect.ts";
import { asksForHttp2, upgradeSettingsOf } from "../protocol/http2/upgrade.ts";
import { renderAnswer } from "./answer.ts";
import type { Buffered } from "./buffered.ts";
import { Connection } from "./connection.ts";
import type { Context } from "./context.ts";
import { Exchange } from "./exchange.ts";
import type { Carrier, ExchangeClient } from "./exchange_sides.ts";
import { Http2Downstream } from "./http2_downstream.ts";
import type { Router } from "./router.ts";
import { cutBoth, startTunnel, tunnelRead, tunnelWrite } from "./tunnel.ts";
import type { TunnelEnd } from "./tunnel.ts";

/**
 * `head`: between requests or in the head of one. `waiting`: for a connection to an endpoint. `exchange`: the
 * request is on its way or being answered. `lingering`: all is said, and the client may read it in peace.
 */
type Phase = "head" | "waiting" | "exchange" | "tunnel" | "lingering";

export class Downstream extends Connection implements ExchangeClient {
  readonly peer: string;
  readonly #router: Router;
  readonly #exchange: Exchange;
  #phase: Phase = "head";
  /** The other end of a tunnel. */
  #tunnelPeer: TunnelEnd | null = null;

  // Of the request under way:
  #minorVersion = 1;
  #keepsAlive = true;
  /** The client has said that it sends no other request after this one. */
  #isClientsLast = false;
  readonly #body = new Body();
  isReplayable = false;
  /** The request's chunks are taken out of their framing, because its carrier has a framing of its own. */
  #isUnchunking = false;
  /** Only the end of the connection tells the client that it has all of the answer. */
  #isOpenEnded = false;
  #bodyBytes = 0;
  /** Nothing was asked on this connection yet: it may still turn out to speak HTTP/2. */
  #isFirst = true;
  /** `#takeRequests` is running: what ends an exchange within it need not start it again. */
  #isTaking = false;
  /** Up to where an incomplete head has been looked at; 0: not at all. */
  #parsedTo = 0;

  constructor(context: Context, router: Router, fd: Fd, peer: string) {
    super(context);
    this.#router = router;
    this.#exchange = new Exchange(context, router, this);
    this.fd = fd;
    this.peer = peer;
    this.#awaitRequest();
  }

  /** Nothing is under way, so a draining proxy may close this connection. */
  get isIdle(): boolean {
    return this.#phase === "head" && this.start === this.end;
  }

  get source(): Buffered {
    return this;
  }

  get takesChunks(): boolean {
    return this.#minorVersion > 0;
  }

  get speaksHttp2(): boolean {
    return false;
  }

  get expectsHttp2(): boolean {
    return false;
  }

  get needsHttp2(): boolean {
    return false;
  }

  get hasHalfClosed(): boolean {
    return this.hasEnded;
  }

  get isPlain(): boolean {
    return this.#isUnchunking;
  }

  get hasWholeRequest(): boolean {
    return this.#body.isDone;
  }

  get hasSentRequest(): boolean {
    return this.#body.isDone && this.sent === this.ready;
  }

  override onReadable(): void {
    switch (this.#phase) {
      case "head":
        return this.#readHead();
      case "waiting":
      case "exchange":
        return this.#body.isDone ? this.#readAhead() : this.#readBody();
      case "tunnel":
        return this.#tunnelPeer === null ? this.close() : tunnelRead(this, this.#tunnelPeer);
      case "lingering":
        return this.#discard();
    }
  }

  override onWritable(): void {
    if (this.#tunnelPeer !== null) return tunnelWrite(this.#tunnelPeer, this);
    const { carrier, hasAnswer } = this.#exchange;
    // A carrier whose answer is under way is this client's to drain.
    const source = hasAnswer ? carrier : null;
    const result = source === null
      ? this.flush(this)
      : this.passAnswer(source.source, source.hasWholeAnswer);
    if (result === BROKEN) return this.abort();
    if (result === 0) return;
    if (source !== null) source.onDrained();
    else if (this.#phase === "lingering") this.#onLastWord();
  }

  override onHangup(failure?: TlsFailure): void {
    if (failure !== undefined) this.context.telemetry.tlsFailed(failure, this.peer);
    // What was read before a hang-up still goes through the tunnel.
    if (this.#tunnelPeer !== null && this.sent < this.ready) return;
    this.abort();
  }

  override onDeadline(): void {
    const isReceiving = this.#phase === "head" ? this.start < this.end : !this.#body.isDone;
    if (this.#phase === "head" && isReceiving) return this.#refuseHead(408, "request-timeout");
    if (this.#phase === "waiting" || this.#phase === "exchange") {
      if (isReceiving) return this.#refuseBody(408, "request-timeout");
    }
    this.abort();
  }

  /** Closes this connection and the exchange with it: there is nobody, or nothing, to answer. */
  override abort(): void {
    if (this.#tunnelPeer !== null) return cutBoth(this.#tunnelPeer, this);
    this.#exchange.abandon();
    if (this.#exchange.hasAnswer && this.#isOpenEnded) this.cut();
    else this.close();
  }

  // Reading requests.

  #awaitRequest(): void {
    const { io, timeouts, isDraining } = this.context;
    this.#phase = "head";
    this.deadlineMs = io.nowMs + (isDraining ? DRAIN_IDLE_MS : timeouts.clientIdleMs);
  }

  /** Told when the proxy begins to drain. */
  onDraining(): void {
    if (this.isIdle) this.deadlineMs = this.context.io.nowMs + DRAIN_IDLE_MS;
  }

  #readHead(): void {
    if (!this.haveBuffer()) return;
    if (this.room === 0) this.compact();
    const count = this.fill();
    if (count === AGAIN) return this.releaseIfEmpty();
    if (count === BROKEN) return this.close();
    if (count === END) {
      this.hasEnded = true;
      return this.#linger();
    }
    this.#takeRequests();
  }

  #takeRequests(): void {
    this.#isTaking = true;
    while (this.isOpen && this.#phase === "head" && this.start < this.end) {
      if (!this.#takeRequest()) break;
    }
    this.#isTaking = false;
    if (this.isOpen && this.#phase === "head") {
      this.releaseIfEmpty();
      // The client had already ended when the last of its whole requests was answered.
      if (this.hasEnded) this.#linger();
    }
  }

  /** Takes the request at `start`. False: it has not all arrived, or is refused. */
  #takeRequest(): boolean {
    const { arena, request } = this.context;
    // Only a line's end can complete a head, or show it to be malformed.
    const isHopeless = this.#parsedTo > 0 &&
      indexOfLineFeed(arena, this.#parsedTo, this.end) === this.end;
    const result = isHopeless ? INCOMPLETE : request.parse(arena, this.start, this.end);
    if (result === INCOMPLETE) return this.#awaitRest();
    this.#parsedTo = 0;
    if (result === BAD_VERSION && this.#isFirst) {
      const preface = detectHttp2(arena, this.start, this.end);
      if (preface === "more") return this.#awaitRest();
      if (preface === "yes") {
        Http2Downstream.takeOver(this, this.#router, this.peer);
        return false;
      }
    }
    this.#isFirst = false;
    if (result !== COMPLETE) {
      const { status, reason } = REFUSALS[result];
      this.#refuseHead(status, reason);
      return false;
    }
    if (request.saysUpgrade && this.#upgrade(request)) return false;
    this.#begin(request);
    return true;
  }

  /** Goes on in HTTP/2 where the request asks for that. True: the request is dealt with. */
  #upgrade(request: Request): boolean {
    const { arena, isDraining } = this.context;
    // Over TLS, ALPN is how to ask (RFC 9113 3.2).
    if (this.isSecure || isDraining || !asksForHttp2(arena, request, this.end)) return false;
    const settings = upgradeSettingsOf(arena, request);
    if (settings === null) this.#refuseHead(400, "bad-http2-settings");
    else Http2Downstream.upgrade(this, this.#router, this.peer, { request, settings });
    return true;
  }

  /** Refuses a head that could not be read, of which nothing is known. */
  #refuseHead(status: number, reason: string): void {
    this.#exchange.begin(null);
    this.#body.startEmpty();
    this.sent = this.ready = this.start;
    this.#refuse(status, reason, true);
  }

  #awaitRest(): boolean {
    const { arena, io, timeouts } = this.context;
    this.#passOverEmptyLines();
    if (this.start === this.end) return false;
    if (this.#parsedTo === 0) this.deadlineMs = io.nowMs + timeouts.requestHeadMs;
    this.#parsedTo = this.end;
    if (this.end - this.start > REQUEST_LINE_BYTES_MAX) {
      const line = indexOfLineFeed(arena, this.start + 2, this.end) - this.start;
      if (line > REQUEST_LINE_BYTES_MAX) {
        this.#refuseHead(414, "target-too-long");
        return false;
      }
    }
    if (this.room > 0) return false;
    if (this.start === this.buffer) this.#refuseHead(431, "head-too-large");
    else {
      this.compact();
      this.#parsedTo = this.end;
    }
    return false;
  }

  /** Some clients send an empty line after a body: that is not the beginning of a request (RFC 9112 2.2). */
  #passOverEmptyLines(): void {
    const { arena } = this.context;
    while (
      this.start + 1 < this.end && arena[this.start] === CR && arena[this.start + 1] === LF
    ) this.start += 2;
    this.sent = this.ready = this.start;
  }

  #begin(request: Request): void {
    const { arena, isDraining, bodyBytesMax } = this.context;
    this.start = request.start;
    this.#minorVersion = request.minorVersion;
    this.#isClientsLast = !request.isPersistent;
    this.#keepsAlive = request.isPersistent && !isDraining;
    this.isReplayable = true;
    this.#exchange.begin(request);
    this.#startBody(arena, request);
    this.#phase = "waiting";
    if (this.#body.isBroken) return this.#refuse(400, "bad-chunk", true);
    if (Math.max(this.#bodyBytes, request.contentLength) > bodyBytesMax) {
      return this.#refuse(413, "body-too-large", true);
    }
    this.#exchange.route(request);
  }

  #startBody(arena: Uint8Array, request: Request): void {
    if (request.isConnect) this.#body.startEmpty();
    else if (request.isChunked) this.#body.startChunked();
    else if (request.contentLength > 0) this.#body.startLength(request.contentLength);
    else this.#body.startEmpty();
    this.#isUnchunking = false;
    this.sent = request.end;
    this.ready = this.#body.advance(arena, request.end, this.end);
    this.#bodyBytes = this.ready - request.end;
    const { io, timeouts } = this.context;
    this.deadlineMs = this.#body.isDone ? Infinity : io.nowMs + timeouts.stallMs;
  }

  /** More of a request's body. */
  #readBody(): void {
    const { io, timeouts } = this.context;
    if (!this.haveBuffer()) return;
    if (this.room === 0 && !this.#makeRoom()) {
      // Held back: from here on it is the endpoint that takes its time, and has a deadline of its own.
      this.deadlineMs = Infinity;
      return io.wantRead(this.fd, false);
    }
    const count = this.fill();
    if (count === AGAIN) return this.releaseIfEmpty();
    if (count === END || count === BROKEN) return this.abort();
    const before = this.ready;
    this.#advance();
    this.#bodyBytes += this.ready - before;
    this.deadlineMs = this.#body.isDone ? Infinity : io.nowMs + timeouts.stallMs;
    if (this.#body.isBroken) return this.#refuseBody(400, "bad-chunk");
    if (this.#bodyBytes > this.context.bodyBytesMax) return this.#refuseBody(413, "body-too-large");
    this.#exchange.copy(before, this.ready);
    if (this.#phase === "exchange") this.#passBody();
  }

  /** Moves `ready` over what belongs to the body of the bytes that have arrived. */
  #advance(): void {
    const { arena } = this.context;
    if (!this.#isUnchunking) {
      this.ready = this.#body.advance(arena, this.ready, this.end);
      return;
    }
    const held = this.#body.trailerBytes;
    const taken = this.#body.unchunk(arena, this.ready + held, this.end);
    if (held === 0) this.ready = this.#body.unchunkedEnd;
    const kept = this.ready + this.#body.trailerBytes;
    // What follows the body is the next request.
    arena.copyWithin(kept, taken, this.end);
    this.end -= taken - kept;
    if (this.#body.isDone) this.trailersEnd = kept;
  }

  unchunk(): void {
    if (this.#isUnchunking || !this.#body.isChunked) return;
    this.#isUnchunking = true;
    this.#body.startChunked();
    this.ready = this.sent;
    this.#advance();
    this.#exchange.copyAgain(this.sent, this.ready);
  }

  #refuseBody(status: number, reason: string): void {
    if (this.#exchange.hasAnswer) return this.abort();
    this.#exchange.dropCarrier();
    this.#refuse(status, reason, true);
  }

  /** Drops what is kept only for sending it again. False: the buffer is full of what is yet to be sent. */
  #makeRoom(): boolean {
    if (this.#phase !== "exchange" || this.sent < this.ready) return false;
    this.isReplayable = false;
    this.start = this.sent;
    this.compact();
    return true;
  }

  #passBody(): void {
    const { carrier } = this.#exchange;
    if (carrier === null) return;
    const result = carrier.passBody(this, this.#body.isDone);
    if (result === BROKEN) return this.#exchange.onFailed(carrier, "reset");
    if (result === 0) return;
    const { io, timeouts } = this.context;
    if (!this.#body.isDone) this.deadlineMs = io.nowMs + timeouts.stallMs;
    io.wantRead(this.fd, true);
    if (!this.#exchange.hasAnswer) return;
    this.start = this.sent;
    this.releaseIfEmpty();
  }

  /** What a client sends before it is answered: the next request, or its end. */
  #readAhead(): void {
    const { io } = this.context;
    if (!this.haveBuffer()) return;
    if (this.room === 0) return io.wantRead(this.fd, false);
    const count = this.fill();
    if (count === AGAIN) return this.releaseIfEmpty();
    if (count === BROKEN) return this.abort();
    if (count > 0) return;
    // A client that has ended may still want its answer (half-close).
    this.hasEnded = true;
    io.wantRead(this.fd, false);
    this.releaseIfEmpty();
    this.#exchange.onHalfClosed();
  }

  #discard(): void {
    if (!this.haveBuffer()) return;
    const count = this.fill();
    this.discard();
    if (count === BROKEN || (count === END && this.owesNothing)) return this.close();
    if (count !== END) return;
    // It may still read what it is owed.
    this.hasEnded = true;
    this.context.io.wantRead(this.fd, false);
  }

  // What the exchange and its carrier ask for.

  requestAgain(): Request {
    const { arena, request } = this.context;
    request.parse(arena, this.start, this.end);
    this.sent = request.end;
    return request;
  }

  onWaiting(): void {
    this.#phase = "waiting";
  }

  onPassing(): void {
    this.#phase = "exchange";
    // Reading stopped where the buffer was full before there was anywhere to pass it on to.
    const { io, timeouts } = this.context;
    if (this.#body.isDone) return;
    this.deadlineMs = io.nowMs + timeouts.stallMs;
    io.wantRead(this.fd, true);
  }

  onCarrierWritable(): void {
    this.#passBody();
  }

  openTunnel(carrier: Carrier, response: Response): void {
    const { io, pieces, texts } = this.context;
    this.#exchange.beginAnswer(response.status);
    pieces.setResponse(response, texts, response.status === 101 ? texts.upgrade : null);
    if (!this.sendHead(pieces, carrier)) return this.abort();
    this.#exchange.end();
    this.#phase = "tunnel";
    this.#tunnelPeer = carrier;
    carrier.startTunnel(this);
    this.start = this.sent;
    this.ready = this.end;
    io.wantRead(this.fd, !this.hasEnded);
    startTunnel(this, carrier);
  }

  // Answering.

  passInterim(response: Response): boolean {
    if (this.#minorVersion === 0) return true;
    this.context.pieces.setResponse(response, this.context.texts, null);
    return this.sendHead(this.context.pieces, null);
  }

  passHead(response: Response, source: Buffered, isFramed: boolean, isLast: boolean): boolean {
    const { pieces, texts, isDraining } = this.context;
    const isOldClient = this.#minorVersion === 0;
    // An end of the connection would not tell an answer that was cut off from a whole one.
    const isChunking = !isFramed && !isOldClient;
    this.startWriting(isChunking);
    this.#isOpenEnded = !isFramed && !isChunking;
    if (this.#isOpenEnded || isDraining) this.#keepsAlive = false;
    this.isReplayable = false;
    this.start = this.sent;
    this.releaseIfEmpty();
    const line = !this.#keepsAlive ? texts.close : isOldClient ? texts.keepAlive : null;
    pieces.setResponse(response, texts, line, isChunking);
    if (!isChunking) return this.sendHead(pieces, source);
    return this.sendHead(pieces, null) && this.passAnswer(source, isLast) !== BROKEN;
  }

  passAnswer(source: Buffered, isLast: boolean): number {
    return this.writeBody(source, isLast);
  }

  onAnswered(): void {
    this.#exchange.end();
    if (!this.#body.isDone || this.sent < this.ready) this.#keepsAlive = false;
    this.#endExchange();
  }

  refuse(status: number, reason: string): void {
    this.#refuse(status, reason, false);
  }

  /** Answers in place of an endpoint. `isFatal`: the connection cannot be used any further. */
  #refuse(status: number, reason: string, isFatal: boolean): void {
    this.#exchange.beginAnswer(status, reason);
    // An HTTP/1.0 client that is not told otherwise reads until the end.
    // What a client sends after CONNECT is for the tunnel, and never a request.
    if (this.#exchange.isConnect) this.#keepsAlive = false;
    if (isFatal || !this.#body.isDone || this.#minorVersion === 0) this.#keepsAlive = false;
    const { isHead, ownHeaders } = this.#exchange;
    const headers = latin1(ownHeaders, 0, ownHeaders.length);
    const answer = { status, reason, isHead, isClosing: !this.#keepsAlive, headers };
    if (!this.sendText(renderAnswer(answer))) return this.abort();
    this.#exchange.end();
    // What is left of the refused request is passed over.
    this.sent = this.ready;
    this.#endExchange();
  }

  #endExchange(): void {
    this.passOver();
    if (!this.#keepsAlive) return this.#linger();
    this.#awaitRequest();
    if (!this.hasEnded) this.context.io.wantRead(this.fd, true);
    if (!this.#isTaking) this.#takeRequests();
  }

  /** Ends the connection without losing an answer to bytes that the client still sends (RFC 9112 9.6). */
  #linger(): void {
    const { io } = this.context;
    const hasUnread = this.start < this.end || !this.#body.isDone;
    // A client that has not been told in time may have sent the next request: closing now would reset the answer.
    const isAgreed = this.hasEnded || (this.#isClientsLast && !hasUnread);
    if (this.owesNothing && isAgreed) return this.close();
    this.#phase = "lingering";
    this.deadlineMs = io.nowMs + LINGER_MS;
    this.discard();
    if (this.owesNothing) io.shutdown(this.fd);
    io.wantRead(this.fd, !this.hasEnded);
  }

  #onLastWord(): void {
    if (this.hasEnded) this.close();
    else this.context.io.shutdown(this.fd);
  }
}

function indexOfLineFeed(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] !== LF) at++;
  return at;
}
