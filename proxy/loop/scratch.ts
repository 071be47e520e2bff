/**
 * Scratch: what one event loop uses again from head to head, instead of making it anew. A request is lent to its exchange for as long
 * as it may have to be sent; all else holds only until it is used next.
 */
import { Request } from "../protocol/http1/request.ts";
import { Response } from "../protocol/http1/response.ts";
import { Http2Scratch } from "../protocol/http2/scratch.ts";
import { REQUESTS_KEPT_MAX } from "../limits.ts";
import type { BufferPool } from "./arena.ts";
import { GatherList } from "./gather_list.ts";

export class Scratch {
  /** The head of an answer, until the next one is parsed. */
  readonly response = new Response();
  /** The head that is composed for HTTP/1.1, until the next one is. */
  readonly gather = new GatherList();
  readonly #arena: Uint8Array;
  readonly #requests: Request[] = [];
  #http2: Http2Scratch | null = null;
  /** Taken while there is plenty: nothing that is open can do without. Untouched until the first HTTP/2 connection. */
  readonly #received: number;
  readonly #composed: number;

  constructor(arena: Uint8Array, buffers: BufferPool) {
    this.#arena = arena;
    this.#received = buffers.takeForGood();
    this.#composed = buffers.takeForGood();
  }

  /** For heads of HTTP/2, one at a time. Made with the first HTTP/2 connection. */
  get http2(): Http2Scratch {
    this.#http2 ??= new Http2Scratch(this.#arena, this.#received, this.#composed);
    return this.#http2;
  }

  takeRequest(): Request {
    return this.#requests.pop() ?? new Request();
  }

  giveRequest(request: Request): void {
    if (this.#requests.length < REQUESTS_KEPT_MAX) this.#requests.push(request);
  }
}
