/**
 * Telemetry: what one event loop counts. Counting is a few additions per exchange; names and text are made only
 * when somebody asks. Label sets follow the plan: counters of routes that left it are dropped with it.
 */
import type { PlanRule } from "../../routing/plan.ts";
import type { TableEndpoint, TablePort } from "../../routing/table/table.ts";
import type { ReportedRequest } from "../exchange/report.ts";
import { DurationHistogram } from "../../base/histogram.ts";
import { EndpointCounts, parseWorkload } from "./endpoint_counts.ts";
import type { EndpointSnapshot, Workload } from "./endpoint_counts.ts";
import type { TlsFailure } from "../io/tls.ts";
import type { PolicyCounts } from "../policy/policy_counts.ts";
import { errorName, isKnownError } from "../protocol/http2/error_code.ts";
import type { OutboundListener, RequestRecord } from "../config.ts";
import type { FinishedSpan } from "../tracing/span.ts";

/** As many as logs show of a plan's hash. */
const PLAN_HASH_DIGITS = 12;

/** Handed over most often, so it is made once. Nobody adds to what is handed over. */
const NOTHING: never[] = [];

/** What tells one counted route from another. */
export interface RouteLabels {
  /** Place of the listener in the proxy's configuration. */
  readonly listener: number;
  /** `namespace/service`. */
  readonly service: string;
  readonly port: number;
  /** `namespace/split`; empty for a Service's own endpoints. */
  readonly split: string;
  /** `namespace/service`. */
  readonly backend: string;
}

export class RouteStats {
  readonly labels: RouteLabels;
  /** By first digit of the status: 1xx to 5xx are 1 to 5. */
  readonly answers = new Float64Array(6);
  readonly durations = new DurationHistogram();
  /** Of connections that are relayed whole: opened so far, ended so far, and what they carried. */
  connectionsOpened = 0;
  connectionsClosed = 0;
  bytesFromClients = 0;
  bytesFromEndpoints = 0;

  constructor(labels: RouteLabels) {
    this.labels = labels;
  }

  observe(status: number, durationMs: number): void {
    this.answers[Math.min(5, Math.trunc(status / 100))]++;
    this.durations.observe(durationMs);
  }
}

/** What decided about a request or a connection. */
export interface RouteFacts {
  /** Of the plan that decided; empty where none did. */
  readonly planHash: string;
  /** The port of the Service that was asked for; null where there is none, or none of the mesh. */
  readonly port: TablePort | null;
  /** The rule that the request satisfied; null where none, or none was asked for. */
  readonly rule: PlanRule | null;
  /** Counters of the route and backend; null where no backend was found. */
  readonly stats: RouteStats | null;
}

/** Where a request or a connection went. */
export interface Routed {
  readonly facts: RouteFacts;
  /** The endpoint of the mesh that was tried last; null: none was. */
  readonly endpoint: TableEndpoint | null;
  /** Its address and port, also of a place outside the mesh; empty: none was chosen. */
  readonly place: string;
}

/** Whose connections: those of clients, or those to endpoints. */
export type Http2Side = "client" | "endpoint";

/** What the HTTP/2 connections of one side did. */
export class Http2Counts {
  streams = 0;
  /** Streams that ended early, by who ended them and why: `peer CANCEL`, `proxy INTERNAL_ERROR`. */
  readonly resets = new Map<string, number>();
  /** Connections that their peer has broken, by error. */
  readonly failures = new Map<string, number>();

  reset(by: "peer" | "proxy", code: number): void {
    add(this.resets, `${by} ${errorLabel(code)}`);
  }

  failed(code: number): void {
    add(this.failures, errorLabel(code));
  }
}

/** A peer may make up four billion codes, which must not become as many series. */
function errorLabel(code: number): string {
  return isKnownError(code) ? errorName(code) : "unknown";
}

/** `Http2Counts` as plain data. */
export interface Http2Snapshot {
  readonly streams: number;
  readonly resets: Readonly<Record<string, number>>;
  readonly failures: Readonly<Record<string, number>>;
}

