/** Renders what the event loops counted as Prometheus text (exposition format 0.0.4). */
import { DURATION_BUCKETS_MS } from "../../base/histogram.ts";
import { keyOf } from "./endpoint_counts.ts";
import type { EndpointLabels, EndpointSnapshot, Workload } from "./endpoint_counts.ts";
import type { PlanKeeping } from "../run/plan_keeper.ts";
import { policySeries } from "./policy_metrics.ts";
import { escapeLabel, renderSeries } from "../../base/series.ts";
import type { Series } from "../../base/series.ts";
import type { SpanCounts } from "../tracing/exporter.ts";
import type { CertificateExpiry } from "../tls/config.ts";
import type { Http2Side, RouteLabels, TelemetrySnapshot } from "./telemetry.ts";

/** What is counted outside the event loops. */
export interface OutsideCounts {
  /** Null: none are made. */
  readonly spans: SpanCounts | null;
  /** Lines of the access log that found no reader. */
  readonly accessesLost: number;
  /** Records that readers of taps were too slow for. */
  readonly tapsLost: number;
  /** Null: plans are not kept. */
  readonly planKeeping: PlanKeeping | null;
  /** Those that the proxy shows. */
  readonly certificates: readonly CertificateExpiry[];
}

const NOTHING_OUTSIDE: OutsideCounts = {
  spans: null,
  accessesLost: 0,
  tapsLost: 0,
  planKeeping: null,
  certificates: [],
};

/** One series a name; counts of several loops are added. */
export function renderMetrics(
  snapshots: readonly TelemetrySnapshot[],
  { spans, accessesLost, tapsLost, planKeeping, certificates }: OutsideCounts = NOTHING_OUTSIDE,
): string {
  const routes = sumRoutes(snapshots);
  const sum = (value: (snapshot: TelemetrySnapshot) => number) =>
    snapshots.reduce((total, snapshot) => total + value(snapshot), 0);
  const single = (
    name: string,
    kind: Series["kind"],
    help: string,
    value: (snapshot: TelemetrySnapshot) => number,
  ): Series => ({ name, kind, help, lines: [`${name} ${sum(value)}`] });

  const series: Series[] = [
    requestsTotal(routes),
    requestDuration(routes),
    ...endpointSeries(snapshots),
    ...relayedConnections(routes),
    refusalsTotal(snapshots),
    abandonedTotal(snapshots),
    single(
      "weft_connections_accepted_total",
      "counter",
      "Connections accepted from clients",
      (snapshot) => snapshot.connectionsAccepted,
    ),
    single(
      "weft_connections_open",
      "gauge",
      "Connections of clients that are open",
      (snapshot) => snapshot.connectionsOpen,
    ),
    single(
      "weft_tls_handshakes_total",
      "counter",
      "TLS handshakes that succeeded, with clients and with endpoints",
      (snapshot) => snapshot.tlsHandshakes,
    ),
    single(
      "weft_tls_resumptions_total",
      "counter",
      "TLS handshakes that resumed an earlier session",
      (snapshot) => snapshot.tlsResumptions,
    ),
    tlsFailuresTotal(snapshots),
    certificateExpiry(certificates),
    ...http2Series(snapshots),
    single(
      "weft_upstream_connects_total",
      "counter",
      "Connections opened to endpoints",
      (snapshot) => snapshot.connects,
    ),
    single(
      "weft_upstream_connect_failures_total",
      "counter",
      "Connections to endpoints that were refused or timed out",
      (snapshot) => snapshot.connectFailures,
    ),
    single(
      "weft_upstream_retries_total",
      "counter",
      "Requests sent again because the first endpoint or connection failed before it answered",
      (snapshot) => snapshot.retries,
    ),
    single(
      "weft_upstream_connections_open",
      "gauge",
      "Connections to endpoints that are open",
      (snapshot) => snapshot.upstreamsOpen,
    ),
    single(
      "weft_upstream_connections_idle",
      "gauge",
      "Connections to endpoints that wait in a pool",
      (snapshot) => snapshot.upstreamsIdle,
    ),
    single(
      "weft_buffers_lent",
      "gauge",
      "Buffers of 16 KiB that hold bytes now",
      (snapshot) => snapshot.buffersLent,
    ),
    single(
      "weft_faults_total",
      "counter",
      "Connections lost to a defect of the proxy itself",
      (snapshot) => snapshot.faults,
    ),
    ...policySeries(snapshots.flatMap(({ policies }) => policies)),
    lostTotal(
      "weft_reports_lost_total",
      "Records and spans that event loops made faster than they were taken",
      sum((snapshot) => snapshot.reportsLost),
    ),
    lostTotal(
      "weft_access_log_lost_total",
      "Lines of the access log that nobody read in time",
      accessesLost,
    ),
    lostTotal(
      "weft_tap_records_lost_total",
      "Records that readers of taps were too slow for",
      tapsLost,
    ),
    spansTotal(spans),
    planInfo(snapshots),
    ...planKeepingSeries(planKeeping),
  ];
  return series.map(renderSeries).join("");
}

