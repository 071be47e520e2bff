/**
 * The platform's randomness, drawn from a seed: whatever asks for a fresh seed is given the same one in every run.
 */
import type { Random } from "../../base/random.ts";

/** Runs with `crypto.getRandomValues` drawn from `random`. */
export function withPlatformRandom<Result>(random: Random, run: () => Result): Result {
  const draw = crypto.getRandomValues;
  crypto.getRandomValues = <Words>(words: Words): Words => {
    if (words instanceof Uint32Array) words.forEach((_, i) => words[i] = random.next32());
    return words;
  };
  try {
    return run();
  } finally {
    crypto.getRandomValues = draw;
  }
}
