/** Bounds of the sidecar around its proxy, each with its unit and the reason for the number. */

/** How often a source is read that cannot be watched: its folder is not there yet, or the system has no watch left. */
export const READ_INTERVAL_MS = 2_000;

/** How often it is said that there is no plan yet. */
export const NO_PLAN_NOTICE_MS = 10_000;

/** From the first plan in force to the collection of what starting used: the first to ask are answered before it. */
export const START_MEMORY_MS = 100;

/** The largest heap that is collected then: 16 ms for the usual 7 MB, and so some 70 ms. */
export const START_HEAP_BYTES_MAX = 32 * 2 ** 20;

/**
 * Growth of the heap since the last collection that makes another one worth it, once the event loop has nothing to do: the first requests
 * leave as much, most of it from compiling.
 */
export const IDLE_HEAP_GROWTH_BYTES = 2 * 2 ** 20;

/** From one collection while idle to the next: a request that comes just then waits for some 30 ms. */
export const IDLE_MEMORY_MS = 10 * 60_000;

/** How often the C library is asked to give back what it keeps: compiling takes that memory, and is rare after the first minute. */
export const MEMORY_TRIM_MS = 10_000;

/** Lines that wait for their reader: some 2 000 of an access log, a few hundredths of a second of it at full load. */
export const WAITING_BYTES_MAX = 2 ** 20;

/** Memory for them that is kept while none wait. */
export const WAITING_BYTES_KEPT = 64 * 1024;

/** More loops than this share nothing but a machine's limits. */
export const WORKERS_MAX = 256;

/** How long the end waits for a reader of the logs. */
export const LOG_FLUSH_MS = 1_000;

/** How long the end waits for files that are still being read or written. */
export const FILES_END_MS = 2_000;

/** Spans that wait to be sent: the default of OpenTelemetry's batch processor. */
export const SPAN_QUEUE_MAX = 2_048;

/** Spans of one batch, by the same default. */
export const SPAN_BATCH_MAX = 512;

/** How long spans wait for others, by the same default. */
export const SPAN_DELAY_MS = 5_000;

/** How long a collector may take: the default of OpenTelemetry's OTLP exporter. */
export const SPAN_EXPORT_MS = 10_000;

/** From a lost connection to the source of the plan until it is tried again: at most this at first, and twice as long each time. */
export const RECONNECT_MS_MIN = 200;

/** And at most so long: the pods that a plan knows may be gone before it is renewed. */
export const RECONNECT_MS_MAX = 10_000;

/** How long a connection to the controller may take, with the handshake of TLS. */
export const CONTROLLER_CONNECT_MS = 5_000;

/** The proxy says so often that it is there; the controller does the same. */
export const CONTROLLER_ALIVE_MS = 5_000;

/**
 * Without a line of the controller for so long the connection is given up: three of its lines are lost. Until then a frozen controller
 * keeps its proxies on an old plan.
 */
export const CONTROLLER_SILENCE_MS = 16_000;

/** How often it is looked at whether a certificate is to be renewed: it has hours. */
export const CERTIFICATE_LOOK_MS = 1_000;

/** How long the controller may take for a certificate: an authority elsewhere takes seconds. */
export const CERTIFICATE_ANSWER_MS = 60_000;

/** From one request for a certificate to the next, at first. */
export const CERTIFICATE_RETRY_MS_MIN = 1_000;

/** And at most: from half of its life to its end a certificate of a day has hundreds of tries. */
export const CERTIFICATE_RETRY_MS_MAX = 60_000;

/** Share of its life for which a certificate is not renewed for its age: half an hour of a day. */
export const CERTIFICATE_KEEP_SHARE = 1 / 48;

/** What the clock may differ from the controller's: certificates begin that much in the past. */
export const CLOCK_DIFFERENCE_MS_MAX = 120_000;

/** Lines that wait to be sent: an application that calls this many hosts at once is stuck behind the connection. */
export const CONTROLLER_LINES_MAX = 10_000;

/** Updates that wait for event loops which are busy with an earlier one; more, and all is asked anew. */
export const UPDATES_WAITING_MAX = 1_000;

/** Read of a plan file at once: what is in it takes less than a millisecond to check. */
export const PLAN_FILE_PIECE_BYTES = 16 * 1024;

/** The largest Service or group of endpoints in a plan file, some 40,000 endpoints; more would be more than is sent. */
export const PLAN_MEMBER_BYTES_MAX = 16 * 1024 * 1024;

/** Parts of a plan file that are kept after they were read: those of one update. */
export const PLAN_PARTS_KEPT = 64;

/** How long a start waits for a certificate before it goes on without: where there is an authority it takes tenths of a second. */
export const FIRST_CERTIFICATE_MS = 10_000;
