/**
 * Telemetry: what one event loop counts, and the records that it makes. Counting is a few additions an exchange; text is
 * made only when they are read. Labels follow the plan: counters of routes that left it are dropped with it.
 */
import type { Lazy } from "../../base/lazy.ts";
import { CallerCounts } from "./callers.ts";
import type { EndReason } from "../../base/refusals.ts";
import {
  type Counts,
  countsOf,
  labelKey,
  type MetricSample,
  samplesOf,
} from "../../base/metrics.ts";
import type { PlanRule } from "../../routing/plan.ts";
import type { TablePort } from "../../routing/table/table.ts";
import { EXPECTED_PODS_MAX } from "../limits.ts";
import type { InboundListener, OutboundListener } from "../config.ts";
import type { TlsFailure } from "../io/tls.ts";
import { errorName, isKnownError } from "../protocol/http2/error_code.ts";
import type { Caller } from "../tls/caller.ts";
import type { Span } from "../tracing/span.ts";
import { type CountedWorkload, EndpointCounts, workloadOf } from "./endpoint_counts.ts";
import { ANSWERS, CONNECTIONS, DURATIONS, HTTP2, LOOP, REQUESTS } from "./metrics.ts";
import type { AccessLines } from "./access_lines.ts";
import type { FinishedSpan, RecordFacts, RequestRecord } from "./request_record.ts";
import { type RequestText, SpareTexts } from "./request_text.ts";
import type { TableEndpoint } from "../../routing/table/endpoint_set.ts";

/** As many as logs show of a plan's hash. */
const PLAN_HASH_DIGITS = 12;

/** What most answers are. */
const EXPECTED_STATUS = 200;

/** Handed over most often, so it is made once. Nothing is added to what is handed over. */
const NOTHING: never[] = [];

/** What tells one counted route from another. */
export type RouteLabels = Counts<typeof REQUESTS>["labels"];

/** What went to one backend of a route. */
export interface RouteStats {
  readonly labels: RouteLabels;
  /** `namespace/service:port`. */
  readonly service: string;
  readonly requests: Counts<typeof REQUESTS>;
  readonly times: Counts<typeof DURATIONS>;
  /** Of connections that are relayed whole. */
  readonly connections: Counts<typeof CONNECTIONS>;
  /** It has series before anything is counted. */
  isExpected: boolean;
}

/** Whose connections: those of clients, or those to endpoints. */
type Http2Side = "client" | "endpoint";

/** What the HTTP/2 connections of one side did. */
export class Http2Counts {
  readonly #counts: Counts<typeof HTTP2>;

  constructor(side: Http2Side) {
    this.#counts = countsOf(HTTP2, { side });
  }

  streamOpened(): void {
    this.#counts.streams++;
  }

  /** A stream has ended early. */
  reset(by: "peer" | "proxy", code: number): void {
    this.#counts.resets.add(labelKey(by, errorLabel(code)));
  }

  /** A peer has broken its connection. */
  failed(code: number): void {
    this.#counts.failures.add(errorLabel(code));
  }

