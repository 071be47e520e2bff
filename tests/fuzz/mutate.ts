/** Changes texts of a corpus: pieces are taken out, repeated, moved, replaced by words of a dictionary, or by another text's. */
import type { Random } from "../../base/random.ts";
import { pick } from "./generate.ts";

export interface Corpus {
  readonly texts: readonly string[];
  /** Words that mean something where the texts are read. */
  readonly words: readonly string[];
}

/** The longest piece that is taken out, repeated or moved at once. */
const PIECE_MAX = 60;
const NUMBERS = ["0", "-1", "1e9", "1e400", "9007199254740993", "0x10", "1.5", "NaN"];

export function mutate(random: Random, { texts, words }: Corpus): string {
  let text = pick(random, texts);
  for (let i = random.below(6); i > 0; i--) text = mutateOnce(random, text, texts, words);
  return text;
}

function mutateOnce(
  random: Random,
  text: string,
  texts: readonly string[],
  words: readonly string[],
): string {
  const at = random.below(text.length + 1);
  const end = Math.min(text.length, at + random.below(PIECE_MAX));
  const [before, piece, after] = [text.slice(0, at), text.slice(at, end), text.slice(end)];
  switch (random.below(8)) {
    case 0:
      return before + after;
    case 1:
      return before + piece + piece + after;
    case 2:
      return before + pick(random, words) + piece + after;
    case 3:
      return before + pick(random, words) + after;
    case 4:
      return before.replace(/\d+(?!.*\d)/s, pick(random, NUMBERS)) + piece + after;
    case 5: {
      const other = pick(random, texts);
      const from = random.below(other.length + 1);
      return before + other.slice(from, from + random.below(4 * PIECE_MAX)) + after;
    }
    case 6:
      return swapLines(random, text);
    default:
      return before;
  }
}

function swapLines(random: Random, text: string): string {
  const lines = text.split("\n");
  const [a, b] = [random.below(lines.length), random.below(lines.length)];
  [lines[a], lines[b]] = [lines[b], lines[a]];
  return lines.join("\n");
}
