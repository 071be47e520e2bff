/**
 * Seeded pseudo-random numbers (xoshiro128**), and the one place that draws a seed from the
 * platform. Not for secrets. The same seed and salt give the same numbers on every platform.
 */

const TWO_32 = 2 ** 32;
const TWO_53 = 2 ** 53;

/** Scrambles 32 bits so that every input bit moves every output bit. */
function mix32(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** A stream of numbers fixed by a seed and a salt. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /**
   * `seed` is any safe integer; `salt` names what the stream is for, so that uses do not correlate.
   */
  constructor(seed: number, salt: string) {
    const low = seed | 0;
    const high = Math.floor(seed / TWO_32) | 0;
    let a = mix32(low ^ 0x9e3779b9);
    let b = mix32(high ^ 0x243f6a88 ^ a);
    let c = mix32(b ^ 0xb7e15162);
    let d = mix32(c ^ 0x6a09e667);
    for (let i = 0; i < salt.length; i++) {
      const unit = salt.charCodeAt(i);
      a = mix32(a ^ unit);
      b = Math.imul(b ^ a, 0x27d4eb2f) + unit;
      c = rotateLeft(c, 7) ^ Math.imul(b, 0x165667b1);
      d = mix32(d + c);
    }
    this.#a = mix32(a ^ d) | 1; // Never all zero: the one state that xoshiro cannot leave.
    this.#b = mix32(b ^ a);
    this.#c = mix32(c ^ b);
    this.#d = mix32(d ^ c);
  }

  /** A uniform integer from 0 to 2^32 - 1. */
  next32(): number {
    const result = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotateLeft(this.#d, 11);
    return result;
  }

  /**
   * A uniform integer from 0 to `bound - 1`, without modulo bias.
   * @throws {RangeError} unless `bound` is a whole number from 1 to 2^53
   */
  below(bound: number): number {
    if (!(bound >= 1 && bound <= TWO_53 && Number.isInteger(bound))) {
      throw new RangeError(`Cannot draw below "${bound}": expected a whole number from 1 to 2^53`);
    }
    if (bound <= TWO_32) {
      const limit = TWO_32 - TWO_32 % bound;
      for (;;) {
        const value = this.next32();
        if (value < limit) return value % bound;
      }
    }
    const limit = TWO_53 - TWO_53 % bound;
    for (;;) {
      const value = (this.next32() >>> 11) * TWO_32 + this.next32();
      if (value < limit) return value % bound;
    }
  }
}

/** Draws a fresh seed (53 bits) from the platform's source of randomness. */
export function randomSeed(): number {
  const words = crypto.getRandomValues(new Uint32Array(2));
  return (words[0] >>> 11) * TWO_32 + words[1];
}