  get samples(): MetricSample[] {
    return samplesOf(this.#counts);
  }
}

/** A peer may make up four billion codes, which must not become as many series. */
function errorLabel(code: number): string {
  return isKnownError(code) ? errorName(code) : "unknown";
}

/** What decided about a request or a connection. */
export interface RouteFacts {
  /** Of the plan that decided; empty if none did. */
  readonly planHash: Lazy<string>;
  /** The port of the Service that was asked for; null if there is none, or none of the mesh. */
  readonly port: TablePort | null;
  /** The rule that the request satisfied; null if none, or none was asked for. */
  readonly rule: PlanRule | null;
  /** Counters of the route and backend; null if no backend was found. */
  readonly stats: RouteStats | null;
  /** How long the source of the plan was waited for; nearly always 0. */
  readonly planWaitMs: number;
}

/** Where a request or a connection went. */
export interface Routed {
  readonly facts: RouteFacts;
  /** The endpoint of the mesh that was tried last; null: none was. */
  readonly endpoint: TableEndpoint | null;
  /** Its address and port, also of a place outside the mesh; empty: none was chosen. */
  readonly place: string;
}

/** What a record says of a request besides how it was routed and how it ended. Gathered only if a log, a tap or a span wants it. */
interface RequestFacts extends
  Pick<
    RequestRecord,
    | ("peer" | "protocol" | "requestBytes" | "responseBytes" | "grpcStatus" | "attempts")
    | "headers"
  > {
  readonly text: RequestText;
  readonly caller: Caller;
  /** Null if none is made. */
  readonly span: Span | null;
}

export class Telemetry {
  /** Each answered request is recorded for `takeRecords`. */
  isReporting: boolean;
  /** Where each answered request is written down; null: nowhere. */
  readonly accessLines: AccessLines | null;
  readonly texts = new SpareTexts();
  /** Headers, in lower case, that records have of each request. */
  reportedHeaders: readonly string[] = [];
  readonly counts = countsOf(LOOP, {});
  readonly http2: Readonly<Record<Http2Side, Http2Counts>> = {
    client: new Http2Counts("client"),
    endpoint: new Http2Counts("endpoint"),
  };
  /** Told of each handshake that fails; for the log. */
  onTlsFailure: (failure: TlsFailure, peer: string) => void = () => {};
  /** Stack of the last fault, for the log. */
  lastFault = "";
  readonly endpoints = new EndpointCounts();
  readonly callers = new CallerCounts();
  /** By outbound listener: who sends what comes by it, as a workload and as `namespace/serviceaccount`. */
  readonly #sources: readonly CountedWorkload[];
  readonly #callers: readonly string[];
  /** By inbound listener, whose numbers follow those of the outbound ones. */
  readonly #applications: readonly Counts<typeof ANSWERS>[];
  readonly #routes = new Map<string, RouteStats>();
  /** Their keys, by the Service. */
  readonly #routesOf = new Map<string, Set<string>>();
  #records: RequestRecord[] = [];
  #spans: FinishedSpan[] = [];

  /**
   * @param isReporting whether it begins so
   * @param accessLines the access log; null: there is none
   * @param outbound the listeners, which say whose requests they take
   * @param inbound those that say what is behind them
   */
  constructor(
    isReporting: boolean,
    accessLines: AccessLines | null,
    outbound: readonly OutboundListener[],
    inbound: readonly InboundListener[],
  ) {
    this.isReporting = isReporting;
    this.accessLines = accessLines;
    this.#callers = outbound.map(({ identity }) => identity);
    this.#applications = inbound.map(applicationCounts);
    this.#sources = outbound.map(({ namespace, workload, pod }) =>
      workloadOf(namespace, workload ?? "", pod ?? "")
    );
  }

  /** The counters with these labels, made where there are none. */
  statsOf(labels: RouteLabels): RouteStats {
    const { listener, service, port, split, backend, rule } = labels;
    const key = labelKey(listener, service, port, split, backend, rule);
    let stats = this.#routes.get(key);
    if (stats === undefined) {
      stats = {
        labels,
        service: `${service}:${port}`,
        requests: countsOf(REQUESTS, labels),
        times: countsOf(DURATIONS, labels),
        connections: countsOf(CONNECTIONS, labels),
        isExpected: false,
      };
      this.#routes.set(key, stats);
      const keys = this.#routesOf.get(service) ?? new Set();
      this.#routesOf.set(service, keys.add(key));
    }
    return stats;
  }

