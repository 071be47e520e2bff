/**
 * Bounds of the data plane, each with its unit and the reason for the number. Those of the machines that speak HTTP/2 are in
 * `protocol/http2/limits.ts`.
 */

/**
 * Bytes of one buffer: nearly all heads fit into one. It is also the most that one direction of an exchange of HTTP/1.1 holds of a body,
 * but for what is passed on in bulk.
 */
export const BUFFER_BYTES = 16_384;

/**
 * Buffers in the arena: 128 MiB of address space, touched only as far as used. An exchange holds two at
 * most and an idle connection none, so this bounds exchanges, not connections.
 */
export const BUFFER_COUNT = 8_192;

/**
 * Bytes of a large buffer, for what is passed on in bulk. In reads of 64 KiB instead of 16 a relayed megabyte takes half the CPU, and an
 * upload of 64 KiB half the system calls.
 */
export const LARGE_BUFFER_BYTES = 65_536;

/** Large buffers, 4 MiB once all were used. While they are out, for slow readers say, ordinary ones do. */
export const LARGE_BUFFER_COUNT = 64;

/**
 * Bytes that one pipe of the kernel holds at most, for what is passed on without being copied: 64 pages. Relayed in as many at once a
 * megabyte takes a third of the CPU of 64 KiB at once, through a pipe or not; more at once gains little.
 */
export const SPLICE_PIPE_BYTES = 262_144;

/** Pipes at once: 16 MiB of the kernel's memory, if no receiver takes what is in them. Without one bytes are copied. */
export const SPLICE_PIPES_MAX = 64;

/** Pipes kept for the next: each takes two descriptors, and a busy loop fills and empties one at a time. */
export const SPLICE_PIPES_KEPT = 4;

/** Fewer bytes are copied: that takes less than pages that change hands. */
export const SPLICED_BYTES_MIN = 32_768;

/** And of a chunk: a large buffer takes several smaller ones at once, with their sizes, where a pipe would take turns with small reads. */
export const SPLICED_CHUNK_BYTES_MIN = 2 * LARGE_BUFFER_BYTES;

/** Bytes of the largest head that is taken, of a request or an answer, unless an owner says otherwise. As Envoy. */
export const HEAD_BYTES_DEFAULT = 61_440;

/** The least that an owner can choose: below it, cookies of ordinary pages do not fit. */
export const HEAD_BYTES_LEAST = 8_192;

/** And the most: as much as a buffer for heads holds. It was Envoy's bound for long. */
export const HEAD_BYTES_MOST = 98_304;

/** Bytes of a buffer for one large head: the largest, what each field takes in another protocol, and the lines that are added. */
export const HEAD_BUFFER_BYTES = 114_688;

/**
 * Buffers for large heads of requests, which are kept as long as they may have to be sent again: 28 MiB once all were used. With more
 * such requests under way, others wait.
 */
export const REQUEST_HEAD_BUFFERS = 256;

/** And for large heads that are passed on as soon as they are whole, 7 MiB: who holds one waits for no other buffer. */
export const PASSING_HEAD_BUFFERS = 64;

/** Heads of HTTP/2 requests that wait for one of them, with their bytes: 28 MiB at most. More are refused. */
export const HEADS_WAITING_MAX = 256;

/** How long the head of an answer waits for one of them. */
export const HEAD_BUFFER_WAIT_MS = 10_000;

/** A head of more bytes that has not all come is only looked at again where it may be whole: each look begins at its start. */
export const LONG_HEAD_BYTES = 4_096;

/** Names in `Connection` headers beside the known ones: each is looked for among all headers. */
export const CONNECTION_OPTIONS_MAX = 100;

/** Bytes of the longest request line; longer is answered 414. Room is left for headers. */
export const REQUEST_LINE_BYTES_MAX = 12_288;

/** Bytes of one chunk-size line with its extensions; real ones are under 20. */
export const CHUNK_LINE_BYTES_MAX = 256;

/** Bytes of a trailer section; as a head, it is small or it is an attack. */
export const TRAILER_BYTES_MAX = 8_192;

/** The largest Content-Length: whole numbers above it are not exact in a double. */
export const CONTENT_LENGTH_MAX = Number.MAX_SAFE_INTEGER;

/** Sidecars of the mesh in a row that pass a request on; the next refuses it, because it goes in a circle. */
export const HOPS_MAX = 9;

