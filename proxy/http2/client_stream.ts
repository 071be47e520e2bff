/** Http2ClientStream: one exchange on an HTTP/2 connection to an endpoint; or the endpoint's end of a tunnel. */
import { type RefusalReason, REFUSALS } from "../../base/refusals.ts";
import type { CarrierFailure } from "../exchange/failures.ts";
import type { Carrier, CarrierEvents, RequestSource } from "../exchange/sides.ts";
import { bufferBytes, NO_BUFFER } from "../loop/arena.ts";
import type { Inbox } from "../loop/inbox.ts";
import type { Loop } from "../loop/loop.ts";
import type { Tunnel } from "../loop/tunnel.ts";
import type { EndpointPool } from "../pool/pool.ts";
import { COMPLETE, TOO_MANY_HEADERS } from "../protocol/http1/head.ts";
import type { Request } from "../protocol/http1/request.ts";
import {
  CANCEL,
  ENHANCE_YOUR_CALM,
  INTERNAL_ERROR,
  NO_ERROR,
  REFUSED_STREAM,
} from "../protocol/http2/error_code.ts";
import type { FieldList } from "../protocol/http2/hpack/field_list.ts";
import { isWebSocketKey, WEBSOCKET, webSocketAcceptOf } from "../protocol/websocket/handshake.ts";
import type { Http2Socket } from "./socket.ts";
import { Http2Stream } from "./stream.ts";
import { fieldsOfRequest, neverIndexedOf, responseText, textBytesMax } from "./text.ts";
import { NO_ROOM, NO_STREAM } from "../protocol/http2/sender.ts";

/** The connection to the endpoint. */
interface EndpointConnection extends Http2Socket {
  readonly pool: EndpointPool;
  readonly isConnected: boolean;
}

export class Http2ClientStream extends Http2Stream implements Carrier {
  readonly #connection: EndpointConnection;
  /** Null once it carries no exchange any more. */
  #events: CarrierEvents | null;
  /** The request's head found no room yet. */
  #isPuttingOff = false;
  /** Many exchanges share the connection, so that its end is never taken for that of a quiet one. */
  readonly isReused = false;
  #hasHead = false;
  isFramed = true;
  /** What a client of HTTP/1.1 is shown, so that it believes in the tunnel. */
  #webSocketAccept = "";

  constructor(loop: Loop, connection: EndpointConnection, events: CarrierEvents) {
    super(loop, connection);
    this.#connection = connection;
    this.#events = events;
  }

  get pool(): EndpointPool {
    return this.#connection.pool;
  }

  get body(): Inbox {
    return this;
  }

  get hasWholeAnswer(): boolean {
    return this.isComplete;
  }

  get isConnected(): boolean {
    return this.#connection.isConnected;
  }

  get isReady(): boolean {
    return this.streamId > 0;
  }

  onConnected(): void {
    if (this.#connection.machine.canOpen) this.#events?.onConnected(this);
    else this.#leaveCrowd();
  }

  /** The endpoint allows no more streams on this connection. */
  #leaveCrowd(): void {
    const isShut = this.#connection.machine.peer.streamsMax === 0;
    if (isShut) this.fail("refused");
    else this.#events?.onCrowded(this);
  }

  /** The endpoint has chosen HTTP/1.1. False: what is carried is only for HTTP/2, and has failed. */
  leaveToHttp1(): boolean {
    const canLeave = this.#events === null || !this.#events.needsHttp2;
    if (canLeave) this.#events?.onCrowded(this);
    else this.fail("tls");
    return canLeave;
  }

  fail(failure: CarrierFailure, resetCode = INTERNAL_ERROR): void {
    const events = this.#events;
    if (events === null) this.lose(CANCEL, false);
    else events.onFailed(this, failure, resetCode);
  }

  // The request.

  sendRequest(request: Request, source: RequestSource, peer: string): void {
    const { arena, scratch } = this.loop;
    const problem = this.#asTunnel(request);
    if (problem !== null) return this.#events?.refuse(REFUSALS[problem]);
    source.unchunk();
    const { body, hasWholeRequest } = source;
    const fields = scratch.http2.composed;
    if (!fieldsOfRequest(arena, request, peer, source, this.isTunnel, fields)) {
      return this.#events?.refuse(REFUSALS["too-many-headers"]);
    }
    if (!this.socket.prepareHead(fields)) return;
    const isEnd = !this.isTunnel && hasWholeRequest && body.sent === body.ready &&
      !body.hasTrailers;
    const result = this.#connection.machine.request(fields, isEnd);
    this.socket.sendLater();
    this.#isPuttingOff = result === NO_ROOM;
    if (result === NO_ROOM) return this.socket.awaitRoom(this);
    if (result === NO_STREAM) return this.#leaveCrowd();
    if (result < 0) {
      const reason = this.socket.isShortOfRoom ? "no-buffer" : "head-too-large";
      return this.#events?.refuse(REFUSALS[reason]);
    }
    this.streamId = result;
    this.#connection.machine.setOwner(result, this);
    this.socket.counts.streamOpened();
    if (isEnd) this.sentEnd();
  }

