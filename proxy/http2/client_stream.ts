/** Http2ClientStream: one exchange on an HTTP/2 connection to an endpoint; or the endpoint's end of a tunnel. */
import { assert } from "../../base/assert.ts";
import { BROKEN } from "../io/io.ts";
import { BUFFER_BYTES } from "../limits.ts";
import { NO_ROOM, NO_STREAM } from "../protocol/http2/connection.ts";
import { CANCEL, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM } from "../protocol/http2/error_code.ts";
import type { FieldList } from "../protocol/http2/hpack/field_list.ts";
import type { Request } from "../protocol/http1/request.ts";
import { isWebSocketKey, WEBSOCKET, webSocketAcceptOf } from "../protocol/websocket/handshake.ts";
import type { Buffered } from "../loop/inbox.ts";
import { NO_BUFFER } from "../loop/arena.ts";
import type { Context } from "../loop/context.ts";
import type { CarrierFailure } from "../exchange/carrier_failure.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { Carrier } from "../exchange/sides.ts";
import { Http2Stream } from "./stream.ts";
import { fieldsOfRequest, neverIndexedOf, responseText } from "./text.ts";
import type { EndpointPool } from "../pool/pool.ts";
import type { TunnelEnd } from "../loop/tunnel.ts";
import type { Http2Upstream } from "./upstream.ts";

export class Http2ClientStream extends Http2Stream implements Carrier {
  readonly #upstream: Http2Upstream;
  #exchange: Exchange | null;
  /** The request's head found no room yet. */
  #isPassing = false;
  readonly isReused: boolean;
  #hasHead = false;
  #onTunnelEnd: () => void = () => {};
  /** What a client of HTTP/1.1 is shown, so that it believes in the tunnel. */
  #webSocketAccept = "";

  constructor(context: Context, upstream: Http2Upstream, exchange: Exchange) {
    super(context, upstream);
    this.#upstream = upstream;
    this.#exchange = exchange;
    this.isReused = upstream.isConnected;
  }

  get pool(): EndpointPool {
    return this.#upstream.pool;
  }

  get source(): Buffered {
    return this;
  }

  get hasWholeAnswer(): boolean {
    return this.isComplete;
  }

  get isConnected(): boolean {
    return this.#upstream.isConnected;
  }

  get isReady(): boolean {
    return this.streamId > 0;
  }

  onConnected(): void {
    if (this.#upstream.machine.canOpen) this.#exchange?.onConnected(this);
    else this.#leaveCrowd();
  }

  /** The endpoint allows no more streams on this connection. */
  #leaveCrowd(): void {
    const isShut = this.#upstream.machine.peer.streamsMax === 0;
    if (isShut) this.fail("refused");
    else this.#exchange?.onCrowded(this);
  }

  /** False: what it carries is only for HTTP/2, and has failed. */
  leaveToHttp1(): boolean {
    const canLeave = this.#exchange === null || !this.#exchange.client.needsHttp2;
    if (canLeave) this.#exchange?.onCrowded(this);
    else this.fail("tls");
    return canLeave;
  }

  fail(failure: CarrierFailure, resetCode = INTERNAL_ERROR): void {
    const exchange = this.#exchange;
    if (exchange === null) this.lose(CANCEL);
    else exchange.onFailed(this, failure, resetCode);
  }

  // The request.

  passRequest(request: Request, exchange: Exchange): void {
    const { arena, http2Scratch } = this.context;
    const { client } = exchange;
    this.isTunnel = asksForWebSocket(arena, request);
    if (this.isTunnel && !this.#mayAskForWebSocket(request, exchange)) return;
    client.unchunk();
    const fields = http2Scratch.composed;
    if (!fieldsOfRequest(arena, request, exchange.namedPeer, client, this.isTunnel, fields)) {
      return exchange.refuse(431, "too-many-headers");
    }
    if (!this.socket.prepare()) return;
    const isEnd = !this.isTunnel && client.hasSentRequest && !client.source.hasTrailers;
    const result = this.#upstream.machine.request(fields, isEnd);
    this.socket.sendLater();
    this.#isPassing = result === NO_ROOM;
    if (result === NO_ROOM) {
      this.#awaitAnswer(false);
      return this.socket.awaitRoom(this);
    }
    if (result === NO_STREAM) return this.#leaveCrowd();
    if (result < 0) return exchange.refuse(431, "head-too-large");
    this.streamId = result;
    this.#upstream.machine.setOwner(result, this);
    this.socket.counts.streamOpened();
    if (isEnd) this.sentEnd();
    if (isEnd || this.isTunnel) this.#awaitAnswer(true);
    else {
      this.#awaitAnswer(false);
      client.onCarrierWritable();
    }
  }

  /** Whether the endpoint takes WebSocket, and the client asks for it properly; if not, the client is told. */
  #mayAskForWebSocket(request: Request, exchange: Exchange): boolean {
    const key = request.valueOf(this.context.arena, "sec-websocket-key");
    this.#webSocketAccept = webSocketAcceptOf(key);
    if (!isWebSocketKey(key)) exchange.refuse(400, "bad-websocket-key");
    else if (!this.#upstream.machine.peer.takesConnectProtocol) {
      exchange.refuse(501, "websocket-unsupported");
    } else return true;
    return false;
  }

