/**
 * SHA-1 (FIPS 180-4, 6.1), synchronous where `crypto.subtle` is not. It is broken as a signature: for protocols that ask for it
 * by name, such as the WebSocket handshake, and for nothing else.
 */

const INITIAL_STATE = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
const BLOCK_BYTES = 64;
/** The padding's first bit, and the length. */
const PADDING_BYTES = 9;

/** The 20 bytes of the digest. */
export function sha1(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const blocks = Math.ceil((bytes.length + PADDING_BYTES) / BLOCK_BYTES);
  const padded = new Uint8Array(blocks * BLOCK_BYTES);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(padded.length - 4, bytes.length << 3);
  const state = Uint32Array.from(INITIAL_STATE);
  const schedule = new Uint32Array(80);
  for (let start = 0; start < padded.length; start += BLOCK_BYTES) {
    absorbBlock(state, schedule, view, start);
  }
  const digest = new DataView(new ArrayBuffer(4 * state.length));
  state.forEach((word, i) => digest.setUint32(4 * i, word));
  return new Uint8Array(digest.buffer);
}

function absorbBlock(
  state: Uint32Array,
  schedule: Uint32Array,
  view: DataView,
  start: number,
): void {
  for (let i = 0; i < 16; i++) schedule[i] = view.getUint32(start + 4 * i);
  for (let i = 16; i < schedule.length; i++) {
    const mixed = schedule[i - 3] ^ schedule[i - 8] ^ schedule[i - 14] ^ schedule[i - 16];
    schedule[i] = rotateLeft(mixed, 1);
  }
  let [a, b, c, d, e] = state;
  for (let i = 0; i < schedule.length; i++) {
    const next = (rotateLeft(a, 5) + roundOf(i, b, c, d) + e + schedule[i]) | 0;
    e = d;
    d = c;
    c = rotateLeft(b, 30);
    b = a;
    a = next;
  }
  [a, b, c, d, e].forEach((word, i) => state[i] += word);
}

/** The function and constant of round `i`, added. */
function roundOf(i: number, b: number, c: number, d: number): number {
  if (i < 20) return ((b & c) | (~b & d)) + 0x5a827999;
  if (i < 40) return (b ^ c ^ d) + 0x6ed9eba1;
  if (i < 60) return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
  return (b ^ c ^ d) + 0xca62c1d6;
}

function rotateLeft(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}
