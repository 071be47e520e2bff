/** Http2ServerStream: one request of an HTTP/2 client, and its answer; or the client's end of a tunnel. */
import { type Refusal, REFUSALS } from "../../base/refusals.ts";
import type { AnswerSource, ClientEvents, ClientSide, Exchanges } from "../exchange/sides.ts";
import { BROKEN } from "../io/io.ts";
import {
  END_STREAM_GRACE_MS,
  HEADS_WAITING_MAX,
  REFUSAL_BYTES_MAX,
  REFUSAL_ROOM_MS,
  REPLAY_BYTES_MAX,
} from "../limits.ts";
import { bufferBytes, NO_BUFFER, writeAscii } from "../loop/arena.ts";
import type { Inbox } from "../loop/inbox.ts";
import type { Loop } from "../loop/loop.ts";
import type { TunnelEnd } from "../loop/tunnel.ts";
import { COMPLETE, reasonOf } from "../protocol/http1/head.ts";
import { copyHead } from "../protocol/http1/head_copy.ts";
import { equalsIgnoreCase } from "../protocol/http1/lexical.ts";
import type { Request } from "../protocol/http1/request.ts";
import { hasContent, type Response } from "../protocol/http1/response.ts";
import { CANCEL, CONNECT_ERROR, INTERNAL_ERROR, NO_ERROR } from "../protocol/http2/error_code.ts";
import {
  composeGrpcRefusal,
  composeGrpcTrailers,
  isGrpcContentType,
} from "../protocol/http2/grpc.ts";
import type { FieldList } from "../protocol/http2/hpack/field_list.ts";
import {
  NAME_CONTENT_LENGTH,
  NAME_CONTENT_TYPE,
  NAME_STATUS,
  NAME_WEFT_REASON,
} from "../protocol/http2/hpack/names.ts";
import type { Http2Request } from "../protocol/http2/request.ts";
import { newWebSocketKey, WEBSOCKET, webSocketAcceptOf } from "../protocol/websocket/handshake.ts";
import type { ClientFacts, Router } from "../route/router.ts";
import type { Caller } from "../tls/caller.ts";
import type { Http2Socket } from "./socket.ts";
import { Http2Stream } from "./stream.ts";
import { addLines, fieldsOfResponse, neverIndexedOf, requestText, textBytesMax } from "./text.ts";
import { NO_ROOM, NO_STREAM, TOO_LARGE } from "../protocol/http2/sender.ts";

/** The connection of the client. */
export interface ClientConnection extends Http2Socket {
  readonly peer: string;
  readonly router: Router;
  /** The client began in HTTP/1.1, so it does not know what its server speaks. */
  readonly isUpgraded: boolean;
}

/** A head that found no room yet, and the lines that are added to it. */
interface PendingHead {
  readonly text: Uint8Array;
  readonly added: Uint8Array;
  readonly answer: AnswerSource;
  /** It opens a tunnel, so it does not end the message. */
  readonly isTunnel: boolean;
}

export class Http2ServerStream extends Http2Stream implements ClientSide, ClientFacts {
  readonly #connection: ClientConnection;
  readonly #exchanges: Exchanges;
  /** Null once the request is answered. */
  #exchange: ClientEvents | null;
  /** The request's head as text, and as it was parsed, kept as long as it may have to be sent again. */
  #head = NO_BUFFER;
  #request: Request | null = null;
  isReplayable = true;
  needsHttp2 = false;
  /** The head of a request for which there is no buffer yet. */
  #waitingHead: Uint8Array | null = null;
  #isProtocolUnknown = false;
  /** Asks an endpoint of HTTP/1.1 for what the client asked for by `:protocol`; empty where it did not. */
  #webSocketKey = "";
  #pendingHead: PendingHead | null = null;
  /** The answer's head says where its body ends, so that nothing may end it earlier. */
  #isFramed = false;
  /** An answer of the proxy itself that found no room yet. */
  #pendingRefusal: Refusal | null = null;
  /** The answer is sent, and the end of the request may be on its way. */
  #isAwaitingEnd = false;

  constructor(loop: Loop, exchanges: Exchanges, connection: ClientConnection, streamId: number) {
    super(loop, connection);
    this.#connection = connection;
    this.streamId = streamId;
    this.socket.counts.streamOpened();
    this.#exchanges = exchanges;
    this.#exchange = exchanges.open(connection.router, this);
  }

  get client(): ClientFacts {
    return this;
  }

