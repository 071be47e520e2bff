/**
 * What the text of a path pattern tells without building its automaton. It spares most patterns of a large rule set the exact
 * questions, which take up to a millisecond each. Every answer is certain or withheld.
 */

/**
 * ASCII text that every match begins with; may be less than there is. A character that may be left out or
 * repeated does not count, nor does anything where the pattern may have alternatives at its top.
 */
export function textPrefix(pattern: string): string {
  if (mayHaveTopAlternative(pattern)) return "";
  let prefix = "";
  for (let i = pattern.startsWith("^") ? 1 : 0; i < pattern.length; i++) {
    let character = pattern[i];
    if (character === "\\" && /[!-/:-@[-`{-~]/.test(pattern[i + 1] ?? "")) character = pattern[++i];
    else if (!/[!-~]/.test(character) || "\\.[](){}*+?|^$".includes(character)) break;
    if ("*?{".includes(pattern[i + 1] ?? "\n")) break;
    prefix += character;
  }
  return prefix;
}

/** True also where a bar that is not inside parentheses may be in brackets or escaped. */
function mayHaveTopAlternative(pattern: string): boolean {
  if (!pattern.includes("|")) return false;
  if (/[[\\]/.test(pattern)) return true;
  let depth = 0;
  for (const character of pattern) {
    if (character === "(") depth++;
    else if (character === ")") depth--;
    else if (character === "|" && depth <= 0) return true;
  }
  return false;
}

/** True if the pattern is a slash and plain text, which some path begins with; false says nothing. */
export function surelyMatchesSome(pattern: string): boolean {
  return /^\^?\/[\w/.~-]*(\.\*)?\$?$/.test(pattern);
}

/** True if every match begins with a slash and one more character, so that `/` is none; false says nothing. */
export function surelyMissesSome(pattern: string): boolean {
  return textPrefix(pattern).length > 1;
}
