/** Bounds of the mesh on one machine, each with its unit and the reason for the number. */

/** Delays before a start that follows a death; the last one repeats. A run of `STEADY_MS` starts over. */
export const RESTART_DELAYS_MS = [250, 500, 1_000, 2_000, 5_000, 10_000];

/** A child that ran for as long is not dying again and again. */
export const STEADY_MS = 10_000;

/** Between two attempts to connect to a child that starts. */
export const PROBE_INTERVAL_MS = 25;

/** What a child may take to end after SIGTERM before SIGKILL. */
export const CHILD_STOP_MS = 5_000;

/** Lines of a child that are longer are cut in pieces: it must not make us keep its output. */
export const LINE_LENGTH_MAX = 8_192;

/** Bytes of the head of an answer; a longer one is not waited for. */
export const ANSWER_HEAD_BYTES_MAX = 1024 * 1024;

/** What a command that was just started may take until it accepts connections; then the plan leaves it out. */
export const READY_WAIT_MS = 30_000;

/** Requests that were sent to an endpoint just before the plan without it may still be on their way. */
export const RETIRE_GRACE_MS = 1_000;

/** Between two looks at the clock for the status line and the request log of `weft up`. */
export const REPORT_TICK_MS = 250;

/** Lines in one second; what is above is counted. A load test would otherwise be a test of the terminal. */
export const LINES_PER_SECOND_MAX = 20;

/** Longer request bodies are read to their end and not echoed. */
export const ECHO_BYTES_MAX = 64 * 1024;

/** How long a stand-in that ends waits for requests under way. */
export const STAND_IN_STOP_MS = 2_000;

/** A hint names at most this many groups of clients. */
export const NAMED_CLIENTS_MAX = 20;

/** Requests in the page's picture of a split at first: rows of it are whole for most weights. */
export const PAGE_REQUESTS = 40;