/** Counters as plain data, to go from an event loop's thread to the one that is asked. */
export interface TelemetrySnapshot {
  readonly routes: readonly {
    readonly labels: RouteLabels;
    readonly answers: readonly number[];
    readonly durations: readonly number[];
    readonly durationSumMs: number;
    readonly connectionsOpened: number;
    readonly connectionsClosed: number;
    readonly bytesFromClients: number;
    readonly bytesFromEndpoints: number;
  }[];
  /** By the pod that answered. */
  readonly endpoints: readonly EndpointSnapshot[];
  /** Answers that the proxy made itself, by reason. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Exchanges that ended without a whole answer, by reason. */
  readonly abandonments: Readonly<Record<string, number>>;
  /** By listener. */
  readonly policies: readonly PolicyCounts[];
  readonly connects: number;
  readonly connectFailures: number;
  readonly retries: number;
  /** Records and spans that found no room on their way. */
  readonly reportsLost: number;
  readonly connectionsAccepted: number;
  /** TLS handshakes that succeeded, and of those the ones that resumed a session. */
  readonly tlsHandshakes: number;
  readonly tlsResumptions: number;
  /** And those that failed, by reason. */
  readonly tlsFailures: Readonly<Record<string, number>>;
  readonly http2: Readonly<Record<Http2Side, Http2Snapshot>>;
  readonly faults: number;
  readonly lastFault: string;
  /** Now open: of clients and to endpoints, and of the latter those in no exchange. */
  readonly connectionsOpen: number;
  readonly upstreamsOpen: number;
  readonly upstreamsIdle: number;
  readonly buffersLent: number;
  readonly planHash: string;
}

export class Telemetry {
  /** Each answered request is recorded for `takeRecords`. */
  isReporting: boolean;
  /** Headers, in lower case, that records have of each request. */
  reportedHeaders: readonly string[] = [];
  connects = 0;
  connectFailures = 0;
  retries = 0;
  reportsLost = 0;
  connectionsAccepted = 0;
  tlsHandshakes = 0;
  tlsResumptions = 0;
  /** Told of each handshake that fails; for the log. */
  onTlsFailure: (failure: TlsFailure, peer: string) => void = () => {};
  faults = 0;
  readonly http2: Readonly<Record<Http2Side, Http2Counts>> = {
    client: new Http2Counts(),
    endpoint: new Http2Counts(),
  };
  /** Stack of the last fault, for the log. */
  lastFault = "";
  readonly endpoints = new EndpointCounts();
  /** By outbound listener. */
  readonly #sources: readonly Workload[];
  readonly #identities: readonly string[];
  #stats = new Map<string, RouteStats>();
  readonly #refusals = new Map<string, number>();
  readonly #abandoned = new Map<string, number>();
  readonly #tlsFailures = new Map<string, number>();
  #records: RequestRecord[] = [];
  #spans: FinishedSpan[] = [];

