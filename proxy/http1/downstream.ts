/**
 * Downstream: one HTTP/1.1 connection of a client. It hands each request to its `Exchange`, writes the answers, and
 * decides what becomes of the connection after each. How requests are read is in `request_reader.ts`.
 *
 * Requests that are pipelined wait in the read buffer; they are served one after another.
 */
import { AGAIN, BROKEN, END } from "../io/io.ts";
import type { Fd } from "../io/io.ts";
import type { TlsFailure } from "../io/tls.ts";
import { DRAIN_IDLE_MS, LINGER_MS } from "../limits.ts";
import { COMPLETE, INCOMPLETE, REFUSALS } from "../protocol/http1/head.ts";
import { latin1 } from "../protocol/http1/lexical.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Response } from "../protocol/http1/response.ts";
import { asksForHttp2, upgradeSettingsOf } from "../protocol/http2/upgrade.ts";
import { renderAnswer } from "./answer.ts";
import type { Buffered } from "../loop/inbox.ts";
import type { Context } from "../loop/context.ts";
import { Exchange } from "../exchange/exchange.ts";
import type { Carrier, ExchangeClient } from "../exchange/sides.ts";
import { Http2Downstream } from "../http2/downstream.ts";
import { HTTP2_PREFACE, RequestReader } from "./request_reader.ts";
import type { Refusal } from "./request_reader.ts";
import type { Router } from "../route/router.ts";
import { cutBoth, startTunnel, tunnelRead, tunnelWrite } from "../loop/tunnel.ts";
import type { TunnelEnd } from "../loop/tunnel.ts";

/**
 * `head`: between requests or in the head of one. `waiting`: for a connection to an endpoint. `exchange`: the
 * request is on its way or being answered. `lingering`: all is said, and the client may read it in peace.
 */
type Phase = "head" | "waiting" | "exchange" | "tunnel" | "lingering";

const LATE: Refusal = { status: 408, reason: "request-timeout" };
const BAD_SETTINGS: Refusal = { status: 400, reason: "bad-http2-settings" };

export class Downstream extends RequestReader implements ExchangeClient {
  readonly kind = "client";
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
  isReplayable = false;
  /** Only the end of the connection tells the client that it has all of the answer. */
  #isOpenEnded = false;
  /** `#takeRequests` is running: what ends an exchange within it need not start it again. */
  #isTaking = false;

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

  override onReadable(): void {
    switch (this.#phase) {
      case "head":
        return this.#readHead();
      case "waiting":
      case "exchange":
        return this.hasWholeRequest ? this.#readAhead() : this.#readBody();
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
    if (this.#tunnelPeer !== null && this.outlivesHangup) return;
    this.abort();
  }

  override onDeadline(): void {
    const isReceiving = this.#phase === "head" ? this.start < this.end : !this.hasWholeRequest;
    if (this.#phase === "head" && isReceiving) return this.#refuseHead(LATE);
    if (this.#phase === "waiting" || this.#phase === "exchange") {
      if (isReceiving) return this.#refuseBody(LATE);
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
    const { request } = this.context;
    const result = this.takeHead();
    if (result === INCOMPLETE) return false;
    if (result === HTTP2_PREFACE) Http2Downstream.takeOver(this, this.#router, this.peer);
    else if (result !== COMPLETE) this.#refuseHead(REFUSALS[result]);
    else if (!request.saysUpgrade || !this.#upgrade(request)) {
      this.#begin(request);
      return true;
    }
    return false;
  }

  /** Goes on in HTTP/2 where the request asks for that. True: the request is dealt with. */
  #upgrade(request: Request): boolean {
    const { arena, isDraining } = this.context;
    // Over TLS, ALPN is how to ask (RFC 9113 3.2).
    if (this.isSecure || isDraining || !asksForHttp2(arena, request, this.end)) return false;
    const settings = upgradeSettingsOf(arena, request);
    if (settings === null) this.#refuseHead(BAD_SETTINGS);
    else Http2Downstream.upgrade(this, this.#router, this.peer, { request, settings });
    return true;
  }

  /** Refuses a head that could not be read, of which nothing is known. */
  #refuseHead({ status, reason }: Refusal): void {
    this.#exchange.begin(null);
    this.startNoBody();
    this.#refuse(status, reason, true);
  }

  #begin(request: Request): void {
    this.start = request.start;
    this.#minorVersion = request.minorVersion;
    this.#isClientsLast = !request.isPersistent;
    this.#keepsAlive = request.isPersistent && !this.context.isDraining;
    this.isReplayable = true;
    this.#exchange.begin(request);
    const refusal = this.startBody(request);
    this.#phase = "waiting";
    if (refusal !== null) this.#refuse(refusal.status, refusal.reason, true);
    else this.#exchange.route(request);
  }

  #readBody(): void {
    const taken = this.readBody();
    if (typeof taken !== "number") return this.#refuseBody(taken);
    if (taken === 0 && !this.hasWholeRequest) return;
    this.#exchange.copy(this.ready - taken, this.ready);
    if (this.#phase === "exchange") this.#passBody();
  }

  unchunk(): void {
    if (this.unchunkBody()) this.#exchange.copyAgain(this.sent, this.ready);
  }

  #refuseBody({ status, reason }: Refusal): void {
    if (this.#exchange.hasAnswer) return this.abort();
    this.#exchange.dropCarrier();
    this.#refuse(status, reason, true);
  }

  protected override makeRoom(): boolean {
    if (this.#phase !== "exchange" || this.sent < this.ready) return false;
    this.isReplayable = false;
    this.start = this.sent;
    this.compact();
    return true;
  }

  #passBody(): void {
    const { carrier } = this.#exchange;
    if (carrier === null) return;
    const result = carrier.passBody(this, this.hasWholeRequest);
    if (result === BROKEN) return this.#exchange.onFailed(carrier, "reset");
    if (result === 0) return;
    if (!this.hasWholeRequest) this.awaitBody();
    this.context.io.wantRead(this.fd, true);
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
    if (this.hasWholeRequest) return;
    this.awaitBody();
    this.context.io.wantRead(this.fd, true);
  }

  onCarrierWritable(): void {
    this.#passBody();
  }

  openTunnel(carrier: Carrier, response: Response): void {
    const { io, pieces, texts } = this.context;
    this.#exchange.beginAnswer(response.status);
    pieces.setResponse(response, texts, response.status === 101 ? texts.upgrade : null);
    if (!this.sendHead(pieces, carrier)) return this.abort();
    const { stallMs } = this.#exchange;
    const onEnd = this.#exchange.endInTunnel();
    this.#phase = "tunnel";
    this.#tunnelPeer = carrier;
    carrier.startTunnel(this, onEnd);
    this.start = this.sent;
    this.ready = this.end;
    io.wantRead(this.fd, !this.hasEnded);
    startTunnel(this, carrier, stallMs);
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
    if (!this.hasWholeRequest || this.sent < this.ready) this.#keepsAlive = false;
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
    if (isFatal || !this.hasWholeRequest || this.#minorVersion === 0) this.#keepsAlive = false;
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
    const hasUnread = this.start < this.end || !this.hasWholeRequest;
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
