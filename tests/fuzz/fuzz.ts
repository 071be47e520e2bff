/** The loop: inputs from seeds, one invariant, and the smallest input that breaks it. Knows no protocol. */
import { Random } from "../../base/random.ts";
import { renderBytes } from "../support/bytes_notation.ts";

export interface Target {
  readonly name: string;
  /** What must hold for every input. */
  readonly invariant: string;
  generate(random: Random): Uint8Array;
  /** @throws where the invariant does not hold */
  check(bytes: Uint8Array, random: Random): void;
}

interface Failure {
  readonly target: string;
  readonly seed: number;
  /** The smallest found. */
  readonly bytes: Uint8Array;
  readonly error: unknown;
}

interface Limits {
  readonly iterations: number;
  /** Counted from the start; once it is up, it ends when `iterationsMin` are done. */
  readonly milliseconds: number;
  /** However long they take: the first is slow where much is loaded for it. Left out: none. */
  readonly iterationsMin?: number;
}

/** Tries inputs of `seed`, `seed + 1` and so on; the first failure, or how many were tried. */
export function fuzz(target: Target, seed: number, limits: Limits): Failure | number {
  const end = performance.now() + limits.milliseconds;
  for (let i = 0; i < limits.iterations; i++) {
    if (i >= (limits.iterationsMin ?? 0) && performance.now() > end) return i;
    const bytes = target.generate(inputRandom(target, seed + i));
    const error = failureOf(target, seed + i, bytes);
    if (error !== undefined) return shrink(target, seed + i, bytes, error);
  }
  return limits.iterations;
}

/** What the input of a seed is made from. */
export function inputRandom(target: Target, seed: number): Random {
  return new Random(seed, `${target.name} input`);
}

function failureOf(target: Target, seed: number, bytes: Uint8Array): unknown {
  try {
    target.check(bytes, new Random(seed, `${target.name} check`));
    return undefined;
  } catch (error) {
    return error ?? new Error("Thrown nothing");
  }
}

/** Takes out parts, large ones first, as long as what is left still fails. */
function shrink(target: Target, seed: number, bytes: Uint8Array, error: unknown): Failure {
  let smallest = bytes;
  let last = error;
  for (let size = smallest.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at + size <= smallest.length;) {
      const shorter = new Uint8Array(smallest.length - size);
      shorter.set(smallest.subarray(0, at));
      shorter.set(smallest.subarray(at + size), at);
      const next = failureOf(target, seed, shorter);
      if (next === undefined) at += size;
      else [smallest, last] = [shorter, next];
    }
  }
  return { target: target.name, seed, bytes: smallest, error: last };
}

export function renderFailure({ target, seed, bytes, error }: Failure): string {
  return [
    `Target ${target} fails: ${error instanceof Error ? error.message : String(error)}`,
    `Smallest input: ${renderBytes(bytes)}`,
    `Replay: deno task fuzz --target ${target} --seed ${seed} --iterations 1`,
  ].join("\n");
}
