/**
 * The metrics of a proxy, each declared once. docs/observability.md explains them, in this order, in the words of their help.
 * What is known only at run time, such as the reasons of refusals, has an open label; it never comes from a client.
 */
import {
  counter,
  counterByPlace,
  counterOf,
  gauge,
  histogram,
  type MetricGroup,
  metricGroup,
  openCounter,
} from "../../base/metrics.ts";
import type { AttemptFailure } from "../balance/retry_policy.ts";

/**
 * Upper bounds in milliseconds. From what a request on one node takes to what one may take by default: a quantile beyond
 * the last bound would read as that bound.
 */
const DURATIONS_MS = [
  ...[0.5, 1, 2, 5, 10, 25, 50, 100, 250, 500],
  ...[1_000, 2_500, 5_000, 10_000, 30_000, 60_000],
];

const ROUTE_LABELS = ["listener", "service", "port", "split", "backend"] as const;
const CALL_LABELS = [
  "source_namespace",
  "source_kind",
  "source_name",
  "source_pod",
  "destination_namespace",
  "destination_kind",
  "destination_name",
] as const;
const BACKEND_LABELS = ["listener", "backend"] as const;
const TARGET_LABELS = ["listener", "service", "port", "target"] as const;

/** By the first digit of a status, less one. */
const STATUS_CLASSES = ["1xx", "2xx", "3xx", "4xx", "5xx"];

export const REQUESTS = metricGroup([...ROUTE_LABELS, "rule"], {
  answers: counterByPlace("weft_requests_total", "Requests answered", "code", STATUS_CLASSES),
});

/** A split may have many rules, and a histogram has many series: those of all rules are added up. */
export const DURATIONS = metricGroup(ROUTE_LABELS, {
  durations: histogram(
    "weft_request_duration_seconds",
    "From a request's head to the end of its answer",
    DURATIONS_MS,
    1_000,
  ),
});

/** Names and labels of Open Service Mesh, which Flagger's OSM provider reads. */
export const ENDPOINTS = metricGroup([...CALL_LABELS, "destination_pod"], {
  answers: openCounter<number>(
    "osm_request_total",
    "Requests by the endpoint chosen last",
    ["response_code"],
  ),
});

/** A workload may have many pods: the times of all of them are added up. */
export const TIMES_BY_WORKLOAD = metricGroup(CALL_LABELS, {
  durations: histogram(
    "osm_request_duration_ms",
    "From a request's head to the end of its answer, by the workload of the endpoint chosen last",
    DURATIONS_MS,
  ),
});

/** Names and labels of Linkerd, which Flagger's provider for it reads: of the application beside a sidecar. */
export const ANSWERS = metricGroup(["direction", "namespace", "deployment", "pod"], {
  answers: counterOf(
    "response_total",
    "Answers of the application beside the sidecar; a `failure` is a 5xx, or none came",
    "classification",
    ["success", "failure"],
  ),
  latencies: histogram(
    "response_latency_ms",
    "From a request's head to the end of the application's answer",
    DURATIONS_MS,
  ),
});

/** Of connections that are relayed whole. */
export const CONNECTIONS = metricGroup(ROUTE_LABELS, {
  opened: counter(
    "weft_tcp_connections_opened_total",
    "Relayed connections that reached an endpoint",
  ),
  closed: counter(
    "weft_tcp_connections_closed_total",
    "Relayed connections that reached an endpoint and have ended",
  ),
  bytesFromClients: counter(
    "weft_tcp_client_bytes_total",
    "Bytes from clients on relayed connections",
  ),
  bytesFromEndpoints: counter(
    "weft_tcp_endpoint_bytes_total",
    "Bytes from endpoints on relayed connections",
  ),
});

/** Of those who call the application beside the proxy. */
export const CALLERS = metricGroup([], {
  denied: openCounter(
    "weft_inbound_denied_total",
    "Requests and connections turned away by traffic targets, or for want of mutual TLS: by whom, from whom, why",
    ["source", "destination", "reason"],
  ),
  plain: openCounter(
    "weft_inbound_plaintext_total",
    "Requests and connections of callers without mutual TLS, by their address, where a sidecar has a certificate: `accepted`, `refused`",
    ["source", "outcome"],
  ),
});

