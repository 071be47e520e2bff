/** Bounds of issuing, each with its unit and the reason for the number. */

/** A day, for which a certificate of a proxy is good: renewed at half of it, so an authority may be away for twelve hours. */
export const LEAF_MS = 24 * 3_600_000;

/** Certificates that one connection may ask for: it lives 30 minutes, in which one is due at most. */
export const CONNECTION_CSRS_MAX = 20;

/** Certificates that are being made at once; more wait. An authority elsewhere is asked about each. */
export const ISSUES_AT_ONCE_MAX = 32;

/** And those that wait: proxies ask again, with a growing pause. */
export const ISSUES_WAITING_MAX = 20_000;

/** Keys are read again so often, from Secrets and from files: no request waits for a key that was replaced. */
export const KEYS_READ_MS = 30_000;

/** How long an authority elsewhere may take for one certificate: it may ask a person, and then it is asked again later. */
export const ISSUER_MS = 30_000;

/** How soon it is looked whether it has answered, at first: an issuer of the cluster takes tens of milliseconds. */
export const ISSUER_LOOK_MS_MIN = 50;

/** And at most. */
export const ISSUER_LOOK_MS_MAX = 1_000;

/** Characters of an answer: a chain in JSON has some thousands. */
export const ISSUER_ANSWER_BYTES_MAX = 256 * 1024;

/** Share of its life after which a token of Vault is replaced. */
export const VAULT_TOKEN_SHARE = 0.75;

/** How long a start waits for the first reading of authorities: a Secret is there in some milliseconds. */
export const AUTHORITY_WAIT_MS = 2_000;

/** Characters of a reason that a proxy is told. */
export const PROBLEM_CHARACTERS_MAX = 300;
