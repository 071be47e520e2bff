/** Context: what all connections of one event loop share. One loop, one thread, so scratch space is shared too. */
import { Random, randomSeed } from "../../base/random.ts";
import { DEFAULT_TRUST_DOMAIN } from "../../base/spiffe.ts";
import type { StateStore } from "../../base/state_store.ts";
import type { Io } from "../io/io.ts";
import { SWEEP_INTERVAL_MS } from "../limits.ts";
import type { ProxyConfig, ProxyTimeouts } from "../config.ts";
import { Request } from "../protocol/http1/request.ts";
import { Response } from "../protocol/http1/response.ts";
import { Http2Scratch } from "../protocol/http2/scratch.ts";
import { BufferPool, Texts } from "./arena.ts";
import { Pieces } from "../http1/pieces.ts";
import { Pools } from "../pool/pools.ts";
import { Timers } from "./timers.ts";
import { Telemetry } from "../observe/telemetry.ts";
import { Tracer } from "../tracing/tracer.ts";

/** What has a deadline: a connection, or a stream of one. */
export interface Timed {
  readonly kind: "client" | "endpoint" | "stream";
  /** Place in `Context.timed`. */
  slot: number;
  /** When `onDeadline` is called, on the clock of `Io.nowMs`. */
  readonly deadlineMs: number;
  onDeadline(): void;
  /** The proxy drains: a client is told to go elsewhere, where there is a way to. */
  onDraining?(): void;
}

/** What gathers its output over a batch of events, and sends it at the end. */
export interface Sender {
  send(): void;
}

/** What has bytes to take in, and no buffer. */
export interface Starved {
  readonly isOpen: boolean;
  /** There may be a buffer now. */
  onFed(): void;
}

export class Context {
  readonly io: Io;
  readonly arena: Uint8Array;
  readonly timeouts: ProxyTimeouts;
  /** The largest request body, chunk framing included. */
  readonly bodyBytesMax: number;
  /** Whose SPIFFE ids identify callers. */
  readonly trustDomain: string;
  readonly buffers = new BufferPool();
  readonly texts: Texts;
  readonly pools: Pools;
  readonly telemetry: Telemetry;
  readonly timers: Timers;
  /** What event loops of one proxy have in common. */
  readonly state: StateStore;
  /** For draws that nothing has to repeat. */
  readonly random = new Random(randomSeed(), "exchanges");
  readonly tracer: Tracer;
  /** Copies of requests that are under way. */
  mirrors = 0;
  #sweptMs = -Infinity;
  /** Scratch: valid until the next parse of a request, a response, or the next head that is composed. */
  readonly request = new Request();
  readonly response = new Response();
  readonly pieces = new Pieces();
  /** Draining: no new connections, and every answer closes its connection. */
  isDraining = false;

  /** Connections and streams that are open. */
  readonly #timed: Timed[] = [];
  readonly #senders: Sender[] = [];
  #http2Scratch: Http2Scratch | null = null;
  /** Taken while there is plenty: nothing that is open can do without. Untouched until the first HTTP/2 connection. */
  readonly #received = this.buffers.takeForGood();
  readonly #composed = this.buffers.takeForGood();
  /** Those that have bytes to take in and no buffer to take them into. */
  readonly #starved: Starved[] = [];
  /** `BufferPool.givenCount` when they were last let try. */
  #fedCount = 0;

  constructor(io: Io, config: ProxyConfig, telemetry: Telemetry, state: StateStore) {
    this.io = io;
    this.arena = io.arena;
    this.timeouts = config.timeouts;
    this.bodyBytesMax = config.bodyBytesMax;
    this.trustDomain = config.trustDomain ?? DEFAULT_TRUST_DOMAIN;
    this.texts = new Texts(io.arena);
    this.pools = new Pools(io);
    this.timers = new Timers(io);
    this.telemetry = telemetry;
    this.state = state;
    this.tracer = new Tracer(config, this.random);
  }

  get timed(): readonly Timed[] {
    return this.#timed;
  }

  /** For heads of HTTP/2, one at a time. Made with the first HTTP/2 connection. */
  get http2Scratch(): Http2Scratch {
    this.#http2Scratch ??= new Http2Scratch(this.arena, this.#received, this.#composed);
    return this.#http2Scratch;
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

  /** Has `sender` send at the end of this batch of events. */
  sendLater(sender: Sender): void {
    this.#senders.push(sender);
  }

  /** After each batch of events: what was gathered is sent, and who waits for a buffer may try again. */
  endBatch(): void {
    this.#send();
    this.#feed();
    this.#send();
  }

  #send(): void {
    // Sending makes room, and so more to send.
    for (let sender = this.#senders.pop(); sender !== undefined; sender = this.#senders.pop()) {
      sender.send();
    }
  }

  /** Has `starved` try again once a buffer has been given back. */
  starve(starved: Starved): void {
    this.#starved.push(starved);
  }

  /** Lets those that starve try again. */
  #feed(): void {
    // Without a new one to be had, waking them would only have them starve again, at once and for ever.
    if (this.#starved.length === 0 || this.buffers.givenCount === this.#fedCount) return;
    this.#fedCount = this.buffers.givenCount;
    for (const starved of this.#starved.splice(0)) if (starved.isOpen) starved.onFed();
  }

  /** Rings the timers that are due, and every now and then closes or refuses what has taken too long. */
  sweep(): void {
    const nowMs = this.io.nowMs;
    this.timers.ring();
    // A sweep that came early, for a timer, is not worth a look at every connection.
    if (nowMs - this.#sweptMs < SWEEP_INTERVAL_MS / 2) return;
    this.#sweptMs = nowMs;
    // Backwards: closing a connection moves the last one into its slot.
    for (let i = this.#timed.length - 1; i >= 0; i--) {
      const timed = this.#timed[i];
      if (timed !== undefined && nowMs >= timed.deadlineMs) timed.onDeadline();
    }
  }
}
