/** Bounds of issuing, each with its unit and the reason for the number. */

/** A day, for which a certificate of a proxy is good: renewed at half of it, so an authority may be away for twelve hours. */
export const LEAF_MS = 24 * 3_600_000;

/** Certificates that one connection may ask for: it lives 90 minutes, in which one or two are due. */
export const CONNECTION_CSRS_MAX = 20;

/** Certificates that are being made at once; more wait. An authority elsewhere is asked about each. */
export const ISSUES_AT_ONCE_MAX = 32;

/** And those that wait: proxies ask again, with a growing pause. */
export const ISSUES_WAITING_MAX = 20_000;

/** Keys are read again so often, from Secrets and from files: no request waits for a key that was replaced. */
export const KEYS_READ_MS = 30_000;

/** Characters of a reason that a proxy is told. */
export const PROBLEM_CHARACTERS_MAX = 300;
