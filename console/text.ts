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
