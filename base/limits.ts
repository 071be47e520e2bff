/** Bounds that every part shares, each with its unit and the reason for the number. */

/** What a timer of the platform can wait for: it counts in 32 bits, some 24 days. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

/** Bytes of the header lines that one policy adds in one direction, so that the whole head still fits its buffer. */
export const HEADER_TEXT_BYTES_MAX = 4_096;

/** Characters of a path that a route has or puts in place of another; as many as the Gateway API's definitions allow. */
export const PATH_TEXT_MAX = 1_024;

/** The longest duration of a policy: two weeks, which a timer can still wait for. */
export const POLICY_DURATION_MS_MAX = 14 * 24 * 3_600_000;

/** The longest SPIFFE id (SPIFFE-ID 2.3). */
export const SPIFFE_ID_BYTES_MAX = 2_048;

/** The longest trust domain (SPIFFE-ID 2.1). */
export const TRUST_DOMAIN_BYTES_MAX = 255;

/** Quiet time that ends a burst of events: editors write in several steps, some of which leave half a file. */
export const WATCH_QUIET_MS = 60;

/** A burst that does not end is told of anyway. */
export const WATCH_BURST_MS_MAX = 1_000;

/** The longest name that Kubernetes takes. */
export const NAME_LENGTH_MAX = 253;

/** The highest port. */
export const PORT_MAX = 65535;

/** Bytes of a length in DER: a certificate of 16 MiB is none. */
export const DER_LENGTH_BYTES_MAX = 3;

/** Texts that are kept once each, 100 bytes apiece: accounts and workloads of a large mesh, without the room for one of each pod. */
export const SHARED_TEXTS_MAX = 4_096;
