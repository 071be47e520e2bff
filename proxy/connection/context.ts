/** Context: what all connections of one event loop share. One loop, one thread, so scratch space is shared too. */
import type { Io } from "../io/io.ts";
import type { ProxyTimeouts } from "../config.ts";
import { Request } from "../protocol/http1/request.ts";
import { Response } from "../protocol/http1/response.ts";
import { BufferPool, Texts } from "./buffers.ts";
import type { Connection } from "./connection.ts";
import { Pieces } from "./pieces.ts";
import { Pools } from "./pool.ts";
import { Telemetry } from "../telemetry.ts";

export class Context {
  readonly io: Io;
  readonly arena: Uint8Array;
  readonly timeouts: ProxyTimeouts;
  /** The largest request body, chunk framing included. */
  readonly bodyBytesMax: number;
  readonly buffers = new BufferPool();
  readonly texts: Texts;
  readonly pools: Pools;
  readonly telemetry: Telemetry;
  /** Scratch: valid until the next parse of a request, a response, or the next head that is composed. */
  readonly request = new Request();
  readonly response = new Response();
  readonly pieces = new Pieces();
  /** Draining: no new connections, and every answer closes its connection. */
  isDraining = false;

  readonly #connections: Connection[] = [];
  /** Connections that have bytes to read and no buffer to read them into. */
  readonly #starved: Connection[] = [];
  /** `BufferPool.givenCount` when they were last let try. */
  #fedCount = 0;

  constructor(
    io: Io,
    settings: { timeouts: ProxyTimeouts; bodyBytesMax: number },
    telemetry: Telemetry,
  ) {
    this.io = io;
    this.arena = io.arena;
    this.timeouts = settings.timeouts;
    this.bodyBytesMax = settings.bodyBytesMax;
    this.texts = new Texts(io.arena);
    this.pools = new Pools(io);
    this.telemetry = telemetry;
  }

  get connections(): readonly Connection[] {
    return this.#connections;
  }

  register(connection: Connection): void {
    connection.slot = this.#connections.length;
    this.#connections.push(connection);
  }

  unregister(connection: Connection): void {
    const last = this.#connections.pop();
    if (last === undefined || last === connection) return;
    this.#connections[connection.slot] = last;
    last.slot = connection.slot;
  }

  /** Stops reading of a connection until a buffer is given back. */
  starve(connection: Connection): void {
    this.io.wantRead(connection.fd, false);
    this.#starved.push(connection);
  }

  /** After each batch of events: lets starved connections try again. */
  feed(): void {
    // Without a new one to be had, waking them would only have them starve again, at once and for ever.
    if (this.#starved.length === 0 || this.buffers.givenCount === this.#fedCount) return;
    this.#fedCount = this.buffers.givenCount;
    for (const connection of this.#starved.splice(0)) {
      if (connection.isOpen) this.io.wantRead(connection.fd, true);
    }
  }

  /** Closes or refuses what has taken too long. */
  sweep(): void {
    const nowMs = this.io.nowMs;
    // Backwards: closing a connection moves the last one into its slot.
    for (let i = this.#connections.length - 1; i >= 0; i--) {
      const connection = this.#connections[i];
      if (connection !== undefined && nowMs >= connection.deadlineMs) connection.onDeadline();
    }
  }
}