/** What one event loop counts. */
export const LOOP = metricGroup([], {
  refusals: openCounter(
    "weft_refusals_total",
    "Requests and connections that the proxy itself answered or ended",
    ["reason"],
  ),
  abandoned: openCounter(
    "weft_requests_abandoned_total",
    "Requests that ended without a whole answer: `client-gone` (it left, or took no more), or why the endpoint's broke off",
    ["reason"],
  ),
  connectionsAccepted: counter(
    "weft_connections_accepted_total",
    "Connections accepted from clients",
  ),
  connectionsOpen: gauge("weft_connections_open", "Connections of clients that are open"),
  tlsHandshakes: counter("weft_tls_handshakes_total", "TLS handshakes that succeeded"),
  tlsResumptions: counter("weft_tls_resumptions_total", "TLS handshakes that resumed a session"),
  tlsFailures: openCounter(
    "weft_tls_handshake_failures_total",
    "TLS handshakes that failed",
    ["reason"],
  ),
  connects: counter("weft_upstream_connects_total", "Connections opened to endpoints"),
  connectFailures: counter(
    "weft_upstream_connect_failures_total",
    "Connections to endpoints that were refused or timed out",
  ),
  retries: counter("weft_upstream_retries_total", "Requests sent again"),
  upstreamsOpen: gauge(
    "weft_upstream_connections_open",
    "Connections to endpoints that are open",
  ),
  upstreamsIdle: gauge(
    "weft_upstream_connections_idle",
    "Connections to endpoints that wait in a pool",
  ),
  buffersLent: gauge("weft_buffers_lent", "Buffers in use, most of 16 KiB"),
  faults: counter("weft_faults_total", "Connections and exchanges lost to a defect of the proxy"),
  reportsLost: counter(
    "weft_reports_lost_total",
    "Records and spans that event loops made faster than the main thread took them",
  ),
  planQuestions: counter(
    "weft_plan_questions_total",
    "Hosts and addresses that the source of the plan was asked about",
  ),
  planWaits: counter("weft_plan_waits_total", "Requests and connections that waited for an answer"),
  lastResorts: counter(
    "weft_last_resorts_total",
    "Requests and connections that reached no endpoint of the plan and went to the Service's own address",
  ),
  otherBackends: counter(
    "weft_other_backends_total",
    "Requests and connections that reached no endpoint of the backend of their turn and went to another backend of the split",
  ),
  planUnanswered: counter(
    "weft_plan_unanswered_total",
    "Requests and connections decided without an answer, as if the mesh had nothing of their host",
  ),
});

export const HTTP2 = metricGroup(["side"], {
  streams: counter("weft_http2_streams_total", "HTTP/2 streams, of clients and to endpoints"),
  resets: openCounter("weft_http2_resets_total", "Streams that were reset", ["by", "error"]),
  failures: openCounter(
    "weft_http2_connection_failures_total",
    "HTTP/2 connections that their peer broke",
    ["error"],
  ),
});

// What policies do.

/** What was the last of the failures that ejected an endpoint. */
export type EjectionCause = AttemptFailure | "5xx";

export const EJECTIONS = metricGroup(BACKEND_LABELS, {
  active: gauge("weft_ejections_active", "Endpoints that are ejected now"),
  ejected: openCounter<EjectionCause>(
    "weft_ejections_total",
    "Ejections, by the last failure: `5xx`, `reset`, `timeout`, `connect-failure`",
    ["cause"],
  ),
  panics: gauge(
    "weft_panic",
    "Event loops that use ejected endpoints too, because too few others are left",
  ),
});

export const LIMITS = metricGroup(BACKEND_LABELS, {
  pending: gauge(
    "weft_pending_requests",
    "Requests that wait for a connection (`maxPending`)",
  ),
  hits: counterOf(
    "weft_limit_hits_total",
    "How often `connections`, `pending` or `requests` were as many as may be",
    "limit",
    ["connections", "pending", "requests"],
  ),
});

