/** Http2ServerStream: one request of an HTTP/2 client, and its answer; or the client's end of a tunnel. */
import { BROKEN } from "../io/io.ts";
import { BUFFER_BYTES } from "../limits.ts";
import { NO_ROOM, NO_STREAM, TOO_LARGE } from "../protocol/http2/connection.ts";
import { CANCEL, CONNECT_ERROR, INTERNAL_ERROR, NO_ERROR } from "../protocol/http2/error_code.ts";
import {
  NAME_CONTENT_LENGTH,
  NAME_CONTENT_TYPE,
  NAME_STATUS,
  NAME_WEFT_REASON,
} from "../protocol/http2/hpack/names.ts";
import { composeGrpcRefusal, isGrpcContentType } from "../protocol/http2/grpc.ts";
import type { Http2Request } from "../protocol/http2/request.ts";
import { COMPLETE, REFUSALS } from "../protocol/http1/head.ts";
import { equalsIgnoreCase } from "../protocol/http1/lexical.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Response } from "../protocol/http1/response.ts";
import { newWebSocketKey, WEBSOCKET, webSocketAcceptOf } from "../protocol/websocket/handshake.ts";
import { explainReason } from "../http1/answer.ts";
import type { Buffered } from "../loop/inbox.ts";
import { NO_BUFFER } from "../loop/arena.ts";
import type { Caller } from "../tls/caller.ts";
import type { Context } from "../loop/context.ts";
import { Exchange } from "../exchange/exchange.ts";
import type { Carrier, ExchangeClient } from "../exchange/sides.ts";
import { Http2Stream } from "./stream.ts";
import { addLines, fieldsOfResponse, headText, neverIndexedOf, requestText } from "./text.ts";
import { startTunnel } from "../loop/tunnel.ts";
import type { TunnelEnd } from "../loop/tunnel.ts";
import type { Http2Downstream } from "./downstream.ts";

/** Room for an answer of the proxy itself: a few short headers and a line of text; what a policy adds comes on top. */
const REFUSAL_BYTES_MAX = 2_048;

/** While no more than this has come of a body it is kept, though passed on: a message of gRPC may come in several frames. */
const REPLAY_BYTES_MAX = 8_192;

