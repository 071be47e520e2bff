/**
 * Which fields may stand in trailers (RFC 9110 6.5.1). What frames, routes, authenticates or modifies a message has to be known before its
 * body; in trailers some recipients pass it over, and others believe it. Such fields are not passed on.
 */
import { equalsIgnoreCase } from "./lexical.ts";

/** Lower case. */
const BARRED: readonly string[] = [
  // Framing, and the connection.
  ...["content-length", "transfer-encoding", "trailer", "te", "connection", "keep-alive"],
  ...["proxy-connection", "upgrade", "http2-settings"],
  // Routing, and who asks.
  ...["host", "max-forwards", "via", "forwarded", "x-forwarded-for", "x-forwarded-host"],
  ...["x-forwarded-proto", "x-forwarded-port", "x-real-ip"],
  // Credentials.
  ...["authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate"],
  ...["cookie", "set-cookie"],
  // What is asked for.
  ...["expect", "range", "cache-control", "pragma", "if-match", "if-none-match"],
  ...["if-modified-since", "if-unmodified-since", "if-range"],
  // What becomes of an answer.
  ...["age", "date", "expires", "location", "retry-after", "vary", "warning"],
  // What the body is.
  ...["content-encoding", "content-type", "content-range"],
];

/** The longest of them: no longer name has to be known whole. */
export const BARRED_BYTES_MAX = Math.max(...BARRED.map(({ length }) => length));

const BY_LENGTH: readonly (readonly string[])[] = Array.from(
  { length: BARRED_BYTES_MAX + 1 },
  (_, length) => BARRED.filter((name) => name.length === length),
);

/** Whether a field whose name stands from `start` to `end` may be passed on in trailers. */
export function mayTrail(bytes: Uint8Array, start: number, end: number): boolean {
  const names = BY_LENGTH[end - start];
  if (names === undefined) return true;
  for (let i = 0; i < names.length; i++) {
    if (equalsIgnoreCase(bytes, start, end, names[i])) return false;
  }
  return true;
}
