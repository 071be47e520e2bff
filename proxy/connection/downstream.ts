/**
 * Downstream: one client connection and the exchange that it has under way. It reads requests, has them
 * decided, passes them to an upstream, and answers itself where there is none.
 *
 * Requests that are pipelined wait in the read buffer; they are served one after another.
 */
import { AGAIN, BROKEN, END } from "../io/io.ts";
import type { Fd } from "../io/io.ts";
import {
  CONNECT_ATTEMPTS_MAX,
  DRAIN_IDLE_MS,
  LINGER_MS,
  REQUEST_LINE_BYTES_MAX,
} from "../limits.ts";
import { Body } from "../protocol/http1/body.ts";
import { COMPLETE, INCOMPLETE, REFUSALS } from "../protocol/http1/head.ts";
import { latin1, LF } from "../protocol/http1/lexical.ts";
import type { Request } from "../protocol/http1/request.ts";
import { renderAnswer } from "./answer.ts";
import { Connection } from "./connection.ts";
import type { Context } from "./context.ts";
import { Destination } from "./router.ts";
import type { Router } from "./router.ts";
import { closeBoth, tunnelRead, tunnelWrite } from "./tunnel.ts";
import { Upstream } from "./upstream.ts";
import type { UpstreamFailure } from "./upstream.ts";

/**
 * `head`: between requests or in the head of one. `waiting`: for a connection to an endpoint. `exchange`: the
 * request is on its way or being answered. `lingering`: all is said, and the client may read it in peace.
 */
type Phase = "head" | "waiting" | "exchange" | "tunnel" | "lingering";

const FAILURES: Readonly<Record<UpstreamFailure, { status: number; reason: string }>> = {
  "refused": { status: 503, reason: "upstream-refused" },
  "connect-timeout": { status: 504, reason: "upstream-connect-timeout" },
  "reset": { status: 502, reason: "upstream-reset" },
  "timeout": { status: 504, reason: "upstream-timeout" },
  "invalid": { status: 502, reason: "upstream-invalid" },
};

export class Downstream extends Connection {
  readonly peer: string;
  readonly #router: Router;
  #phase: Phase = "head";
  #upstream: Upstream | null = null;
  readonly #destination = new Destination();

  // Of the request under way:
  minorVersion = 1;
  isHead = false;
  wantsUpgrade = false;
  #isConnect = false;
  #isIdempotent = false;
  #keepsAlive = true;
  readonly #body = new Body();
  /** All that was sent of the request is still in the buffer, so it can be sent again. */
  #isReplayable = false;
  #attempts = 0;
  #hasAnswer = false;
  #status = 0;
  #reason = "";
  #startedMs = 0;
  /** Method, authority and path, kept only where requests are reported. */
  #line: readonly [string, string, string] | null = null;
  #bodyBytes = 0;
  /** `#takeRequests` is running: what ends an exchange within it need not start it again. */
  #isTaking = false;
  /** Up to where an incomplete head has been looked at; 0: not at all. */
  #parsedTo = 0;

  constructor(context: Context, router: Router, fd: Fd, peer: string) {
    super(context);
    this.#router = router;
    this.fd = fd;
    this.peer = peer;
    this.#awaitRequest();
  }

  /** Nothing is under way, so a draining proxy may close this connection. */
  get isIdle(): boolean {
    return this.#phase === "head" && this.start === this.end;
  }