export const RATE_LIMITS = metricGroup(TARGET_LABELS, {
  refused: counterOf(
    "weft_rate_limited_total",
    "Requests (`http`) and relayed connections (`tcp`) refused because of a rate",
    "kind",
    ["http", "tcp"],
  ),
});

export const RETRIES = metricGroup(TARGET_LABELS, {
  exhausted: counter(
    "weft_retry_budget_exhausted_total",
    "Retries that were not made because their budget was used up",
  ),
});

export const INJECTED_FAULTS = metricGroup(TARGET_LABELS, {
  injected: counterOf(
    "weft_faults_injected_total",
    "Faults that a policy injected: `delay` and `abort`",
    "kind",
    ["delay", "abort"],
  ),
});

/** Why a request was not copied to its mirror. */
export type MirrorDrop =
  /** As many copies are under way as may be, or no buffer is to be had. */
  | "crowded"
  /** A traffic target keeps it from the mirror. */
  | "access-denied"
  /** Its head, with what policies add to it, is larger than a buffer. */
  | "head-too-large"
  /** Its body is larger than what is held of a copy. */
  | "body-too-large"
  /** It was over before all of it had come. */
  | "incomplete"
  /** The mirror took no connection, or did not take or answer the copy, in time. */
  | "timeout"
  /** The mirror took no connection, or broke it off before it answered. */
  | "failed";

export const MIRRORS = metricGroup(TARGET_LABELS, {
  answered: counter(
    "weft_mirrored_requests_total",
    "Copies of requests that their mirror answered",
  ),
  drops: openCounter<MirrorDrop>(
    "weft_mirror_drops_total",
    "Requests not copied, or whose copy was not answered: `crowded`, `access-denied`, `head-too-large`, " +
      "`body-too-large`, `incomplete`, `timeout`, `failed`",
    ["reason"],
  ),
});

// What is counted outside the event loops.

export const CERTIFICATES = metricGroup(["side"], {
  expiry: gauge(
    "weft_tls_certificate_expiry_timestamp_seconds",
    "When the certificates expire that are shown: `inbound`, `outbound`, `upstream`, `mesh`",
  ),
});

export const LOST = metricGroup([], {
  accesses: counter(
    "weft_access_log_lost_total",
    "Lines of the access log that were not read in time",
  ),
  tapped: counter(
    "weft_tap_records_lost_total",
    "Records that readers of taps were too slow for",
  ),
});

export const SPANS = metricGroup([], {
  spans: counterOf(
    "weft_spans_total",
    "Spans: `exported`, `dropped` for want of room, `refused` by the collector",
    "outcome",
    ["exported", "dropped", "refused"],
  ),
});

export const PLANS = metricGroup(["hash"], {
  inForce: gauge("weft_plan_info", "1, for the plan in force"),
});

export const SAVED_PLANS = metricGroup([], {
  savedAt: gauge(
    "weft_plan_saved_timestamp_seconds",
    "With `--state-dir`: when the plan in force was saved; absent while it is not",
  ),
});

export const PLAN_KEEPING = metricGroup([], {
  isRestored: gauge(
    "weft_plan_restored",
    "With `--state-dir`: 1 while the plan in force is one that an earlier run saved",
  ),
  failures: counter(
    "weft_plan_save_failures_total",
    "With `--state-dir`: plans that could not be saved",
  ),
});

/** All of them. */
export const PROXY_METRICS: readonly MetricGroup[] = [
  REQUESTS,
  DURATIONS,
  ENDPOINTS,
  TIMES_BY_WORKLOAD,
  ANSWERS,
  CONNECTIONS,
  LOOP,
  CALLERS,
  HTTP2,
  EJECTIONS,
  LIMITS,
  RATE_LIMITS,
  RETRIES,
  INJECTED_FAULTS,
  MIRRORS,
  CERTIFICATES,
  LOST,
  SPANS,
  PLANS,
  SAVED_PLANS,
  PLAN_KEEPING,
];
