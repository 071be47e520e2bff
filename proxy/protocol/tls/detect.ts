/** Whether a connection begins with a TLS ClientHello (RFC 8446 4.1.2, 5.1). */
import type { Detection, Protocol } from "../detector.ts";

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
/** Bytes of a record's header; the first byte after it says which handshake message this is. */
const RECORD_HEADER_BYTES = 5;

export const TLS_PROTOCOL: Protocol = { detect, carries: "bytes" };

function detect(bytes: Uint8Array, start: number, end: number): Detection {
  const length = end - start;
  if (bytes[start] !== HANDSHAKE) return "no";
  if (length > 1 && bytes[start + 1] !== 3) return "no";
  // SSL 3.0 to TLS 1.3; the record's version is no later than 1.2, but a client may not know.
  if (length > 2 && bytes[start + 2] > 4) return "no";
  if (length <= RECORD_HEADER_BYTES) return "more";
  return bytes[start + RECORD_HEADER_BYTES] === CLIENT_HELLO ? "yes" : "no";
}
