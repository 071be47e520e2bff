/** Bounds of the core, each with its unit and the reason for the number: of patterns, plans, and the work that they may cost. */

/** As CoreDNS, which follows no more of them either. */
export const ALIASES_MAX = 8;

/** Rules looked at for one rule, when rules are looked for that can never match. */
export const SHADOW_LOOKS_PER_RULE_MAX = 512;

/** Pairs of patterns compared for one rule. Comparing two takes some 0.1 ms. */
export const SHADOW_COMPARISONS_PER_RULE_MAX = 16;

/** And for all rules of a root: 10,000 rules that all begin alike would need fifty million. */
export const SHADOW_COMPARISONS_MAX = 4096;

/** Cached numbers (4 bytes each) of an automaton: in proportion to its program, but at least so many. */
export const AUTOMATON_CACHE_MIN = 1 << 16;

/** And at most so many. */
export const AUTOMATON_CACHE_MAX = 1 << 22;

/**
 * Instructions of all path patterns of one list together: 40 MB of program, and seconds to build.
 */
export const LIST_PROGRAM_MAX = 1 << 21;

/** Remembered combinations of answers; about half a megabyte. */
export const COMBINATIONS_MAX = 1 << 14;

/**
 * States walked through to find which texts some patterns tell apart: a thousand paths of people need ten thousand, and a
 * state costs 10 us. Beyond it the answer is "undecided".
 */
export const ALGEBRA_STATES_MAX = 20_000;

/** The same where it is done for every Service of the input, unasked: a tenth of a second for one with too many. */
export const ALGEBRA_CHECK_STATES_MAX = 4_000;

/** And after so many Services with too many, no more are looked at: each costs up to a second. */
export const ALGEBRA_CHECK_UNDECIDED_MAX = 5;

/** Cells that a list of matches may cut all requests into, one shown after the other, before the answer is "undecided". */
export const ALGEBRA_CELLS_MAX = 1 << 17;

/**
 * Kinds of calls across the edge of the mesh, at one port of one account, that are looked at before the answer is "undecided": 100 hosts in
 * 100 ranges, in a tenth of a second.
 */
export const EDGE_CALLS_MAX = 20_000;

/** States, or pairs of states, looked at before giving up. Patterns of people need tens. */
export const EXPLORED_STATES_MAX = 4096;

/**
 * UTF-16 code units. Longer than any rule a person writes; keeps parsing of a whole plan bounded.
 */
export const PATTERN_LENGTH_MAX = 4096;

/** Groups inside groups. Keeps recursion far from the end of the stack. */
export const PATTERN_DEPTH_MAX = 200;

/** The count in `{n,m}`; RE2 has the same limit. */
export const PATTERN_REPEAT_MAX = 1000;

/** Instructions. Bounds the time that one byte of input can cost, whatever the input. */
export const PATTERN_PROGRAM_MAX = 4096;

/** The sum of a route's weights: places of a split sequence are numbered in 32 bits. */
export const WEIGHT_TOTAL_MAX = 2 ** 31 - 1;

/** The largest number that a policy of a plan may give; far beyond what any of them can mean. */
export const POLICY_COUNT_MAX = 1_000_000_000;

/**
 * UTF-16 code units. 2,000 Services with 10,000 rules and an endpoint each encode to about a tenth of this. A hostile sender can
 * make a sidecar allocate a small multiple of it before the first check.
 */
export const PLAN_TEXT_MAX = 64 * 1024 * 1024;

/**
 * Up to this sum of weights one whole period is worked out in advance; above it, backends are
 * picked online. Time to draw a period grows with its square: 1 ms for a sum of 100, 1 to 9 ms for
 * 1000 with three backends.
 */
export const PERIOD_MAX = 1024;

/** Headers of one head; more are refused with 431. So many short ones fill a large head, and the work for rules is bounded. */
export const HEADERS_MAX = 1_000;

/**
 * UTF-16 code units of one message between a proxy and the source of its plan. The largest is what a proxy hears first that used a thousand
 * Services before, at some 2 KB each; and one Service may have thousands of endpoints.
 */
export const UPDATE_TEXT_MAX = 16 * 1024 * 1024;

/** Answers in one update: some 2 KB each, so that a proxy takes an update in less than a millisecond. */
export const UPDATE_ANSWERS_MAX = 16;

/** Characters of a CSR in base64: one for a P-256 key and the longest SPIFFE id has 3,300. */
export const CSR_TEXT_MAX = 4_096;

/** Characters of a chain in PEM: a certificate has some 800, one with a large RSA key 3,000. */
export const CHAIN_TEXT_MAX = 32 * 1024;

/** Roots that are trusted at once: two while they change, and some of an authority elsewhere. */
export const ROOTS_MAX = 16;

/** Items that are looked through one by one, where a Set would take 300 bytes. */
export const LIST_ITEMS_MAX = 16;
