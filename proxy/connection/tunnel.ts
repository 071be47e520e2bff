/** Tunnel: bytes both ways between two connections, each direction ended on its own (half-close kept). */
import { AGAIN, BROKEN, END } from "../io/io.ts";
import type { Connection } from "./connection.ts";

/** Reads from one end of a tunnel and writes to the other. */
export function tunnelRead(source: Connection, sink: Connection): void {
  const { io } = source.context;
  if (!source.haveBuffer()) return;
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
export function tunnelWrite(source: Connection, sink: Connection): void {
  const { io, timeouts } = source.context;
  const result = sink.flush(source);
  if (result === BROKEN) return cutBoth(source, sink);
  source.deadlineMs = io.nowMs + timeouts.stallMs;
  sink.deadlineMs = source.deadlineMs;
  if (result === 0) return;
  source.start = source.sent;
  source.releaseIfEmpty();
  if (!source.hasEnded) {
    io.wantRead(source.fd, true);
    return;
  }
  io.shutdown(sink.fd);
  if (!sink.hasEnded || sink.sent < sink.ready) return;
  source.close();
  sink.close();
}

/** Ends a tunnel of which one end is lost: the other must not take that for an orderly end. */
export function cutBoth(one: Connection, other: Connection): void {
  one.cut();
  other.cut();
}
