/** The escape sequences of a pattern: what stands after a backslash, by its first character. */
import { complement, DIGITS, SPACES, WORDS } from "./byte_set.ts";
import type { ByteSet } from "./byte_set.ts";

const CLASSES: ReadonlyMap<string, ByteSet> = new Map([
  ["d", DIGITS],
  ["D", complement(DIGITS)],
  ["s", SPACES],
  ["S", complement(SPACES)],
  ["w", WORDS],
  ["W", complement(WORDS)],
]);

const CONTROLS: ReadonlyMap<string, string> = new Map([
  ["a", "\x07"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
]);

/** What other engines have and this one does not, by the character after the backslash. */
const UNSUPPORTED: readonly (readonly [characters: string, message: string])[] = [
  ["123456789kg", "A back-reference is not supported"],
  ["pP", "A Unicode class is not supported"],
  ["ZGKRXCNhHec", "This escape is not supported"],
];

/** The class that `\d`, `\s`, `\w` or its negation at `offset` stands for, or null. */
export function classEscape(text: string, offset: number): ByteSet | null {
  if (text[offset] !== "\\") return null;
  return CLASSES.get(text[offset + 1]) ?? null;
}

/** The character that the escape at `offset` stands for and the escape's length, or null. */
export function characterEscape(
  text: string,
  offset: number,
): { readonly character: string; readonly length: number } | null {
  const letter = text[offset + 1];
  if (letter === undefined) return null;
  const control = CONTROLS.get(letter);
  if (control !== undefined) return { character: control, length: 2 };
  // ASCII punctuation stands for itself; letters and digits are kept for a meaning.
  if (/[!-/:-@[-`{-~]/.test(letter)) return { character: letter, length: 2 };
  const coded = /^\\(?:x([0-9A-Fa-f]{2})|x\{([0-9A-Fa-f]{1,6})\}|(0[0-7]{0,2}|[1-7][0-7]{1,2}))/
    .exec(text.slice(offset, offset + 11));
  if (coded === null) return null;
  const code = coded[3] === undefined ? parseInt(coded[1] ?? coded[2], 16) : parseInt(coded[3], 8);
  if (code > 0x10ffff) return null;
  return { character: String.fromCodePoint(code), length: coded[0].length };
}

/** Why the escape at `offset` is not supported, or null if it is simply not known. */
export function unsupportedEscape(text: string, offset: number): string | null {
  const letter = text[offset + 1];
  if (letter === undefined) return null;
  return UNSUPPORTED.find(([characters]) => characters.includes(letter))?.[1] ?? null;
}
