/** The manifests that Weft is measured with: the canary guide's routes, and endpoints on this machine. */
import { type Job, routePath, speaksGrpc } from "./contender.ts";

/** What clients ask for. */
export const PROXY_HOST = "httpbin.httpbin";
export const PROXY_AUTHORITY = `${PROXY_HOST}:8080`;

/** Matches of one HTTPRouteGroup: a real mesh has many groups, not one that is huge. */
const GROUP_MATCHES = 100;

const V1_ONLY = [{ service: "httpbin-v1", weight: 100 }];
const CANARY = [{ service: "httpbin-v1", weight: 75 }, { service: "httpbin-v2", weight: 25 }];

type Backends = typeof CANARY;

interface Match {
  readonly name: string;
  readonly pathRegex: string;
}

function metadata(name: string, labels: Record<string, string> = {}) {
  return { name, namespace: "httpbin", labels };
}

/** Protocol of the Service's port, which says what its endpoints speak. */
function appProtocol({ clients, origins }: Job): string {
  if (clients === "tcp") return "tcp";
  return speaksGrpc(origins) ? "grpc" : "http";
}

function service(name: string, job: Job) {
  const spec = { ports: [{ name: "main", port: 8080, appProtocol: appProtocol(job) }] };
  return { apiVersion: "v1", kind: "Service", metadata: metadata(name), spec };
}

function endpoints(name: string, port: number) {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: metadata(name, { "kubernetes.io/service-name": name }),
    addressType: "IPv4",
    ports: [{ name: "main", port }],
    endpoints: [{ addresses: ["127.0.0.1"] }],
  };
}

function group(name: string, matches: readonly Match[]) {
  return {
    apiVersion: "specs.smi-spec.io/v1alpha4",
    kind: "HTTPRouteGroup",
    metadata: metadata(name),
    spec: { matches },
  };
}

function split(name: string, backends: Backends, groups: readonly string[]) {
  const matches = groups.map((name) => ({ kind: "HTTPRouteGroup", name }));
  return {
    apiVersion: "split.smi-spec.io/v1alpha4",
    kind: "TrafficSplit",
    metadata: metadata(name),
    spec: { service: "httpbin", ...(matches.length === 0 ? {} : { matches }), backends },
  };
}

/** `job.routes` matches by path, each group of them with a split of its own. */
function manyRoutes({ routes }: Job): object[] {
  const documents: object[] = [];
  for (let first = 0; first < routes; first += GROUP_MATCHES) {
    const count = Math.min(GROUP_MATCHES, routes - first);
    const matches = Array.from({ length: count }, (_, i) => ({
      name: `item-${first + i}`,
      pathRegex: routePath(first + i),
    }));
    const name = `items-${first / GROUP_MATCHES}`;
    documents.push(group(name, matches), split(name, CANARY, [name]));
  }
  return documents;
}

const POLICY = {
  apiVersion: "weft.dev/v1alpha1",
  kind: "TrafficPolicy",
  metadata: metadata("extras"),
  spec: {
    targetRefs: [{ kind: "Service", name: "httpbin" }],
    timeouts: { request: "10s" },
    retry: { attempts: 3, retryOn: [503, "reset", "connect-failure"] },
    rateLimit: { http: { requests: 1_000_000, per: "1s", burst: 1_000_000 } },
  },
};

/** A Service at the sidecar of one pod, which takes mutual TLS. */
export function pairManifests(peerPort: number): string {
  const job = {
    clients: "http1",
    origins: "http1",
    routes: 0,
    workers: 1,
    connectionsMax: 1,
  } as const;
  const sidecar = { name: "weft-proxy", args: ["proxy", "--identity=controller"] };
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: metadata("httpbin-0"),
    spec: { containers: [sidecar] },
  };
  const slice = endpoints("httpbin", peerPort);
  const [endpoint] = slice.endpoints;
  const targetRef = { kind: "Pod", name: "httpbin-0", namespace: "httpbin" };
  const ofPod = { ...slice, endpoints: [{ ...endpoint, targetRef }] };
  return [service("httpbin", job), pod, ofPod].map((each) => JSON.stringify(each)).join("\n---\n");
}

/** YAML (every JSON document is one): `/test` splits 75/25, other paths go to v1; TCP splits 75/25 as it is. */
export function meshManifests([v1, v2]: readonly [number, number], job: Job): string {
  const services = [
    service("httpbin", job),
    service("httpbin-v1", job),
    service("httpbin-v2", job),
    endpoints("httpbin-v1", v1),
    endpoints("httpbin-v2", v2),
  ];
  const routes = job.clients === "tcp" ? [split("httpbin-split", CANARY, [])] : [
    group("httpbin-test", [{ name: "all", pathRegex: "/test" }]),
    group("httpbin-all", [{ name: "all", pathRegex: ".*" }]),
    split("httpbin-split", CANARY, ["httpbin-test"]),
    split("httpbin-all", V1_ONLY, ["httpbin-all"]),
    ...manyRoutes(job),
  ];
  const policies = job.hasExtras === true ? [POLICY] : [];
  return [...services, ...routes, ...policies].map((document) => JSON.stringify(document)).join(
    "\n---\n",
  ) +
    "\n";
}
