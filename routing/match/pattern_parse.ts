/** Placeholder shape, replaced by the parser. */
export class PatternError extends Error {
  override readonly name = "PatternError";
}
