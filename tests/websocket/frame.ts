/** Frames of RFC 6455 as bytes. */

export const TEXT = 0x1;
export const BINARY = 0x2;
export const PING_FRAME = 0x9;

/**
 * One whole frame.
 * @param mask four bytes, or null: the payload goes as it is
 */
export function encodeFrame(
  opcode: number,
  payload: Uint8Array,
  mask: Uint8Array | null,
): Uint8Array<ArrayBuffer> {
  const { length } = payload;
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const start = 2 + lengthBytes + (mask === null ? 0 : 4);
  const bytes = new Uint8Array(start + length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x80 | opcode;
  bytes[1] = (mask === null ? 0 : 0x80) |
    (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) view.setUint16(2, length);
  if (lengthBytes === 8) view.setBigUint64(2, BigInt(length));
  bytes.set(payload, start);
  if (mask !== null) {
    bytes.set(mask, start - 4);
    for (let i = 0; i < length; i++) bytes[start + i] ^= mask[i & 3];
  }
  return bytes;
}
