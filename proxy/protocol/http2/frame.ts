/**
 * Frames (RFC 9113 4.1, 6): their numbers, and how they are written. A frame's header is nine bytes: length, type, flags,
 * stream. Knows nothing of streams' states; reading is in `connection.ts`, which takes payloads as they arrive.
 */

export const DATA = 0x0;
export const HEADERS = 0x1;
export const PRIORITY = 0x2;
export const RST_STREAM = 0x3;
export const SETTINGS = 0x4;
export const PUSH_PROMISE = 0x5;
export const PING = 0x6;
export const GOAWAY = 0x7;
export const WINDOW_UPDATE = 0x8;
export const CONTINUATION = 0x9;

export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const HAS_PRIORITY = 0x20;

export const FRAME_HEADER_BYTES = 9;
export const PRIORITY_BYTES = 5;
export const RST_STREAM_BYTES = 4;
export const PING_BYTES = 8;
/** Without debug data. */
export const GOAWAY_BYTES = 8;
export const WINDOW_UPDATE_BYTES = 4;

/** What a client sends first (RFC 9113 3.4). */
export const PREFACE: Uint8Array = Uint8Array.from(
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  (character) => character.charCodeAt(0),
);

/** Three bytes, the length of a payload. */
export function readUint24(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2];
}

/** Four bytes, unsigned. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** Four bytes without the reserved bit: a stream's id or a window's increment. */
export function readUint31(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at) & 0x7fffffff;
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Writes a frame's header; returns where its payload begins. */
export function writeFrameHeader(
  bytes: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  writeUint32(bytes, at + 5, streamId);
  return at + FRAME_HEADER_BYTES;
}

/** These write whole frames and return where they end. */
export function writeReset(bytes: Uint8Array, at: number, streamId: number, code: number): number {
  at = writeFrameHeader(bytes, at, RST_STREAM_BYTES, RST_STREAM, 0, streamId);
  writeUint32(bytes, at, code);
  return at + RST_STREAM_BYTES;
}

export function writeWindowUpdate(
  bytes: Uint8Array,
  at: number,
  streamId: number,
  increment: number,
): number {
  at = writeFrameHeader(bytes, at, WINDOW_UPDATE_BYTES, WINDOW_UPDATE, 0, streamId);
  writeUint32(bytes, at, increment);
  return at + WINDOW_UPDATE_BYTES;
}

/** `high` and `low` are the two halves of the eight opaque bytes. */
export function writePing(
  bytes: Uint8Array,
  at: number,
  flags: number,
  high: number,
  low: number,
): number {
  at = writeFrameHeader(bytes, at, PING_BYTES, PING, flags, 0);
  writeUint32(bytes, at, high);
  writeUint32(bytes, at + 4, low);
  return at + PING_BYTES;
}

/** `debug` is ASCII. */
export function writeGoaway(
  bytes: Uint8Array,
  at: number,
  lastStreamId: number,
  code: number,
  debug: string,
): number {
  at = writeFrameHeader(bytes, at, GOAWAY_BYTES + debug.length, GOAWAY, 0, 0);
  writeUint32(bytes, at, lastStreamId);
  writeUint32(bytes, at + 4, code);
  at += GOAWAY_BYTES;
  for (let i = 0; i < debug.length; i++) bytes[at + i] = debug.charCodeAt(i);
  return at + debug.length;
}
