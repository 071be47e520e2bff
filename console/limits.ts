/** Bounds of what is written to a person, each with its unit and the reason for the number. */

/** A stream without room is tried again after so long: too short to be seen, and no work in between. */
export const WRITE_RETRY_MS = 5;

/** Columns of a table are folded down to this: a short word, a port or a weight stays whole. */
export const COLUMN_WIDTH_MIN = 8;

/** Bars of a chart take this much where there is room. */
export const BAR_WIDTH = 40;

/** Narrower bars say nothing. */
export const BAR_WIDTH_MIN = 10;

/** Columns that the message of a Finding is folded to at the least, so that words stay whole. */
export const FOLDED_MESSAGE_MIN = 20;
