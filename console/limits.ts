/** Bounds of what is written to a person, each with its unit and the reason for the number. */

/** A stream without room is tried again after so long: too short to be seen, and no work in between. */
export const WRITE_RETRY_MS = 5;
