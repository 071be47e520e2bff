/**
 * Downstream: one HTTP/1.1 connection of a client. It hands each request to its exchange, writes the answers, and
 * decides what becomes of the connection after each. How requests are read is in `request_reader.ts`.
 *
 * Requests that are pipelined wait in the read buffer; they are served one after another.
 */
import { type Refusal, REFUSALS } from "../../base/refusals.ts";
import type { AnswerSource, ClientEvents, ClientSide, Exchanges } from "../exchange/sides.ts";
import { AGAIN, BROKEN, END } from "../io/io.ts";
import type { Fd } from "../io/io.ts";
import type { TlsFailure } from "../io/tls.ts";
import { DRAIN_IDLE_MS, HEAD_BUFFER_BYTES, LINGER_IDLE_MS, LINGER_MS } from "../limits.ts";
import { NO_BUFFER } from "../loop/arena.ts";
import type { Inbox } from "../loop/inbox.ts";
import type { Loop } from "../loop/loop.ts";
import type { Socket } from "../loop/socket.ts";
import type { TunnelEnd } from "../loop/tunnel.ts";
import { COMPLETE, INCOMPLETE, reasonOf } from "../protocol/http1/head.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Response } from "../protocol/http1/response.ts";
import { asksForHttp2, upgradeSettingsOf } from "../protocol/http2/upgrade.ts";
import type { ClientFacts, Router } from "../route/router.ts";
import { gatherResponse, renderAnswer } from "./heads.ts";
import { HTTP2_PREFACE, RequestReader } from "./request_reader.ts";

/**
 * `head`: between requests or in the head of one. `exchange`: the request is decided, on its way or being answered. `lingering`: all
 * is said, and the client may read it in peace.
 */
type Phase = "head" | "exchange" | "tunnel" | "lingering";

/** Goes on in HTTP/2 on the connection of a client that turns out to speak it. */
export interface Http2Switch {
  /** The client said so from the start. */
  takeOver(client: Socket & ClientFacts, router: Router): void;
  /** Its request asks for it, with these settings (RFC 7540 3.2). The request is the first to be answered. */
  upgrade(
    client: Socket & ClientFacts,
    router: Router,
    request: Request,
    settings: Uint8Array,
  ): void;
}

export class Downstream extends RequestReader implements ClientSide, ClientFacts {
  readonly kind = "client";
  readonly peer: string;
  readonly #router: Router;
  readonly #exchanges: Exchanges;
  /** Of the request under way; null between requests. */
  #exchange: ClientEvents | null = null;
  readonly #http2: Http2Switch;
  #phase: Phase = "head";

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
  /** When lingering ends, whatever still comes. */
  #lingerUntilMs = 0;

  constructor(
    loop: Loop,
    exchanges: Exchanges,
    router: Router,
    http2: Http2Switch,
    fd: Fd,
    peer: string,
  ) {
    super(loop);
    this.#router = router;
    this.#http2 = http2;
    this.fd = fd;
    this.peer = peer;
    this.#exchanges = exchanges;
    this.#awaitRequest();
  }

  get client(): ClientFacts {
    return this;
  }

  get body(): Inbox {
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

  // Events of the connection.

  override onReadable(): void {
    switch (this.#phase) {
      case "head":
        return this.#readHead();
      case "exchange":
        return this.hasWholeRequest ? this.#readAhead() : this.#readBody();
      case "tunnel":
        return this.tunnel?.read(this);
      case "lingering":
        return this.#readToDiscard();
    }
  }

  override onWritable(): void {
    if (this.tunnel !== null) return this.tunnel.passTo(this);
    const result = this.flush(this);
    if (result === BROKEN) return this.abort();
    if (result === 0) return;
    if (this.#exchange !== null) this.#exchange.onClientRoom();
    else if (this.#phase === "lingering") this.#onLastWord();
  }

  override onHangup(failure?: TlsFailure): void {
    if (failure !== undefined) this.loop.events.tlsFailed(failure, this.peer);
    if (this.tunnel !== null && this.outlivesHangup) return;
    this.abort();
  }

  override onDeadline(): void {
    if (this.tunnel !== null) return this.tunnel.onDeadline();
    if (this.#exchange !== null) return this.#exchange.onDeadline();
    if (this.#phase === "head" && this.start < this.end) {
      return this.#refuseHead(REFUSALS[this.isShortOfRoom ? "no-buffer" : "request-timeout"]);
    }
    this.close();
  }

  override abort(): void {
    if (this.tunnel !== null) return this.tunnel.cut("");
    this.#exchange?.onClientGone();
    this.cut();
  }

  /** Told when the proxy begins to drain. */
  onDraining(): void {
    const isIdle = this.#phase === "head" && this.start === this.end;
    if (isIdle) this.deadlineMs = this.loop.io.nowMs + DRAIN_IDLE_MS;
  }

  // Reading requests.

  #awaitRequest(): void {
    const { io, timeouts, isDraining } = this.loop;
    this.#phase = "head";
    this.deadlineMs = io.nowMs + (isDraining ? DRAIN_IDLE_MS : timeouts.clientIdleMs);
  }

  #readHead(): void {
    if (!this.haveBuffer() || !this.haveRoomForHead()) return;
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
    const result = this.takeHead();
    if (result === INCOMPLETE) return false;
    const { request } = this;
    if (result === HTTP2_PREFACE) this.#http2.takeOver(this, this.#router);
    else if (result !== COMPLETE || request === null) {
      this.#refuseHead(REFUSALS[reasonOf(result)]);
    } else if (!request.saysUpgrade || !this.#upgrade(request)) {
      this.#begin(request);
      return true;
    }
    return false;
  }

  /** Goes on in HTTP/2 where the request asks for that. True: the request is dealt with. */
  #upgrade(request: Request): boolean {
    const { arena, isDraining } = this.loop;
    // Over TLS, ALPN is how to ask (RFC 9113 3.2).
    if (this.isSecure || isDraining || !asksForHttp2(arena, request, this.end)) return false;
    const settings = upgradeSettingsOf(arena, request);
    if (settings === null) this.#refuseHead(REFUSALS["bad-http2-settings"]);
    else this.#http2.upgrade(this, this.#router, request, settings);
    return true;
  }

  /** Refuses a head that could not be read, of which nothing is known. */
  #refuseHead(refusal: Refusal): void {
    this.#openExchange().begin(null);
    this.startNoBody();
    this.#refuseForGood(refusal);
  }