  /**
   * Drops the counters that are not to be kept, after a new plan is in force.
   * @param services those that the plan changed: no others are looked at
   */
  retainRoutes(services: Iterable<string>, isKept: (labels: RouteLabels) => boolean): void {
    for (const service of services) {
      const keys = this.#routesOf.get(service) ?? new Set();
      for (const key of keys) {
        const stats = this.#routes.get(key);
        if (stats !== undefined && isKept(stats.labels)) continue;
        this.#routes.delete(key);
        keys.delete(key);
      }
      if (keys.size === 0) this.#routesOf.delete(service);
    }
  }

  /**
   * A backend of a split in use may be sent to next: it has series from now on, so that a rate of the first requests can be seen.
   * @param endpoints of the backend
   */
  expect(stats: RouteStats, endpoints: readonly TableEndpoint[]): void {
    stats.isExpected = true;
    const source = this.#sources[Number(stats.labels.listener)];
    if (source === undefined) return;
    for (const endpoint of endpoints.slice(0, EXPECTED_PODS_MAX)) {
      this.endpoints.of(endpoint, source, stats.labels.backend).pod.answers.expect(EXPECTED_STATUS);
    }
  }

  /** One exchange has been answered, by an endpoint or, with a `reason`, by the proxy itself. */
  answered(
    routed: Routed,
    status: number,
    reason: EndReason,
    durationMs: number,
    listener: number,
    request: RequestFacts | null,
  ): void {
    const { facts: { stats }, endpoint } = routed;
    if (stats !== null) {
      stats.requests.answers[classOf(status)]++;
      const { durations } = stats.times;
      durations.observe(durationMs);
      const span = request?.span ?? null;
      if (span !== null) {
        durations.exemplify(durationMs, span.traceId, span.startMs + durationMs);
      }
      if (endpoint !== null) this.#endpointAnswered(endpoint, stats, status, durationMs, listener);
      this.#applicationAnswered(status, reason, durationMs, listener);
    }
    if (reason !== "") this.refused(reason);
    if (request !== null) this.#record(routed, request, status, reason, durationMs, listener);
  }

