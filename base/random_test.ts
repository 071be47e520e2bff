import {
  deepStrictEqual as same,
  notDeepStrictEqual as differ,
  ok,
  throws,
} from "node:assert/strict";
import { Random, randomSeed } from "./random.ts";

function draw(seed: number, salt: string): number[] {
  const random = new Random(seed, salt);
  return Array.from({ length: 8 }, () => random.next32());
}

/** Sum of (seen - expected)^2 / expected. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((total, count) => total + count, 0) / counts.length;
  return counts.reduce((total, count) => total + (count - expected) ** 2 / expected, 0);
}

Deno.test("Random gives the same numbers for the same seed and salt, and others for others", () => {
  same(draw(1, "a"), draw(1, "a"));
  differ(draw(1, "a"), draw(2, "a"));
  differ(draw(1, "a"), draw(1, "b"));
  differ(draw(1, ""), draw(1 + 2 ** 32, ""), "seeds above 32 bits count in full");
});

Deno.test("below is uniform within a stream and over seeds", () => {
  const bound = 7;
  const within = new Array<number>(bound).fill(0);
  const over = new Array<number>(bound).fill(0);
  const random = new Random(42, "stream");
  for (let i = 0; i < 70_000; i++) {
    within[random.below(bound)]++;
    over[new Random(i, "over seeds").below(bound)]++;
  }
  // 6 degrees of freedom: 22.5 is passed by chance once in 1000. Seeds are fixed, so this cannot
  // flake.
  ok(chiSquare(within) < 22.5, `${chiSquare(within)}`);
  ok(chiSquare(over) < 22.5, `${chiSquare(over)}`);
});

Deno.test("below takes bounds up to 2^53 and refuses others", () => {
  const random = new Random(1, "large");
  const values = Array.from({ length: 1000 }, () => random.below(2 ** 53));
  ok(values.every((value) => Number.isSafeInteger(value) && value >= 0));
  ok(values.some((value) => value > 2 ** 52) && values.some((value) => value < 2 ** 52));
  for (const bound of [0, -1, 1.5, NaN, 2 ** 54]) throws(() => random.below(bound), RangeError);
});

Deno.test("randomSeed draws safe integers, not one twice", () => {
  const seeds = new Set(Array.from({ length: 100 }, () => randomSeed()));
  ok(seeds.size === 100 && [...seeds].every(Number.isSafeInteger));
});
