/** Metrics of the controller, each declared once. */
import {
  counter,
  counterOf,
  type Counts,
  countsOf,
  gauge,
  histogram,
  metricGroup,
  openCounter,
  renderMetrics,
  samplesOf,
} from "../base/metrics.ts";

const TIMES_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

/** Why a connection of a proxy ended. */
const CONNECTION_ENDS = [
  "closed",
  "age",
  "silence",
  "slow",
  "protocol",
  "token",
  "full",
  "stop",
] as const;
export type ConnectionEnd = typeof CONNECTION_ENDS[number];

/** Why a proxy is given no certificate. */
const CERTIFICATE_REFUSALS = ["token", "csr", "identity", "replay", "authority", "busy"] as const;
export type CertificateRefusal = typeof CERTIFICATE_REFUSALS[number];

const CONTROLLER = metricGroup([], {
  synced: gauge("weft_controller_synced", "1 once all that the cluster has is known"),
  namespaces: gauge("weft_controller_namespaces", "Namespaces in the mesh"),
  parts: gauge("weft_controller_parts", "Parts of the plan: routes, groups of endpoints, access"),
  findings: gauge(
    "weft_controller_findings",
    "Findings about objects of the mesh, by the compiler",
  ),
  podsWithoutSidecar: gauge(
    "weft_controller_pods_without_sidecar",
    "Pods of the mesh that should have a sidecar and have none",
  ),
  watchRestarts: openCounter(
    "weft_controller_watch_restarts_total",
    "Lists and watches that began again",
    ["resource"],
  ),
  compile: histogram(
    "weft_controller_compile_seconds",
    "Time to compile what had changed",
    TIMES_MS,
    1_000,
  ),
  change: histogram(
    "weft_controller_change_seconds",
    "From the first change that was heard of until it is compiled",
    TIMES_MS,
    1_000,
  ),
  proxies: gauge("weft_controller_proxies", "Proxies connected"),
  behind: gauge(
    "weft_controller_proxies_behind",
    "Proxies connected that have not acknowledged what they were told",
  ),
  silent: gauge(
    "weft_controller_proxies_silent",
    "Proxies that used a split, were lost and have not come back to this replica",
  ),
  programmed: histogram(
    "weft_controller_programmed_seconds",
    "From a change of a split that was heard of until the last proxy of this replica has it in force",
    TIMES_MS,
    1_000,
  ),
  connectionEnds: counterOf(
    "weft_controller_connections_ended_total",
    "Connections of proxies that ended, by reason",
    "reason",
    CONNECTION_ENDS,
  ),
  updates: counter("weft_controller_updates_total", "Updates sent to proxies"),
  push: histogram(
    "weft_controller_push_seconds",
    "From news for a proxy until the last line of it is written",
    TIMES_MS,
    1_000,
  ),
  acknowledged: histogram(
    "weft_controller_acknowledged_seconds",
    "From the writing of an update until the proxy says that it is in force",
    TIMES_MS,
    1_000,
  ),
  leader: gauge("weft_controller_leader", "1 while this controller writes status and Events"),
  reports: counterOf(
    "weft_controller_reports_total",
    "Findings written on objects: as an Event, and as a condition of their status",
    "as",
    ["event", "condition"],
  ),
  tokenReviews: counterOf(
    "weft_controller_token_reviews_total",
    "Tokens of proxies looked at by the API server",
    "result",
    ["good", "refused", "failed"],
  ),
  authorityExpiry: gauge(
    "weft_controller_authority_expiry_timestamp_seconds",
    "When the first of the roots that proxies trust, and of what signs, expires",
  ),
  certificatesIssued: counter(
    "weft_controller_certificates_issued_total",
    "Certificates given to proxies",
  ),
  certificatesRefused: counterOf(
    "weft_controller_certificates_refused_total",
    "Certificates that proxies asked for and were not given, by reason",
    "reason",
    CERTIFICATE_REFUSALS,
  ),
});

/** The webhooks of admission. */
export type WebhookName = "inject" | "weights" | "validate";

const ADMISSION = metricGroup(["webhook"], {
  answered: histogram(
    "weft_controller_admission_seconds",
    "From a review of the API server until its answer is known",
    TIMES_MS,
    1_000,
  ),
  refused: counter("weft_controller_admission_refused_total", "Objects that were refused"),
});

export const CONTROLLER_METRICS = [CONTROLLER, ADMISSION] as const;

export type ControllerCounts = Counts<typeof CONTROLLER> & {
  readonly admission: Readonly<Record<WebhookName, Counts<typeof ADMISSION>>>;
};

export function controllerCounts(): ControllerCounts {
  const admission = (webhook: WebhookName) => countsOf(ADMISSION, { webhook });
  return Object.assign(countsOf(CONTROLLER, {}), {
    admission: {
      inject: admission("inject"),
      weights: admission("weights"),
      validate: admission("validate"),
    },
  });
}

export function renderControllerMetrics(counts: ControllerCounts): string {
  const admission = Object.values(counts.admission).flatMap((each) => samplesOf(each));
  return renderMetrics(CONTROLLER_METRICS, [...samplesOf(counts), ...admission]);
}
