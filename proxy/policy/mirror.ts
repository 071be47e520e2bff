/**
 * Mirror: a copy of a request, sent on its own and never waited for. Its answer is read and dropped, its failure is nobody's,
 * and only so many are under way at once. A request with a body is not copied: its bytes belong to its own exchange.
 */
import type { EndpointSet } from "../../routing/table/table.ts";
import { Buffered } from "../connection/buffered.ts";
import { NOBODY } from "../connection/caller.ts";
import type { Context } from "../connection/context.ts";
import { Exchange } from "../connection/exchange.ts";
import type { Carrier, ExchangeClient } from "../connection/exchange_sides.ts";
import type { EndpointPool } from "../connection/pool.ts";
import type { Destination, Router } from "../connection/router.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Response } from "../protocol/http1/response.ts";
import { MIRRORS_MAX } from "../limits.ts";
import type { BackendState } from "./backend_state.ts";
import type { BoundMirror } from "./route_state.ts";

const TWO_32 = 2 ** 32;

/** Everything goes to the mirror's endpoints, whatever it asks for. */
class MirrorRouter implements Router {
  readonly listener = -1;
  readonly #backend: BackendState;
  readonly #set: EndpointSet;
  readonly #takesHttp2: boolean;
  readonly #nowMs: number;

  constructor(backend: BackendState, set: EndpointSet, takesHttp2: boolean, nowMs: number) {
    this.#backend = backend;
    this.#set = set;
    this.#takesHttp2 = takesHttp2;
    this.#nowMs = nowMs;
  }

  route(_request: Request, destination: Destination): void {
    destination.backend = this.#backend;
    destination.endpoints = this.#set;
    destination.takesHttp2 = this.#takesHttp2;
  }

  next(destination: Destination): EndpointPool | null {
    const choice = this.#backend.pick(this.#set, 0, destination.choice, this.#nowMs);
    destination.choice = choice;
    return choice === null ? null : choice.target.pool;
  }
}

export class Mirror extends Buffered implements ExchangeClient {
  readonly peer: string;
  readonly isSecure = false;
  readonly caller = NOBODY;
  readonly hasHalfClosed = false;
  readonly #exchange: Exchange;
  #headEnd = 0;
  isOpen = true;
  readonly speaksHttp2 = false;
  readonly needsHttp2 = false;
  readonly isReplayable = true;
  readonly isPlain = true;
  readonly hasSentRequest = true;
  readonly owesNothing = true;
  readonly takesChunks = true;

  /** Copies `request`, a share of those that come here, to the mirror. `request` is overwritten. */
  static send(context: Context, bound: BoundMirror, request: Request, from: Destination): void {
    const { percent, guarded } = bound.table;
    if (context.random.next32() / TWO_32 * 100 >= percent) return;
    const set = guarded === null ? bound.set : guarded.http(request.routed);
    if (set === null || context.mirrors >= MIRRORS_MAX) return;
    const router = new MirrorRouter(bound.backend, set, from.takesHttp2, context.io.nowMs);
    const mirror = new Mirror(context, router, from.peer);
    if (mirror.haveBuffer()) mirror.#start(request);
  }

  private constructor(context: Context, router: Router, peer: string) {
    super(context);
    this.peer = peer;
    this.#exchange = new Exchange(context, router, this);
  }

  get source(): Buffered {
    return this;
  }

  #start({ start, end }: Request): void {
    const { arena } = this.context;
    this.context.mirrors++;
    arena.copyWithin(this.start, start, end);
    this.#headEnd = this.start + end - start;
    this.sent = this.ready = this.end = this.#headEnd;
    const request = this.requestAgain();
    this.#exchange.begin(request);
    this.#exchange.route(request);
  }

  protected override onStarved(): void {}

  requestAgain(): Request {
    const { arena, request } = this.context;
    request.parse(arena, this.start, this.#headEnd);
    return request;
  }

  unchunk(): void {}
  onWaiting(): void {}
  onPassing(): void {}
  onCarrierWritable(): void {}

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
    this.#end();
  }

  refuse(): void {
    this.#exchange.forget();
    this.#end();
  }

  openTunnel(carrier: Carrier): void {
    carrier.close();
    this.refuse();
  }

  abort(): void {
    this.#exchange.dropCarrier();
    this.#end();
  }

  #end(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.context.mirrors--;
    this.releaseBuffer();
  }
}
