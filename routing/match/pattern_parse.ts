/**
 * Parses the RE2-like subset that Weft accepts (see README.md) and refuses everything else with a
 * code, an offset and a reason. Knows nothing of matching.
 */
import { addRange, addSet, ANY, ANY_BUT_NEWLINE, complement, emptySet } from "./byte_set.ts";
import { foldCase, POSIX_CLASSES, singleByte } from "./byte_set.ts";
import type { ByteSet } from "./byte_set.ts";
import { characterEscape, classEscape, unsupportedEscape } from "./pattern_escape.ts";
import { PatternError, programSize } from "./pattern_syntax.ts";
import type { PatternErrorCode, PatternNode } from "./pattern_syntax.ts";
import {
  PATTERN_DEPTH_MAX,
  PATTERN_LENGTH_MAX,
  PATTERN_PROGRAM_MAX,
  PATTERN_REPEAT_MAX,
} from "../limits.ts";

const EMPTY: PatternNode = { kind: "empty" };
const encoder = new TextEncoder();

interface Flags {
  readonly foldCase: boolean;
  readonly multiLine: boolean;
  readonly dotAll: boolean;
}

/**
 * Parses a pattern.
 *
 * @throws {PatternError} where it is invalid, outside the subset or too large
 */
export function parsePattern(text: string): PatternNode {
  if (text.length > PATTERN_LENGTH_MAX) {
    throw new PatternError(
      "pattern-too-large",
      PATTERN_LENGTH_MAX,
      `Pattern is longer than ${PATTERN_LENGTH_MAX} characters`,
    );
  }
  const node = new Parser(text).parse();
  const size = programSize(node);
  if (size > PATTERN_PROGRAM_MAX) {
    throw new PatternError(
      "pattern-too-large",
      0,
      `Pattern needs a program of ${size} instructions, of at most ${PATTERN_PROGRAM_MAX}`,
    );
  }
  return node;
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #flags: Flags = { foldCase: false, multiLine: false, dotAll: false };
  readonly #groupNames = new Set<string>();

  constructor(text: string) {
    this.#text = text;
  }

  parse(): PatternNode {
    const node = this.#alternation();
    if (this.#at < this.#text.length) this.#fail("pattern-invalid", `Unexpected ")"`);
    return node;
  }

  #fail(code: PatternErrorCode, message: string, offset = this.#at): never {
    throw new PatternError(code, offset, message);
  }

  #peek(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #eat(text: string): boolean {
    if (!this.#peek(text)) return false;
    this.#at += text.length;
    return true;
  }

  /** Takes what the sticky expression matches here, or gives null. */
  #take(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.#text);
    if (found !== null) this.#at += found[0].length;
    return found;
  }

  #alternation(): PatternNode {
    const branches = [this.#concatenation()];
    while (this.#eat("|")) branches.push(this.#concatenation());
    return branches.length === 1 ? branches[0] : { kind: "alternation", branches };
  }

  #concatenation(): PatternNode {
    const parts: PatternNode[] = [];
    while (this.#at < this.#text.length && !this.#peek("|") && !this.#peek(")")) {
      if (this.#eat("\\Q")) {
        parts.push(...this.#quotation());
        continue;
      }
      if (this.#eat("\\E")) continue;
      const atom = this.#atom();
      if (atom !== null) parts.push(this.#repetition(atom));
    }
    if (parts.length === 0) return EMPTY;
    return parts.length === 1 ? parts[0] : { kind: "concatenation", parts };
  }

  /** The literal text from `\Q` to `\E`; a repetition after `\E` applies to its last character. */
  #quotation(): PatternNode[] {
    const end = this.#text.indexOf("\\E", this.#at);
    const literal = this.#text.slice(this.#at, end === -1 ? undefined : end);
    const start = this.#at;
    const parts = [...literal].map((character) => this.#literal(character, start));
    this.#at = end === -1 ? this.#text.length : end + 2;
    const last = parts.pop();
    return last === undefined ? [] : [...parts, this.#repetition(last)];
  }

  /** Null for what only sets flags. */
  #atom(): PatternNode | null {
    const start = this.#at;
    const character = String.fromCodePoint(this.#text.codePointAt(start) ?? 0);
    switch (character) {
      case "(":
        return this.#group();
      case "[":
        return { kind: "class", set: this.#class() };
      case "\\":
        return this.#escape();
      case "*":
      case "+":
      case "?":
        return this.#fail("pattern-invalid", `Nothing to repeat before "${character}"`);
      case "{":
        if (this.#bounds() !== null) {
          this.#fail("pattern-invalid", `Nothing to repeat before "{"`, start);
        }
    }
    this.#at += character.length;
    switch (character) {
      case ".":
        return { kind: "class", set: this.#flags.dotAll ? ANY : ANY_BUT_NEWLINE };
      case "^":
        return {
          kind: "assertion",
          assertion: this.#flags.multiLine ? "line-start" : "text-start",
        };
      case "$":
        return { kind: "assertion", assertion: this.#flags.multiLine ? "line-end" : "text-end" };
    }
    return this.#literal(character, start);
  }

  /** One character as the bytes of its UTF-8 form. */
  #literal(character: string, offset: number): PatternNode {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xd800 && code <= 0xdfff) {
      this.#fail("pattern-invalid", "Half of a surrogate pair is not a character", offset);
    }
    const isCased = character.toLowerCase() !== character.toUpperCase();
    if (this.#flags.foldCase && code > 0x7f && isCased) {
      const message = `"${character}" cannot be matched in either case: only ASCII can`;
      this.#fail("pattern-unsupported", message, offset);
    }
    if (code > 0x7f) {
      return { kind: "character", bytes: Array.from(encoder.encode(character), singleByte) };
    }
    if (!this.#flags.foldCase || !isCased) return { kind: "character", bytes: [singleByte(code)] };
    const eitherCase = emptySet();
    addRange(eitherCase, code, code);
    foldCase(eitherCase);
    return { kind: "character", bytes: [eitherCase] };
  }

  #repetition(atom: PatternNode): PatternNode {
    const bounds = this.#bounds();
    if (bounds === null) return atom;
    this.#eat("?"); // Lazy or greedy: the same texts match.
    if (this.#peek("+")) {
      this.#fail("pattern-unsupported", "Possessive repetition is not supported");
    }
    const start = this.#at;
    if (this.#bounds() !== null) {
      this.#fail("pattern-invalid", "A repetition cannot follow a repetition", start);
    }
    return { kind: "repetition", body: atom, min: bounds.min, max: bounds.max };
  }

  /**
   * `*`, `+`, `?` or `{n,m}` if one stands here. Braces that are not a repetition are literal, as
   * in RE2.
   */
  #bounds(): { min: number; max: number } | null {
    const start = this.#at;
    if (this.#eat("*")) return { min: 0, max: Infinity };
    if (this.#eat("+")) return { min: 1, max: Infinity };
    if (this.#eat("?")) return { min: 0, max: 1 };
    const found = this.#take(/\{(\d+)(,(\d*))?\}/y);
    if (found === null) return null;
    if (/\b0\d/.test(found[0])) {
      // Text to RE2, a repetition to others.
      const message = `Repetition "${found[0]}" has a zero in front of a number, ` +
        `which not every engine takes for a number`;
      this.#fail("pattern-unsupported", message, start);
    }
    const min = Number(found[1]);
    const max = found[2] === undefined ? min : found[3] === "" ? Infinity : Number(found[3]);
    if (max < min) {
      this.#fail("pattern-invalid", `Repetition "${found[0]}" has its bounds reversed`, start);
    }
    if (Math.max(min, max === Infinity ? 0 : max) > PATTERN_REPEAT_MAX) {
      const message = `Repetition "${found[0]}" counts to more than ${PATTERN_REPEAT_MAX}`;
      this.#fail("pattern-too-large", message, start);
    }
    return { min, max };
  }

  #group(): PatternNode | null {
    const start = this.#at;
    this.#refuseSpecialGroup();
    const flagsOutside = this.#flags;
    this.#at++;
    if (this.#peek("?")) {
      const name = this.#take(/\?P?<(\w+)>/y);
      if (name !== null) {
        if (this.#groupNames.has(name[1])) {
          this.#fail("pattern-invalid", `Two groups are named "${name[1]}"`, start);
        }
        this.#groupNames.add(name[1]);
      } else if (this.#flagGroup(start)) {
        return null;
      }
    }
    if (++this.#depth > PATTERN_DEPTH_MAX) {
      this.#fail("pattern-too-large", `Groups are nested deeper than ${PATTERN_DEPTH_MAX}`, start);
    }
    const body = this.#alternation();
    if (!this.#eat(")")) this.#fail("pattern-invalid", `Missing ")"`, start);
    this.#depth--;
    this.#flags = flagsOutside;
    return body;
  }

  #refuseSpecialGroup(): void {
    const rest = this.#text.slice(this.#at, this.#at + 4);
    const refuse = (what: string) => this.#fail("pattern-unsupported", `${what} is not supported`);
    if (/^\(\?<?[=!]/.test(rest)) refuse("Look-around");
    if (rest === "(?P=") refuse("A back-reference");
    if (rest === "(?P>" || /^\(\?[R&0-9]/.test(rest)) refuse("Recursion");
    if (rest.startsWith("(?>")) refuse("An atomic group");
    if (rest.startsWith("(?(")) refuse("A conditional group");
    if (rest.startsWith("(?#")) refuse("A comment");
    if (rest.startsWith("(?|")) refuse("A branch reset");
    if (rest.startsWith("(*")) return; // Falls through to "nothing to repeat", as in RE2.
  }

  /**
   * Takes `?flags:` or `?flags)`; true if the group ends here, its flags holding for what
   * follows.
   */
  #flagGroup(start: number): boolean {
    const found = this.#take(/\?([A-Za-z]*)(-([A-Za-z]+))?([:)])/y);
    if (found === null) this.#fail("pattern-invalid", `Unknown group "(?"`, start);
    const [, on, , off = "", end] = found;
    for (const flag of on + off) {
      if (!"imsU".includes(flag)) {
        this.#fail("pattern-unsupported", `Flag "${flag}" is not supported`, start);
      }
    }
    const flag = (name: string, before: boolean) =>
      off.includes(name) ? false : on.includes(name) || before;
    this.#flags = {
      foldCase: flag("i", this.#flags.foldCase),
      multiLine: flag("m", this.#flags.multiLine),
      dotAll: flag("s", this.#flags.dotAll),
    };
    return end === ")";
  }

  #escape(): PatternNode {
    const start = this.#at;
    if (this.#eat("\\A")) return { kind: "assertion", assertion: "text-start" };
    if (this.#eat("\\z")) return { kind: "assertion", assertion: "text-end" };
    if (this.#eat("\\b")) return { kind: "assertion", assertion: "word-boundary" };
    if (this.#eat("\\B")) return { kind: "assertion", assertion: "not-word-boundary" };
    const set = classEscape(this.#text, start);
    if (set !== null) {
      this.#at += 2;
      return { kind: "class", set };
    }
    return this.#literal(this.#characterEscape(), start);
  }

  #characterEscape(): string {
    const escape = characterEscape(this.#text, this.#at);
    if (escape === null) {
      const unsupported = unsupportedEscape(this.#text, this.#at);
      if (unsupported !== null) this.#fail("pattern-unsupported", unsupported);
      const sequence = this.#text.slice(this.#at, this.#at + 2);
      this.#fail("pattern-invalid", `Escape "${sequence}" is not known`);
    }
    this.#at += escape.length;
    return escape.character;
  }

  #class(): ByteSet {
    const start = this.#at;
    this.#at++;
    const isNegated = this.#eat("^");
    const set = emptySet();
    for (let isFirst = true; isFirst || !this.#peek("]"); isFirst = false) {
      if (this.#at >= this.#text.length) this.#fail("pattern-invalid", `Missing "]"`, start);
      this.#classItem(set);
    }
    this.#at++;
    if (this.#flags.foldCase) foldCase(set);
    return isNegated ? complement(set) : set;
  }

  #classItem(set: ByteSet): void {
    const start = this.#at;
    const posix = this.#take(/\[:(\^?)([^]*?):\]/y);
    if (posix !== null) {
      const named = POSIX_CLASSES.get(posix[2]);
      if (named === undefined) {
        this.#fail("pattern-invalid", `Class "${posix[0]}" is not known`, start);
      }
      return addSet(set, posix[1] === "^" ? complement(named) : named);
    }
    const escaped = classEscape(this.#text, start);
    if (escaped !== null) {
      this.#at += 2;
      return addSet(set, escaped);
    }
    const first = this.#classByte();
    let last = first;
    if (this.#peek("-") && this.#text[this.#at + 1] !== "]" && this.#at + 1 < this.#text.length) {
      this.#at++;
      last = this.#classByte();
    }
    if (last < first) {
      const range = this.#text.slice(start, this.#at);
      this.#fail("pattern-invalid", `Range "${range}" has its bounds reversed`, start);
    }
    addRange(set, first, last);
  }

  #classByte(): number {
    const start = this.#at;
    if (start >= this.#text.length) this.#fail("pattern-invalid", `Missing "]"`);
    let character = String.fromCodePoint(this.#text.codePointAt(start) ?? 0);
    if (character === "\\") character = this.#characterEscape();
    else this.#at += character.length;
    const code = character.codePointAt(0) ?? 0;
    if (code > 0x7f) {
      this.#fail(
        "pattern-unsupported",
        `"${character}" in a class is not supported: classes are of bytes, so only ASCII fits`,
        start,
      );
    }
    return code;
  }
}
