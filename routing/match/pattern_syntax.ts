/**
 * What a parsed pattern is made of, and the two numbers worked out from that alone: how large its
 * program gets, and how specific it is. Groups and greediness are gone: they do not change what
 * matches.
 */
import type { ByteSet } from "./byte_set.ts";

export type Assertion =
  | "text-start"
  | "text-end"
  | "line-start"
  | "line-end"
  | "word-boundary"
  | "not-word-boundary";

export type PatternNode =
  | { readonly kind: "empty" }
  /** One character: a set of bytes for each byte of it, more than one only outside ASCII. */
  | { readonly kind: "character"; readonly bytes: readonly ByteSet[] }
  /** One byte of many. */
  | { readonly kind: "class"; readonly set: ByteSet }
  | { readonly kind: "assertion"; readonly assertion: Assertion }
  | { readonly kind: "concatenation"; readonly parts: readonly PatternNode[] }
  | { readonly kind: "alternation"; readonly branches: readonly PatternNode[] }
  | {
    readonly kind: "repetition";
    readonly body: PatternNode;
    readonly min: number;
    /** Infinity for no bound. */
    readonly max: number;
  };

/** Why a pattern is refused; the same codes as Findings. */
export type PatternErrorCode = "pattern-invalid" | "pattern-unsupported" | "pattern-too-large";

/** A pattern that is not accepted. */
export class PatternError extends Error {
  override readonly name = "PatternError";
  readonly code: PatternErrorCode;
  /** UTF-16 code units from the start of the pattern. */
  readonly offset: number;

  constructor(code: PatternErrorCode, offset: number, message: string) {
    super(message);
    this.code = code;
    this.offset = offset;
  }
}

/** Instructions that the program of a node takes; may be Infinity. */
export function programSize(node: PatternNode): number {
  switch (node.kind) {
    case "empty":
      return 0;
    case "character":
      return node.bytes.length;
    case "class":
    case "assertion":
      return 1;
    case "concatenation":
      return sum(node.parts, programSize);
    case "alternation":
      return sum(node.branches, programSize) + node.branches.length - 1;
    case "repetition": {
      const body = programSize(node.body);
      // A bounded repeat is written out; each optional copy has a branch, and so has a loop.
      return node.max === Infinity
        ? body * Math.max(node.min, 1) + 1
        : body * node.max + (node.max - node.min);
    }
  }
}

/**
 * The least number of characters that a match has and that the pattern fixes (to one, in either
 * case).
 */
export function fixedCharacters(node: PatternNode): number {
  switch (node.kind) {
    case "empty":
    case "class":
    case "assertion":
      return 0;
    case "character":
      return 1;
    case "concatenation":
      return sum(node.parts, fixedCharacters);
    case "alternation":
      return node.branches.reduce((least, it) => Math.min(least, fixedCharacters(it)), Infinity);
    case "repetition":
      return node.min === 0 ? 0 : node.min * fixedCharacters(node.body);
  }
}

function sum(nodes: readonly PatternNode[], measure: (node: PatternNode) => number): number {
  return nodes.reduce((total, node) => total + measure(node), 0);
}