  /** All of the request was passed on. */
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
        return this.#upstream === null ? this.close() : tunnelRead(this, this.#upstream);
      case "lingering":
        return this.#discard();
    }
  }

  override onWritable(): void {
    if (this.#phase === "tunnel" && this.#upstream !== null) {
      return tunnelWrite(this.#upstream, this);
    }
    const upstream = this.#hasAnswer ? this.#upstream : null;
    const result = this.flush(upstream ?? this);
    if (result === BROKEN) return this.abort();
    if (result === 0) return;
    if (upstream !== null) upstream.onDrained();
    else if (this.#phase === "lingering") this.context.io.shutdown(this.fd);
  }

  override onHangup(): void {
    this.abort();
  }

  override onDeadline(): void {
    const isReceiving = this.#phase === "head" ? this.start < this.end : !this.#body.isDone;
    if (
      this.#phase === "lingering" || this.#phase === "tunnel" || !isReceiving || this.#hasAnswer
    ) {
      return this.abort();
    }
    if (this.#phase === "head") return this.#refuseHead(408, "request-timeout");
    this.#dropUpstream();
    this.#refuse(408, "request-timeout", true);
  }

  /** Closes this connection and the exchange with it: there is nobody, or nothing, to answer. */
  override abort(): void {
    this.#dropUpstream();
    this.close();
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
    if (count === END || count === BROKEN) return this.close();
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
      if (this.hasEnded) this.close();
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
    if (result !== COMPLETE) {
      const { status, reason } = REFUSALS[result];
      this.#refuseHead(status, reason);
      return false;
    }
    this.#begin(request);
    return true;
  }

  /** Refuses a head that could not be read, of which nothing is known. */
  #refuseHead(status: number, reason: string): void {
    this.isHead = false;
    this.#destination.stats = null;
    this.#line = null;
    this.#startedMs = this.context.io.nowMs;
    this.#body.startEmpty();
    this.sent = this.ready = this.start;
    this.#refuse(status, reason, true);
  }

  #awaitRest(): boolean {
    const { arena, io, timeouts } = this.context;
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

  #begin(request: Request): void {
    const { arena, io, telemetry, isDraining } = this.context;
    this.start = request.start;
    this.minorVersion = request.minorVersion;
    this.isHead = request.isHead;
    this.wantsUpgrade = request.wantsUpgrade(arena);
    this.#isConnect = request.isConnect;
    this.#isIdempotent = request.isIdempotent;
    this.#keepsAlive = request.isPersistent && !isDraining;
    this.#hasAnswer = false;
    this.#attempts = 0;
    this.#isReplayable = true;
    this.#startedMs = io.nowMs;
    this.#reason = "";
    this.#line = telemetry.isReporting ? lineOf(arena, request) : null;
    this.#startBody(arena, request);
    this.#phase = "waiting";
    this.#destination.endpoint = null;
    this.#destination.stats = null;
    if (this.#body.isBroken) return this.#refuse(400, "bad-chunk", true);
    if (Math.max(this.#bodyBytes, request.contentLength) > this.context.bodyBytesMax) {
      return this.#refuse(413, "body-too-large", true);
    }
    this.#router.route(request, this.#destination);
    if (this.#destination.refusalStatus > 0) {
      return this.#refuse(this.#destination.refusalStatus, this.#destination.refusalReason, false);
    }
    this.#tryEndpoint(request);
  }

  #startBody(arena: Uint8Array, request: Request): void {
    if (request.isConnect) this.#body.startEmpty();
    else if (request.isChunked) this.#body.startChunked();
    else if (request.contentLength > 0) this.#body.startLength(request.contentLength);
    else this.#body.startEmpty();
    this.sent = request.end;
    this.ready = this.#body.advance(arena, request.end, this.end);
    this.#bodyBytes = this.ready - request.end;
    const { io, timeouts } = this.context;
    this.deadlineMs = this.#body.isDone ? Infinity : io.nowMs + timeouts.stallMs;
  }

  /** More of a request's body. */
  #readBody(): void {
    const { io, arena, timeouts } = this.context;
    if (!this.haveBuffer()) return;
    if (this.room === 0 && !this.#makeRoom()) return io.wantRead(this.fd, false);
    const count = this.fill();
    if (count === AGAIN) return this.releaseIfEmpty();
    if (count === END || count === BROKEN) return this.abort();
    const before = this.ready;
    this.ready = this.#body.advance(arena, before, this.end);
    this.#bodyBytes += this.ready - before;
    this.deadlineMs = this.#body.isDone ? Infinity : io.nowMs + timeouts.stallMs;
    if (this.#body.isBroken) return this.#refuseBody(400, "bad-chunk");
    if (this.#bodyBytes > this.context.bodyBytesMax) return this.#refuseBody(413, "body-too-large");
    if (this.#phase === "exchange") this.#passBody();
  }

  #refuseBody(status: number, reason: string): void {
    if (this.#hasAnswer) return this.abort();
    this.#dropUpstream();
    this.#refuse(status, reason, true);
  }

  /** Drops what is kept only for sending it again. False: the buffer is full of what is yet to be sent. */
  #makeRoom(): boolean {
    if (this.#phase !== "exchange" || this.sent < this.ready) return false;
    this.#isReplayable = false;
    this.start = this.sent;
    this.compact();
    return true;
  }

  #passBody(): void {
    const upstream = this.#upstream;
    if (upstream === null) return;
    const result = upstream.flush(this);
    if (result === BROKEN) return this.onUpstreamFailed(upstream, "reset");
    upstream.requestMoved(this.hasSentRequest);
    if (result === 0) return;
    this.context.io.wantRead(this.fd, true);
    if (!this.#hasAnswer) return;
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
  }

  #discard(): void {
    if (!this.haveBuffer()) return;
    const count = this.fill();
    this.start = this.sent = this.ready = this.end;
    this.releaseIfEmpty();
    if (count === END || count === BROKEN) this.close();
  }

  // Passing a request on.

  /** Sends the request to the next endpoint. `request` is null where it has to be parsed again. */
  #tryEndpoint(request: Request | null): void {
    while (this.#attempts < CONNECT_ATTEMPTS_MAX) {
      const pool = this.#router.next(this.#destination);
      if (pool === null) return this.#refuse(503, "no-address", false);
      this.#attempts++;
      const pooled = pool.take();
      if (pooled !== undefined) {
        pooled.downstream = this;
        this.#upstream = pooled;
        return this.#send(pooled, request ?? this.#parseAgain());
      }
      this.#phase = "waiting";
      this.#upstream = Upstream.open(this.context, pool, this);
      this.context.telemetry.connects++;
      if (this.#upstream !== null) return;
      pool.avoid(this.context.io.nowMs);
    }
    this.#refuse(503, "upstream-refused", false);
  }

  /** The request that is kept from `start` on; scratch space has been used for others meanwhile. */
  #parseAgain(): Request {
    const { arena, request } = this.context;
    request.parse(arena, this.start, this.end);
    this.sent = request.end;
    return request;
  }

  onConnected(upstream: Upstream): void {
    this.#send(upstream, this.#parseAgain());
  }

  #send(upstream: Upstream, request: Request): void {
    const { arena, pieces, texts } = this.context;
    if (this.#isConnect) {
      this.start = this.sent;
      this.ready = this.end;
      if (!this.sendText("HTTP/1.1 200 OK\r\n\r\n")) return this.abort();
      return this.startTunnel(200);
    }
    if (!pieces.setRequest(arena, request, texts, texts.peer(this.peer))) {
      this.#dropUpstream();
      return this.#refuse(431, "too-many-headers", true);
    }
    this.#phase = "exchange";
    if (!upstream.sendHead(pieces, this)) return this.onUpstreamFailed(upstream, "reset");
    upstream.expectAnswer(this.hasSentRequest);
  }

  onUpstreamWritable(upstream: Upstream): void {
    if (upstream === this.#upstream) this.#passBody();
  }

  onUpstreamFailed(upstream: Upstream, failure: UpstreamFailure): void {
    const isConnecting = this.#phase === "waiting";
    // A pooled connection may have been closed by the endpoint just as it was taken (RFC 9110 9.2.2).
    const isStale = failure === "reset" && upstream.isReused && this.#isIdempotent;
    if (isConnecting) {
      upstream.pool.avoid(this.context.io.nowMs);
      this.context.telemetry.connectFailures++;
    }
    this.#dropUpstream();
    if (!this.isOpen) return;
    if (this.#hasAnswer) return this.abort();
    const canRetry = this.#isReplayable && (isConnecting || isStale);
    if (canRetry && this.#attempts < CONNECT_ATTEMPTS_MAX) {
      this.context.telemetry.retries++;
      return this.#tryEndpoint(null);
    }
    const { status, reason } = FAILURES[failure];
    this.#refuse(status, reason, false);
  }

  startTunnel(status: number): void {
    this.#status = status;
    this.#report();
    this.#phase = "tunnel";
    const upstream = this.#upstream;
    if (upstream === null) return this.close();
    upstream.startTunnel();
    this.start = this.sent;
    this.ready = this.end;
    this.context.io.wantRead(this.fd, !this.hasEnded);
    tunnelWrite(this, upstream);
    if (this.isOpen && upstream.isOpen && upstream.sent < upstream.ready) {
      tunnelWrite(upstream, this);
    }
  }

  // Answering.

  /**
   * The upstream's answer begins. False: the client's connection ends with it, because `mustClose`, or because
   * the client asked for it, or because the rest of its request is not waited for.
   */
  beginAnswer(status: number, mustClose: boolean): boolean {
    this.#hasAnswer = true;
    this.#status = status;
    this.#isReplayable = false;
    if (mustClose || this.context.isDraining) this.#keepsAlive = false;
    this.start = this.sent;
    this.releaseIfEmpty();
    return this.#keepsAlive;
  }

  /** The whole answer has been written. */
  onAnswered(): void {
    this.#upstream = null;
    this.#report();
    if (!this.#body.isDone || this.sent < this.ready) this.#keepsAlive = false;
    this.#endExchange();
  }

  /** Answers in place of an endpoint. */
  #refuse(status: number, reason: string, isFatal: boolean): void {
    this.#hasAnswer = true;
    this.#status = status;
    this.#reason = reason;
    if (isFatal || !this.#body.isDone) this.#keepsAlive = false;
    const isClosing = !this.#keepsAlive;
    const answer = { status, reason, isHead: this.isHead, isClosing };
    if (!this.sendText(renderAnswer(answer))) return this.abort();
    this.#report();
    // What is left of the refused request is passed over.
    this.sent = this.ready;
    this.#endExchange();
  }

  #endExchange(): void {
    this.#hasAnswer = false;
    this.start = this.sent = this.ready;
    if (!this.#keepsAlive) return this.#linger();
    this.#awaitRequest();
    if (!this.hasEnded) this.context.io.wantRead(this.fd, true);
    if (!this.#isTaking) this.#takeRequests();
  }

  /** Ends the connection without losing an answer to bytes that the client still sends (RFC 9112 9.6). */
  #linger(): void {
    const { io } = this.context;
    const hasUnread = this.start < this.end || !this.#body.isDone;
    if (this.owesNothing && (this.hasEnded || !hasUnread)) return this.close();
    this.#phase = "lingering";
    this.deadlineMs = io.nowMs + LINGER_MS;
    this.start = this.sent = this.ready = this.end;
    this.releaseIfEmpty();
    if (this.owesNothing) io.shutdown(this.fd);
    io.wantRead(this.fd, !this.hasEnded);
  }

  #dropUpstream(): void {
    const upstream = this.#upstream;
    this.#upstream = null;
    if (upstream === null) return;
    if (this.#phase === "tunnel") closeBoth(upstream, this);
    else upstream.close();
  }

  #report(): void {
    const { telemetry, io } = this.context;
    telemetry.answered(
      this.#destination,
      this.#status,
      this.#reason,
      io.nowMs - this.#startedMs,
      this.#router.listener,
      this.#line,
    );
  }
}

function indexOfLineFeed(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] !== LF) at++;
  return at;
}

function lineOf(arena: Uint8Array, request: Request): readonly [string, string, string] {
  const { methodStart, methodEnd, authorityStart, authorityEnd } = request.routed;
  return [
    latin1(arena, methodStart, methodEnd),
    latin1(arena, authorityStart, authorityEnd),
    latin1(arena, request.originStart, request.originEnd),
  ];
}
