/**
 * Mirror: the client's side of an exchange that carries the copy of a request. The copy is sent once all of it is here, on its
 * own and never again. Its answer is read and dropped. Only so many are under way at once.
 */
import { latin1, LF } from "../protocol/http1/lexical.ts";
import type { Refusal } from "../../base/refusals.ts";
import { BUFFER_BYTES, HEAD_BUFFER_BYTES, MIRROR_BODY_BYTES_MAX, MIRRORS_MAX } from "../limits.ts";
import { NO_BUFFER, writeAscii } from "../loop/arena.ts";
import { Inbox } from "../loop/inbox.ts";
import type { Timed } from "../loop/loop.ts";
import type { TunnelEnd } from "../loop/tunnel.ts";
import type { MirrorDrop } from "../observe/metrics.ts";
import type { BoundMirror, RouteState } from "../policy/route_state.ts";
import { COMPLETE } from "../protocol/http1/head.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Response } from "../protocol/http1/response.ts";
import { type Destination, NO_FACTS, toEndpoints } from "../route/destination.ts";
import type { ClientFacts, Router } from "../route/router.ts";
import { ANONYMOUS } from "../tls/caller.ts";
import type { AnswerSource, ClientEvents, ClientSide, Exchanges, RequestSource } from "./sides.ts";
import { copyHead } from "../protocol/http1/head_copy.ts";
import { Body } from "../protocol/http1/body.ts";
import type { BackendState } from "../policy/backend_state.ts";
import type { EndpointSet } from "../../routing/table/endpoint_set.ts";

const NOTHING = new Uint8Array(0);

/** Begins copies, and knows how many are under way. */
export class Mirrors {
  readonly #exchanges: Exchanges;
  underWay = 0;

  constructor(exchanges: Exchanges) {
    this.#exchanges = exchanges;
  }

  /**
   * Begins a copy of `request`, whose head is complete. Null: it is not copied, and counted.
   * @param from where `request` itself goes
   * @param peer the client's address, as `request` names it; empty: it names none
   */
  begin(
    route: RouteState,
    bound: BoundMirror,
    request: Request,
    from: Destination,
    source: RequestSource,
    peer: string,
  ): MirroredRequest | null {
    const { guarded } = bound.table;
    const set = guarded === null ? bound.set : guarded.http(request.routed);
    if (set === null) return drop(route, "access-denied");
    if (this.underWay >= MIRRORS_MAX) return drop(route, "crowded");
    if (request.contentLength > MIRROR_BODY_BYTES_MAX) return drop(route, "body-too-large");
    const { arena } = source.body.loop;
    const router = new MirrorRouter(bound.backend, set, from.takesHttp2);
    const copy = new RequestCopy(arena, request);
    return new MirroredRequest(this, this.#exchanges, router, route, source, peer, copy);
  }
}

function drop(route: RouteState, reason: MirrorDrop): null {
  route.mirrorDropped(reason);
  return null;
}

export class MirroredRequest extends Inbox implements ClientSide, Timed {
  readonly kind = "stream";
  readonly client: ClientFacts;
  readonly #exchanges: Exchanges;
  readonly #exchange: ClientEvents;
  readonly #mirrors: Mirrors;
  readonly #route: RouteState;
  readonly #copy: RequestCopy;
  /** What it is a copy of. */
  readonly #source: RequestSource;
  #request: Request | null = null;
  /** The head, while it is being sent. */
  #head = NO_BUFFER;
  /** What of the body is not in the buffer yet. */
  #rest: Uint8Array = NOTHING;
  slot = -1;
  deadlineMs = Infinity;
  isOpen = true;
  readonly isReplayable = false;
  readonly isPlain = true;
  readonly isFlushed = true;
  readonly takesChunks = true;

