/**
 * "Did you mean": the nearest known word to one that is not known.
 */

import { NAME_LENGTH_MAX } from "../base/limits.ts";

/** The candidate that `word` is most likely a slip of: other case, or a letter or two away. */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  // Short words are all near each other: one slip for four letters, never more than two.
  let bestDistance = Math.min(2, Math.floor(word.length / 4)) + 1;
  for (const candidate of candidates) {
    if (candidate.toLowerCase() === word.toLowerCase()) return candidate;
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** The field that was most likely meant: a slip of it, or one that has a word in common, as `path` for `pathRegex`. */
export function suggestField(word: string, fields: readonly string[]): string | undefined {
  const slip = suggest(word, fields);
  if (slip !== undefined || word.length > NAME_LENGTH_MAX) return slip;
  const [best, next] = fields.map((field) => ({ field, length: sharedLetters(word, field) }))
    .filter(({ length }) => length >= Math.max(SHARED_LETTERS, word.length / 2))
    .sort((left, right) => right.length - left.length);
  return best !== undefined && best.length > (next?.length ?? 0) ? best.field : undefined;
}

/** Letters in a row that two names must share, and half of the word: as `path` and `hash`, and not `tion`. */
const SHARED_LETTERS = 4;

/** The most letters in a row that two names share, in any case. */
function sharedLetters(left: string, right: string): number {
  const [a, b] = [left.toLowerCase(), right.toLowerCase()];
  let most = 0;
  for (let start = 0; start + most < a.length; start++) {
    while (start + most < a.length && b.includes(a.slice(start, start + most + 1))) most++;
  }
  return most;
}

/** How many items two lists have alike at their beginning. */
export function commonLength(left: readonly string[], right: readonly string[]): number {
  const end = left.findIndex((letter, index) => letter !== right[index]);
  return end < 0 ? left.length : end;
}

/** Letters to insert, delete, replace or swap with their neighbour to make one word of the other. */
function editDistance(left: string, right: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const cost = left[row - 1] === right[column - 1] ? 0 : 1;
      let distance = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + cost,
      );
      const isSwap = row > 1 && column > 1 && left[row - 1] === right[column - 2] &&
        left[row - 2] === right[column - 1];
      if (isSwap) distance = Math.min(distance, (beforePrevious[column - 2] ?? 0) + 1);
      current.push(distance);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[right.length] ?? 0;
}
