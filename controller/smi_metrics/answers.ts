/**
 * The SMI metrics API, which the API server hands requests of `metrics.smi-spec.io` to: `kubectl get --raw`, or a printed table. The API server
 * has authorised who asks. The port takes no orders, and tells those who reach it directly no more than sidecars tell at their own metrics.
 */
import { GROUP_WINDOW_MS, WINDOW_MS_MAX, WINDOW_MS_MIN } from "../limits.ts";
import {
  edgeMetrics,
  isResourceName,
  METRICS_VERSION,
  type MetricsWindow,
  RESOURCE_KINDS,
  resourceMetrics,
  type ResourceName,
  type TrafficMetrics,
} from "./objects.ts";
import type { SidecarHistory } from "./sidecar_history.ts";

export const SMI_METRICS_PATH = `/apis/${METRICS_VERSION}`;

interface MetricsAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** What a path asks for. */
interface Asked {
  readonly resource: ResourceName;
  readonly namespace: string | undefined;
  /** Undefined: all. */
  readonly name: string | undefined;
  readonly isEdges: boolean;
}

export async function smiMetricsAnswer(
  url: URL,
  accept: string,
  history: Pick<SidecarHistory, "window">,
): Promise<MetricsAnswer> {
  const words = url.pathname.slice(SMI_METRICS_PATH.length).split("/").filter((word) =>
    word !== ""
  );
  if (words.length === 0) return { status: 200, body: resourceList() };
  const asked = askedIn(words.map(decodeURIComponent));
  if (asked === null) return failure(404, "NotFound", `There is nothing at ${url.pathname}`);
  const windowMs = windowIn(url);
  if (windowMs === null) {
    return failure(400, "BadRequest", "t has to be a time from 2s to 60s, like ?t=30s");
  }
  // What it would leave out is not known here, and all is more than was asked for.
  if ((url.searchParams.get("labelSelector") ?? "") !== "") {
    return failure(400, "BadRequest", "Label selectors are not supported: name one object");
  }
  const window = { ...await history.window(windowMs), timestamp: new Date().toISOString() };
  return answerFor(asked, window, accept.includes("as=Table"));
}

function answerFor(asked: Asked, window: MetricsWindow, isTable: boolean): MetricsAnswer {
  const { resource, namespace, name, isEdges } = asked;
  const kind = RESOURCE_KINDS[resource];
  const resources = resourceMetrics(window, resource, resource === "namespaces" ? name : namespace);
  const items = name === undefined
    ? resources
    : resources.filter(({ resource }) => resource.name === name);
  if (name !== undefined && items.length === 0) {
    const why = `No pod with a sidecar is of ${kind} ${namespace ?? ""}/${name}`.replace(" /", " ");
    return failure(404, "NotFound", why);
  }
  const key = namespace === undefined || resource === "namespaces" ? name : `${namespace}/${name}`;
  const shown = isEdges && key !== undefined ? edgeMetrics(window, resource, key) : items;
  if (isTable) return { status: 200, body: tableOf(shown) };
  if (name !== undefined && !isEdges) return { status: 200, body: shown[0] };
  const reference = namespace === undefined ? { kind, name } : { kind, namespace, name };
  return {
    status: 200,
    body: {
      kind: "TrafficMetricsList",
      apiVersion: METRICS_VERSION,
      metadata: {},
      resource: reference,
      items: shown,
    },
  };
}

/** Null: nothing is there. */
function askedIn(words: readonly string[]): Asked | null {
  const isEdges = words.at(-1) === "edges" && words.length > 1;
  const path = isEdges ? words.slice(0, -1) : words;
  const [first, namespace, resource, name, ...rest] = path;
  if (!isResourceName(first) || rest.length > 0) return null;
  if (path.length === 1) {
    return isEdges ? null : { resource: first, namespace: undefined, name: undefined, isEdges };
  }
  if (first !== "namespaces") return null;
  if (path.length === 2) return { resource: first, namespace: undefined, name: namespace, isEdges };
  if (!isResourceName(resource) || resource === "namespaces") return null;
  return isEdges && name === undefined ? null : { resource, namespace, name, isEdges };
}

/** Null: it cannot be. */
function windowIn(url: URL): number | null {
  const text = url.searchParams.get("t");
  if (text === null) return GROUP_WINDOW_MS;
  const [, count, unit] = /^(\d{1,5})(ms|s|m)$/.exec(text) ?? [];
  if (count === undefined) return null;
  const ms = Number(count) * (unit === "ms" ? 1 : unit === "s" ? 1_000 : 60_000);
  return ms < WINDOW_MS_MIN || ms > WINDOW_MS_MAX ? null : ms;
}

function resourceList(): unknown {
  const verbs = ["get", "list"];
  // By one kind for all of them, kubectl would ask for the last one, whichever is named.
  const resources = Object.entries(RESOURCE_KINDS).map(([name, kind]) => ({
    name,
    singularName: "",
    namespaced: name !== "namespaces",
    kind: `${kind}TrafficMetrics`,
    verbs,
  }));
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion: METRICS_VERSION, resources };
}

/** As kubectl prints it. */
function tableOf(items: readonly TrafficMetrics[]): unknown {
  const column = (name: string, type = "string") => ({
    ...{ name, type, format: "", priority: 0 },
    description: `${name} within the window`,
  });
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: {},
    columnDefinitions: [
      { ...column("Name"), format: "name", description: "Of the resource" },
      ...["Edge", "Window", "Success", "Failure", "P50", "P90", "P99"].map((name) => column(name)),
    ],
    rows: items.map((item) => ({ cells: cellsOf(item), object: item })),
  };
}

function cellsOf({ resource, edge, window, metrics }: TrafficMetrics): string[] {
  const valueOf = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? "";
  const latency = (word: string) => {
    const value = valueOf(`${word}_response_latency`);
    const ms = value.endsWith("m") ? Number(value.slice(0, -1)) / 1_000 : Number(value);
    return `${Number(ms.toFixed(1))}ms`;
  };
  const other = edge.resource;
  return [
    resource.name,
    other === null ? "" : `${edge.direction} ${other.namespace ?? ""}/${other.name}`,
    window,
    valueOf("success_count"),
    valueOf("failure_count"),
    ...["p50", "p90", "p99"].map(latency),
  ];
}

function failure(code: number, reason: string, message: string): MetricsAnswer {
  const status = "Failure";
  return {
    status: code,
    body: { kind: "Status", apiVersion: "v1", metadata: {}, status, message, reason, code },
  };
}
