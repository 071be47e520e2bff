/** Bounds of what is said of manifests without running them, each with its unit and the reason for the number. */

/** A line names at most this many endpoints. */
export const NAMED_ENDPOINTS_MAX = 3;

/** Of the backends of one route or split so many are listed, one a line; JSON has all of them. */
export const LISTED_BACKENDS_MAX = 20;

/** Requests that `dry-run` lists one by one; of more only the distribution is kept. */
export const LISTED_REQUESTS_MAX = 20;
