/**
 * Mirror: the client's side of an exchange that carries the copy of a request. The copy is sent once all of it is here, on
 * its own and never again; nobody waits for it, its answer is read and dropped, and only so many are under way at once.
 */
import { Buffered } from "../loop/inbox.ts";
import { NO_BUFFER } from "../loop/arena.ts";
import { type Caller, NOBODY } from "../tls/caller.ts";
import type { Context } from "../loop/context.ts";
import { Exchange } from "./exchange.ts";
import type { Carrier, ExchangeClient } from "./sides.ts";
import type { Destination } from "../route/destination.ts";
import { BROKEN } from "../io/io.ts";
import { BUFFER_BYTES, MIRROR_BODY_BYTES_MAX, MIRRORS_MAX } from "../limits.ts";
import { COMPLETE } from "../protocol/http1/head.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Response } from "../protocol/http1/response.ts";
import { MirrorRouter } from "../route/mirror_router.ts";
import type { MirrorDrop } from "../observe/metrics.ts";
import { RequestCopy } from "./request_copy.ts";
import type { BoundMirror, RouteState } from "../policy/route_state.ts";

export class Mirror extends Buffered implements ExchangeClient {
  readonly peer: string;
  readonly isSecure: boolean;
  readonly #route: RouteState;
  readonly #exchange: Exchange;
  readonly #copy: RequestCopy;
  /** The head, while it is being sent. */
  #head = NO_BUFFER;
  /** What of the body is not in the buffer yet. */
  #rest: Uint8Array = new Uint8Array(0);
  isOpen = true;
  readonly caller: Caller = NOBODY;
  readonly hasHalfClosed = false;
  readonly speaksHttp2 = false;
  readonly expectsHttp2 = false;
  readonly needsHttp2 = false;
  readonly isReplayable = false;
  readonly isPlain = true;
  readonly hasWholeRequest = true;
  readonly owesNothing = true;
  readonly takesChunks = true;

  /**
   * Begins a copy of `request`, whose head is complete. Null: it is not copied, and counted.
   * @param from where `request` itself goes
   */
  static begin(
    context: Context,
    route: RouteState,
    bound: BoundMirror,
    request: Request,
    from: Destination,
    client: Pick<ExchangeClient, "peer" | "isSecure" | "source">,
  ): Mirror | null {
    const { guarded } = bound.table;
    const set = guarded === null ? bound.set : guarded.http(request.routed);
    let drop: MirrorDrop | null = null;
    if (set === null) drop = "access-denied";
    else if (context.mirrors >= MIRRORS_MAX) drop = "crowded";
    else if (request.contentLength > MIRROR_BODY_BYTES_MAX) drop = "body-too-large";
    if (set === null || drop !== null) {
      if (drop !== null) route.mirrorDropped(drop);
      return null;
    }
    const router = new MirrorRouter(bound.backend, set, from.takesHttp2);
    const copy = new RequestCopy(context.arena, request);
    return new Mirror(context, route, router, copy, client);
  }

  private constructor(
    context: Context,
    route: RouteState,
    router: MirrorRouter,
    copy: RequestCopy,
    { peer, isSecure, source }: Pick<ExchangeClient, "peer" | "isSecure" | "source">,
  ) {
    super(context);
    this.#route = route;
    this.#copy = copy;
    this.peer = peer;
    this.isSecure = isSecure;
    this.neverIndexed = source.neverIndexed;
    this.#exchange = new Exchange(context, router, this);
    context.mirrors++;
  }

  // Copying.

  /** Takes more of the body, from `from` to `to` of the arena. False: it is too large, and the copy is dropped. */
  take(from: number, to: number): boolean {
    if (this.#copy.add(this.context.arena, from, to)) return true;
    this.drop("body-too-large");
    return false;
  }

  /** The body comes once more, from its beginning. */
  restart(): void {
    this.#copy.restart();
  }

  /** All of the request is here. `isPlain`: its body was taken out of its chunks. */
  send(isPlain: boolean): void {
    const { arena, buffers, request } = this.context;
    const { head } = this.#copy;
    if (head.length > BUFFER_BYTES) return this.drop("head-too-large");
    this.#head = buffers.take();
    if (this.#head === NO_BUFFER) return this.drop("crowded");
    arena.set(head, this.#head);
    if (request.parse(arena, this.#head, this.#head + head.length) !== COMPLETE) {
      return this.drop("head-too-large");
    }
    this.#rest = this.#copy.body(request.isChunked && !isPlain);
    if (!this.#refill()) return;
    this.#exchange.begin(request);
    this.#exchange.route(request);
  }

  drop(reason: MirrorDrop): void {
    if (!this.isOpen) return;
    this.#route.mirrorDropped(reason);
    this.#end();
  }

  protected override onStarved(): void {}

  // What the exchange and its carrier ask for.

  get source(): Buffered {
    return this;
  }

  get hasSentRequest(): boolean {
    return this.#rest.length === 0 && this.sent === this.ready;
  }

  requestAgain(): Request {
    const { arena, request } = this.context;
    request.parse(arena, this.#head, this.#head + this.#copy.head.length);
    return request;
  }

  unchunk(): void {}
  onWaiting(): void {}
  onPassing(): void {}

  onCarrierWritable(): void {
    const { carrier } = this.#exchange;
    if (carrier === null || !carrier.isReady) return;
    for (;;) {
      if (!this.#refill()) return;
      const isLast = this.#rest.length === 0;
      const result = carrier.passBody(this, isLast);
      if (result === BROKEN) return this.#exchange.onFailed(carrier, "reset");
      if (result === 0 || isLast || !this.isOpen) return;
    }
  }

  /** Puts more of the body into the buffer, once that is passed on. False: there is no buffer, and the copy is dropped. */
  #refill(): boolean {
    if (this.sent < this.ready || this.#rest.length === 0) return true;
    if (!this.haveBuffer()) {
      this.#exchange.dropCarrier();
      this.drop("crowded");
      return false;
    }
    const count = Math.min(this.#rest.length, BUFFER_BYTES);
    this.context.arena.set(this.#rest.subarray(0, count), this.buffer);
    this.#rest = this.#rest.subarray(count);
    this.start = this.sent = this.buffer;
    this.ready = this.end = this.buffer + count;
    return true;
  }

  // The answer, which is of no interest.

  passInterim(): boolean {
    return true;
  }

  passHead(_response: Response, source: Buffered): boolean {
    source.sent = source.ready;
    return true;
  }

  passAnswer(source: Buffered): number {
    source.sent = source.ready;
    return 1;
  }

  onAnswered(): void {
    this.#exchange.forget();
    if (!this.isOpen) return;
    this.#route.mirrored();
    this.#end();
  }

  refuse(status: number): void {
    this.#exchange.forget();
    this.drop(status === 504 || status === 408 ? "timeout" : "failed");
  }

  openTunnel(carrier: Carrier): void {
    carrier.close();
    this.refuse(501);
  }

  abort(): void {
    this.#exchange.dropCarrier();
    this.drop("failed");
  }

  #end(): void {
    this.isOpen = false;
    this.context.mirrors--;
    this.releaseBuffer();
    if (this.#head !== NO_BUFFER) this.context.buffers.give(this.#head);
    this.#head = NO_BUFFER;
  }
}