export class Http2ServerStream extends Http2Stream implements ExchangeClient {
  readonly #downstream: Http2Downstream;
  readonly #exchange: Exchange;
  /** The end of a request says nothing of its client. */
  readonly hasHalfClosed = false;
  /** The request's head as text, kept as long as it may have to be sent again. */
  #head = NO_BUFFER;
  #headEnd = 0;
  /** Where the body that is kept begins. */
  #bodyBytes = 0;
  isReplayable = true;
  needsHttp2 = false;
  /** Asks an endpoint of HTTP/1.1 for what the client asked for by `:protocol`; empty where it did not. */
  #webSocketKey = "";
  /** A head that found no room yet, and the lines that are added to it. */
  #pendingHead: {
    readonly text: Uint8Array;
    readonly added: Uint8Array;
    readonly neverIndexed: ReadonlySet<string> | null;
  } | null = null;
  /** An answer of the proxy itself that found no room yet. */
  #pendingRefusal: { readonly status: number; readonly reason: string } | null = null;

  constructor(context: Context, downstream: Http2Downstream, streamId: number) {
    super(context, downstream);
    this.#downstream = downstream;
    this.streamId = streamId;
    this.socket.counts.streamOpened();
    this.#exchange = new Exchange(context, downstream.router, this);
  }

  get peer(): string {
    return this.#downstream.peer;
  }

  get isSecure(): boolean {
    return this.#downstream.isSecure;
  }

  get caller(): Caller {
    return this.#downstream.caller;
  }

  get speaksHttp2(): boolean {
    return true;
  }

  get expectsHttp2(): boolean {
    return !this.#downstream.isUpgraded;
  }

  get source(): Buffered {
    return this;
  }

  get isPlain(): boolean {
    return true;
  }

  /** What is written to the machine is as good as sent: windows and room hold it back before. */
  get owesNothing(): boolean {
    return this.#pendingHead === null;
  }

  get takesChunks(): boolean {
    return false;
  }

  get hasWholeRequest(): boolean {
    return this.isComplete;
  }

  /** What is sent after a request for a tunnel belongs to the tunnel. */
  get hasSentRequest(): boolean {
    return this.isTunnel || (this.isComplete && this.sent === this.ready);
  }

  // The request.

  begin(isEnd: boolean): void {
    const { arena, buffers, http2Scratch, random, request } = this.context;
    this.hasEnded = isEnd;
    this.#head = buffers.take();
    if (this.#head === NO_BUFFER) return this.refuseUnread(503, "no-buffer", isEnd);
    const { request: message } = http2Scratch;
    this.isTunnel = message.isConnect;
    const hasBody = !isEnd && !this.isTunnel;
    if (message.isExtendedConnect) this.#webSocketKey = newWebSocketKey(random);
    else this.cutCode = this.isTunnel ? CONNECT_ERROR : CANCEL;
    const limit = this.#head + BUFFER_BYTES;
    this.#headEnd = requestText(message, hasBody, this.#webSocketKey, arena, this.#head, limit);
    if (this.#headEnd < 0) return this.refuseUnread(431, "head-too-large", isEnd);
    const result = request.parse(arena, this.#head, this.#headEnd);
    if (result !== COMPLETE) {
      const { status, reason } = REFUSALS[result];
      return this.refuseUnread(status, reason, isEnd);
    }
    this.needsHttp2 = isGrpcCall(arena, message);
    this.neverIndexed = neverIndexedOf(arena, message);
    this.#exchange.begin(request);
    if (message.isExtendedConnect && !isWebSocket(arena, message)) {
      return this.refuse(501, "protocol-unsupported");
    }
    if (request.contentLength > this.context.bodyBytesMax) {
      return this.refuse(413, "body-too-large");
    }
    this.#awaitBody();
    this.#exchange.route(request);
  }

  /** The request that asked for HTTP/2 is the first to be answered in it. */
  beginUpgraded({ start, end }: Request): void {
    const { arena, buffers, request } = this.context;
    this.hasEnded = true;
    this.#head = buffers.take();
    if (this.#head === NO_BUFFER) return this.refuseUnread(503, "no-buffer", true);
    arena.copyWithin(this.#head, start, end);
    this.#headEnd = this.#head + end - start;
    request.parse(arena, this.#head, this.#headEnd);
    this.#exchange.begin(request);
    this.#exchange.route(request);
  }

  refuseUnread(status: number, reason: string, isEnd: boolean): void {
    this.hasEnded = isEnd;
    this.#exchange.begin(null);
    this.refuse(status, reason);
  }

  #awaitBody(): void {
    const { io, timeouts } = this.context;
    const isWhole = this.hasEnded || this.isTunnel;
    this.deadlineMs = isWhole ? Infinity : io.nowMs + timeouts.stallMs;
  }

  requestAgain(): Request {
    const { arena, request } = this.context;
    request.parse(arena, this.#head, this.#headEnd);
    this.sent = this.start;
    return request;
  }

  unchunk(): void {}
  onWaiting(): void {}
  onPassing(): void {}

  protected override onBody(): void {
    if (!this.isOpen) return;
    this.#awaitBody();
    this.#bodyBytes += this.ready - this.sent;
    // Also where nothing but the end has come.
    this.#exchange.copy(this.ready, this.ready);
    this.#passBody();
  }

  protected override onData(from: number): void {
    this.#exchange.copy(from, this.ready);
  }

  onCarrierWritable(): void {
    this.#passBody();
  }

  #passBody(): void {
    const { carrier } = this.#exchange;
    if (carrier === null || !carrier.isReady) return;
    // The head may not all be written yet; there is nothing besides.
    if (this.isTunnel) return void carrier.passBody(this, true);
    do {
      const result = carrier.passBody(this, this.isComplete);
      if (result === BROKEN) return this.#exchange.onFailed(carrier, "reset");
      if (result === 0 || !this.isOpen) return;
      // The window of all streams must not run out because of what is kept for a few.
      if (this.#keepsBody) return this.returnWindow();
      if (this.ready > this.start) this.isReplayable = false;
    } while (this.passedOn());
  }

  /** What has been passed on of the body is kept: it may have to be sent again. */
  get #keepsBody(): boolean {
    return this.isReplayable && !this.hasTrailers && !this.isBacklogged &&
      (this.isComplete || this.ready - this.start <= REPLAY_BYTES_MAX);
  }

  // The answer.

  passInterim(response: Response): boolean {
    const fields = this.context.http2Scratch.composed;
    const neverIndexed = this.#exchange.carrier?.neverIndexed ?? null;
    if (!fieldsOfResponse(this.context.arena, response, neverIndexed, fields)) return true;
    if (!this.socket.prepare()) return false;
    // An interim answer that finds no room is left out: it is only ever a hint.
    this.socket.machine.sendHead(this.streamId, fields, false);
    this.socket.sendLater();
    return true;
  }

  passHead(response: Response, source: Buffered, _isFramed: boolean, isLast: boolean): boolean {
    this.isReplayable = false;
    this.#releaseHead();
    // What was kept of the request is not needed any more.
    if (this.passedOn()) this.#passBody();
    if (!this.isOpen) return false;
    const isEnd = isLast && source.sent === source.ready && !source.hasTrailers;
    const result = this.#sendHead(response, isEnd, source.neverIndexed);
    if (result === NO_ROOM) {
      this.#putOff(response, source.neverIndexed);
      this.socket.awaitRoom(this);
      return true;
    }
    if (result < 0) return this.#refuseHead();
    return this.passAnswer(source, isLast) !== BROKEN;
  }

  /** Keeps a head until there is room for it. */
  #putOff(response: Response, neverIndexed: ReadonlySet<string> | null): void {
    const { arena } = this.context;
    this.#pendingHead = {
      text: headText(arena, response),
      added: arena.slice(response.addedStart, response.addedEnd),
      neverIndexed,
    };
  }

  /** The answer's head is more than this client takes. False: the client is gone, or it is too late to refuse. */
  #refuseHead(): boolean {
    if (!this.isOpen || !this.socket.isOpen || !this.#exchange.hasAnswer) return false;
    this.#exchange.refuse(502, "answer-head-too-large");
    return true;
  }

  #sendHead(
    response: Response,
    isEnd: boolean,
    neverIndexed: ReadonlySet<string> | null,
  ): number {
    const fields = this.context.http2Scratch.composed;
    if (!this.socket.prepare()) return NO_STREAM;
    if (!fieldsOfResponse(this.context.arena, response, neverIndexed, fields)) return TOO_LARGE;
    const result = this.socket.machine.sendHead(this.streamId, fields, isEnd);
    this.socket.sendLater();
    if (isEnd && result >= 0) this.sentEnd();
    return result;
  }

  passAnswer(source: Buffered, isLast: boolean): number {
    return this.#pendingHead === null ? this.sendBody(source, isLast) : 0;
  }

  protected override onRoom(): void {
    if (!this.isOpen) return;
    const refusal = this.#pendingRefusal;
    if (refusal !== null) return this.refuse(refusal.status, refusal.reason);
    const { carrier } = this.#exchange;
    if (this.#pendingHead !== null && !this.#sendPendingHead()) return;
    if (carrier === null) return;
    const result = this.sendBody(carrier.source, carrier.hasWholeAnswer);
    if (result === BROKEN) return this.abort();
    if (result === 1) carrier.onDrained();
  }

  /** False: there is still no room, or the stream is gone. */
  #sendPendingHead(): boolean {
    const { arena, buffers, response, texts: { room } } = this.context;
    const head = this.#pendingHead;
    const offset = buffers.take();
    if (head === null || offset === NO_BUFFER) return false;
    arena.set(head.text, offset);
    response.parse(arena, offset, offset + head.text.length);
    arena.set(head.added, room);
    response.addedStart = room;
    response.addedEnd = room + head.added.length;
    const result = this.#sendHead(response, false, head.neverIndexed);
    buffers.give(offset);
    if (result === NO_ROOM) {
      this.socket.awaitRoom(this);
      return false;
    }
    this.#pendingHead = null;
    if (result < 0 && !this.#refuseHead()) this.abort();
    return result >= 0;
  }

  onAnswered(): void {
    this.#exchange.end();
    // What is left of the request is not wanted (RFC 9113 8.1).
    this.#end(NO_ERROR);
  }

  refuse(status: number, reason: string): void {
    const { http2Scratch, buffers, arena, io } = this.context;
    if (!this.socket.prepare()) return this.abort();
    if (this.socket.outputRoom < REFUSAL_BYTES_MAX + this.#exchange.ownHeaders.length) {
      this.#pendingRefusal = { status, reason };
      this.deadlineMs = io.nowMs + this.context.timeouts.stallMs;
      return this.socket.awaitRoom(this);
    }
    this.#pendingRefusal = null;
    this.#exchange.beginAnswer(status, reason);
    if (this.needsHttp2) return this.#refuseCall(status, reason);
    const text = this.#exchange.isHead ? "" : `weft: ${explainReason(reason)}\n`;
    const fields = http2Scratch.composed;
    fields.clear();
    fields.addText(NAME_STATUS, String(status));
    fields.addText(NAME_CONTENT_TYPE, "text/plain");
    fields.addText(NAME_CONTENT_LENGTH, String(text.length));
    fields.addText(NAME_WEFT_REASON, reason);
    const { ownHeaders } = this.#exchange;
    const { room } = this.context.texts;
    arena.set(ownHeaders, room);
    addLines(arena, room, room + ownHeaders.length, fields);
    const offset = buffers.take();
    if (offset === NO_BUFFER) return this.abort();
    for (let i = 0; i < text.length; i++) arena[offset + i] = text.charCodeAt(i);
    const { machine } = this.socket;
    const isWritten = machine.sendHead(this.streamId, fields, text === "") >= 0 &&
      (text === "" ||
        machine.sendData(this.streamId, offset, text.length, true, io.nowMs) === text.length);
    buffers.give(offset);
    this.#endRefusal(isWritten);
  }

  /** Callers of gRPC read `grpc-status`, and nothing of an answer that has none. */
  #refuseCall(status: number, reason: string): void {
    const { http2Scratch: { composed }, arena, texts: { room } } = this.context;
    const isComposed = composeGrpcRefusal(composed, status, reason, explainReason(reason));
    const { ownHeaders } = this.#exchange;
    arena.set(ownHeaders, room);
    addLines(arena, room, room + ownHeaders.length, composed);
    const { machine } = this.socket;
    this.#endRefusal(isComposed && machine.sendHead(this.streamId, composed, true) >= 0);
  }

  #endRefusal(isWritten: boolean): void {
    this.socket.sendLater();
    this.#exchange.end();
    if (isWritten) this.sentEnd();
    this.#end(isWritten ? NO_ERROR : INTERNAL_ERROR);
  }

  // As a tunnel.

  openTunnel(carrier: Carrier, response: Response): void {
    if (response.status === 101 && !this.#isAccepted(response)) {
      return this.#exchange.onFailed(carrier, "invalid");
    }
    this.#exchange.beginAnswer(response.status);
    const result = this.#sendHead(response, false, carrier.neverIndexed);
    if (result === NO_ROOM) this.#putOff(response, carrier.neverIndexed);
    else if (result < 0) return this.abort();
    const { stallMs } = this.#exchange;
    const onEnd = this.#exchange.endInTunnel();
    this.#releaseHead();
    carrier.startTunnel(this, onEnd);
    this.startTunnel(carrier);
    startTunnel(this, carrier, stallMs);
  }

  /** The endpoint has taken up WebSocket, and proves to have read the key that was made for it (RFC 6455 4.1). */
  #isAccepted(response: Response): boolean {
    const { arena } = this.context;
    const accept = response.valueOf(arena, "sec-websocket-accept");
    return accept === webSocketAcceptOf(this.#webSocketKey) &&
      response.valueOf(arena, "upgrade").toLowerCase() === WEBSOCKET;
  }

  override writeTunnel(source: TunnelEnd): number {
    if (this.#pendingHead !== null && !this.#sendPendingHead()) return this.isOpen ? 0 : BROKEN;
    return super.writeTunnel(source);
  }

  // Ends.

  abort(resetCode = INTERNAL_ERROR): void {
    this.#exchange.abandon();
    this.#end(resetCode);
  }

  protected override onReset(_code: number): void {
    this.#exchange.abandon();
    this.hasEnded = true;
    this.sentEnd();
    this.#end(CANCEL);
  }

  protected override onLate(): void {
    if (this.#exchange.hasAnswer || this.#pendingRefusal !== null) return this.abort();
    this.#exchange.dropCarrier();
    this.refuse(408, "request-timeout");
  }

  #end(code: number): void {
    this.#releaseHead();
    this.#pendingHead = null;
    this.leave(code);
  }

  #releaseHead(): void {
    if (this.#head === NO_BUFFER) return;
    this.context.buffers.give(this.#head);
    this.#head = NO_BUFFER;
  }
}

function isWebSocket(bytes: Uint8Array, { protocolStart, protocolEnd }: Http2Request): boolean {
  return equalsIgnoreCase(bytes, protocolStart, protocolEnd, WEBSOCKET);
}

/** Whether this is a call by gRPC, which needs HTTP/2 and its trailers on every hop. */
function isGrpcCall(bytes: Uint8Array, message: Http2Request): boolean {
  for (let index = 0; index < message.headerCount; index++) {
    if (message.names[index] !== NAME_CONTENT_TYPE) continue;
    const { headers } = message;
    return isGrpcContentType(bytes, headers[4 * index + 2], headers[4 * index + 3]);
  }
  return false;
}