type RouteCounts = TelemetrySnapshot["routes"][number];

function sumRoutes(snapshots: readonly TelemetrySnapshot[]): RouteCounts[] {
  const byLabels = new Map<string, RouteCounts>();
  for (const snapshot of snapshots) {
    for (const route of snapshot.routes) {
      const key = labelsOf(route.labels);
      const before = byLabels.get(key);
      byLabels.set(key, before === undefined ? route : addCounts(before, route));
    }
  }
  return [...byLabels.values()];
}

function addCounts(one: RouteCounts, other: RouteCounts): RouteCounts {
  return {
    labels: one.labels,
    answers: addEach(one.answers, other.answers),
    durations: addEach(one.durations, other.durations),
    durationSumMs: one.durationSumMs + other.durationSumMs,
    connectionsOpened: one.connectionsOpened + other.connectionsOpened,
    connectionsClosed: one.connectionsClosed + other.connectionsClosed,
    bytesFromClients: one.bytesFromClients + other.bytesFromClients,
    bytesFromEndpoints: one.bytesFromEndpoints + other.bytesFromEndpoints,
  };
}

function addEach(some: readonly number[], more: readonly number[]): number[] {
  return some.map((count, i) => count + more[i]);
}

function requestsTotal(routes: readonly RouteCounts[]): Series {
  const name = "weft_requests_total";
  const lines: string[] = [];
  for (const { labels, answers } of routes) {
    for (let digit = 1; digit < answers.length; digit++) {
      if (answers[digit] === 0) continue;
      lines.push(`${name}{${labelsOf(labels)},code="${digit}xx"} ${answers[digit]}`);
    }
  }
  return { name, kind: "counter", help: "Requests answered, by route, backend and status", lines };
}

function requestDuration(routes: readonly RouteCounts[]): Series {
  const name = "weft_request_duration_seconds";
  const lines: string[] = [];
  for (const { labels, durations, durationSumMs } of routes) {
    const text = labelsOf(labels);
    lines.push(...histogramLines(name, text, durations, durationSumMs, "s"));
  }
  return {
    name,
    kind: "histogram",
    help: "Time from a request's head to the end of its answer",
    lines,
  };
}

function histogramLines(
  name: string,
  labels: string,
  durations: readonly number[],
  sumMs: number,
  unit: "ms" | "s",
): string[] {
  const inUnit = (ms: number) => unit === "ms" ? ms : ms / 1000;
  const lines: string[] = [];
  let count = 0;
  for (const [bucket, more] of durations.entries()) {
    count += more;
    const boundMs = DURATION_BUCKETS_MS[bucket];
    const bound = boundMs === undefined ? "+Inf" : inUnit(boundMs);
    lines.push(`${name}_bucket{${labels},le="${bound}"} ${count}`);
  }
  lines.push(`${name}_sum{${labels}} ${inUnit(sumMs)}`, `${name}_count{${labels}} ${count}`);
  return lines;
}

/**
 * Answers by the pod that gave them, under the names and labels of Open Service Mesh, which Flagger's OSM provider reads:
 * success is what is not 5xx among the answers of a Deployment.
 */