  passBody(source: Buffered, isLast: boolean): number {
    // The head goes first, and has found no room yet.
    if (this.streamId === 0) return 0;
    // What the client has goes through the tunnel, once that is open.
    if (this.isTunnel) return 1;
    const result = this.sendBody(source, isLast);
    if (!this.#hasHead) this.#awaitAnswer(isLast && result === 1);
    return result;
  }

  #awaitAnswer(isSent: boolean): void {
    const { io, timeouts } = this.context;
    const { responseMs, stallMs } = this.#exchange ?? timeouts;
    this.deadlineMs = io.nowMs + (isSent ? responseMs : stallMs);
  }

  protected override onRoom(): void {
    const exchange = this.#exchange;
    if (exchange === null || !this.isOpen) return;
    if (this.#isPassing) this.passRequest(exchange.requestAgain(), exchange);
    else exchange.client.onCarrierWritable();
  }

  // The answer.

  takeHead(isEnd: boolean): void {
    const { arena, buffers, http2Scratch, response } = this.context;
    const exchange = this.#exchange;
    if (exchange === null) return;
    const head = http2Scratch.response;
    const offset = buffers.take();
    if (offset === NO_BUFFER) return this.fail("invalid");
    const isOpening = this.isTunnel && head.status >= 200 && head.status < 300;
    if (!isOpening && !head.isInterim) this.isTunnel = false;
    const accept = isOpening ? this.#webSocketAccept : "";
    const end = responseText(head, accept, arena, offset, offset + BUFFER_BYTES);
    if (end < 0 || response.parse(arena, offset, end) !== 1) {
      buffers.give(offset);
      return this.fail("invalid");
    }
    this.neverIndexed = neverIndexedOf(arena, head);
    if (head.isInterim) {
      if (!exchange.client.passInterim(response)) exchange.client.abort();
    } else if (isOpening) {
      this.hasEnded = isEnd;
      exchange.client.openTunnel(this, response);
    } else this.#passHead(exchange, isEnd);
    buffers.give(offset);
  }

  #passHead(exchange: Exchange, isEnd: boolean): void {
    const { io, response } = this.context;
    const { client } = exchange;
    this.#hasHead = true;
    this.hasEnded = isEnd;
    this.deadlineMs = io.nowMs + exchange.stallMs;
    const isFramed = response.contentLength >= 0 || !response.hasBody(exchange.isHead);
    if (!exchange.takeAnswer(response)) return;
    const hasPassed = client.passHead(response, this, isFramed, isEnd);
    if (!hasPassed) return client.abort();
    // The client may have refused what it cannot take.
    if (!this.isOpen) return;
    if (this.isComplete && client.owesNothing) this.#finish();
  }

  override takeTrailers(fields: FieldList): void {
    this.#exchange?.takeTrailers(fields);
    super.takeTrailers(fields);
  }

  protected override onBody(): void {
    const exchange = this.#exchange;
    if (exchange === null || !this.isOpen) return;
    this.deadlineMs = this.context.io.nowMs + exchange.stallMs;
    do {
      const result = exchange.client.passAnswer(this, this.isComplete);
      if (result === BROKEN) return exchange.client.abort();
      if (result === 0 || !this.isOpen) return;
    } while (this.passedOn());
    if (this.isComplete) this.#finish();
  }

  onDrained(): void {
    if (!this.isOpen) return;
    if (this.passedOn()) return this.onBody();
    if (this.isComplete) this.#finish();
  }

  #finish(): void {
    const exchange = this.#exchange;
    assert(exchange !== null, "A stream that finishes carries an exchange");
    this.#exchange = null;
    // An endpoint that has answered may want no more of the request (RFC 9113 8.1).
    this.leave(CANCEL);
    exchange.client.onAnswered();
  }

  // Ends.

  protected override onReset(code: number): void {
    // An endpoint that has answered in full may end the request so; its answer counts (RFC 9113 8.1).
    const isAnswered = this.hasEnded && this.#hasHead;
    if (this.#exchange === null) return this.close();
    this.hasEnded = true;
    this.sentEnd();
    if (isAnswered) return;
    if (code === REFUSED_STREAM && !this.#hasHead) return this.fail("refused");
    // An answer that is not whole may not look as if nothing were wrong.
    this.fail("reset", code === NO_ERROR ? INTERNAL_ERROR : code);
  }

  protected override onLate(): void {
    this.fail("timeout");
  }

  override startTunnel(peer: TunnelEnd, onEnd: () => void = () => {}): void {
    this.#exchange = null;
    this.#onTunnelEnd = onEnd;
    super.startTunnel(peer);
  }

  override close(): void {
    this.#exchange = null;
    super.close();
  }

  protected override leave(code: number): void {
    if (this.isOpen) this.#onTunnelEnd();
    super.leave(code);
  }
}

/** Whether this asks for a WebSocket. What else an Upgrade may ask for, HTTP/2 does not have, and it is left out. */
function asksForWebSocket(bytes: Uint8Array, request: Request): boolean {
  return request.isGet && request.contentLength <= 0 && !request.isChunked &&
    request.wantsUpgrade(bytes) && request.valueOf(bytes, "upgrade").toLowerCase() === WEBSOCKET;
}
