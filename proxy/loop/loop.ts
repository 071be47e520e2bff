/**
 * Loop: what everything that runs on one event loop shares: the driver, its arena, timers, and the list of what is open. One loop is
 * one thread, so scratch space is shared too. It knows no protocol and counts nothing.
 */
import { Random, randomSeed } from "../../base/random.ts";
import { DEFAULT_TRUST_DOMAIN } from "../../base/spiffe.ts";
import type { ProxyConfig, ProxyTimeouts } from "../config.ts";
import type { Io } from "../io/io.ts";
import type { TlsFailure } from "../io/tls.ts";
import { HEAD_BYTES_DEFAULT, REQUESTS_KEPT_MAX, SWEEP_INTERVAL_MS } from "../limits.ts";
import { BufferPool, COMPOSED_AREA, GatherList, RECEIVED_AREA, Texts } from "./arena.ts";
import { Timers, type Victim } from "./timers.ts";
import { Request } from "../protocol/http1/request.ts";
import { Response } from "../protocol/http1/response.ts";
import { Http2Scratch } from "../protocol/http2/scratch.ts";

/**
 * What one event loop uses again from head to head, instead of making it anew. A request is lent to its exchange for as long as it may
 * have to be sent; all else holds only until it is used next.
 */
class Scratch {
  /** The head of an answer, until the next one is parsed. */
  readonly response = new Response();
  /** The head that is composed for HTTP/1.1, until the next one is. */
  readonly gather = new GatherList();
  readonly #arena: Uint8Array;
  readonly #requests: Request[] = [];
  #http2: Http2Scratch | null = null;

  constructor(arena: Uint8Array) {
    this.#arena = arena;
  }

  /** For heads of HTTP/2, one at a time. Made with the first HTTP/2 connection. */
  get http2(): Http2Scratch {
    this.#http2 ??= new Http2Scratch(this.#arena, RECEIVED_AREA, COMPOSED_AREA);
    return this.#http2;
  }

  takeRequest(): Request {
    return this.#requests.pop() ?? new Request();
  }

  giveRequest(request: Request): void {
    if (this.#requests.length < REQUESTS_KEPT_MAX && !request.isGrown) this.#requests.push(request);
  }
}

/** What is open and has a deadline: a connection, or a stream of one. */
export interface Timed extends Victim {
  /** Whose it is: a client's connection, one to an endpoint, or a stream or copy that has no connection of its own. */
  readonly kind: "client" | "endpoint" | "stream";
  /** Place in `Loop.timed`. */
  slot: number;
  /** When `onDeadline` is called, on the clock of `Io.nowMs`. */
  readonly deadlineMs: number;
  onDeadline(): void;
  /** Told when the proxy begins to drain; only clients' connections are. */
  onDraining?(): void;
}

/** What gathers its output over a batch of events, and sends it at the end. */
interface BatchedOutput extends Victim {
  send(): void;
}

/** What has bytes to take in, and no buffer. */
interface Starved extends Victim {
  readonly isOpen: boolean;
  /** There may be a buffer now. */
  onFed(): void;
}

/** What a loop reports to the counters and the log. */
interface LoopEvents {
  secured(isResumed: boolean): void;
  tlsFailed(failure: TlsFailure, peer: string): void;
  /** A defect of Weft cost a connection. */
  fault(error: unknown): void;
}

export class Loop {
  readonly io: Io;
  readonly arena: Uint8Array;
  readonly timeouts: ProxyTimeouts;
  /** The largest request body, chunk framing included. */
  readonly bodyBytesMax: number;
  /** The largest head that is taken, of a request or an answer. */
  readonly headBytesMax: number;
  /** Whose SPIFFE ids identify callers. */
  readonly trustDomain: string;
  readonly events: LoopEvents;
  readonly buffers = new BufferPool();
  readonly texts: Texts;
  readonly timers: Timers;
  /** For draws that nothing has to repeat. */
  readonly random = new Random(randomSeed(), "exchanges");
  readonly scratch: Scratch;
  /** Draining: no new connections, and every answer closes its connection. */
  isDraining = false;

