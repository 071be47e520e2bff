/**
 * Program: one or more patterns as one non-deterministic byte machine (Thompson's construction),
 * and the byte classes that it can tell apart. `automaton.ts` runs it.
 */
import { addByte, ANY, BYTES, emptySet, hasByte, NEWLINE, WORDS } from "./byte_set.ts";
import type { ByteSet } from "./byte_set.ts";
import type { Assertion, PatternNode } from "./pattern_syntax.ts";

/** Operation: consume a byte of set `argument`, go to `next`. */
export const CONSUME = 0;
/** Operation: go to both `next` and `argument`. */
export const BRANCH = 1;
/** Operation: go to `next` where assertion `argument`, an index into `ASSERTIONS`, holds. */
export const ASSERT = 2;
/** Operation: pattern `argument` has matched. */
export const ACCEPT = 3;

export const ASSERTIONS = [
  "text-start",
  "line-start",
  "text-end",
  "line-end",
  "word-boundary",
  "not-word-boundary",
] as const satisfies readonly Assertion[];

export interface PatternProgram {
  readonly patternCount: number;
  readonly operation: Uint8Array;
  readonly next: Int32Array;
  readonly argument: Int32Array;
  /** By instruction: the pattern it belongs to. */
  readonly patternOf: Int32Array;
  /** By pattern: its first instruction. */
  readonly starts: Int32Array;
  readonly sets: readonly ByteSet[];
  /** By byte: its class. Bytes of one class are in the same sets, and alike to assertions. */
  readonly classOf: Uint8Array;
  readonly classCount: number;
  /** By class: one byte of it. */
  readonly classByte: Uint8Array;
}

/** `anchored`: a match starts where the text starts. `search`: it may start anywhere. */
export type ProgramMode = "anchored" | "search";

/** Compiles patterns into one program; each keeps its index. */
export function compileProgram(
  patterns: readonly PatternNode[],
  mode: ProgramMode,
): PatternProgram {
  const builder = new ProgramBuilder();
  const starts = patterns.map((node, index) => builder.addPattern(node, index, mode));
  return builder.finish(Int32Array.from(starts));
}

class ProgramBuilder {
  readonly #operation: number[] = [];
  readonly #next: number[] = [];
  readonly #argument: number[] = [];
  readonly #patternOf: number[] = [];
  readonly #sets: ByteSet[] = [];
  readonly #setIndex = new Map<string, number>();
  /** Saves spelling out sets that are shared objects, as most are. */
  readonly #knownSets = new Map<ByteSet, number>();
  #pattern = 0;
  #hasLineAssertion = false;
  #hasWordAssertion = false;

  /**
   * Returns the first instruction. Built from the end, so that every instruction knows where it
   * leads.
   */
  addPattern(node: PatternNode, index: number, mode: ProgramMode): number {
    this.#pattern = index;
    const start = this.#compile(node, this.#emit(ACCEPT, 0, index));
    if (mode === "anchored") return start;
    const loop = this.#emit(BRANCH, start, 0);
    this.#argument[loop] = this.#emit(CONSUME, loop, this.#set(ANY));
    return loop;
  }

  #emit(operation: number, next: number, argument: number): number {
    this.#next.push(next);
    this.#argument.push(argument);
    this.#patternOf.push(this.#pattern);
    return this.#operation.push(operation) - 1;
  }

  #set(set: ByteSet): number {
    const known = this.#knownSets.get(set);
    if (known !== undefined) return known;
    const key = set.join();
    const index = this.#setIndex.get(key) ?? this.#sets.push(set) - 1;
    this.#setIndex.set(key, index);
    this.#knownSets.set(set, index);
    return index;
  }

  /** Emits `node` so that a match of it goes on at `next`; returns its first instruction. */
  #compile(node: PatternNode, next: number): number {
    switch (node.kind) {
      case "empty":
        return next;
      case "character":
        return node.bytes.reduceRight((to, set) => this.#emit(CONSUME, to, this.#set(set)), next);
      case "class":
        return this.#emit(CONSUME, next, this.#set(node.set));
      case "assertion":
        return this.#assertion(node.assertion, next);
      case "concatenation":
        return node.parts.reduceRight((to, part) => this.#compile(part, to), next);
      case "alternation": {
        const starts = node.branches.map((branch) => this.#compile(branch, next));
        return starts.reduceRight((second, first) => this.#emit(BRANCH, first, second));
      }
      case "repetition":
        return this.#repetition(node.body, node.min, node.max, next);
    }
  }

  #assertion(assertion: Assertion, next: number): number {
    if (assertion.startsWith("line")) this.#hasLineAssertion = true;
    if (assertion.endsWith("boundary")) this.#hasWordAssertion = true;
    return this.#emit(ASSERT, next, ASSERTIONS.indexOf(assertion));
  }

  #repetition(body: PatternNode, min: number, max: number, next: number): number {
    let start = next;
    let required = min;
    if (max === Infinity) {
      const loop = this.#emit(BRANCH, 0, next);
      const first = this.#compile(body, loop);
      this.#next[loop] = first;
      // Where one is required the loop's own body is it, and the loop comes after.
      start = min === 0 ? loop : first;
      required = Math.max(min - 1, 0);
    } else {
      for (let i = min; i < max; i++) {
        start = this.#emit(BRANCH, this.#compile(body, start), next);
      }
    }
    for (let i = 0; i < required; i++) start = this.#compile(body, start);
    return start;
  }

  finish(starts: Int32Array): PatternProgram {
    const told = [...this.#sets];
    const newline = emptySet();
    addByte(newline, NEWLINE);
    if (this.#hasLineAssertion) told.push(newline);
    if (this.#hasWordAssertion) told.push(WORDS);
    return {
      patternCount: starts.length,
      operation: Uint8Array.from(this.#operation),
      next: Int32Array.from(this.#next),
      argument: Int32Array.from(this.#argument),
      patternOf: Int32Array.from(this.#patternOf),
      starts,
      sets: this.#sets,
      ...classesOf(told),
    };
  }
}

/** Splits the 256 bytes into the fewest classes such that each set is a union of classes. */
function classesOf(
  sets: readonly ByteSet[],
): Pick<PatternProgram, "classOf" | "classCount" | "classByte"> {
  const classOf = new Uint8Array(BYTES);
  let classCount = 1;
  const split = new Int32Array(BYTES);
  for (const set of sets) {
    split.fill(-1);
    const sizes = new Int32Array(BYTES);
    const inside = new Int32Array(BYTES);
    for (let byte = 0; byte < BYTES; byte++) {
      sizes[classOf[byte]]++;
      if (hasByte(set, byte)) inside[classOf[byte]]++;
    }
    for (let byte = 0; byte < BYTES; byte++) {
      const old = classOf[byte];
      if (!hasByte(set, byte) || inside[old] === sizes[old]) continue;
      if (split[old] === -1) split[old] = classCount++;
      classOf[byte] = split[old];
    }
  }
  const classByte = new Uint8Array(classCount);
  for (let byte = 0; byte < BYTES; byte++) classByte[classOf[byte]] = byte;
  return { classOf, classCount, classByte };
}
