/** The counters of a running mesh, as its proxies print them, to traffic by edge. Pure. */
import { EDGES_MAX } from "../limits.ts";

export interface Edge {
  /** `namespace/workload` each. */
  readonly from: string;
  readonly to: string;
  /** Since the mesh began. */
  readonly requests: number;
  /** Of these, answered 5xx. */
  readonly failures: number;
  /** Requests a second since the look before. */
  readonly rate: number;
}

interface EdgeCount {
  readonly from: string;
  readonly to: string;
  requests: number;
  failures: number;
}

type EdgeCounts = ReadonlyMap<string, EdgeCount>;

/** Sums what all proxies have counted of each edge. */
export function readEdges(metrics: string): EdgeCounts {
  const edges = new Map<string, EdgeCount>();
  for (const [, labels, value] of metrics.matchAll(/^osm_request_total\{([^\n]*)\} (\d+)$/gm)) {
    const label = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(labels)?.[1] ?? "";
    const from = `${label("source_namespace")}/${label("source_name")}`;
    const to = `${label("destination_namespace")}/${label("destination_name")}`;
    const key = `${from} ${to}`;
    const edge = edges.get(key) ?? { from, to, requests: 0, failures: 0 };
    edge.requests += Number(value);
    if (label("response_code").startsWith("5")) edge.failures += Number(value);
    edges.set(key, edge);
  }
  return edges;
}

/** The busiest edges, by name, so that they keep their places. */
export function edgesSince(before: EdgeCounts, now: EdgeCounts, elapsedMs: number): Edge[] {
  return [...now].map(([key, edge]): Edge => {
    const more = edge.requests - (before.get(key)?.requests ?? edge.requests);
    return { ...edge, rate: elapsedMs <= 0 ? 0 : Math.max(0, more) * 1_000 / elapsedMs };
  })
    .sort((a, b) => b.requests - a.requests)
    .slice(0, EDGES_MAX)
    .sort((a, b) => `${a.from} ${a.to}` < `${b.from} ${b.to}` ? -1 : 1);
}
