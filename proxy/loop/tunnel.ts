/**
 * Tunnel: bytes both ways between two ends, each direction ended on its own (half-close kept). An end is a connection, or a
 * stream that shares one with others; the tunnel does not know which. Ends report to the tunnel and never call each other.
 */
import type { EndReason } from "../../base/refusals.ts";
import { AGAIN, BROKEN, END } from "../io/io.ts";
import { SPLICE_PIPE_BYTES } from "../limits.ts";
import type { Inbox } from "./inbox.ts";

/** What a tunnel needs of either of its ends. What has come from it waits in its inbox. */
export interface TunnelEnd extends Inbox {
  readonly isOpen: boolean;
  /** All that will ever come from this end is in its inbox. */
  readonly isComplete: boolean;
  /** This end has been told that no more comes. */
  readonly hasSentEnd: boolean;
  deadlineMs: number;
  /** From now on this end reports to `tunnel`. */
  enter(tunnel: Tunnel): void;
  /**
   * Writes what `source` has ready to this end, and its end once `source` is complete: 1 when all is written, 0 when it takes
   * no more now, `BROKEN`.
   */
  writeTunnel(source: TunnelEnd): number;
  /** What came from this end has been written to the other: lets more come. True: more is there to be written. */
  takeMore(): boolean;
  /** Ends, where the peer must not take that for an orderly end. */
  cut(): void;
  close(): void;
}

/** An end that reads from a socket of its own. */
export interface TunnelSocket extends TunnelEnd {
  hasEnded: boolean;
  haveBulkBuffer(): boolean;
  fill(): number;
  fillPipe(most: number): number;
  wantRead(wanted: boolean): void;
}

/** Who is told of a tunnel. */
export interface TunnelOwner {
  /** So many bytes more have come from the client, or from the endpoint. */
  onTunnelBytes(isFromClient: boolean, count: number): void;
  /** Both ends are closed. `reason`: why the proxy ended them; empty where both ended in order. */
  onTunnelEnded(reason: EndReason): void;
}

export class Tunnel {
  readonly #client: TunnelEnd;
  readonly #endpoint: TunnelEnd;
  /** Without a byte in either direction for as long, the tunnel is cut. */
  readonly #idleMs: number;
  readonly #clock: { readonly nowMs: number };
  readonly #owner: TunnelOwner | null;
  #isOver = false;

  constructor(
    clock: { readonly nowMs: number },
    client: TunnelEnd,
    endpoint: TunnelEnd,
    idleMs: number,
    owner: TunnelOwner | null,
  ) {
    this.#clock = clock;
    this.#client = client;
    this.#endpoint = endpoint;
    this.#idleMs = idleMs;
    this.#owner = owner;
  }

  /** What either end holds already is written to the other. */
  start(): void {
    const client = this.#client;
    const endpoint = this.#endpoint;
    endpoint.enter(this);
    client.enter(this);
    this.#owner?.onTunnelBytes(true, client.end - client.sent);
    this.#owner?.onTunnelBytes(false, endpoint.end - endpoint.sent);
    this.passFrom(client);
    // Also where nothing is left to write: it makes room for what comes next.
    if (!this.#isOver) this.passFrom(endpoint);
  }

  /** Bytes may be read from the socket of `source`. */
  read(source: TunnelSocket): void {
    if (source.pipe !== null) return source.wantRead(false);
    const sink = source === this.#client ? this.#endpoint : this.#client;
    let count = sink.takesPipe ? source.fillPipe(SPLICE_PIPE_BYTES) : AGAIN;
    if (count === AGAIN) {
      if (!source.haveBulkBuffer()) return;
      if (source.room === 0) return source.wantRead(false);
      count = source.fill();
    }
    if (count === AGAIN) return source.releaseIfEmpty();
    if (count === BROKEN) return this.cut("");
    if (count === END) {
      source.hasEnded = true;
      source.wantRead(false);
    } else this.#owner?.onTunnelBytes(source === this.#client, count);
    source.ready = source.end;
    this.passFrom(source);
  }

  /** Writes what `source` has to the other end, and passes its end on once everything before it is written. */
  passFrom(source: TunnelEnd): void {
    const sink = source === this.#client ? this.#endpoint : this.#client;
    do {
      const result = sink.writeTunnel(source);
      if (result === BROKEN) return this.cut("");
      source.deadlineMs = this.#clock.nowMs + this.#idleMs;
      sink.deadlineMs = source.deadlineMs;
      if (result === 0) return;
    } while (source.takeMore());
    if (!source.hasSentEnd || !sink.hasSentEnd) return;
    source.close();
    sink.close();
    this.#end("");
  }

  /** `sink` takes bytes again. */
  passTo(sink: TunnelEnd): void {
    this.passFrom(sink === this.#client ? this.#endpoint : this.#client);
  }

  /** No byte has passed for too long. */
  onDeadline(): void {
    this.cut("idle-timeout");
  }

  /** One end is lost: the other must not take that for an orderly end. */
  cut(reason: EndReason): void {
    this.#endpoint.cut();
    this.#client.cut();
    this.#end(reason);
  }

  #end(reason: EndReason): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#owner?.onTunnelEnded(reason);
  }
}