/** The most that is passed on of `Max-Forwards`: more proxies than any request meets (RFC 9110 7.6.2). */
export const FORWARDS_MAX = 255;

/** Other endpoints tried when one does not accept a connection; each costs at most `connectMs`. */
export const CONNECT_ATTEMPTS_MAX = 3;

/** Other backends of a split that a request goes to which reached nothing of the one before; each costs as many attempts, and at its own address again. */
export const OTHER_BACKENDS_MAX = 2;

/** A request that has tried for longer takes no other way: each may cost three connections that come to nothing, of a second each. */
export const OTHER_WAYS_MS = 5_000;

/** Idle connections kept for one endpoint. More than the clients that call at once is waste. */
export const POOL_IDLE_MAX = 256;

/** Connections accepted in one turn of the loop, so that a flood of them does not starve the others. */
export const ACCEPT_BATCH_MAX = 64;

/** Events taken in one turn of the loop. */
export const EVENT_BATCH_MAX = 512;

/** How often deadlines are looked at. A timeout fires at most this much late. */
export const SWEEP_INTERVAL_MS = 100;

/**
 * How long a connection is kept at most for a client that goes on sending after its last answer. Closed at once, it might never
 * read that (RFC 9112 9.6). As nginx.
 */
export const LINGER_MS = 30_000;

/** And how long it may be silent meanwhile; as nginx. */
export const LINGER_IDLE_MS = 5_000;

/**
 * After how many seconds of silence the kernel asks whether a peer is still there, and then how often. Nine times is Linux's default: who
 * is gone without a word is found out after two and a half minutes, and an exchange may be silent for an hour.
 */
export const TCP_KEEP_ALIVE = { idleS: 60, intervalS: 10 } as const;

/** How long a peer of HTTP/2 may take to read the last frames before the connection is closed. */
export const HTTP2_LINGER_MS = 2_000;

/** How long a stream that is answered waits for the end of its request, which is most often on its way. */
export const END_STREAM_GRACE_MS = 1_000;

/** How long a refusal waits for room on a connection whose client reads nothing. */
export const REFUSAL_ROOM_MS = 2_000;

/** How long an endpoint may take to acknowledge SETTINGS: a round trip, on a busy machine. */
export const SETTINGS_ACK_MS = 5_000;

/**
 * How much earlier than an endpoint says (`Keep-Alive: timeout`) its connection is not used any more. A request may be on its way
 * as long.
 */
export const KEEP_ALIVE_MARGIN_MS = 500;

/** Pieces of one gathered write: 40 dropped headers cut a head into 41, and the lines that are rewritten add 12. */
export const GATHER_PIECES_MAX = 56;

/** Bytes kept for a socket beyond one buffer: the longest head there can be, and most of another. */
export const OUTBOX_BEYOND_BYTES_MAX = 2 * HEAD_BUFFER_BYTES;

/** A chunk's size, its two line ends, and room to spare. */
export const CHUNK_FRAMING_BYTES = 16;

/** Parsed requests that are kept to be used again, 3 KiB each (those with a larger table of headers are not): as many as are under way at once in a busy loop. */
export const REQUESTS_KEPT_MAX = 1_024;

/** How long a draining proxy waits for a client that has nothing under way. */
export const DRAIN_IDLE_MS = 500;

/** How long a TLS handshake may take: two round trips and a signature, on a bad day. */
export const TLS_HANDSHAKE_MS = 10_000;

/**
 * Handshakes under way in one loop, at about 40 KiB each while they last. With more, the oldest gives way: an honest one
 * is over in milliseconds.
 */
export const TLS_HANDSHAKES_MAX = 1_024;

/**
 * Steps of handshakes in one turn of the loop. A step may take a millisecond (RSA), so a flood of them delays requests
 * on connections that exist by at most this many.
 */
export const TLS_HANDSHAKES_TURN_MAX = 8;

/**
 * Bytes that a peer may send under TLS without one of them being data: a record that is not whole yet, tickets, key updates.
 * Real ones come to the 16 KiB of a record; a key update is 27 bytes and costs as much as a small request.
 */
export const TLS_QUIET_BYTES_MAX = 65_536;

/** Ports of the application that access is remembered for; a pod listens on a few, and a scan of ports forgets them. */
export const ACCESS_PORTS_MAX = 64;

/** How long a closed connection may take to send the last record that was written to it. */
export const TLS_FLUSH_MS = 10_000;

