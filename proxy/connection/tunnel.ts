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
  if (count === BROKEN) return closeBoth(source, sink);
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
  if (result === BROKEN) return closeBoth(source, sink);
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
  if (sink.hasEnded && sink.sent === sink.ready) closeBoth(source, sink);
}

export function closeBoth(one: Connection, other: Connection): void {
  one.close();
  other.close();
}
