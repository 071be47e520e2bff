/** What `weft proxy get` asks a sidecar for: the words of Weft, then those of FSM and OSM for the same. */

export const PROXY_QUERIES = [
  "config",
  "routes",
  "clusters",
  "endpoints",
  "stats",
  "ready",
  "config_dump",
  "listeners",
] as const;

export type ProxyQuery = typeof PROXY_QUERIES[number];