  /** Finds out whether this asks for a WebSocket. Returns why it may not; null: it may, or does not ask. */
  #asTunnel(request: Request): RefusalReason | null {
    const { arena } = this.loop;
    this.isTunnel = asksForWebSocket(arena, request);
    if (!this.isTunnel) return null;
    const key = request.valueOf(arena, "sec-websocket-key");
    this.#webSocketAccept = webSocketAcceptOf(key);
    if (!isWebSocketKey(key)) return "bad-websocket-key";
    return this.#connection.machine.peer.takesConnectProtocol ? null : "websocket-unsupported";
  }

  sendBody({ body, hasWholeRequest }: RequestSource): number {
    // What the client has goes through the tunnel, once that is open.
    return this.isTunnel ? 1 : this.writeBody(body, hasWholeRequest);
  }

  protected override onRoom(): void {
    const events = this.#events;
    if (events === null || !this.isOpen) return;
    if (this.#isPuttingOff) events.resendRequest(this);
    else events.onCarrierRoom();
  }

  // The answer.

  takeHead(isEnd: boolean): void {
    const { buffers, scratch: { http2: { received } } } = this.loop;
    const offset = buffers.takeForPassing(textBytesMax(received));
    if (offset === NO_BUFFER) return this.fail("no-buffer");
    this.#takeHead(isEnd, offset);
    buffers.give(offset);
  }

  #takeHead(isEnd: boolean, offset: number): void {
    const { arena, scratch: { http2, response } } = this.loop;
    const head = http2.response;
    const isOpening = this.isTunnel && head.status >= 200 && head.status < 300;
    if (!isOpening && !head.isInterim) this.isTunnel = false;
    const accept = isOpening ? this.#webSocketAccept : "";
    const end = responseText(head, accept, arena, offset, offset + bufferBytes(offset));
    if (end < 0) return this.fail("head-too-large");
    const result = response.parse(arena, offset, end);
    if (result === TOO_MANY_HEADERS) return this.fail("head-too-large");
    if (result !== COMPLETE) return this.fail("invalid");
    this.neverIndexed = neverIndexedOf(arena, head);
    if (head.isInterim) return this.#events?.onInterim(this, response);
    this.hasReceivedEnd = isEnd;
    if (isOpening) return this.#events?.onTunnel(this, response);
    this.#hasHead = true;
    this.isFramed = response.contentLength >= 0 ||
      !response.hasBody(this.#events?.isHead === true);
    this.#events?.onAnswer(this, response);
  }

  override takeTrailers(fields: FieldList): void {
    this.#events?.onTrailers(fields);
    super.takeTrailers(fields);
  }

  protected override onBody(): void {
    if (this.isOpen) this.#events?.onAnswerBody(this);
  }

  answerTaken(): boolean {
    return this.passedOn();
  }

  override enter(tunnel: Tunnel): void {
    this.#events = null;
    super.enter(tunnel);
  }

  // Ends.

  protected override onReset(code: number, isByPeer: boolean): void {
    if (this.#events === null) return this.close();
    // An endpoint that has answered in full may end the request so; its answer counts (RFC 9113 8.1).
    const isAnswered = this.hasReceivedEnd && this.#hasHead;
    this.hasReceivedEnd = true;
    this.sentEnd();
    if (isAnswered) return;
    if (isByPeer && code === REFUSED_STREAM && !this.#hasHead) return this.fail("unprocessed");
    if (!isByPeer && code === ENHANCE_YOUR_CALM && !this.#hasHead) {
      return this.fail("head-too-large");
    }
    // An answer that is not whole may not look as if nothing were wrong; what the proxy found wrong says nothing to the client.
    this.fail("reset", isByPeer && code !== NO_ERROR ? code : INTERNAL_ERROR);
  }

  protected override onAbort(): void {
    this.fail("reset");
    this.close();
  }

  /** The exchange has the deadline. */
  protected override onLate(): void {}

  finish(): void {
    // An endpoint that has answered may want no more of the request (RFC 9113 8.1).
    this.close();
  }

  override close(): void {
    this.#events = null;
    super.close();
  }
}

/** Whether this asks for a WebSocket. What else an Upgrade may ask for, HTTP/2 does not have, and it is left out. */
function asksForWebSocket(bytes: Uint8Array, request: Request): boolean {
  return request.isGet && request.contentLength <= 0 && !request.isChunked &&
    request.wantsUpgrade(bytes) && request.valueOf(bytes, "upgrade").toLowerCase() === WEBSOCKET;
}
