/**
 * Programmer errors. Always on: an assertion that fails is a defect of Weft, never of its user's input
 * (that is a `Finding`) nor of a peer on the wire (that is a refusal with a reason).
 */

/** Thrown when the program contradicts itself. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws an {@link AssertionError} unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
