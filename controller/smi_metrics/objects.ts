/** The objects of `metrics.smi-spec.io/v1alpha1`, made of what sidecars have counted. Pure. */
import { addedUp, callOf } from "../traffic/sidecar_counts.ts";
import { TrafficCounts, trafficIn } from "../traffic/traffic.ts";
import type { PodTraffic } from "./sidecar_history.ts";

export const METRICS_GROUP = "metrics.smi-spec.io";
export const METRICS_VERSION = `${METRICS_GROUP}/v1alpha1`;

/** By the name in a path. */
export const RESOURCE_KINDS = {
  namespaces: "Namespace",
  pods: "Pod",
  deployments: "Deployment",
  daemonsets: "DaemonSet",
  statefulsets: "StatefulSet",
} as const;

export type ResourceName = keyof typeof RESOURCE_KINDS;

export function isResourceName(text: string): text is ResourceName {
  return Object.hasOwn(RESOURCE_KINDS, text);
}

interface Reference {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

interface Edge {
  readonly direction: "to" | "from";
  readonly side: "client" | "server";
  /** Null: all traffic. */
  readonly resource: Reference | null;
}

export interface TrafficMetrics {
  readonly kind: "TrafficMetrics";
  readonly apiVersion: typeof METRICS_VERSION;
  readonly metadata: Readonly<Record<string, string>>;
  readonly timestamp: string;
  readonly window: string;
  readonly resource: Reference;
  readonly edge: Edge;
  readonly metrics: readonly { name: string; unit?: string; value: string }[];
}

export interface MetricsWindow {
  readonly seconds: number;
  readonly timestamp: string;
  readonly traffic: readonly PodTraffic[];
}

/** What each of these resources has answered. @param namespace undefined: all */
export function resourceMetrics(
  window: MetricsWindow,
  resource: ResourceName,
  namespace: string | undefined,
): TrafficMetrics[] {
  const sums = new Map<string, TrafficCounts>();
  for (const { pod, counts } of window.traffic) {
    if (namespace !== undefined && pod.namespace !== namespace) continue;
    const key = keyOf(resource, pod.namespace, pod.workload, pod.name);
    if (key !== null) trafficIn(sums, key).add(counts.application);
  }
  return [...sums].toSorted(([a], [b]) => a < b ? -1 : 1).map(([key, traffic]) =>
    metricsOf(window, resource, key, { direction: "from", side: "server", resource: null }, traffic)
  );
}

/** Whom one resource has called, and by whom it was called. */
export function edgeMetrics(
  window: MetricsWindow,
  resource: ResourceName,
  key: string,
): TrafficMetrics[] {
  const [to, from] = [new Map<string, TrafficCounts>(), new Map<string, TrafficCounts>()];
  for (const { pod, counts } of window.traffic) {
    for (const [call, traffic] of addedUp([counts.calls])) {
      if (traffic.count === 0) continue;
      const { source, destination } = callOf(call);
      // Its own pod counts a call, so what called is known to the pod; what was called, to the workload.
      const caller = keyOf(resource, pod.namespace, workloadIn(source), pod.name);
      const called = keyOf(resource, namespaceIn(destination), workloadIn(destination), null);
      if (caller === key) trafficIn(to, otherEnd(resource, destination)).add(traffic);
      if (called === key) trafficIn(from, otherEnd(resource, source)).add(traffic);
    }
  }
  const edges = (ends: Map<string, TrafficCounts>, direction: Edge["direction"]) =>
    [...ends].toSorted(([a], [b]) => a < b ? -1 : 1).map(([end, traffic]) => {
      const side = direction === "to" ? "client" : "server";
      return metricsOf(
        window,
        resource,
        key,
        { direction, side, resource: referenceOf(end) },
        traffic,
      );
    });
  return [...edges(to, "to"), ...edges(from, "from")];
}

/** `namespace/name`, of a namespace its name; null: it is none of these. */
function keyOf(
  resource: ResourceName,
  namespace: string,
  workload: string,
  pod: string | null,
): string | null {
  switch (resource) {
    case "namespaces":
      return namespace;
    case "pods":
      return pod === null ? null : `${namespace}/${pod}`;
    default: {
      const [kind, name] = workload.split("/");
      return kind === RESOURCE_KINDS[resource] ? `${namespace}/${name}` : null;
    }
  }
}

/** `namespace/Kind/name`; between namespaces the edges are namespaces too. */
function otherEnd(resource: ResourceName, workload: string): string {
  return resource === "namespaces" ? `/Namespace/${namespaceIn(workload)}` : workload;
}

function namespaceIn(workload: string): string {
  return workload.slice(0, workload.indexOf("/"));
}

function workloadIn(workload: string): string {
  return workload.slice(workload.indexOf("/") + 1);
}

function referenceOf(text: string): Reference {
  const [namespace, kind, name] = text.split("/");
  return namespace === "" ? { kind, name } : { kind, namespace, name };
}

function metricsOf(
  { seconds, timestamp }: MetricsWindow,
  resource: ResourceName,
  key: string,
  edge: Edge,
  traffic: TrafficCounts,
): TrafficMetrics {
  const kind = RESOURCE_KINDS[resource];
  const [namespace, name] = key.includes("/") ? key.split("/") : [undefined, key];
  const reference = namespace === undefined ? { kind, name } : { kind, namespace, name };
  const path = namespace === undefined
    ? `namespaces/${name}`
    : `namespaces/${namespace}/${resource}/${name}`;
  return {
    kind: "TrafficMetrics",
    apiVersion: METRICS_VERSION,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      selfLink: `/apis/${METRICS_VERSION}/${path}`,
      creationTimestamp: timestamp,
    },
    timestamp,
    window: `${Number(seconds.toFixed(1))}s`,
    resource: reference,
    edge,
    metrics: [
      ...([["p50", 0.5], ["p90", 0.9], ["p99", 0.99]] as const).map(([word, share]) => ({
        name: `${word}_response_latency`,
        unit: "ms",
        value: quantity(traffic.quantile(share) ?? 0),
      })),
      { name: "success_count", value: String(traffic.success) },
      { name: "failure_count", value: String(traffic.failure) },
    ],
  };
}

/** As Kubernetes writes a number that may have a fraction. */
function quantity(value: number): string {
  const milli = Math.round(1_000 * value);
  return milli % 1_000 === 0 ? String(milli / 1_000) : `${milli}m`;
}