  /**
   * @param isReporting whether it begins so
   * @param outbound the listeners, which say whose requests they take
   */
  constructor(isReporting: boolean, outbound: readonly OutboundListener[]) {
    this.isReporting = isReporting;
    this.#identities = outbound.map(({ identity }) => identity);
    this.#sources = outbound.map(({ namespace, workload, pod }) =>
      parseWorkload(namespace, workload ?? "", pod ?? "")
    );
  }

  get routes(): Iterable<RouteStats> {
    return this.#stats.values();
  }

  get refusals(): ReadonlyMap<string, number> {
    return this.#refusals;
  }

  get abandonments(): ReadonlyMap<string, number> {
    return this.#abandoned;
  }

  get tlsFailures(): ReadonlyMap<string, number> {
    return this.#tlsFailures;
  }

  /** The counters with these labels, made where there are none. */
  statsOf(labels: RouteLabels): RouteStats {
    const key = keyOf(labels);
    let stats = this.#stats.get(key);
    if (stats === undefined) {
      stats = new RouteStats(labels);
      this.#stats.set(key, stats);
    }
    return stats;
  }

  /** Drops the counters of everything but `kept`, after a new plan is in force. */
  retain(kept: Iterable<RouteStats>): void {
    this.#stats = new Map(Array.from(kept, (stats) => [keyOf(stats.labels), stats]));
  }

  /** One exchange has been answered, by an endpoint or, with a `reason`, by the proxy itself. */
  answered(
    routed: Routed,
    status: number,
    reason: string,
    durationMs: number,
    listener: number,
    reported: ReportedRequest | null,
  ): void {
    const { facts: { stats }, endpoint } = routed;
    if (stats !== null) {
      stats.observe(status, durationMs);
      if (endpoint !== null) this.#endpointAnswered(endpoint, stats, status, durationMs);
    }
    if (reason !== "") this.refused(reason);
    if (reported !== null) {
      this.#record(routed, status, reason, durationMs, listener, reported);
    }
  }

  #endpointAnswered(
    endpoint: TableEndpoint,
    { labels: { listener, backend } }: RouteStats,
    status: number,
    durationMs: number,
  ): void {
    const source = this.#sources[listener];
    // An application beside the sidecar is counted where its clients are.
    if (source === undefined) return;
    const namespace = backend.slice(0, backend.indexOf("/"));
    this.endpoints.of(endpoint, source, namespace).observe(status, durationMs);
  }

  /** A relayed connection has ended, with a `reason` where the proxy ended it. */
  connectionEnded(
    routed: Routed,
    reason: string,
    durationMs: number,
    listener: number,
    reported: ReportedRequest | null,
  ): void {
    if (reason !== "") this.refused(reason);
    if (reported !== null) {
      this.#record(routed, 0, reason, durationMs, listener, reported);
    }
  }

  /** The proxy itself answered or ended something. */
  refused(reason: string): void {
    add(this.#refusals, reason);
  }

  /** A TLS handshake succeeded. */
  secured(isResumed: boolean): void {
    this.tlsHandshakes++;
    if (isResumed) this.tlsResumptions++;
  }

  /** A TLS handshake failed. */
  tlsFailed(failure: TlsFailure, peer: string): void {
    add(this.#tlsFailures, failure.code);
    this.onTlsFailure(failure, peer);
  }

  /** A defect of Weft cost a connection. */
  fault(error: unknown): void {
    this.faults++;
    this.lastFault = error instanceof Error ? error.stack ?? error.message : String(error);
  }

  /** One exchange has ended without an answer (status 0), or with a part of one. */
  abandoned(
    routed: Routed,
    status: number,
    reason: string,
    durationMs: number,
    listener: number,
    reported: ReportedRequest | null,
  ): void {
    add(this.#abandoned, reason);
    if (reported !== null) {
      this.#record(routed, status, reason, durationMs, listener, reported);
    }
  }

  /** Hands over the records made since the last call. */
  takeRecords(): RequestRecord[] {
    if (this.#records.length === 0) return NOTHING;
    const records = this.#records;
    this.#records = [];
    return records;
  }

  /** Hands over the spans that have ended since the last call. */
  takeSpans(): FinishedSpan[] {
    if (this.#spans.length === 0) return NOTHING;
    const spans = this.#spans;
    this.#spans = [];
    return spans;
  }

  #record(
    routed: Routed,
    status: number,
    reason: string,
    durationMs: number,
    listener: number,
    reported: ReportedRequest,
  ): void {
    const { facts: { stats, rule, planHash, port }, endpoint, place } = routed;
    const labels = stats?.labels;
    const {
      peer,
      caller,
      protocol,
      method,
      authority,
      path,
      requestBytes,
      responseBytes,
      grpcStatus,
      attempts,
      trace,
      headers,
      span,
    } = reported;
    const record: RequestRecord = {
      listener,
      peer,
      source: this.#identities[listener] ?? caller.identity,
      protocol,
      method,
      authority,
      path,
      status,
      reason,
      requestBytes,
      responseBytes,
      grpcStatus,
      service: serviceOf(stats, port),
      rule: rule === null ? "" : nameOf(rule),
      split: labels?.split ?? "",
      backend: labels?.backend ?? "",
      pod: endpoint?.plan.pod ?? "",
      endpoint: place,
      attempts,
      trace,
      headers,
      durationMs,
      plan: planHash.slice(0, PLAN_HASH_DIGITS),
    };
    if (this.isReporting) this.#records.push(record);
    if (span !== null) this.#spans.push({ ...span, record });
  }
}

/** Also where no backend could take the request. */
function serviceOf(stats: RouteStats | null, port: TablePort | null): string {
  if (stats !== null) return `${stats.labels.service}:${stats.labels.port}`;
  return port === null ? "" : `${port.service.key}:${port.port}`;
}

function nameOf({ match: { group, name } }: PlanRule): string {
  return `${group.namespace}/${group.name}/${name}`;
}

function keyOf(labels: RouteLabels): string {
  return `${labels.listener} ${labels.service}:${labels.port} ${labels.split} ${labels.backend}`;
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