/**
 * Sessions kept for TLS 1.2 clients without tickets, about 1 KiB each; all others keep their own. In the portable driver: clients'
 * certificates that are known to be good, 100 bytes each.
 */
export const TLS_SERVER_SESSIONS_MAX = 1_024;

/** Sessions kept to be resumed with endpoints, one each. */
export const TLS_CLIENT_SESSIONS_MAX = 1_024;

/**
 * How long a captured client of unknown protocol may be silent before its server may speak first. Linkerd waits 10 s, which its
 * users meet as a hanging MySQL. A client that means to speak at once needs less than 1 s. Too short a time costs nothing: a
 * client that speaks before the server does is still recognised (`accept/capture.ts`). Ports declared `tcp-server-first` do not
 * wait at all.
 */
export const DETECTION_MS = 1_000;

/**
 * And how long if the server is the application beside the proxy: that is connected, and may speak, while its client still may.
 * First bytes that are on their way come within it. Without it each such client would cost the application a connection that
 * carries nothing.
 */
export const APPLICATION_SILENCE_MS = 10;

/** How often first bytes that were too few to tell a protocol are looked at again: each look copies at most a buffer. */
export const LOOK_INTERVAL_MS = 10;

/**
 * Parts of one backend's endpoints, as traffic targets cut them, that take turns of their own: one for each set of callers'
 * rights. Beyond it the one used longest ago begins its turns anew.
 */
export const BALANCED_PARTS_MAX = 64;

/** Destinations outside the plan whose connections are kept apart, about 200 bytes each while idle. */
export const DIRECT_POOLS_MAX = 1_024;

/** How often one message about refused connections is logged: a flood of them must not become a flood of lines. */
export const NOTICE_INTERVAL_MS = 10_000;

/** Names outside the mesh whose addresses are remembered or being looked up. */
export const NAMES_MAX = 1_024;

/** How long addresses of a name are used: as long as CoreDNS itself keeps answers; the system's resolver tells no TTL. */
export const NAME_LIFE_MS = 30_000;

/** And how long a name counts as unknown: short, because it may be about to be created. */
export const NAME_MISS_LIFE_MS = 5_000;

/** How long a name may take to be looked up: two tries of a resolver at its default of 5 s. */
export const NAME_LOOKUP_MS = 10_000;

/**
 * How long an event loop may take to answer a probe before the proxy says that it is neither alive nor ready. The kubelet itself
 * waits 1 s unless told otherwise, and counts three such answers before it acts. A loop that builds a large plan is busy, not
 * stuck.
 */
export const LOOP_ANSWER_MS = 2_000;

/** How long an event loop may take to obey, which may mean to build a large plan. One that is stuck is asked nothing more. */
export const LOOP_COMMAND_MS = 5_000;

/** How long an event loop that is to stop may take to say so before its thread is ended all the same. */
export const LOOP_STOP_MS = 2_000;

/** Streams of answered requests at once: each costs the admin thread some microseconds a request. */
export const TAPS_MAX = 8;

/** Records that wait for the reader of one such stream, some 500 bytes each; more are dropped, and counted. */
export const TAP_RECORDS_MAX = 1_024;

/** Exchanges that are kept for later requests, of about 500 bytes each: a burst of requests leaves no more behind. */
export const SPARE_EXCHANGES_MAX = 1_024;

/** Copies of requests under way at once (mirroring); more are not made. Each holds two buffers at most, and no client waits. */
export const MIRRORS_MAX = 64;

/** How long a copy may take with its answer: one that hangs has the place of another, and the request itself may wait for hours. */
export const MIRROR_MS = 60_000;

/** Bytes held of a request's body for its copy, so 4 MiB for all copies at once; larger requests are not copied. */
export const MIRROR_BODY_BYTES_MAX = 65_536;

/**
 * Splits, rates and limits whose state the workers of one proxy can share; with more, some hold for each worker. 84 bytes each
 * of address space, touched only as far as used.
 */
export const SHARED_SLOTS = 32_768;

/** How long a proxy that ends waits for the collector to take the last spans. */
export const SPAN_FLUSH_MS = 2_000;

/** The longest pause before spans are sent to a collector that failed once more. */
export const SPAN_RETRY_MAX_MS = 60_000;

/** How long a proxy that ends waits for readers of its admin port to take what they asked for. */
export const ADMIN_STOP_MS = 1_000;

