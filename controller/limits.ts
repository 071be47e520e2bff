/** Bounds of the controller, each with its unit and the reason for the number. */

// Towards the API server.

/** A call that lists or asks: the API server itself gives up after 60 s, and a healthy one answers in less than one. */
export const CALL_MS = 30_000;

/** How long the API server may ask to wait before it is asked again, within the time of the call: usually it asks for a second. */
export const RETRY_AFTER_MS_MAX = 5_000;

/** Connections that carry nothing are kept so long: API servers end them after 90 s, load balancers after 60, and a call must not meet that. */
export const CALL_IDLE_MS = 30_000;

/** An answer that is read at once; a page of 500 pods is some 10 MB at most. */
export const ANSWER_BYTES_MAX = 64 * 2 ** 20;

/** Objects in a page of a list: what client-go takes. */
export const PAGE_OBJECTS = 500;

/** One event of a watch: etcd holds no object above 1.5 MB, and its JSON may be twice that. */
export const EVENT_BYTES_MAX = 8 * 2 ** 20;

/** The API server is asked to end a watch after at least this, so that load moves to API servers that were added. */
export const WATCH_SECONDS_MIN = 240;
/** The longest: twice as long, so that watches which began together do not end together. */
export const WATCH_SECONDS_MAX = 480;

/**
 * A watch without a word for so long begins again on a new connection, which an API server that hangs does not answer. Others write a
 * bookmark each minute; of quiet kinds the first may take two.
 */
export const WATCH_SILENCE_MS = 75_000;

/** After so many watches in a row without a word all is listed: a store that was set back knows nothing of the version. */
export const WATCHES_SILENT_MAX = 3;

/** A watch that ends sooner counts as a failure: it must not be opened again and again without a pause. */
export const WATCH_MS_MIN = 1_000;

/** From a failure of a list or a watch to the next try, at first: most are over at once. */
export const RETRY_MS_MIN = 200;

/** And at most: an API server that comes back is found soon, also by many. */
export const RETRY_MS_MAX = 5_000;

/** Tokens and certificates from files are read again so often; kubelet renews a token at 80 % of its hour. */
export const ACCESS_READ_MS = 60_000;

/** A program that gets credentials may ask a person or a slow service. */
export const CREDENTIAL_PROGRAM_MS = 60_000;

/** How long a start waits for the first answer of the API server before it says that it waits. */
export const SYNC_NOTICE_MS = 10_000;

/** From a question to the port of a pod to an open way there: the API server asks the kubelet, and that the container runtime. */
export const FORWARD_OPEN_MS = 10_000;

/** Bytes to a pod that the API server has not taken yet; then no more are read. Questions are a few hundred. */
export const FORWARD_BYTES_MAX = 2 ** 20;

/** Pods without sidecars are told of so often: many are made anew at once, and no person needs to know it sooner. */
export const MISSING_LOOK_MS = 5_000;

// Compiling.

/** Changes that come within this time of each other are compiled together. */
export const QUIET_MS = 100;

/** But none waits longer than this. */
export const CHANGE_MS_MAX = 1_000;

/** Findings that are logged for one change; the rest is counted. */
export const FINDINGS_LOGGED_MAX = 20;

// Admission.

/** Warnings in one answer: kubectl prints each, and the API server carries 4 KB of them. */
export const WARNINGS_MAX = 10;

/** Of one warning: the API server may cut what is longer than 256. */
export const WARNING_CHARACTERS_MAX = 256;

// The stream to proxies.

/** From an accepted connection to its first line, with the handshake of TLS. */
export const HELLO_MS = 10_000;

/** The first line: a ServiceAccount's token is 1 to 2 KB. */
export const HELLO_BYTES_MAX = 16 * 1024;

/** Questions that one proxy may have asked: hosts that an application calls are tens, a crawler's some thousands. */
export const PROXY_QUESTIONS_MAX = 20_000;

/** Connections in all: above this another replica has to serve. */
export const CONNECTIONS_MAX = 20_000;

/** Connections that have not said yet who they are. */
export const STRANGERS_MAX = 2_000;

/** Parts from this size on are encoded once for all proxies; smaller ones cost little each time, and nothing in between. */
export const LARGE_PART_BYTES = 64 * 1024;

/** Read of a proxy at once: an acknowledgement is 80 bytes, a first line 2 KB, and each connection has this in memory. */
export const PROXY_READ_BYTES = 512;

/** How long a proxy may take for one line: then it is stuck, and asks anew. It is looked at when a line is due. */
export const WRITE_MS = 20_000;

/** A line is sent at least so often, so that both sides know that the other is there. For 5,000 proxies that is 1,000 lines a second. */
export const KEEP_ALIVE_MS = 5_000;

/** And without one for so long the connection is given up: three lines are lost. */
export const SILENCE_MS = 16_000;

/**
 * Connections are ended at some age from this on: proxies spread over replicas that have started, tokens are looked at again. After a rolling
 * restart all are with one of two replicas; half of those that have to move have done so after 23 minutes, all after 30. 5,000 proxies come to
 * 4 new connections a second, some 13 ms of CPU. Of two replicas each sees a token once, so a proxy costs 2 TokenReviews an hour.
 */
export const CONNECTION_AGE_MS_MIN = 15 * 60_000;
/** The longest: twice as long, so that those that came together do not go together. */
export const CONNECTION_AGE_MS_MAX = 30 * 60_000;

