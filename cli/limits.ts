/** Bounds of the offline commands, each with its unit and the reason for the number. */

/** Requests of `dry-run --count`: more would say nothing new. */
export const REQUEST_COUNT_MAX = 1_000_000;

/** Of the backends of one route so many are named in one line; JSON has all of them. */
export const NAMED_BACKENDS_MAX = 4;

/** The text of a step is folded to the terminal's width, but no narrower: words stay whole. */
export const STEP_WIDTH_MIN = 20;

/** How long `explain --admin` waits for the answer of a proxy. */
export const ADMIN_ANSWER_MS = 5_000;

/** The kernel keeps user and group ids in 32 bits, the last of which means "none". */
export const USER_ID_MAX = 2 ** 32 - 2;

/** Another program may hold the lock of the tables (kubelet, a CNI); after so many seconds it is an error. */
export const LOCK_WAIT_SECONDS = 10;

/** How often `install` and `uninstall` look how far the cluster is: a person sees it at once, and the API server hardly notices. */
export const PROGRESS_LOOK_MS = 500;

/** `proxy-wait` looks so soon again at first: a sidecar is there within a second, and the application waits for it. */
export const READY_LOOK_MS_MIN = 50;

/** And at most so much later, so that what takes long costs nothing. */
export const READY_LOOK_MS_MAX = 1_000;

/** How long git may take for one question: it reads a large repository from a cold disk in a few seconds. */
export const GIT_ANSWER_MS = 30_000;

/** Bytes of a list of a revision's files: half a million names. */
export const GIT_LIST_BYTES_MAX = 64 * 1024 * 1024;

/** Of changed requests, rules, names and calls so many are listed each; JSON has all of them. */
export const LISTED_CHANGES_MAX = 50;

/** Splits that `status` asks about at once: each costs the controller a call of the API server and of its replicas. */
export const STATUS_QUESTIONS_AT_ONCE = 8;

/** Bytes of a log read at a time. */
export const LOG_CHUNK_BYTES = 1 << 20;

/** Of a packed log so many bytes are unpacked at a time: gzip makes at most a thousand times as many of them. */
export const PACKED_CHUNK_BYTES = 1 << 14;

/** A longer line of a log is passed over: with all headers in it, 64 KiB of head are much. */
export const LOG_LINE_CHARACTERS_MAX = 1 << 17;

/** Requests of a log that are alike are routed once, as long as not more different ones come: some 10 MB. */
export const REMEMBERED_REQUESTS_MAX = 1 << 15;

/** Callers of a log that are told apart: each has a table of its own. More count as the one that --from names. */
export const LOG_CALLERS_MAX = 64;

/** Different requests that are shown of each kind. */
export const LOG_SAMPLES_MAX = 5;

/** Backends that are counted by name for each route of a log. */
export const LOG_BACKENDS_MAX = 1_000;

/** How often progress is shown on a terminal. */
export const LOG_PROGRESS_MS = 200;

/** Days before the end of a certificate from which `check` warns: an upgrade renews it before. */
export const EXPIRY_WARNING_DAYS = 30;

/** The oldest minor version of Kubernetes 1 that `check` lets pass: server-side apply is from then on. */
export const KUBERNETES_MINOR_MIN = 22;

/** Objects of a cluster that are read as one file: of pods some 5 MB, a third of what a file may have. */
export const CLUSTER_FILE_OBJECTS = 500;

/** Of each log in a bug report: what led to a fault is in the last minutes. */
export const REPORT_LOG_LINES = 2_000;

/** Pods whose sidecars a bug report asks: each is a second, and a plan of some MB at most. */
export const REPORT_PODS_MAX = 20;

/** Pods of a workload that one tap listens to: each is a connection through the API server. */
export const TAP_PODS_MAX = 50;

/** How long a TAB may wait for a cluster: longer, and a person has typed the name. */
export const COMPLETION_MS = 2_000;

/** Names that a TAB offers: more would fill the screen. */
export const COMPLETION_NAMES_MAX = 200;

/** Sidecars that `top`, `edges`, `status --watch` and `--plain` ask one by one: of more a Prometheus has to be asked. */
export const TRAFFIC_PODS_MAX = 500;

/** And so many at a time: the API server connects to each. */
export const TRAFFIC_PODS_AT_ONCE = 16;

/** Callers in plain whose pods are looked up one by one: of more only the address is shown. */
export const PLAIN_CALLERS_MAX = 100;

/** How often `status --watch` shows a split anew: a person sees a step at once, and at ten requests a second shares mean something. */
export const WATCH_LOOK_MS = 2_000;

/** The longest `--window` of `top` and `edges`: who waits longer means something else. */
export const TRAFFIC_WINDOW_MS_MAX = 3_600_000;

/** How long `metrics api enable` waits until the API server reaches the controller: it looks every few seconds. */
export const METRICS_API_MS = 45_000;

/** Kinds of requests that `weft convert` shows of those that its output answers otherwise: a screenful. */
export const CONVERT_CHANGES_SHOWN = 20;

/** Rules of a route, as many as the definitions of the Gateway API allow. */
export const ROUTE_RULES_MAX = 16;

/** The same for matches of one rule. */
export const RULE_MATCHES_MAX = 64;
