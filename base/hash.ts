/**
 * Hashes that must be synchronous and run in a browser: SHA-256 for content addresses (`crypto.subtle` is
 * asynchronous) and FNV-1a for spreading names over numbers. Knows nothing of plans or requests.
 */

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2). */
const ROUND_CONSTANTS = new Int32Array(fractionsOfPrimeRoots(64, Math.cbrt));
/** The same of the square roots of the first 8 primes (FIPS 180-4, 5.3.3). */
const INITIAL_STATE = new Int32Array(fractionsOfPrimeRoots(8, Math.sqrt));

const BLOCK_BYTES = 64;
const encoder = new TextEncoder();

/**
 * SHA-256 (FIPS 180-4) of bytes, or of a text's UTF-8, as 64 lower-case hex digits.
 *
 * @example
 * ```ts
 * import { sha256Hex } from "./hash.ts";
 * sha256Hex("abc"); // "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
 * ```
 */
export function sha256Hex(input: string | Uint8Array): string {
  const bytes = typeof input === "string" ? encoder.encode(input) : input;
  const state = new Int32Array(INITIAL_STATE);
  const schedule = new Int32Array(64);
  const wholeBytes = bytes.length - bytes.length % BLOCK_BYTES;
  for (let start = 0; start < wholeBytes; start += BLOCK_BYTES) {
    absorbBlock({ state, schedule, bytes, start });
  }
  const tail = paddedTail(bytes, wholeBytes);
  for (let start = 0; start < tail.length; start += BLOCK_BYTES) {
    absorbBlock({ state, schedule, bytes: tail, start });
  }
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

/** FNV-1a, 32 bits, of bytes or of a text's UTF-8; 0 to 2^32 - 1. Spreads well, hides nothing. */
export function fnv1a32(input: string | Uint8Array): number {
  const bytes = typeof input === "string" ? encoder.encode(input) : input;
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  return hash >>> 0;
}

/**
 * A hash of the bytes from `start` to `end`, 0 to 2^32 - 1: FNV-1a from a seed, with every bit of the result depending
 * on every bit of the input, as places on a line or a ring need. Allocates nothing; hides nothing.
 */
export function hashRange32(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  return mix32(hash);
}

/** Spreads the difference between two inputs over all 32 bits (the end of MurmurHash3). */
export function mix32(value: number): number {
  let hash = value ^ value >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}

/** What is left after the whole blocks, a one bit, zeros, and the length in bits as 64 bits. */
function paddedTail(bytes: Uint8Array, wholeBytes: number): Uint8Array {
  const rest = bytes.subarray(wholeBytes);
  const tail = new Uint8Array(rest.length + 9 <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES);
  tail.set(rest);
  tail[rest.length] = 0x80;
  const view = new DataView(tail.buffer);
  // Lengths past 2^32 bits need both words; a double holds them exactly up to 2^53.
  view.setUint32(tail.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(tail.length - 4, (bytes.length * 8) >>> 0);
  return tail;
}

interface Block {
  readonly state: Int32Array;
  /** Scratch of 64 words, so that a block allocates nothing. */
  readonly schedule: Int32Array;
  readonly bytes: Uint8Array;
  readonly start: number;
}

/** The compression function (FIPS 180-4, 6.2.2); single letters are the standard's own names. */
function absorbBlock({ state, schedule, bytes, start }: Block): void {
  for (let t = 0; t < 16; t++) {
    const at = start + 4 * t;
    schedule[t] = bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3];
  }
  for (let t = 16; t < 64; t++) {
    const x = schedule[t - 15];
    const y = schedule[t - 2];
    const sigma0 = rotateRight(x, 7) ^ rotateRight(x, 18) ^ x >>> 3;
    const sigma1 = rotateRight(y, 17) ^ rotateRight(y, 19) ^ y >>> 10;
    schedule[t] = sigma1 + schedule[t - 7] + sigma0 + schedule[t - 16] | 0;
  }
  // One by one: an iterator is three times as slow until this is compiled, and a plan is hashed soon after a start.
  let a = state[0], b = state[1], c = state[2], d = state[3];
  let e = state[4], f = state[5], g = state[6], h = state[7];
  for (let t = 0; t < 64; t++) {
    const sum1 = rotateRight(e, 6) ^ rotateRight(e, 11) ^ rotateRight(e, 25);
    const choice = e & f ^ ~e & g;
    const temp1 = h + sum1 + choice + ROUND_CONSTANTS[t] + schedule[t] | 0;
    const sum0 = rotateRight(a, 2) ^ rotateRight(a, 13) ^ rotateRight(a, 22);
    const majority = a & b ^ a & c ^ b & c;
    h = g;
    g = f;
    f = e;
    e = d + temp1 | 0;
    d = c;
    c = b;
    b = a;
    a = temp1 + sum0 + majority | 0;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
  state[5] += f;
  state[6] += g;
  state[7] += h;
}

function rotateRight(word: number, bits: number): number {
  return word >>> bits | word << 32 - bits;
}

/** Doubles carry 53 bits, of which a root below 7 needs 3: enough for 32 exact fraction bits. */
function fractionsOfPrimeRoots(count: number, root: (prime: number) => number): number[] {
  const fractions: number[] = [];
  for (let candidate = 2; fractions.length < count; candidate++) {
    let isPrime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor++) {
      if (candidate % divisor === 0) isPrime = false;
    }
    if (isPrime) fractions.push(Math.floor(root(candidate) % 1 * 2 ** 32));
  }
  return fractions;
}
