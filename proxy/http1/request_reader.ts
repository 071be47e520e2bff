/**
 * RequestReader: takes requests of HTTP/1.1 off a connection. It knows where a head ends, how a body is framed, and when either
 * is too large or too slow. What becomes of a request, and of the connection after it, is for those who extend it to say.
 */
import { type Refusal, REFUSALS } from "../../base/refusals.ts";
import { AGAIN, BROKEN, END } from "../io/io.ts";
import { REQUEST_LINE_BYTES_MAX } from "../limits.ts";
import { NO_BUFFER } from "../loop/arena.ts";
import { HEAD_BYTES_MAX } from "../loop/inbox.ts";
import { Body } from "../protocol/http1/body.ts";
import {
  BAD_VERSION,
  COMPLETE,
  HEAD_TOO_LARGE,
  INCOMPLETE,
  TARGET_TOO_LONG,
} from "../protocol/http1/head.ts";
import { CR, indexOfLineFeed, LF, mayEndHead } from "../protocol/http1/lexical.ts";
import type { Request } from "../protocol/http1/request.ts";
import { detectHttp2 } from "../protocol/http2/detect.ts";
import { Http1Socket } from "./socket.ts";

/** In place of a head: the client speaks HTTP/2, and has said so from the start (RFC 9113 3.4). */
export const HTTP2_PREFACE = -1;

export abstract class RequestReader extends Http1Socket {
  /** The request in hand, as long as it may have to be sent. */
  protected request: Request | null = null;
  /** Nothing was asked on this connection yet: it may still turn out to speak HTTP/2. */
  #isFirst = true;
  /** How much of an incomplete head has been looked at; 0: nothing. */
  #parsedBytes = 0;
  // Of the request in hand:
  readonly #body = new Body();
  #bodyBytes = 0;
  /** Its chunks are taken out of their framing, because its carrier has a framing of its own. */
  #isUnchunking = false;

  /** Drops what is kept only for sending it again. False: the buffer is full of what is yet to be sent. */
  protected abstract makeRoom(): boolean;

  /** What is read of the body may go by in a pipe. */
  protected abstract get mayPipe(): boolean;

  /** All of the request has been read. */
  get hasWholeRequest(): boolean {
    return this.#body.isDone;
  }

  get isPlain(): boolean {
    return this.#isUnchunking;
  }

  // Heads.

  /** Reads the head at `start` into `request`: `COMPLETE`, `INCOMPLETE`, a refusal, or `HTTP2_PREFACE`. */
  protected takeHead(): number {
    const { arena, scratch } = this.loop;
    // Only a line's end can complete a head, or show it to be malformed.
    const isHopeless = this.#parsedBytes > 0 &&
      !mayEndHead(arena, this.start, this.start + this.#parsedBytes, this.end);
    if (isHopeless) return this.#awaitRest();
    const request = scratch.takeRequest();
    const result = request.parse(arena, this.start, this.end);
    const isTooLarge = result === COMPLETE &&
      request.end - request.start > this.loop.headBytesMax;
    if (result === COMPLETE && !isTooLarge) this.request = request;
    else scratch.giveRequest(request);
    if (result === INCOMPLETE) return this.#awaitRest();
    this.#parsedBytes = 0;
    if (isTooLarge) return HEAD_TOO_LARGE;
    if (result === BAD_VERSION && this.#isFirst) {
      const preface = detectHttp2(arena, this.start, this.end);
      if (preface === "yes") return HTTP2_PREFACE;
      if (preface !== "no") return this.#awaitRest();
    }
    this.#isFirst = false;
    return result;
  }

  /** `INCOMPLETE`, or why it makes no sense to wait. */
  #awaitRest(): number {
    const { arena, io, timeouts } = this.loop;
    this.#passOverEmptyLines();
    if (this.start === this.end) return INCOMPLETE;
    if (this.#parsedBytes === 0) this.deadlineMs = io.nowMs + timeouts.requestHeadMs;
    this.#parsedBytes = this.end - this.start;
    if (this.#parsedBytes > REQUEST_LINE_BYTES_MAX) {
      const line = indexOfLineFeed(arena, this.start + 2, this.end) - this.start;
      if (line > REQUEST_LINE_BYTES_MAX) return TARGET_TOO_LONG;
    }
    return this.#parsedBytes < this.loop.headBytesMax ? INCOMPLETE : HEAD_TOO_LARGE;
  }

  /** Some clients send an empty line after a body: that is not the beginning of a request (RFC 9112 2.2). */
  #passOverEmptyLines(): void {
    const { arena } = this.loop;
    while (
      this.start + 1 < this.end && arena[this.start] === CR && arena[this.start + 1] === LF
    ) this.start += 2;
    this.sent = this.ready = this.start;
  }