  /** Heads of HTTP/2 that are kept beside the arena, because there is no buffer for them. */
  headsWaiting = 0;

  /** Connections and streams that are open. */
  readonly #timed: Timed[] = [];
  readonly #outputs: BatchedOutput[] = [];
  /** Those that have bytes to take in and no buffer to take them into. */
  readonly #starved: Starved[] = [];
  /** `BufferPool.givenCount` when they were last let try. */
  #fedCount = 0;
  #sweptMs = -Infinity;

  constructor(io: Io, config: ProxyConfig, events: LoopEvents) {
    this.io = io;
    this.arena = io.arena;
    this.timeouts = config.timeouts;
    this.bodyBytesMax = config.bodyBytesMax;
    this.headBytesMax = config.headBytesMax ?? HEAD_BYTES_DEFAULT;
    this.trustDomain = config.trustDomain ?? DEFAULT_TRUST_DOMAIN;
    this.events = events;
    this.texts = new Texts(io.arena);
    this.timers = new Timers(io, (error, victim) => this.contain(error, victim));
    this.scratch = new Scratch(io.arena);
  }

  get timed(): readonly Timed[] {
    return this.#timed;
  }

  register(timed: Timed): void {
    timed.slot = this.#timed.length;
    this.#timed.push(timed);
  }

  unregister(timed: Timed): void {
    const last = this.#timed.pop();
    if (last === undefined || last === timed) return;
    this.#timed[timed.slot] = last;
    last.slot = timed.slot;
  }

  /** A defect of Weft has shown in what was done for `victim`: ends that, and nothing else. */
  contain(error: unknown, victim: Victim): void {
    this.events.fault(error);
    try {
      victim.abort();
    } catch (another) {
      this.events.fault(another);
    }
  }

  /** Does what is to be done for `victim`, outside of its own events. */
  guard(victim: Victim, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.contain(error, victim);
    }
  }

  /** Begins to drain: every client is told. */
  drain(): void {
    this.isDraining = true;
    // A copy: some close at once.
    for (const open of [...this.#timed]) this.guard(open, () => open.onDraining?.());
  }

  /** Has `output` send at the end of this batch of events. */
  sendLater(output: BatchedOutput): void {
    this.#outputs.push(output);
  }

  /** After each batch of events: what was gathered is sent, and who waits for a buffer may try again. */
  endBatch(): void {
    this.#send();
    this.#feed();
    this.#send();
  }

  #send(): void {
    // Sending makes room, and so more to send.
    for (let output = this.#outputs.pop(); output !== undefined; output = this.#outputs.pop()) {
      try {
        output.send();
      } catch (error) {
        this.contain(error, output);
      }
    }
  }

  /** Has `starved` try again once a buffer has been given back. */
  starve(starved: Starved): void {
    this.#starved.push(starved);
  }

  /** Lets those that starve try again. */
  #feed(): void {
    // Without a new buffer to be had, waking them would only have them starve again, at once and for ever.
    if (this.#starved.length === 0 || this.buffers.givenCount === this.#fedCount) return;
    this.#fedCount = this.buffers.givenCount;
    for (const starved of this.#starved.splice(0)) {
      if (starved.isOpen) this.guard(starved, () => starved.onFed());
    }
  }

  /** Rings the timers that are due, and every now and then calls those whose deadline has passed. */
  sweep(): void {
    const nowMs = this.io.nowMs;
    this.timers.ring();
    // A sweep that came early, for a timer, is not worth a look at every connection.
    if (nowMs - this.#sweptMs < SWEEP_INTERVAL_MS / 2) return;
    this.#sweptMs = nowMs;
    // Backwards: closing a connection moves the last one into its slot.
    for (let i = this.#timed.length - 1; i >= 0; i--) {
      const timed = this.#timed[i];
      if (timed === undefined || nowMs < timed.deadlineMs) continue;
      try {
        timed.onDeadline();
      } catch (error) {
        this.contain(error, timed);
      }
    }
  }
}
