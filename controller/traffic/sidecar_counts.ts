/**
 * SidecarCounts: what the metrics of one sidecar say of traffic, from the text that Prometheus would read. A call is an edge of the mesh,
 * counted at its client; a backend is that of a route, counted at its client too; the rest is the application's own. Pure.
 */
import { labelKey } from "../../base/metrics.ts";
import { SIDECAR_METRICS_LINES_MAX } from "../limits.ts";
import { TrafficCounts, trafficIn } from "./traffic.ts";

/** By whom, and of whom: `namespace/Kind/name` of a workload. */
interface Call {
  readonly source: string;
  readonly destination: string;
}

export interface SidecarCounts {
  /** By `callKey`. */
  readonly calls: ReadonlyMap<string, TrafficCounts>;
  /** By the split and backend, `namespace/name` each, in one `labelKey`. */
  readonly backends: ReadonlyMap<string, TrafficCounts>;
  /** What the application beside the sidecar has answered. */
  readonly application: TrafficCounts;
}

export function callOf(key: string): Call {
  const [source, destination] = key.split("\0");
  return { source, destination };
}

const LINE = /^([a-z_]+)\{(.*)\} (\S+)$/;
const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g;

/** @throws {Error} it is longer than what a sidecar says */
export function readSidecarCounts(text: string): SidecarCounts {
  const calls = new Map<string, TrafficCounts>();
  const backends = new Map<string, TrafficCounts>();
  const application = new TrafficCounts();
  const lines = text.split("\n", SIDECAR_METRICS_LINES_MAX + 1);
  if (lines.length > SIDECAR_METRICS_LINES_MAX) throw new Error("The metrics are too long");
  for (const line of lines) {
    const take = TAKEN[line.slice(0, line.indexOf("{"))];
    if (take === undefined) continue;
    const [, , labelText, value] = LINE.exec(line) ?? [];
    if (labelText === undefined) continue;
    const labels = Object.fromEntries(
      Array.from(labelText.matchAll(LABEL), ([, name, text]) => [name, text]),
    );
    take({ calls, backends, application }, labels, Number(value));
  }
  return { calls, backends, application };
}

/** While it is read. */
interface Read {
  readonly calls: Map<string, TrafficCounts>;
  readonly backends: Map<string, TrafficCounts>;
  readonly application: TrafficCounts;
}

type Labels = Readonly<Record<string, string>>;
type Take = (read: Read, labels: Labels, value: number) => void;

/** By the name of a series. What is counted for several pods, rules or listeners is added up. */
const TAKEN: Readonly<Record<string, Take>> = {
  osm_request_total: ({ calls }, labels, value) =>
    answered(trafficIn(calls, callKey(labels)), labels["response_code"] >= "500", value),
  osm_request_duration_ms_bucket: ({ calls }, labels, value) =>
    timed(trafficIn(calls, callKey(labels)), Number(boundIn(labels)), value),
  weft_requests_total: ({ backends }, labels, value) => {
    if (labels["split"] === "") return;
    answered(trafficIn(backends, backendKey(labels)), labels["code"] === "5xx", value);
  },
  weft_request_duration_seconds_bucket: ({ backends }, labels, value) => {
    if (labels["split"] === "") return;
    timed(trafficIn(backends, backendKey(labels)), 1_000 * Number(boundIn(labels)), value);
  },
  response_total: ({ application }, labels, value) =>
    answered(application, labels["classification"] === "failure", value),
  response_latency_ms_bucket: ({ application }, labels, value) =>
    timed(application, Number(boundIn(labels)), value),
};

function callKey(labels: Labels): string {
  const end = (side: "source" | "destination") =>
    `${labels[`${side}_namespace`]}/${labels[`${side}_kind`]}/${labels[`${side}_name`]}`;
  return labelKey(end("source"), end("destination"));
}

function backendKey(labels: Labels): string {
  return labelKey(labels["split"], labels["backend"]);
}

function boundIn(labels: Labels): string {
  return labels["le"] === "+Inf" ? "Infinity" : labels["le"];
}

function answered(traffic: TrafficCounts, isFailure: boolean, count: number): void {
  if (isFailure) traffic.failure += count;
  else traffic.success += count;
}

function timed(traffic: TrafficCounts, boundMs: number, count: number): void {
  traffic.buckets.set(boundMs, (traffic.buckets.get(boundMs) ?? 0) + count);
}

/** What has come since an earlier reading of the same sidecar. */
export function countsSince(
  after: SidecarCounts,
  before: SidecarCounts | undefined,
): SidecarCounts {
  const since = (
    now: ReadonlyMap<string, TrafficCounts>,
    then: ReadonlyMap<string, TrafficCounts> | undefined,
  ) => new Map(Array.from(now, ([key, traffic]) => [key, traffic.since(then?.get(key))] as const));
  return {
    calls: since(after.calls, before?.calls),
    backends: since(after.backends, before?.backends),
    application: after.application.since(before?.application),
  };
}

/** What several sidecars have counted together. */
export function addedUp(
  maps: Iterable<ReadonlyMap<string, TrafficCounts>>,
): Map<string, TrafficCounts> {
  const sums = new Map<string, TrafficCounts>();
  for (const map of maps) {
    for (const [key, traffic] of map) trafficIn(sums, key).add(traffic);
  }
  return sums;
}
