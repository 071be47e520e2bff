/** Frames of RFC 6455 as bytes, both ways. Written for tests, so it makes invalid frames too; knows no connection. */

export const CONTINUATION = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

export interface Frame {
  readonly fin: boolean;
  /** The three reserved bits, 0 to 7; 4 is RSV1, a compressed message. */
  readonly rsv: number;
  readonly opcode: number;
  readonly isMasked: boolean;
  readonly payload: Uint8Array;
}

/** @param mask four bytes, or null: the payload goes as it is */
export function encodeFrame(
  { fin, rsv, opcode, payload }: Omit<Frame, "isMasked">,
  mask: Uint8Array | null,
): Uint8Array<ArrayBuffer> {
  const { length } = payload;
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const start = 2 + lengthBytes + (mask === null ? 0 : 4);
  const bytes = new Uint8Array(start + length);
  const view = new DataView(bytes.buffer);
  const maskBit = mask === null ? 0 : 0x80;
  bytes[0] = (fin ? 0x80 : 0) | rsv << 4 | opcode;
  bytes[1] = maskBit | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) view.setUint16(2, length);
  if (lengthBytes === 8) view.setBigUint64(2, BigInt(length));
  bytes.set(payload, start);
  if (mask !== null) {
    bytes.set(mask, start - 4);
    unmask(bytes.subarray(start), mask);
  }
  return bytes;
}

function unmask(payload: Uint8Array, mask: Uint8Array): void {
  for (let i = 0; i < payload.length; i++) payload[i] ^= mask[i & 3];
}

/** The first frame in `bytes` and where it ends, or how many bytes are needed to go on. */
export function decodeFrame(bytes: Uint8Array): { frame: Frame; end: number } | number {
  if (bytes.length < 2) return 2;
  const short = bytes[1] & 0x7f;
  const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
  const isMasked = (bytes[1] & 0x80) !== 0;
  const start = 2 + lengthBytes + (isMasked ? 4 : 0);
  if (bytes.length < start) return start;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const length = lengthBytes === 0
    ? short
    : lengthBytes === 2
    ? view.getUint16(2)
    : Number(view.getBigUint64(2));
  const end = start + length;
  if (bytes.length < end) return end;
  const payload = bytes.slice(start, end);
  if (isMasked) unmask(payload, bytes.subarray(start - 4, start));
  const fin = (bytes[0] & 0x80) !== 0;
  return {
    frame: { fin, rsv: bytes[0] >> 4 & 7, opcode: bytes[0] & 0xf, isMasked, payload },
    end,
  };
}

/** The payload of a close frame. */
export function closePayload(code: number, reason = ""): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(reason);
  const bytes = new Uint8Array(2 + text.length);
  new DataView(bytes.buffer).setUint16(0, code);
  bytes.set(text, 2);
  return bytes;
}