  #endpointAnswered(
    endpoint: TableEndpoint,
    { labels: { backend } }: RouteStats,
    status: number,
    durationMs: number,
    listener: number,
  ): void {
    const source = this.#sources[listener];
    // An application beside the sidecar is counted where its clients are.
    if (source === undefined) return;
    const { pod, workload } = this.endpoints.of(endpoint, source, backend);
    pod.answers.add(status);
    workload.durations.observe(durationMs);
  }

  #applicationAnswered(
    status: number,
    reason: EndReason,
    durationMs: number,
    listener: number,
  ): void {
    const application = this.#applications[listener - this.#sources.length];
    const isFailure = status >= 500;
    // What the caller was refused is not the application's.
    if (application === undefined || (reason !== "" && !isFailure)) return;
    application.answers[isFailure ? "failure" : "success"]++;
    application.latencies.observe(durationMs);
  }

  /** A relayed connection has ended, with a `reason` where the proxy ended it. */
  connectionEnded(
    routed: Routed,
    reason: EndReason,
    durationMs: number,
    listener: number,
    request: RequestFacts | null,
  ): void {
    if (reason !== "") this.refused(reason);
    if (request !== null) this.#record(routed, request, 0, reason, durationMs, listener);
  }

  /** One exchange has ended without an answer (status 0), or with a part of one. */
  abandoned(
    routed: Routed,
    status: number,
    reason: EndReason,
    durationMs: number,
    listener: number,
    request: RequestFacts | null,
  ): void {
    this.counts.abandoned.add(reason);
    if (request !== null) this.#record(routed, request, status, reason, durationMs, listener);
  }

  /** The proxy itself answered or ended something. */
  refused(reason: EndReason): void {
    this.counts.refusals.add(reason);
  }

  /** A TLS handshake succeeded. */
  secured(isResumed: boolean): void {
    this.counts.tlsHandshakes++;
    if (isResumed) this.counts.tlsResumptions++;
  }

  /** A TLS handshake failed. */
  tlsFailed(failure: TlsFailure, peer: string): void {
    this.counts.tlsFailures.add(failure.code);
    this.onTlsFailure(failure, peer);
  }

  /** A defect of Weft cost a connection. */
  fault(error: unknown): void {
    this.counts.faults++;
    this.lastFault = error instanceof Error ? error.stack ?? error.message : String(error);
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
    request: RequestFacts,
    status: number,
    reason: EndReason,
    durationMs: number,
    listener: number,
  ): void {
    const { facts: { stats, rule, planHash, port, planWaitMs }, endpoint, place } = routed;
    const { caller, span, text } = request;
    const facts: RecordFacts = {
      listener,
      peer: request.peer,
      source: this.#callers[listener] ?? caller.identity,
      protocol: request.protocol,
      status,
      reason,
      requestBytes: request.requestBytes,
      responseBytes: request.responseBytes,
      grpcStatus: request.grpcStatus,
      service: serviceOf(stats, port),
      rule: countedRule(rule),
      split: stats?.labels.split ?? "",
      backend: stats?.labels.backend ?? "",
      pod: endpoint?.plan.pod ?? "",
      endpoint: place,
      attempts: request.attempts,
      durationMs,
      planWaitMs,
      plan: shownHash(planHash),
    };
    this.accessLines?.add(facts, text);
    if (!this.isReporting && span === null) return;
    const { method, authority, path, trace } = text;
    const record = { ...facts, method, authority, path, trace, headers: request.headers };
    if (this.isReporting) this.#records.push(record);
    if (span !== null) this.#spans.push({ ...span, record });
  }

  /** Routes and endpoints have series once something is counted of them. */
  *samples(): Iterable<MetricSample> {
    yield* samplesOf(this.counts);
    yield* this.callers.samples;
    yield* this.http2.client.samples;
    yield* this.http2.endpoint.samples;
    for (const { requests, times, connections, isExpected } of this.#routes.values()) {
      if (isExpected || times.durations.count > 0) {
        yield* samplesOf(requests);
        yield* samplesOf(times);
      }
      if (connections.opened > 0) yield* samplesOf(connections);
    }
    yield* this.endpoints.samples();
    for (const application of this.#applications) {
      if (application.latencies.count > 0) yield* samplesOf(application);
    }
  }
}

/** Also where no backend could take the request. */
function serviceOf(stats: RouteStats | null, port: TablePort | null): string {
  if (stats !== null) return stats.service;
  return port === null ? "" : `${port.service.key}:${port.port}`;
}

/** Asked for with each request that is written down. */
const RULE_NAMES = new WeakMap<PlanRule, string>();
const SHOWN_HASHES = new WeakMap<Lazy<string>, string>();

function shownHash(planHash: Lazy<string>): string {
  const known = SHOWN_HASHES.get(planHash);
  if (known !== undefined) return known;
  const text = planHash.value.slice(0, PLAN_HASH_DIGITS);
  SHOWN_HASHES.set(planHash, text);
  return text;
}

/** `namespace/HTTPRouteGroup/match`; empty for none. */
export function countedRule(rule: PlanRule | null): string {
  if (rule === null) return "";
  const known = RULE_NAMES.get(rule);
  if (known !== undefined) return known;
  const { match: { group, name } } = rule;
  const text = `${group.namespace}/${group.name}/${name}`;
  RULE_NAMES.set(rule, text);
  return text;
}

function applicationCounts(
  { identity = "", workload = "", pod = "" }: InboundListener,
): Counts<typeof ANSWERS> {
  const owner = workloadOf(identity.split("/")[0], workload, pod);
  return countsOf(ANSWERS, {
    direction: "inbound",
    namespace: owner.namespace,
    // Of what is no Deployment there is no such label.
    deployment: owner.kind === "Deployment" ? owner.name : "",
    pod: owner.pod,
  });
}

/** The first digit of a status, less one. */
function classOf(status: number): number {
  return Math.max(1, Math.min(5, Math.trunc(status / 100))) - 1;
}
