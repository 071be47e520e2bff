/**
 * ByteSet: a set of byte values as 256 bits. Sets are filled while a pattern is parsed and not
 * changed after.
 */

/** Eight words of 32 bits; bit b of word w is the byte 32 * w + b. */
export type ByteSet = Uint32Array;

export const BYTES = 256;

export function emptySet(): ByteSet {
  return new Uint32Array(8);
}

export function addByte(set: ByteSet, byte: number): void {
  set[byte >>> 5] |= 1 << (byte & 31);
}

/** Adds `first` to `last`, both included. */
export function addRange(set: ByteSet, first: number, last: number): void {
  for (let byte = first; byte <= last; byte++) addByte(set, byte);
}

export function addSet(set: ByteSet, other: ByteSet): void {
  for (let i = 0; i < 8; i++) set[i] |= other[i];
}

export function hasByte(set: ByteSet, byte: number): boolean {
  return (set[byte >>> 5] >>> (byte & 31) & 1) === 1;
}

export function complement(set: ByteSet): ByteSet {
  return set.map((word) => ~word);
}

/** Adds the other case of every ASCII letter in the set. */
export function foldCase(set: ByteSet): void {
  for (let lower = 0x61; lower <= 0x7a; lower++) {
    const upper = lower ^ 0x20;
    if (hasByte(set, lower)) addByte(set, upper);
    else if (hasByte(set, upper)) addByte(set, lower);
  }
}

const SINGLES: (ByteSet | undefined)[] = [];

/**
 * The set of one byte; always the same object, so that literals of a large rule set share theirs.
 */
export function singleByte(byte: number): ByteSet {
  return SINGLES[byte] ??= setOfRanges(byte, byte);
}

/** Each pair of numbers is a first and a last byte, both included. */
function setOfRanges(...bounds: readonly number[]): ByteSet {
  const set = emptySet();
  for (let i = 0; i < bounds.length; i += 2) addRange(set, bounds[i], bounds[i + 1]);
  return set;
}

export const NEWLINE = 0x0a;
/** `\d`, `\s` and `\w` as RE2 has them: ASCII only, no vertical tab. */
export const DIGITS = setOfRanges(0x30, 0x39);
export const SPACES = setOfRanges(0x09, 0x0a, 0x0c, 0x0d, 0x20, 0x20);
export const WORDS = setOfRanges(0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a);
export const ANY = setOfRanges(0, 255);
export const ANY_BUT_NEWLINE = complement(setOfRanges(NEWLINE, NEWLINE));

/** The names that stand in `[[:name:]]`. */
export const POSIX_CLASSES: ReadonlyMap<string, ByteSet> = new Map([
  ["alnum", setOfRanges(0x30, 0x39, 0x41, 0x5a, 0x61, 0x7a)],
  ["alpha", setOfRanges(0x41, 0x5a, 0x61, 0x7a)],
  ["ascii", setOfRanges(0x00, 0x7f)],
  ["blank", setOfRanges(0x09, 0x09, 0x20, 0x20)],
  ["cntrl", setOfRanges(0x00, 0x1f, 0x7f, 0x7f)],
  ["digit", DIGITS],
  ["graph", setOfRanges(0x21, 0x7e)],
  ["lower", setOfRanges(0x61, 0x7a)],
  ["print", setOfRanges(0x20, 0x7e)],
  ["punct", setOfRanges(0x21, 0x2f, 0x3a, 0x40, 0x5b, 0x60, 0x7b, 0x7e)],
  ["space", setOfRanges(0x09, 0x0d, 0x20, 0x20)],
  ["upper", setOfRanges(0x41, 0x5a)],
  ["word", WORDS],
  ["xdigit", setOfRanges(0x30, 0x39, 0x41, 0x46, 0x61, 0x66)],
]);