function endpointSeries(snapshots: readonly TelemetrySnapshot[]): Series[] {
  const requests: string[] = [];
  const durations: string[] = [];
  for (const endpoint of sumEndpoints(snapshots)) {
    const labels = endpointLabelsOf(endpoint.labels);
    for (const [status, count] of endpoint.answers) {
      requests.push(`osm_request_total{${labels},response_code="${status}"} ${count}`);
    }
    durations.push(
      ...histogramLines(
        "osm_request_duration_ms",
        labels,
        endpoint.durations,
        endpoint.durationSumMs,
        "ms",
      ),
    );
  }
  return [
    {
      name: "osm_request_total",
      kind: "counter",
      help: "Requests for which an endpoint was chosen, by the one chosen last and exact status",
      lines: requests,
    },
    {
      name: "osm_request_duration_ms",
      kind: "histogram",
      help: "Time from a request's head to the end of its answer, by the endpoint chosen last",
      lines: durations,
    },
  ];
}

function sumEndpoints(snapshots: readonly TelemetrySnapshot[]): EndpointSnapshot[] {
  const byLabels = new Map<string, EndpointSnapshot>();
  for (const endpoint of snapshots.flatMap(({ endpoints }) => endpoints)) {
    const key = keyOf(endpoint.labels);
    const before = byLabels.get(key);
    byLabels.set(key, before === undefined ? endpoint : addEndpoints(before, endpoint));
  }
  return [...byLabels.values()];
}

function addEndpoints(one: EndpointSnapshot, other: EndpointSnapshot): EndpointSnapshot {
  const answers = new Map(one.answers);
  for (const [status, count] of other.answers) {
    answers.set(status, (answers.get(status) ?? 0) + count);
  }
  return {
    labels: one.labels,
    answers: [...answers],
    durations: addEach(one.durations, other.durations),
    durationSumMs: one.durationSumMs + other.durationSumMs,
  };
}

function endpointLabelsOf({ source, destination }: EndpointLabels): string {
  return `${workloadLabels("source", source)},${workloadLabels("destination", destination)}`;
}

/** An empty label would be the same as none, so what is not known says so. */
function workloadLabels(side: string, { namespace, kind, name, pod }: Workload): string {
  return Object.entries({ namespace, kind, name, pod })
    .map(([label, value]) => `${side}_${label}="${escapeLabel(value || "unknown")}"`)
    .join(",");
}

/** Connections that were relayed whole. Routes that only carry requests have none of these series. */
function relayedConnections(routes: readonly RouteCounts[]): Series[] {
  const relaying = routes.filter(({ connectionsOpened }) => connectionsOpened > 0);
  const counter = (name: string, help: string, value: (route: RouteCounts) => number): Series => ({
    name,
    kind: "counter",
    help,
    lines: relaying.map((route) => `${name}{${labelsOf(route.labels)}} ${value(route)}`),
  });
  return [
    counter(
      "weft_tcp_connections_opened_total",
      "Connections relayed whole that reached an endpoint, by route and backend",
      (route) => route.connectionsOpened,
    ),
    counter(
      "weft_tcp_connections_closed_total",
      "And of those the ones that have ended",
      (route) => route.connectionsClosed,
    ),
    counter(
      "weft_tcp_client_bytes_total",
      "Bytes that clients sent over relayed connections",
      (route) => route.bytesFromClients,
    ),
    counter(
      "weft_tcp_endpoint_bytes_total",
      "Bytes that endpoints sent over relayed connections",
      (route) => route.bytesFromEndpoints,
    ),
  ];
}

function refusalsTotal(snapshots: readonly TelemetrySnapshot[]): Series {
  const name = "weft_refusals_total";
  const lines = linesByReason(name, snapshots.map(({ refusals }) => refusals));
  return { name, kind: "counter", help: "Requests that the proxy answered itself", lines };
}

function abandonedTotal(snapshots: readonly TelemetrySnapshot[]): Series {
  const name = "weft_requests_abandoned_total";
  const lines = linesByReason(name, snapshots.map(({ abandonments }) => abandonments));
  return { name, kind: "counter", help: "Requests that ended without a whole answer", lines };
}

function lostTotal(name: string, help: string, count: number): Series {
  return { name, kind: "counter", help, lines: [`${name} ${count}`] };
}

/** Without spans there is nothing to say. */
function spansTotal(spans: SpanCounts | null): Series {
  const name = "weft_spans_total";
  const lines = Object.entries(spans ?? {}).map(([outcome, count]) =>
    `${name}{outcome="${outcome}"} ${count}`
  );
  return { name, kind: "counter", help: "Spans by what became of them", lines };
}

