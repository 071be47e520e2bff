/** That Prometheus is to scrape a pod's sidecar, in the annotations that its usual configuration looks for. */
import { HEALTH_PORT } from "./containers.ts";
import type { ObjectMeta } from "./pod.ts";

/** On a namespace: `enabled` for the pods in it. */
export const METRICS_ANNOTATION = "weft.dev/metrics";
const SPELLINGS = [METRICS_ANNOTATION, "flomesh.io/metrics", "openservicemesh.io/metrics"];

/** A pod that has the first has its own wish, which stays. */
export const SCRAPED: [key: string, value: string][] = [
  ["prometheus.io/scrape", "true"],
  ["prometheus.io/port", String(HEALTH_PORT)],
  ["prometheus.io/path", "/metrics"],
];

export function asksForMetrics({ annotations = {} }: ObjectMeta): boolean {
  return SPELLINGS.some((key) => annotations[key] === "enabled");
}