  constructor(
    mirrors: Mirrors,
    exchanges: Exchanges,
    router: MirrorRouter,
    route: RouteState,
    source: RequestSource,
    peer: string,
    copy: RequestCopy,
  ) {
    super(source.body.loop);
    this.#mirrors = mirrors;
    this.#route = route;
    this.#copy = copy;
    this.#source = source;
    const { isSecure } = source.client;
    this.client = {
      peer,
      isSecure,
      caller: ANONYMOUS,
      speaksHttp2: false,
      expectsHttp2: false,
      needsHttp2: false,
    };
    this.neverIndexed = source.body.neverIndexed;
    this.#exchanges = exchanges;
    this.#exchange = exchanges.open(router, this);
    mirrors.underWay++;
  }

  // Copying.

  /**
   * Takes more of the body, from `from` to `to` of the arena, and is sent once all of the request is here. False: nothing more of it is
   * wanted, because it is on its way, or has been dropped.
   */
  feed(from: number, to: number): boolean {
    if (!this.#copy.add(this.loop.arena, from, to)) {
      this.drop("body-too-large");
      return false;
    }
    if (!this.#source.hasWholeRequest) return true;
    this.#send(this.#source.isPlain);
    return false;
  }

  /** The body comes once more, from its beginning. */
  restart(): void {
    this.#copy.restart();
  }

  /** All of the request is here. `isPlain`: its body was taken out of its chunks. */
  #send(isPlain: boolean): void {
    const { arena, buffers, scratch } = this.loop;
    const { head } = this.#copy;
    if (head.length > HEAD_BUFFER_BYTES) return this.drop("head-too-large");
    this.#head = buffers.takeForRequest(head.length);
    if (this.#head === NO_BUFFER) return this.drop("crowded");
    arena.set(head, this.#head);
    const request = scratch.takeRequest();
    this.#request = request;
    if (request.parse(arena, this.#head, this.#head + head.length) !== COMPLETE) {
      return this.drop("head-too-large");
    }
    this.#rest = this.#copy.body(request.isChunked && !isPlain);
    // Until now it has ended with the exchange that it is a copy of.
    this.loop.register(this);
    if (!this.#refill()) return;
    this.#exchange.begin(request);
    this.#exchange.route();
  }

  drop(reason: MirrorDrop): void {
    if (!this.isOpen) return;
    this.#route.mirrorDropped(reason);
    this.#end();
  }

  protected override onStarved(): void {}

  abort(): void {
    this.#exchange.onClientGone();
    this.drop("failed");
  }

  onDeadline(): void {
    this.#exchange.onDeadline();
  }

  // What the exchange asks for.

  get body(): Inbox {
    return this;
  }

  get hasWholeRequest(): boolean {
    return this.#rest.length === 0;
  }

  rewind(): void {}
  unchunk(): void {}

  requestTaken(): boolean {
    return this.isOpen && this.#rest.length > 0 && this.sent === this.ready && this.#refill();
  }

  /** Puts more of the body into the buffer, once that is passed on. False: there is no buffer, and the copy is dropped. */
  #refill(): boolean {
    if (this.sent < this.ready || this.#rest.length === 0) return true;
    if (!this.haveBuffer()) {
      this.#exchange.onClientGone();
      this.drop("crowded");
      return false;
    }
    const count = Math.min(this.#rest.length, BUFFER_BYTES);
    this.loop.arena.set(this.#rest.subarray(0, count), this.buffer);
    this.#rest = this.#rest.subarray(count);
    this.start = this.sent = this.buffer;
    this.ready = this.end = this.buffer + count;
    return true;
  }

  // The answer, which is of no interest.

  sendInterim(): boolean {
    return true;
  }

  sendHead(_response: Response, answer: AnswerSource): number {
    return this.sendBody(answer);
  }

  sendBody({ body }: AnswerSource): number {
    body.sent = body.ready;
    return 1;
  }

  acceptsTunnel(): boolean {
    return false;
  }

  sendTunnelHead(): boolean {
    return false;
  }

  finish(): void {
    if (!this.isOpen) return;
    this.#route.mirrored();
    this.#end();
  }

  refuse({ status }: Refusal): void {
    this.drop(status === 504 || status === 408 ? "timeout" : "failed");
  }

  cut(): void {
    this.drop("failed");
  }

  expire(): void {
    this.drop("timeout");
  }

  asTunnelEnd(): TunnelEnd {
    throw new Error("A copy is no tunnel");
  }

  #end(): void {
    const { buffers, scratch } = this.loop;
    this.isOpen = false;
    this.deadlineMs = Infinity;
    this.#mirrors.underWay--;
    this.#exchanges.close(this.#exchange);
    if (this.slot >= 0) this.loop.unregister(this);
    this.releaseBuffer();
    if (this.#head !== NO_BUFFER) buffers.give(this.#head);
    this.#head = NO_BUFFER;
    if (this.#request !== null) scratch.giveRequest(this.#request);
    this.#request = null;
  }
}

/** Tells a copy from what it was copied from; all else is the same, the host too. */
const MARK = "x-weft-mirror: 1\r\n";
/** The empty line that ends a head. */
const LINE_END_BYTES = 2;

/**
 * A request as far as it has come: its head as it goes out, and its body up to a bound. It takes bytes as they pass, and never delays
 * the request.
 */
class RequestCopy {
  /** As HTTP/1.1, with the changes of its policy. */
  readonly head: Uint8Array;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  constructor(bytes: Uint8Array, request: Request) {
    this.head = headOf(bytes, request);
  }

  /** Takes more of the body. False: it is more than is held of a copy. */
  add(bytes: Uint8Array, from: number, to: number): boolean {
    this.#bytes += to - from;
    if (this.#bytes > MIRROR_BODY_BYTES_MAX) return false;
    if (to > from) this.#pieces.push(bytes.slice(from, to));
    return true;
  }

  /** The body comes once more, from its beginning. */
  restart(): void {
    this.#pieces = [];
    this.#bytes = 0;
  }

  /** The whole body as plain data. `isChunked`: what was taken is in chunks. */
  body(isChunked: boolean): Uint8Array {
    const whole = new Uint8Array(this.#bytes);
    let at = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    if (!isChunked) return whole;
    const body = new Body();
    body.startChunked();
    return whole.subarray(0, body.unchunk(whole, 0, whole.length));
  }
}

function headOf(bytes: Uint8Array, request: Request): Uint8Array {
  const own = withTarget(bytes, request, copyHead(bytes, request));
  const added = bytes.subarray(request.addedStart, request.addedEnd);
  const head = new Uint8Array(own.length + added.length + MARK.length);
  const ownEnd = own.length - LINE_END_BYTES;
  head.set(own.subarray(0, ownEnd));
  head.set(added, ownEnd);
  writeAscii(head, ownEnd + added.length, MARK);
  head.set(own.subarray(ownEnd), head.length - LINE_END_BYTES);
  return head;
}

/** A copied head with the host and the path that a route has put in: in its target, which counts before the Host header. */
function withTarget(bytes: Uint8Array, request: Request, head: Uint8Array): Uint8Array {
  if (!request.isRewritten) return head;
  const { routed, pathTextStart, pathTextEnd, originStart, originEnd } = request;
  const line = latin1(bytes, routed.methodStart, routed.methodEnd + 1) + "http://" +
    latin1(bytes, routed.authorityStart, routed.authorityEnd) +
    latin1(bytes, pathTextStart, pathTextEnd) + latin1(bytes, originStart, originEnd) +
    ` HTTP/1.${request.minorVersion}\r\n`;
  const rest = head.subarray(head.indexOf(LF) + 1);
  const copy = new Uint8Array(line.length + rest.length);
  writeAscii(copy, 0, line);
  copy.set(rest, line.length);
  return copy;
}

/** Sends the copy of a request to a mirror's endpoints, whatever it asks for. */
class MirrorRouter implements Router {
  readonly place = "copy";
  readonly listener = -1;
  readonly #destination: Destination;

  /** @param takesHttp2 the request itself goes by HTTP/2, so its copy does */
  constructor(backend: BackendState, endpoints: EndpointSet, takesHttp2: boolean) {
    this.#destination = toEndpoints(NO_FACTS, {
      ...{ endpoints, backend, takesHttp2 },
      ...{ split: null, route: null, hash: 0, newPoint: -1, turn: null },
    });
  }

  route(): Destination {
    return this.#destination;
  }
}
