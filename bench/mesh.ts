/** The manifests that Weft is measured with: the canary guide's routes, and endpoints on this machine. */

/** What clients ask for. */
export const PROXY_HOST = "httpbin.httpbin";
export const PROXY_AUTHORITY = `${PROXY_HOST}:8080`;

function metadata(name: string, labels: Record<string, string> = {}) {
  return { name, namespace: "httpbin", labels };
}

function service(name: string) {
  const spec = { ports: [{ name: "http", port: 8080 }] };
  return { apiVersion: "v1", kind: "Service", metadata: metadata(name), spec };
}

function endpoints(name: string, port: number) {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: metadata(name, { "kubernetes.io/service-name": name }),
    addressType: "IPv4",
    ports: [{ name: "http", port }],
    endpoints: [{ addresses: ["127.0.0.1"] }],
  };
}

function routes(name: string, pathRegex: string) {
  return {
    apiVersion: "specs.smi-spec.io/v1alpha4",
    kind: "HTTPRouteGroup",
    metadata: metadata(name),
    spec: { matches: [{ name: "all", pathRegex, methods: ["GET"] }] },
  };
}

function split(name: string, group: string, backends: { service: string; weight: number }[]) {
  return {
    apiVersion: "split.smi-spec.io/v1alpha4",
    kind: "TrafficSplit",
    metadata: metadata(name),
    spec: { service: "httpbin", matches: [{ kind: "HTTPRouteGroup", name: group }], backends },
  };
}

/** YAML (every JSON document is one): `/test` splits 75/25, other paths go to v1. */
export function meshManifests([v1, v2]: readonly [number, number]): string {
  const v1Only = [{ service: "httpbin-v1", weight: 100 }];
  const canary = [{ service: "httpbin-v1", weight: 75 }, { service: "httpbin-v2", weight: 25 }];
  return [
    service("httpbin"),
    service("httpbin-v1"),
    service("httpbin-v2"),
    endpoints("httpbin-v1", v1),
    endpoints("httpbin-v2", v2),
    routes("httpbin-test", "/test"),
    routes("httpbin-all", ".*"),
    split("httpbin-split", "httpbin-test", canary),
    split("httpbin-all", "httpbin-all", v1Only),
  ].map((document) => JSON.stringify(document)).join("\n---\n") + "\n";
}
