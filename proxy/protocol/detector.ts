/** What a protocol says of itself, for connections of which it is not declared what they speak. Pure; see `mod.ts`. */

/**
 * These bytes are its, are not its, or are too few to tell. `likely`: they are too few, and its if no more come. A verdict of
 * yes or no stands, however many bytes follow.
 */
export type Detection = "yes" | "no" | "more" | "likely";

export interface Protocol {
  /** Looks at the first bytes of a connection, `bytes[start, end)`; never at fewer than one. */
  detect(bytes: Uint8Array, start: number, end: number): Detection;
  /** Requests are routed one by one; bytes are relayed, the connection as a whole. */
  readonly carries: "requests" | "bytes";
}