  /** Refuses a request after which the connection cannot be used any further. */
  #refuseForGood(refusal: Refusal): void {
    this.#keepsAlive = false;
    this.#exchange?.refuse(refusal);
  }

  #begin(request: Request): void {
    this.start = request.start;
    this.#minorVersion = request.minorVersion;
    this.#isClientsLast = !request.isPersistent;
    this.#keepsAlive = request.isPersistent && !this.loop.isDraining;
    this.isReplayable = true;
    this.#phase = "exchange";
    const exchange = this.#openExchange();
    exchange.begin(request);
    const refusal = this.startBody(request);
    if (refusal !== null) this.#refuseForGood(refusal);
    else exchange.route();
  }

  #openExchange(): ClientEvents {
    this.#exchange = this.#exchanges.open(this.#router, this);
    return this.#exchange;
  }

  #closeExchange(): void {
    this.forgetRequest();
    if (this.#exchange !== null) this.#exchanges.close(this.#exchange);
    this.#exchange = null;
  }

  #readBody(): void {
    const taken = this.readBody();
    if (typeof taken !== "number") return this.#refuseForGood(taken);
    if (taken === 0 && this.pipe === null && !this.hasWholeRequest) return;
    this.#exchange?.onRequestData(this.ready - taken, this.ready);
    this.#exchange?.onRequestBody();
  }

  protected override takeHeadBuffer(): number {
    return this.loop.buffers.takeForRequest(HEAD_BUFFER_BYTES);
  }

  protected override makeRoom(): boolean {
    if (this.#exchange?.isSending !== true || this.sent < this.ready) return false;
    this.isReplayable = false;
    this.passHead();
    if (this.buffer !== NO_BUFFER) this.compact();
    return true;
  }

  protected override get mayPipe(): boolean {
    return this.#exchange?.mayPipeRequest === true;
  }

  /** What a client sends before it is answered: the next request, or its end. */
  #readAhead(): void {
    if (!this.haveBuffer()) return;
    if (this.room === 0) return this.wantRead(false);
    const count = this.fill();
    if (count === AGAIN) return this.releaseIfEmpty();
    if (count === BROKEN) return this.abort();
    if (count > 0) return;
    this.hasEnded = true;
    this.wantRead(false);
    const mayTunnel = this.#exchange?.isConnect === true || this.#exchange?.wantsUpgrade === true;
    // The other direction of a tunnel goes on. Else the client gives up, in all likelihood, and its endpoint is told.
    if (mayTunnel) this.releaseIfEmpty();
    else this.abort();
  }

  #readToDiscard(): void {
    const { io } = this.loop;
    if (!this.haveBuffer()) return;
    const count = this.fill();
    this.discard();
    if (count === BROKEN || (count === END && this.isFlushed)) return this.close();
    // It is still sending: closed now, it might never read its answer.
    if (count > 0) {
      this.deadlineMs = Math.min(this.#lingerUntilMs, io.nowMs + LINGER_IDLE_MS);
    }
    if (count !== END) return;
    this.hasEnded = true;
    this.wantRead(false);
  }

  // Verbs of the exchange.

  rewind(): void {
    if (this.request !== null) this.sent = this.request.end;
  }

  unchunk(): void {
    if (this.unchunkBody()) this.#exchange?.onRequestUnchunked(this.sent, this.ready);
  }

  requestTaken(): boolean {
    // Reading stopped where the buffer was full before there was anywhere to pass it on to.
    this.wantRead(true);
    if (!this.isReplayable) this.passHead();
    return false;
  }

  sendInterim(response: Response): boolean {
    if (this.#minorVersion === 0) return true;
    const { scratch: { gather }, texts } = this.loop;
    gatherResponse(gather, response, texts, null);
    return this.sendGathered(gather, null);
  }

  sendHead(response: Response, answer: AnswerSource): number {
    const { scratch: { gather }, texts, isDraining } = this.loop;
    const isOldClient = this.#minorVersion === 0;
    // An end of the connection would not tell an answer that was cut off from a whole one.
    const isChunking = !answer.isFramed && !isOldClient;
    this.startWriting(isChunking);
    this.#isOpenEnded = !answer.isFramed && !isChunking;
    // A client that is answered before it has sent all is told to send no more requests here.
    if (this.#isOpenEnded || isDraining || !this.hasWholeRequest) this.#keepsAlive = false;
    this.isReplayable = false;
    this.passHead();
    const line = !this.#keepsAlive ? texts.close : isOldClient ? texts.keepAlive : null;
    gatherResponse(gather, response, texts, line, isChunking);
    if (!this.sendGathered(gather, isChunking ? null : answer.body)) return BROKEN;
    if (isChunking) return this.sendBody(answer);
    return this.isFlushed && !answer.body.hasUnsent ? 1 : 0;
  }

  sendBody({ body, hasWholeAnswer }: AnswerSource): number {
    return this.writeBody(body, hasWholeAnswer);
  }

  acceptsTunnel(): boolean {
    return true;
  }

  sendTunnelHead(response: Response, { body }: AnswerSource): boolean {
    const { scratch: { gather }, texts } = this.loop;
    gatherResponse(gather, response, texts, response.status === 101 ? texts.upgrade : null);
    return this.sendGathered(gather, body);
  }

  asTunnelEnd(): TunnelEnd {
    this.#phase = "tunnel";
    this.#closeExchange();
    this.start = this.sent;
    this.ready = this.end;
    this.leaveLargeBuffer();
    this.wantRead(!this.hasEnded);
    return this;
  }

  // The ways to end.

  finish(): void {
    if (!this.hasWholeRequest || this.hasUnsent) this.#keepsAlive = false;
    this.#endExchange();
  }

  refuse(refusal: Refusal): void {
    const isHead = this.#exchange?.isHead === true;
    const isConnect = this.#exchange?.isConnect === true;
    // What a client sends after CONNECT is for the tunnel, and never a request. An HTTP/1.0 client that is not told otherwise
    // reads until the end.
    if (isConnect || !this.hasWholeRequest || this.#minorVersion === 0) this.#keepsAlive = false;
    if (!this.sendText(renderAnswer(refusal, isHead, !this.#keepsAlive))) return this.close();
    // What is left of the refused request is passed over.
    this.sent = this.ready;
    this.#endExchange();
  }

  override cut(): void {
    const isMistakable = this.tunnel !== null || this.#isOpenEnded;
    if (isMistakable) super.cut();
    else this.close();
  }

  expire(): void {
    this.cut();
  }

  override close(): void {
    this.#closeExchange();
    super.close();
  }

  override letGo(): void {
    this.#closeExchange();
    super.letGo();
  }

  #endExchange(): void {
    this.#isOpenEnded = false;
    this.#closeExchange();
    this.passOver();
    this.leaveLargeBuffer();
    if (!this.#keepsAlive) return this.#linger();
    this.#awaitRequest();
    if (!this.hasEnded) this.wantRead(true);
    if (!this.#isTaking) this.#takeRequests();
  }

  /** Ends the connection without losing an answer to bytes that the client still sends (RFC 9112 9.6). */
  #linger(): void {
    const { io } = this.loop;
    const hasUnread = this.start < this.end || !this.hasWholeRequest;
    // A client that has not been told in time may have sent the next request: closing now would reset the answer.
    const isAgreed = this.hasEnded || (this.#isClientsLast && !hasUnread);
    if (this.isFlushed && isAgreed) return this.close();
    this.#phase = "lingering";
    this.#lingerUntilMs = io.nowMs + LINGER_MS;
    this.deadlineMs = io.nowMs + LINGER_IDLE_MS;
    this.discard();
    if (this.isFlushed) io.shutdown(this.fd);
    this.wantRead(!this.hasEnded);
  }

  #onLastWord(): void {
    if (this.hasEnded) this.close();
    else this.loop.io.shutdown(this.fd);
  }
}
