/**
 * Programmer errors. Always on: an assertion that fails is a defect of Weft. Mistakes in a user's input are `Finding`s, those of
 * a peer on the wire are refusals with a reason.
 */

/** Thrown when the program contradicts itself. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws an {@link AssertionError} unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