/** A port of this pod answers at once, or not at all. */
export const PORT_PROBE_MS = 1_000;

/** The kubelet waits as long as the probe says, mostly a second, and goes; this is for what has forgotten to go. */
export const SECURED_PROBE_MS = 60_000;

/** HTTPS probes under way: a pod has a few a second. Some 50 KiB each, and any caller may ask. */
export const SECURED_PROBES_MAX = 50;

/** The first line of an answer has its status within these. */
export const PROBE_STATUS_CHARACTERS_MAX = 64;

/** Lines of an access log that are handed over together: those of a batch of some 100 requests; more go in several pieces. */
export const ACCESS_BATCH_BYTES = 64 * 1024;

/** Room that a line needs for its names, signs and numbers, besides its texts: 350 bytes of names, and 10 numbers of 20 digits. */
export const ACCESS_LINE_BYTES_BESIDES = 640;

/** What a character, or a byte of a request, takes in a line at most: `\u0000`. */
export const ACCESS_CHARACTER_BYTES_MAX = 6;

/** Clients, and endpoints, whose lines are half made already, some 300 bytes each; with more all are made anew. */
export const ACCESS_PLACES_MAX = 1_024;

/** Routes to one endpoint of which that is kept: each is compared. */
export const ACCESS_ROUTES_PER_PLACE_MAX = 4;

/** What a request says of itself, for an access log: a usual host and path fit. Longer ones get memory of their own. */
export const REQUEST_TEXT_BYTES = 256;

/** Such texts that are kept for the next requests: 64 KiB for each event loop that has had as many at once. */
export const REQUEST_TEXTS_SPARE_MAX = 256;

/** Reports of one event loop on their way to the main thread, some 1 KiB each; more are dropped, and counted. */
export const REPORTS_WAITING_MAX = 8_192;

/** An ejection lasts at most as many times as long as the first. */
export const EJECTION_FACTOR_MAX = 10;

/** An answer counts e times less after this long: an endpoint that was slow gets its share back in half a minute. */
export const EWMA_DECAY_MS = 10_000;

/** An endpoint that was given nothing, and answered nothing, for as long takes its next turn. */
export const EWMA_PROBE_MS = EWMA_DECAY_MS;

/** Latencies below it are taken for it: on one network they differ by chance, and the rotation is the better judge. */
export const LATENCY_MS_MIN = 1;

/**
 * The latency of an endpoint that has a request and has answered nothing yet. It gets no second one before the first is answered
 * or overdue, however fast the others are.
 */
export const UNKNOWN_LATENCY_MS = 60_000;

/** Counts as the latency of a request that failed without an answer: an endpoint that refuses at once is not fast. */
export const FAILURE_LATENCY_MS = 1_000;

/** Retries that a budget gets whatever the traffic, so that a rare request can be sent again, too: one a second. */
export const RETRY_REFILL_PER_MS = 1 / 1_000;

/** The longest wait before a retry, however many there were. */
export const RETRY_BACKOFF_MS_MAX = 30_000;

/** Points of a hash ring: 65,536 take 512 KiB; beyond 512 endpoints each has fewer. */
export const RING_POINTS_MAX = 65_536;

/** With half of the endpoints bad, one in 250 keys finds none of the others in as many tries, and is sent to any. */
export const RING_REHASHES_MAX = 8;

/** Turns that are let pass for one request. Beyond it the share of a new endpoint is off by less than 1 %. */
export const TURN_PASSES_MAX = 8;

/** A write of at most so many bytes is copied together first. For heads and small bodies that costs less than a vector. */
export const STAGED_BYTES_MAX = 4_096;

/** Pieces of fewer bytes are copied one by one: a loop is faster there than a call. */
export const LOOP_COPY_BYTES_MAX = 24;

/** Waits that may fail in a row, as signals make them, before it is plain that none will succeed any more. */
export const WAIT_FAILURES_MAX = 1_000;

/** Pieces of one write of a driver; what needs more is copied. */
export const DRIVER_PIECES_MAX = 64;

/** Batches in a row that only repeat what is already known, before the event loop gets its turn. */
export const REPEATED_BATCHES_MAX = 8;

/** Large read buffers that are kept for the next connection that needs one. */
export const SPARE_BUFFERS_MAX = 64;

/** The most that the portable driver copies and has under way for one connection. */
export const WRITE_BYTES_MAX = 2 * BUFFER_BYTES;

