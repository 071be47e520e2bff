/** Text that came from a user's input, made safe and measurable for a terminal. */

/**
 * Replaces control characters by what a person can read: a name or a pattern in a manifest must not be able to move
 * the cursor, change colours or forge a line.
 */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\t") return "\\t";
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

/** Columns a printable text takes; counts code points, which is right for what Kubernetes lets names hold. */
export function widthOf(text: string): number {
  return [...text].length;
}

/** `a, b and 9 more`: no more than `most` items. */
export function listText(items: readonly string[], most: number, separator = ", "): string {
  const more = items.length - most;
  if (more <= 0) return items.join(separator);
  return `${items.slice(0, most).join(separator)} and ${more} more`;
}

/** Printable text in lines of at most `width` columns, broken where a word or a part of a name ends, if it can be. */
export function foldText(text: string, width: number): string[] {
  const characters = [...text];
  width = Math.max(1, width);
  const lines: string[] = [];
  let start = 0;
  while (characters.length - start > width) {
    let end = start + width;
    // A space there is where the line ends anyhow.
    if (characters[end] !== " ") end = breakIn(characters, start, end);
    lines.push(characters.slice(start, end).join("").trimEnd());
    while (characters[end] === " ") end++;
    start = end;
  }
  if (start < characters.length || lines.length === 0) lines.push(characters.slice(start).join(""));
  return lines;
}

/** Where a line breaks best: after a word or an item, else after a part of a name, else at its end. */
function breakIn(characters: readonly string[], start: number, end: number): number {
  for (const breaks of [" ,", "/", "=:|-."]) {
    let at = end;
    while (at > start && !breaks.includes(characters[at - 1])) at--;
    if (at > start + (end - start) / 3) return at;
  }
  return end;
}
