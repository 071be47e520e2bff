/**
 * Pattern: one path or header pattern on its own, for those who check, order and compare rules.
 * Matching many patterns at once is `match_index.ts`'s.
 */
import { Automaton } from "./automaton.ts";
import { parsePattern } from "./pattern_parse.ts";
import { compileProgram } from "./pattern_program.ts";
import type { ProgramMode } from "./pattern_program.ts";
import { fixedCharacters, PatternError } from "./pattern_syntax.ts";
import type { PatternErrorCode, PatternNode } from "./pattern_syntax.ts";
import type { Subsumption } from "./pattern_language.ts";
import { comparePathLanguages, isEveryPath, isNoPath, literalPrefix } from "./pattern_language.ts";

type PatternCheck =
  | { readonly ok: true }
  | {
    readonly ok: false;
    readonly code: PatternErrorCode;
    /** UTF-16 code units from the start of the pattern. */
    readonly offset: number;
    readonly message: string;
    /** What to change. */
    readonly hint: string;
  };

const HINTS: Readonly<Record<PatternErrorCode, string>> = {
  "pattern-invalid": "Correct the pattern: its syntax is that of RE2",
  "pattern-unsupported":
    "Rewrite the pattern without it: only what matches in linear time is accepted",
  "pattern-too-large": "Shorten the pattern, or split it into several matches",
};

/** A path pattern, parsed once; comparing many with each other goes through this. */
export class PathPattern {
  readonly text: string;
  readonly #node: PatternNode;
  #automaton: Automaton | null = null;
  #isCatchAll: boolean | null = null;
  readonly #prefix: string;

  /** @throws {PatternError} where the pattern is not accepted */
  constructor(text: string) {
    this.text = text;
    this.#node = parsePattern(text);
    this.#prefix = literalPrefix(this.#node);
  }

  /** True if the path, given as bytes, starts with a match. */
  matches(path: Uint8Array): boolean {
    const automaton = this.#machine();
    return automaton.accepts(automaton.scan(path, 0, path.length), 0);
  }

  /**
   * True if every path does. A path is `/` and then any bytes that a request line can hold but
   * `?`.
   */
  isCatchAll(): boolean {
    this.#isCatchAll ??= isEveryPath(this.#machine());
    return this.#isCatchAll;
  }

  /** True if no path does: `test`, which lacks the `/` that every path starts with. */
  isNever(): boolean {
    return isNoPath(this.#machine());
  }

  /**
   * The least number of characters that every match has and that the pattern fixes. Alternatives count as their least,
   * repetitions by their minimum, a letter in either case as fixed. Classes and dots do not count.
   */
  fixedCharacters(): number {
    return fixedCharacters(this.#node);
  }

  /** Whether `other` matches every path that this one matches. */
  isSubsumedBy(other: PathPattern): Subsumption {
    // Most pairs of a large rule set differ within their literal prefixes: then no path matches
    // both.
    const isApart = this.#prefix.startsWith("/") &&
      !this.#prefix.startsWith(other.#prefix) && !other.#prefix.startsWith(this.#prefix);
    if (isApart) return { answer: "no", witness: null };
    return comparePathLanguages(this.#machine(), other.#machine());
  }

  #machine(): Automaton {
    this.#automaton ??= new Automaton(compileProgram([this.#node], "anchored"));
    return this.#automaton;
  }
}

/** Says whether Weft accepts a pattern, and if not where and why. */
export function checkPattern(text: string): PatternCheck {
  try {
    parsePattern(text);
    return { ok: true };
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    const { code, offset, message } = error;
    return { ok: false, code, offset, message, hint: HINTS[code] };
  }
}

/**
 * A test for one pattern alone, independent of every other: what `explain` checks `decide` against.
 * @throws {PatternError} where the pattern is not accepted
 */
export function patternTest(text: string, mode: ProgramMode): (bytes: Uint8Array) => boolean {
  const automaton = new Automaton(compileProgram([parsePattern(text)], mode));
  return (bytes) => automaton.accepts(automaton.scan(bytes, 0, bytes.length), 0);
}