/** How long a closed connection of the portable driver may take to send what was written to it. */
export const FLUSH_MS = 10_000;

/** How long the portable driver waits when accepting fails: out of descriptors, most likely. */
export const ACCEPT_PAUSE_MS = 100;

/** How often a loop that shares limits looks what the others wait for. A request may wait as long on top of its turn. */
export const SHARED_LIMITS_LOOK_MS = 20;

/** An endpoint that refused a connection is passed over this long, where another will do. */
export const REFUSED_AVOID_MS = 1_000;

/** How long an endpoint is believed that chose HTTP/1.1 where it was offered HTTP/2. */
export const CHOSEN_HTTP1_MS = 60_000;

/** Hexadecimal digits of the largest chunk size: beyond 2^52 a double is not exact. */
export const CHUNK_SIZE_DIGITS_MAX = 13;

/** The longest server name of TLS: a DNS name is no longer (RFC 1035 2.3.4). */
export const SERVER_NAME_BYTES_MAX = 253;

/** How long a loop that shares its thread keeps it: signals, timers and admin requests wait for as long. */
export const LOCAL_TURN_MS = 20;

/** And how long while something waits for what another part of the thread has to do. */
export const WAITING_TURN_MS = 1;

/** For how long after that began it does not wait for sockets at all: the answer of a source on the same machine comes by then. */
export const WAITING_PAUSE_MS = 5;

/** A loop with nothing to do changes hands less often, so as not to wake the processor for it. */
export const LOCAL_IDLE_TURN_MS = 100;

/** For how long after something came for others their turns are short: an admin request takes several, and each costs some 50 us. */
export const CALLED_MS = 5;

/** At most one line a second says what fails; clients decide how often it does. */
export const TLS_LOG_INTERVAL_MS = 1_000;

/** How far the two clocks may drift apart, in milliseconds, before spans go by the one on the wall again. */
export const CLOCK_DRIFT_MS = 20;

/** The longest scheme of a target that first bytes are told by, with what ends it. */
export const SCHEME_BYTES_MAX = 32;

/** The longest method that first bytes are told by: longer words are no methods in use. */
export const METHOD_BYTES_MAX = 32;

/** The longest line that first bytes are told by: one without end is no request. */
export const DETECTED_LINE_BYTES_MAX = 8_192;

/** Room for an answer of the proxy itself over HTTP/2: a few short headers and a line of text; what a policy adds comes on top. */
export const REFUSAL_BYTES_MAX = 2_048;

/** While no more than this has come of a body over HTTP/2 it is kept, though passed on: a message of gRPC may come in several frames. */
export const REPLAY_BYTES_MAX = 8_192;

/** Texts of this many client addresses are kept; a sidecar has one or two. */
export const PEER_TEXTS_MAX = 128;

/** Headers that one head may lose: more would not fit one gathered write, and no honest message has them. */
export const DROPPED_HEADERS_MAX = 40;

/** So many pods of a backend of a split have series before they are sent to: a canary has few. */
export const EXPECTED_PODS_MAX = 32;

/** Counters of so many pods may stay though plans have dropped the pods, until they are read or there are twice as many as were kept. */
export const COUNTED_PODS_MIN = 1_000;

/** How long a request waits for the source of the plan to answer what a host is: one round trip takes milliseconds. */
export const PLAN_ANSWER_MS = 1_000;

/** Hosts and addresses that one event loop asks about: far more than an application calls, and 3 MB at most. */
export const QUESTIONS_MAX = 16_384;

/** After how long without a request what was asked is forgotten: longer than most jobs that run now and then. */
export const QUESTION_LIFE_MS = 600_000;

/** How often it is looked for what is not used any more. */
export const QUESTIONS_LOOK_MS = 60_000;

/** Written bytes are counted up to this: a small integer of V8, and more than a system keeps of what is not acknowledged. */
export const COUNTED_BYTES_MAX = 2 ** 30 - 1;

/** Callers with series of their own: as many as an application has that is called by all of a large namespace. */
export const CALLERS_COUNTED_MAX = 256;

/**
 * How long a sidecar of the mesh may be silent that has connected: its first bytes follow at once. What stays silent is a client without a
 * sidecar, whose server may be the one to speak; a sidecar that is slower than this is still known where the server has not spoken.
 */
export const MESH_SILENCE_MS = 300;