  // Bodies.

  /** The request is not to be sent any more. */
  protected forgetRequest(): void {
    if (this.request !== null) this.loop.scratch.giveRequest(this.request);
    this.request = null;
  }

  /** What was sent in place of a head has no body. */
  protected startNoBody(): void {
    this.#body.startEmpty();
    this.sent = this.ready = this.start;
  }

  /** The request has a head, and what has arrived behind it may be its body. Returns why that is not taken, or null. */
  protected startBody(request: Request): Refusal | null {
    if (request.isConnect) this.#body.startEmpty();
    else if (request.isChunked) this.#body.startChunked(request.nominated);
    else if (request.contentLength > 0) this.#body.startLength(request.contentLength);
    else this.#body.startEmpty();
    this.#isUnchunking = false;
    this.sent = request.end;
    this.ready = request.end;
    this.endHead(request.end);
    this.advance(this.#body, this.#isUnchunking);
    this.#bodyBytes = Math.max(this.#taken(request.end), request.contentLength);
    return this.#bodyRefusal;
  }

  /**
   * Reads more of the body: how many bytes of it are in the arena now, 0 where there are none or they are in a pipe, or why the rest of it
   * is not taken.
   */
  protected readBody(): number | Refusal {
    const isFull = this.buffer !== NO_BUFFER && this.room === 0;
    if (this.pipe !== null || (isFull && !this.makeRoom())) {
      // Held back until the endpoint has taken what is here.
      this.wantRead(false);
      return 0;
    }
    const piped = this.mayPipe && !this.#isUnchunking ? this.fillPipeWith(this.#body) : AGAIN;
    if (piped === AGAIN && !this.haveBulkBuffer()) return 0;
    const before = this.ready;
    // What comes behind the body fits an ordinary buffer.
    const count = piped === AGAIN ? this.fill(this.#body.leastToCome + HEAD_BYTES_MAX) : piped;
    if (count === AGAIN) this.releaseIfEmpty();
    if (count === END || count === BROKEN) this.abort();
    if (count <= 0) return 0;
    if (piped === AGAIN) this.advance(this.#body, this.#isUnchunking);
    // Of any other body it is known from the start.
    if (this.#body.isChunked) this.#bodyBytes += piped === AGAIN ? this.#taken(before) : piped;
    return this.#bodyRefusal ?? this.ready - before;
  }

  get #bodyRefusal(): Refusal | null {
    if (this.#body.isBroken) return REFUSALS["bad-chunk"];
    return this.#bodyBytes > this.loop.bodyBytesMax ? REFUSALS["body-too-large"] : null;
  }

  /** Bytes that the last `advance` took, when `ready` stood at `before`. */
  #taken(before: number): number {
    return this.ready - before + this.#body.takenOut;
  }

  /** From now on the body comes by as plain data. True: what has arrived of it was changed. */
  protected unchunkBody(): boolean {
    if (this.#isUnchunking || !this.#body.isChunked) return false;
    this.#isUnchunking = true;
    const body = this.#body;
    this.ready = body.unchunkPassed(this.loop.arena, this.sent, this.ready, this.end);
    this.end -= body.takenOut;
    if (body.isDone) this.trailersEnd = this.ready + body.trailerBytes;
    return true;
  }
}
