/** Bounds of injected pods, each with its unit and the reason for the number. */

/**
 * Seconds until the kubelet gives up on a sidecar that starts. On a busy node a start takes seconds, and one that is killed too early makes
 * a whole pod wait.
 */
export const START_SECONDS_MAX = 240;

/** Seconds between two looks at a sidecar that starts: the application waits for them. */
export const START_PROBE_SECONDS = 1;

/** Seconds between two looks at a sidecar that runs. */
export const PROBE_SECONDS = 10;

/** Seconds that a probe may take: the proxy itself waits 2 s for an event loop that does not answer. */
export const PROBE_TIMEOUT_SECONDS = 5;

/** A restart takes a pod off the network for seconds, so liveness fails late. */
export const LIVENESS_FAILURES_MAX = 6;

/** Seconds of a pod's grace period that no exchange gets: the kubelet has to hear of the end, and logs have to be written. */
export const END_RESERVE_SECONDS = 5;

/** Seconds for which a sidecar that ends takes new connections: by then every client has heard that the pod is gone. */
export const ACCEPT_SECONDS_MAX = 5;

/** Pods of a workload without sidecars that have an Event each: one command makes all of them anew, and 1,000 Events would hide others. */
export const MISSING_NAMED_MAX = 5;

/** Seconds from SIGTERM to SIGKILL where a pod does not say: as Kubernetes has it. */
export const GRACE_SECONDS = 30;

/** Seconds that a token of a pod is good for; the kubelet replaces it at 80 % of that. The API server gives none under 600. */
export const TOKEN_SECONDS = 3_600;

/** Bytes of a review: it holds one pod, of which etcd keeps no more than 1.5 MB. */
export const REVIEW_BYTES_MAX = 4 * 2 ** 20;

/** The API server sends a head at once. */
export const REVIEW_HEAD_MS = 5_000;

/** And waits 5 s for an answer, so a request that is longer under way is of no use. */
export const REVIEW_MS = 10_000;

/**
 * A connection without a request is kept so long: the API server ends its own after 90 s, and one that ends here first may meet a review
 * on its way, which no one sends again.
 */
export const REVIEW_IDLE_MS = 120_000;

/** How long a pod waits for a namespace that has just joined: a watch tells of it within milliseconds, and the API server waits 5 s. */
export const NAMESPACE_WAIT_MS = 2_000;

/** And how often it is looked for meanwhile. */
export const NAMESPACE_LOOK_MS = 20;

/** API servers keep a few connections each. */
export const REVIEW_CONNECTIONS_MAX = 1_000;

/** How long the end of the webhook waits for answers: each takes milliseconds. */
export const WEBHOOK_END_MS = 2_000;

/** Days for which the authority of a mesh is good. */
export const AUTHORITY_DAYS = 3_650;

/** Days for which the controller's certificate is good. Installing again renews it. */
export const SERVER_DAYS = 365;

/** One day: the lives of certificates are counted in days. */
export const DAY_MS = 86_400_000;

/** How far a clock in the cluster may be behind the one that signs. */
export const CLOCK_SKEW_MS = 120_000;

/** Days before their end from which installing again makes new certificates. */
export const RENEW_DAYS = 60;