function tlsFailuresTotal(snapshots: readonly TelemetrySnapshot[]): Series {
  const name = "weft_tls_handshake_failures_total";
  const lines = linesByReason(name, snapshots.map(({ tlsFailures }) => tlsFailures));
  return { name, kind: "counter", help: "TLS handshakes that failed", lines };
}

function certificateExpiry(certificates: readonly CertificateExpiry[]): Series {
  const name = "weft_tls_certificate_expiry_timestamp_seconds";
  const lines = certificates.map(({ side, expiresAtMs }) =>
    `${name}{side="${side}"} ${expiresAtMs / 1_000}`
  );
  return { name, kind: "gauge", help: "When the certificates expire that are shown", lines };
}

const HTTP2_SIDES: readonly Http2Side[] = ["client", "endpoint"];

function http2Series(snapshots: readonly TelemetrySnapshot[]): Series[] {
  const streams: string[] = [];
  const resets: string[] = [];
  const failures: string[] = [];
  for (const side of HTTP2_SIDES) {
    const counts = snapshots.map(({ http2 }) => http2[side]);
    const opened = counts.reduce((sum, { streams }) => sum + streams, 0);
    streams.push(`weft_http2_streams_total{side="${side}"} ${opened}`);
    for (const [key, count] of sumByKey(counts.map(({ resets }) => resets))) {
      const [by, error] = key.split(" ");
      const labels = `side="${side}",by="${by}",error="${error}"`;
      resets.push(`weft_http2_resets_total{${labels}} ${count}`);
    }
    for (const [error, count] of sumByKey(counts.map(({ failures }) => failures))) {
      const labels = `side="${side}",error="${error}"`;
      failures.push(`weft_http2_connection_failures_total{${labels}} ${count}`);
    }
  }
  return [
    {
      name: "weft_http2_streams_total",
      kind: "counter",
      help: "HTTP/2 streams, of clients and to endpoints",
      lines: streams,
    },
    {
      name: "weft_http2_resets_total",
      kind: "counter",
      help: "HTTP/2 streams that were reset, by the peer or by the proxy, and why",
      lines: resets,
    },
    {
      name: "weft_http2_connection_failures_total",
      kind: "counter",
      help: "HTTP/2 connections that their peer broke, by the error it was told",
      lines: failures,
    },
  ];
}

function linesByReason(
  name: string,
  counts: readonly Readonly<Record<string, number>>[],
): string[] {
  return Array.from(sumByKey(counts), ([key, count]) => `${name}{reason="${key}"} ${count}`);
}

function sumByKey(counts: readonly Readonly<Record<string, number>>[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const some of counts) {
    for (const [key, count] of Object.entries(some)) {
      sums.set(key, (sums.get(key) ?? 0) + count);
    }
  }
  return sums;
}

function planInfo(snapshots: readonly TelemetrySnapshot[]): Series {
  const name = "weft_plan_info";
  const hashes = new Set(snapshots.map(({ planHash }) => planHash));
  const lines = Array.from(hashes, (hash) => `${name}{hash="${hash}"} 1`);
  return { name, kind: "gauge", help: "Content hash of the plan in force", lines };
}

/** Nothing where plans are not kept. */
function planKeepingSeries(keeping: PlanKeeping | null): Series[] {
  const series = (
    name: string,
    kind: Series["kind"],
    help: string,
    value: (keeping: PlanKeeping) => number | null,
  ): Series => {
    const shown = keeping === null ? null : value(keeping);
    return { name, kind, help, lines: shown === null ? [] : [`${name} ${shown}`] };
  };
  return [
    series(
      "weft_plan_saved_timestamp_seconds",
      "gauge",
      "When the plan in force was saved",
      ({ savedAtMs }) => savedAtMs === null ? null : savedAtMs / 1_000,
    ),
    series(
      "weft_plan_restored",
      "gauge",
      "1 while the plan in force is one that an earlier run saved",
      ({ isRestored }) => isRestored ? 1 : 0,
    ),
    series(
      "weft_plan_save_failures_total",
      "counter",
      "Plans that could not be saved",
      ({ failures }) => failures,
    ),
  ];
}

function labelsOf({ listener, service, port, split, backend }: RouteLabels): string {
  return [
    `listener="${listener}"`,
    `service="${escapeLabel(service)}"`,
    `port="${port}"`,
    `split="${escapeLabel(split)}"`,
    `backend="${escapeLabel(backend)}"`,
  ].join(",");
}
