/**
 * Tunnel: bytes both ways between two ends, each direction ended on its own (half-close kept). An end is a connection, or a
 * stream that shares one with others; a tunnel does not know which.
 */
import { AGAIN, BROKEN, END } from "../io/io.ts";
import type { Buffered } from "./inbox.ts";
import type { Connection } from "./socket.ts";

/** What a tunnel needs of either of its ends. What has come from it waits in its buffer. */
export interface TunnelEnd extends Buffered {
  readonly isOpen: boolean;
  /** All that will ever come from this end is in its buffer. */
  readonly isComplete: boolean;
  /** This end has been told that no more comes. */
  readonly hasSentEnd: boolean;
  deadlineMs: number;
  /** Without a byte in either direction for as long, the tunnel is cut. */
  tunnelIdleMs: number;
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

/** Both ends know of the tunnel: what either holds already is written to the other. */
export function startTunnel(one: TunnelEnd, other: TunnelEnd, idleMs: number): void {
  one.tunnelIdleMs = other.tunnelIdleMs = idleMs;
  tunnelWrite(one, other);
  // Also where nothing is left to write: it makes room for what comes next.
  if (one.isOpen && other.isOpen) tunnelWrite(other, one);
}

/** Reads from the connection at one end of a tunnel and writes to the other end. */
export function tunnelRead(source: Connection, sink: TunnelEnd): void {
  const { io } = source.context;
  if (!source.haveBulkBuffer()) return;
  if (source.room === 0) {
    io.wantRead(source.fd, false);
    return;
  }
  const count = source.fill();
  if (count === AGAIN) return source.releaseIfEmpty();
  if (count === BROKEN) return cutBoth(source, sink);
  if (count === END) {
    source.hasEnded = true;
    io.wantRead(source.fd, false);
  }
  source.ready = source.end;
  tunnelWrite(source, sink);
}

/** Writes what `source` has to `sink`, and passes its end on once everything before it is written. */
export function tunnelWrite(source: TunnelEnd, sink: TunnelEnd): void {
  const { io } = source.context;
  do {
    const result = sink.writeTunnel(source);
    if (result === BROKEN) return cutBoth(source, sink);
    source.deadlineMs = io.nowMs + source.tunnelIdleMs;
    sink.deadlineMs = source.deadlineMs;
    if (result === 0) return;
  } while (source.takeMore());
  if (!source.hasSentEnd || !sink.hasSentEnd) return;
  source.close();
  sink.close();
}

/** Ends a tunnel of which one end is lost: the other must not take that for an orderly end. */
export function cutBoth(one: TunnelEnd, other: TunnelEnd): void {
  one.cut();
  other.cut();
}
