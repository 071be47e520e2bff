/**
 * SidecarCounts: what the metrics of one sidecar say of traffic, from the text that Prometheus would read. A call is an edge of the mesh,
 * counted at its client; a backend is that of a route, counted at its client too; the rest is the application's own. Pure.
 */
import { labelKey } from "../../base/metrics.ts";
import { SIDECAR_METRICS_LENGTH_MAX } from "../limits.ts";
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

const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g;

/**
 * The last label of a series tells it from its neighbours, such as the bounds of one histogram, so what comes before is read once.
 * @param hasBackends false: they are passed over, which halves what it costs
 * @throws {Error} it is longer than what a sidecar says
 */
export function readSidecarCounts(text: string, hasBackends = true): SidecarCounts {
  if (text.length > SIDECAR_METRICS_LENGTH_MAX) throw new Error("The metrics are too long");
  const read: Read = {
    calls: new Map(),
    backends: new Map(),
    application: new TrafficCounts(),
    hasBackends,
  };
  let [lastKey, traffic]: [string, TrafficCounts | null] = ["", null];
  for (let start = 0, end = 0; start < text.length; start = end + 1) {
    end = text.indexOf("\n", start);
    if (end < 0) end = text.length;
    const brace = text.indexOf("{", start);
    if (brace < 0) break;
    const series = brace > end ? undefined : SERIES.get(text.slice(start, brace));
    if (series === undefined) continue;
    const own = text.lastIndexOf(",", end);
    const key = text.slice(start, own);
    if (key !== lastKey) {
      lastKey = key;
      traffic = series.find(read, labelsIn(text.slice(brace, own)));
    }
    if (traffic === null) continue;
    const quote = text.indexOf('"', own) + 1;
    const value = Number(text.slice(text.lastIndexOf(" ", end - 1), end));
    series.count(traffic, text.slice(quote, text.indexOf('"', quote)), value);
  }
  return read;
}

type Labels = Readonly<Record<string, string>>;

function labelsIn(text: string): Labels {
  return Object.fromEntries(
    Array.from(text.matchAll(LABEL), ([, name, value]) => [name, value]),
  );
}

/** While it is read. */
interface Read {
  readonly calls: Map<string, TrafficCounts>;
  readonly backends: Map<string, TrafficCounts>;
  readonly application: TrafficCounts;
  readonly hasBackends: boolean;
}

interface Series {
  /** Null: it is not looked at. */
  readonly find: (read: Read, labels: Labels) => TrafficCounts | null;
  /** @param own the value of its last label */
  readonly count: (traffic: TrafficCounts, own: string, value: number) => void;
}

const ofCall: Series["find"] = ({ calls }, labels) => trafficIn(calls, callKey(labels));
const ofBackend: Series["find"] = ({ backends, hasBackends }, labels) =>
  labels["split"] === "" || !hasBackends ? null : trafficIn(backends, backendKey(labels));
const ofApplication: Series["find"] = ({ application }) => application;

const answered =
  (isFailure: (own: string) => boolean): Series["count"] => (traffic, own, value) => {
    if (isFailure(own)) traffic.failure += value;
    else traffic.success += value;
  };
const timed = (unitMs: number): Series["count"] => ({ buckets }, own, value) => {
  const boundMs = own === "+Inf" ? Infinity : unitMs * Number(own);
  buckets.set(boundMs, (buckets.get(boundMs) ?? 0) + value);
};

/** By name. What is counted for several pods, rules or listeners is added up. */
const SERIES: ReadonlyMap<string, Series> = new Map([
  ["osm_request_total", { find: ofCall, count: answered((code) => code >= "500") }],
  ["osm_request_duration_ms_bucket", { find: ofCall, count: timed(1) }],
  ["weft_requests_total", { find: ofBackend, count: answered((code) => code === "5xx") }],
  ["weft_request_duration_seconds_bucket", { find: ofBackend, count: timed(1_000) }],
  ["response_total", { find: ofApplication, count: answered((own) => own === "failure") }],
  ["response_latency_ms_bucket", { find: ofApplication, count: timed(1) }],
]);

function callKey(labels: Labels): string {
  const end = (side: "source" | "destination") =>
    `${labels[`${side}_namespace`]}/${labels[`${side}_kind`]}/${labels[`${side}_name`]}`;
  return labelKey(end("source"), end("destination"));
}

function backendKey(labels: Labels): string {
  return labelKey(labels["split"], labels["backend"]);
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