  get peer(): string {
    return this.#connection.peer;
  }

  get isSecure(): boolean {
    return this.#connection.isSecure;
  }

  get caller(): Caller {
    return this.#connection.caller;
  }

  get speaksHttp2(): boolean {
    return true;
  }

  get expectsHttp2(): boolean {
    return !this.#connection.isUpgraded;
  }

  get body(): Inbox {
    return this;
  }

  get isPlain(): boolean {
    return true;
  }

  /** What is written to the machine is as good as sent: windows and room hold it back before. */
  get isFlushed(): boolean {
    return this.#pendingHead === null;
  }

  get takesChunks(): boolean {
    return false;
  }

  /** What is sent after a request for a tunnel belongs to the tunnel. */
  get hasWholeRequest(): boolean {
    return this.isTunnel || this.isComplete;
  }

  // The request.

  begin(isEnd: boolean): void {
    const { arena, buffers, random, scratch } = this.loop;
    const { composed, received, request: message } = scratch.http2;
    this.hasReceivedEnd = isEnd;
    this.needsHttp2 = isGrpcCall(arena, received);
    this.isTunnel = message.isConnect;
    if (message.isExtendedConnect) this.#webSocketKey = newWebSocketKey(random);
    else this.cutCode = this.isTunnel ? CONNECT_ERROR : CANCEL;
    this.neverIndexed = neverIndexedOf(arena, message);
    this.#isProtocolUnknown = message.isExtendedConnect && !isWebSocket(arena, message);
    this.#head = buffers.takeForRequest(textBytesMax(received));
    const mustWait = this.#head === NO_BUFFER;
    composed.clear();
    const at = mustWait ? composed.textEnd : this.#head;
    const limit = mustWait ? composed.areaEnd : at + bufferBytes(at);
    const hasBody = !isEnd && !this.isTunnel;
    const end = requestText(message, hasBody, this.#webSocketKey, arena, at, limit);
    if (end < 0) return this.refuseUnread(REFUSALS["head-too-large"], isEnd);
    if (mustWait) this.#awaitBuffer(arena.slice(at, end));
    else this.#start(end);
  }

  /** The head stands in its buffer, to `end`. */
  #start(end: number): void {
    const { arena, scratch } = this.loop;
    const request = scratch.takeRequest();
    this.#request = request;
    const result = request.parse(arena, this.#head, end);
    if (result !== COMPLETE) {
      return this.refuseUnread(REFUSALS[reasonOf(result)], this.hasReceivedEnd);
    }
    this.#exchange?.begin(request);
    if (this.#isProtocolUnknown) return this.#exchange?.refuse(REFUSALS["protocol-unsupported"]);
    if (request.contentLength > this.loop.bodyBytesMax) {
      return this.#exchange?.refuse(REFUSALS["body-too-large"]);
    }
    this.#exchange?.route();
  }

  /** There is no buffer for the head now: it is kept beside the arena until there is one, or its time is over. */
  #awaitBuffer(text: Uint8Array): void {
    const { loop } = this;
    if (loop.headsWaiting >= HEADS_WAITING_MAX) {
      return this.refuseUnread(REFUSALS["no-buffer"], this.hasReceivedEnd);
    }
    loop.headsWaiting++;
    this.#waitingHead = text;
    this.deadlineMs = loop.io.nowMs + loop.timeouts.requestHeadMs;
    loop.starve(this);
  }

  #forgetWaitingHead(): void {
    if (this.#waitingHead === null) return;
    this.#waitingHead = null;
    this.loop.headsWaiting--;
  }

  override onFed(): void {
    const text = this.#waitingHead;
    if (text === null) return super.onFed();
    this.#head = this.loop.buffers.takeForRequest(text.length);
    if (this.#head === NO_BUFFER) return this.loop.starve(this);
    this.#forgetWaitingHead();
    this.loop.arena.set(text, this.#head);
    this.#start(this.#head + text.length);
    if (this.isOpen) super.onFed();
  }

  /** The request that asked for HTTP/2 is the first to be answered in it. */
  beginUpgraded({ start, end }: Request): void {
    const { arena, buffers, scratch } = this.loop;
    this.hasReceivedEnd = true;
    this.#head = buffers.takeForRequest(end - start);
    if (this.#head === NO_BUFFER) return this.refuseUnread(REFUSALS["no-buffer"], true);
    arena.copyWithin(this.#head, start, end);
    const request = scratch.takeRequest();
    this.#request = request;
    request.parse(arena, this.#head, this.#head + end - start);
    this.#exchange?.begin(request);
    this.#exchange?.route();
  }

  /** The head is larger than is taken; what was read of it tells a call by gRPC. */
  refuseTooLarge(isEnd: boolean): void {
    const { arena, scratch } = this.loop;
    this.needsHttp2 = isGrpcCall(arena, scratch.http2.received);
    this.refuseUnread(REFUSALS["head-too-large"], isEnd);
  }

  refuseUnread(refusal: Refusal, isEnd: boolean): void {
    this.#forgetWaitingHead();
    this.hasReceivedEnd = isEnd;
    this.#exchange?.begin(null);
    this.#exchange?.refuse(refusal);
  }

  rewind(): void {
    this.sent = this.start;
  }

  unchunk(): void {}

  protected override onData(from: number): void {
    if (this.#waitingHead === null) this.#exchange?.onRequestData(from, this.ready);
  }

  protected override onBody(): void {
    if (!this.isOpen || this.#waitingHead !== null) return;
    if (this.#isAwaitingEnd) this.#awaitEnd();
    else this.#exchange?.onRequestBody();
  }

  requestTaken(): boolean {
    // The window of all streams must not run out because of what is kept for a few.
    if (this.#keepsBody) {
      this.returnWindow();
      return false;
    }
    if (this.ready > this.start) this.isReplayable = false;
    return this.passedOn();
  }

  /** What has been passed on of the body is kept: it may have to be sent again. */
  get #keepsBody(): boolean {
    return this.isReplayable && !this.hasTrailers && !this.isBacklogged &&
      (this.isComplete || this.ready - this.start <= REPLAY_BYTES_MAX);
  }

  // The answer.

  sendInterim(response: Response, { body }: AnswerSource): boolean {
    const fields = this.loop.scratch.http2.composed;
    if (!fieldsOfResponse(this.loop.arena, response, body.neverIndexed, fields)) return true;
    if (!this.socket.prepareHead(fields)) return false;
    // An interim answer that finds no room is left out: it is only ever a hint.
    this.socket.machine.sendHead(this.streamId, fields, false);
    this.socket.sendLater();
    return true;
  }

  sendHead(response: Response, answer: AnswerSource): number {
    this.isReplayable = false;
    this.#isFramed = answer.isFramed;
    this.#releaseHead();
    // What was kept of the request is not needed any more.
    if (this.passedOn()) this.#exchange?.onRequestBody();
    if (!this.isOpen) return BROKEN;
    const result = this.#writeHead(response, isAtEnd(answer), answer);
    if (result === NO_ROOM) {
      this.#putOff(response, answer, false);
      return 0;
    }
    return result < 0 ? this.#refuseHead() : this.sendBody(answer);
  }

  /** Keeps a head until there is room for it. */
  #putOff(response: Response, answer: AnswerSource, isTunnel: boolean): void {
    const { arena } = this.loop;
    const added = arena.slice(response.addedStart, response.addedEnd);
    this.#pendingHead = { text: copyHead(arena, response), added, answer, isTunnel };
    this.socket.awaitRoom(this);
  }

  /** The answer's head is more than this client takes, and nothing of it has been sent. */
  #refuseHead(): number {
    if (!this.isOpen || !this.socket.isOpen) return BROKEN;
    const reason = this.socket.isShortOfRoom ? "no-buffer" : "answer-head-too-large";
    this.#exchange?.refuseAnswer(REFUSALS[reason]);
    return 0;
  }

  #writeHead(response: Response, isEnd: boolean, { body }: AnswerSource): number {
    const fields = this.loop.scratch.http2.composed;
    if (!fieldsOfResponse(this.loop.arena, response, body.neverIndexed, fields)) return TOO_LARGE;
    if (!this.socket.prepareHead(fields)) return NO_STREAM;
    const result = this.socket.machine.sendHead(this.streamId, fields, isEnd);
    this.socket.sendLater();
    if (isEnd && result >= 0) this.sentEnd();
    return result;
  }

  sendBody({ body, hasWholeAnswer }: AnswerSource): number {
    return this.#pendingHead === null ? this.writeBody(body, hasWholeAnswer) : 0;
  }

  protected override onRoom(): void {
    if (!this.isOpen) return;
    if (this.#pendingRefusal !== null) return this.refuse(this.#pendingRefusal);
    if (this.#pendingHead !== null && !this.#sendPendingHead(this.#pendingHead)) return;
    this.#exchange?.onClientRoom();
  }

  /** False: there is still no room, or the stream is gone. */
  #sendPendingHead({ text, added, answer, isTunnel }: PendingHead): boolean {
    const { arena, buffers, scratch: { response }, texts: { room } } = this.loop;
    const offset = buffers.takeForPassing(text.length);
    if (offset === NO_BUFFER) {
      this.socket.awaitRoom(this);
      return false;
    }
    arena.set(text, offset);
    response.parse(arena, offset, offset + text.length);
    arena.set(added, room);
    response.addedStart = room;
    response.addedEnd = room + added.length;
    const result = this.#writeHead(response, !isTunnel && isAtEnd(answer), answer);
    buffers.give(offset);
    if (result === NO_ROOM) {
      this.socket.awaitRoom(this);
      return false;
    }
    this.#pendingHead = null;
    if (result < 0 && this.#refuseHead() === BROKEN) this.abort();
    return result >= 0;
  }

  // As a tunnel.

  /** The endpoint has taken up WebSocket, and proves to have read the key that was made for it (RFC 6455 4.1). */
  acceptsTunnel(response: Response): boolean {
    if (response.status !== 101) return true;
    const { arena } = this.loop;
    const accept = response.valueOf(arena, "sec-websocket-accept");
    return accept === webSocketAcceptOf(this.#webSocketKey) &&
      response.valueOf(arena, "upgrade").toLowerCase() === WEBSOCKET;
  }

  sendTunnelHead(response: Response, answer: AnswerSource): boolean {
    const result = this.#writeHead(response, false, answer);
    if (result === NO_ROOM) this.#putOff(response, answer, true);
    return result >= 0 || result === NO_ROOM;
  }

  asTunnelEnd(): TunnelEnd {
    this.#releaseHead();
    this.#closeExchange();
    return this;
  }

  override writeTunnel(source: TunnelEnd): number {
    if (this.#pendingHead !== null && !this.#sendPendingHead(this.#pendingHead)) {
      return this.isOpen ? 0 : BROKEN;
    }
    return super.writeTunnel(source);
  }

  // The ways to end.

  finish(): void {
    this.#endAnswered();
  }

  refuse(refusal: Refusal): void {
    const { io, texts: { room }, arena, scratch: { http2: { composed } } } = this.loop;
    if (!this.socket.prepare()) return this.abort();
    const { headers } = refusal;
    if (this.socket.outputRoom < REFUSAL_BYTES_MAX + (headers?.length ?? 0)) {
      this.deadlineMs = io.nowMs + REFUSAL_ROOM_MS;
      this.#pendingRefusal = refusal;
      return this.socket.awaitRoom(this);
    }
    this.#pendingRefusal = null;
    const text = this.needsHttp2 ? "" : this.#refusalText(refusal);
    if (this.needsHttp2) composeGrpcRefusal(composed, refusal);
    else composeRefusal(composed, refusal, text.length);
    if (headers !== null) {
      arena.set(headers, room);
      addLines(arena, room, room + headers.length, composed);
    }
    if (this.#writeRefusal(composed, this.#isHead ? "" : text)) this.#endAnswered();
    else this.#end(INTERNAL_ERROR);
  }

  get #isHead(): boolean {
    return this.#exchange?.isHead === true;
  }

  /** Empty if the status has no text, or the client takes none now: that is not waited for. */
  #refusalText({ text, status }: Refusal): string {
    const line = hasContent(status, false) && status !== 205 ? `weft: ${text}\n` : "";
    const isTaken = this.#isHead ||
      this.socket.machine.windowOf(this.streamId) >= line.length;
    return isTaken ? line : "";
  }

  #writeRefusal(fields: FieldList, text: string): boolean {
    if (text === "") return this.#writeRefusalHead(fields, true);
    if (!this.#writeRefusalHead(fields, false)) return false;
    // The head has been composed, so that the room for its lines is free; there may be no buffer.
    const { arena, io, texts: { room } } = this.loop;
    writeAscii(arena, room, text);
    const sent = this.socket.machine.sendData(this.streamId, room, text.length, true, io.nowMs);
    const isWritten = sent === text.length;
    if (isWritten) this.sentEnd();
    return isWritten;
  }

  #writeRefusalHead(fields: FieldList, isEnd: boolean): boolean {
    const isWritten = this.socket.machine.sendHead(this.streamId, fields, isEnd) >= 0;
    this.socket.sendLater();
    if (isWritten && isEnd) this.sentEnd();
    return isWritten;
  }

  override cut(resetCode: number | null = null): void {
    if (this.isInTunnel) super.cut();
    else this.#end(resetCode ?? INTERNAL_ERROR);
  }

  expire(refusal: Refusal): void {
    if (this.#sendTrailers(refusal)) this.#endAnswered();
    else this.cut();
  }

  /** Ends the answer of a call with the trailers that tell why. False: it is none, or they cannot be sent now. */
  #sendTrailers(refusal: Refusal): boolean {
    const canTrail = this.needsHttp2 && !this.#isFramed && this.#pendingHead === null &&
      this.socket.prepare() && this.socket.outputRoom >= REFUSAL_BYTES_MAX;
    if (!canTrail) return false;
    const fields = this.loop.scratch.http2.composed;
    composeGrpcTrailers(fields, refusal);
    return this.#writeRefusalHead(fields, true);
  }

  protected override onAbort(): void {
    this.#loseClient();
    this.#end(INTERNAL_ERROR);
  }

  /** A request whose head still waits is counted too. */
  #loseClient(): void {
    if (this.#waitingHead !== null) this.#exchange?.begin(null);
    this.#forgetWaitingHead();
    this.#exchange?.onClientGone();
  }

  protected override onReset(): void {
    this.#loseClient();
    this.hasReceivedEnd = true;
    this.sentEnd();
    this.#end(CANCEL);
  }

  protected override onLate(): void {
    if (this.#isAwaitingEnd) this.#end(NO_ERROR);
    else if (this.#waitingHead !== null) {
      this.refuseUnread(REFUSALS["no-buffer"], this.hasReceivedEnd);
    } else if (this.#pendingRefusal !== null) this.#end(INTERNAL_ERROR);
    else this.#exchange?.onDeadline();
  }

  /** All of the answer is written. The end of the request may be on its way, and costs nothing to wait for. */
  #endAnswered(): void {
    this.#releaseHead();
    this.#closeExchange();
    if (this.hasReceivedEnd) return this.#end(NO_ERROR);
    this.#isAwaitingEnd = true;
    this.deadlineMs = this.loop.io.nowMs + END_STREAM_GRACE_MS;
    this.#awaitEnd();
  }

  /** What still comes of the request is dropped, up to its window (RFC 9113 8.1). */
  #awaitEnd(): void {
    this.discardReceived();
    if (this.hasReceivedEnd) this.#end(NO_ERROR);
  }

  #end(code: number): void {
    this.#releaseHead();
    this.#closeExchange();
    this.#pendingHead = null;
    this.leave(code);
  }

  #closeExchange(): void {
    if (this.#exchange !== null) this.#exchanges.close(this.#exchange);
    this.#exchange = null;
  }

  #releaseHead(): void {
    const { buffers, scratch } = this.loop;
    if (this.#head !== NO_BUFFER) buffers.give(this.#head);
    this.#head = NO_BUFFER;
    if (this.#request !== null) scratch.giveRequest(this.#request);
    this.#request = null;
  }
}

/** The head is all there is of the answer. */
function isAtEnd({ body, hasWholeAnswer }: AnswerSource): boolean {
  return hasWholeAnswer && body.sent === body.ready && !body.hasTrailers;
}

/** @param length of the text; 0: there is none */
function composeRefusal(fields: FieldList, { status, reason }: Refusal, length: number): void {
  fields.clear();
  fields.addText(NAME_STATUS, String(status));
  if (length > 0) {
    fields.addText(NAME_CONTENT_TYPE, "text/plain");
    fields.addText(NAME_CONTENT_LENGTH, String(length));
  }
  fields.addText(NAME_WEFT_REASON, reason);
}

function isWebSocket(bytes: Uint8Array, { protocolStart, protocolEnd }: Http2Request): boolean {
  return equalsIgnoreCase(bytes, protocolStart, protocolEnd, WEBSOCKET);
}

/** Whether these are the fields of a call by gRPC, which needs HTTP/2 and its trailers on every hop. */
function isGrpcCall(bytes: Uint8Array, fields: FieldList): boolean {
  const { names, offsets, count, lostContentType } = fields;
  if (fields.isTooLarge) return isGrpcContentType(lostContentType, 0, lostContentType.length);
  for (let index = 0; index < count; index++) {
    if (names[index] !== NAME_CONTENT_TYPE) continue;
    return isGrpcContentType(bytes, offsets[4 * index + 2], offsets[4 * index + 3]);
  }
  return false;
}
