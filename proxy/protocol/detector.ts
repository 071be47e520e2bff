/** What a protocol is asked when a connection begins with bytes that nobody has declared. Pure; see `mod.ts`. */

/**
 * These bytes are its, are not its, or are too few to tell. `likely`: they are too few, and its if no more come. A verdict of
 * yes or no stands, however many bytes follow.
 */
export type Verdict = "yes" | "no" | "more" | "likely";

/** Looks at the first bytes of a connection, `bytes[start, end)`; never at fewer than one. */
export type Detector = (bytes: Uint8Array, start: number, end: number) => Verdict;
