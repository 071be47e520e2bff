/** How a pod with a sidecar is known: what injection calls its containers, and which ports capture leaves alone. */
import type { PortRange } from "./capture_lists.ts";

/** Captures the pod's traffic, and ends. */
export const INIT_NAME = "weft-init";
export const PROXY_NAME = "weft-proxy";

/**
 * The proxy's own ports that others in the cluster call: admin, and what is reserved for metrics and rewritten probes
 * (smi-facts 4.2, 4.3).
 * The proxy answers there itself; to redirect them would ask the application.
 */
export const PROXY_PORTS: readonly PortRange[] = [
  { first: 15000, last: 15000 },
  { first: 15010, last: 15010 },
  { first: 15901, last: 15904 },
];
