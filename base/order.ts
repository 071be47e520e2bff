/** The order of texts that is the same everywhere. */

/** By UTF-16 code units, unlike a locale's order. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