/** Updates whose acknowledgement is waited for, to measure it. */
export const UNACKNOWLEDGED_MAX = 1_000;

/** How long the end waits for lines that are being written. */
export const STREAM_END_MS = 2_000;

// Tokens.

/** Tokens that are known to be good: one for each pod, and hashes only. */
export const TOKENS_KNOWN_MAX = 20_000;

/** How long a token that was refused is refused without asking again. */
export const REFUSED_TOKEN_MS = 10_000;

/** Reviews at the API server at once; more wait. */
export const REVIEWS_AT_ONCE_MAX = 32;

/** Certificates of the stream are looked at so often: files of a Secret are replaced by a link. */
export const CERTIFICATE_READ_MS = 10_000;

/** What injection goes by is read so often: the nodes are asked for with it. */
export const INJECTION_READ_MS = 30_000;

// Rollouts: which proxies have a split in force.

/** How long a proxy that was lost is waited for: it comes back to a replica within its longest backoff. */
export const SILENT_WAIT_MS = 30_000;

/** Proxies that were lost and are remembered: as many as there are connections. */
export const SILENT_MAX = 20_000;

/** The largest heap that is collected when proxies have come back: 0.2 s of a core for 40 MB, in which changes wait. 1,000 proxies need 70. */
export const SETTLED_HEAP_BYTES_MAX = 128 * 2 ** 20;

/**
 * How often it is looked whether the heap has grown: a change that a thousand proxies hear of leaves 2 MB behind, which V8 would let become 130. A
 * collection of a thousand proxies' heap stands still for 0.1 s, so that is at most a hundredth of the time.
 */
export const HEAP_LOOK_MS = 10_000;

/** And by how much, before it is collected. */
export const HEAP_GROWTH = 1.5;

/** The largest heap that is collected then: 0.3 s. */
export const GROWN_HEAP_BYTES_MAX = 256 * 2 ** 20;

/** Splits whose way to the last proxy is timed at once; of more, some are not. */
export const TIMED_MAX = 1_000;

/** Questions about rollouts that are under way at once: each asks the API server and the other replicas. */
export const ROLLOUT_QUESTIONS_MAX = 32;

/** How long the API server and another replica may take: Flagger gives up after 10 s. */
export const ROLLOUT_ASK_MS = 3_000;

/** A gate waits so long for proxies before it says no: nearly all have a change within half a second, and webhooks wait for ten. */
export const ROLLOUT_GATE_MS = 2_000;

/** And looks so often meanwhile: each look is a call of the API server, and one of every replica. */
export const ROLLOUT_GATE_LOOK_MS = 200;

/** Proxies of each state that an answer names; of all there are numbers. */
export const PROXIES_NAMED_MAX = 100;

/** A question in the body of a webhook: Flagger's have some hundred bytes. */
export const QUESTION_BYTES_MAX = 64 * 1024;

// The leader, who writes status and Events.

/** Terms of the lease as client-go has them: another one takes it after 15 s without news, seen by its own clock. */
export const LEASE_SECONDS = 15;

/** And this one stops writing 10 s after its last renewal: what is left is for clocks that run at different speeds. */
export const LEASE_LEAD_MS = 10_000;

/** How often it is renewed or looked at. */
export const LEASE_LOOK_MS = 2_000;

/** A call about the lease: several fit into the time for which it leads. */
export const LEASE_CALL_MS = 4_000;

/** From a change of an object's Findings until they are written: what comes in a row is written once, what goes again never. */
export const REPORT_QUIET_MS = 1_000;

/** Between two objects that are written: ten a second at most, which the API server does not feel. */
export const REPORT_STEP_MS = 100;

/** An Event or a status: within the time that is left of a lease when it is asked. */
export const REPORT_CALL_MS = 4_000;

/** Findings of one object that are said on it: a split can have a thousand, and one who mends ten sees the next. */
export const REPORTED_MAX = 10;

/** Objects that wait to be written: with more, some are told of by the next change or leader only. */
export const REPORT_WAITING_MAX = 10_000;

/** Names of Events that are known to be there. */
export const EVENTS_KNOWN_MAX = 50_000;

/** Characters of an Event or a condition: the API server takes 1024 bytes of an Event. */
export const EVENT_TEXT_MAX = 900;

/** Characters of the metrics of a sidecar that are read: one with a thousand Services in use says some 8 million. */
export const SIDECAR_METRICS_LENGTH_MAX = 1 << 25;

/** How long the SMI metrics API looks back where a question does not say: the default of its specification. */
export const GROUP_WINDOW_MS = 30_000;

/** The shortest time that two readings of counters are apart: of less a rate says little. */
export const WINDOW_MS_MIN = 2_000;

/** The longest that is kept: what is further back is for a Prometheus. */
export const WINDOW_MS_MAX = 60_000;

/** Between two readings of all sidecars, while the API is asked. */
export const HISTORY_STEP_MS = 15_000;

/** So many readings are kept: a minute, and one for the question itself. */
export const HISTORY_STEPS = 6;

/** Sidecars are read on so long after the last question. */
export const HISTORY_IDLE_MS = 120_000;

/** Sidecars that are read at once: a thousand in a second, at some milliseconds each. */
export const HISTORY_AT_ONCE = 16;

/** How long a sidecar may take to say its metrics; one that takes longer is left out of this reading. */
export const SIDECAR_ANSWER_MS = 3_000;
