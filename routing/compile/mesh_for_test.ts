/** Large meshes as a cluster has them, for benchmarks and tests of what a change costs. */
import type {
  EndpointSlice,
  Meta,
  Pod,
  Service,
  Snapshot,
  TrafficSplit,
} from "../../schemas/resources.ts";

const NAMESPACE = "shop";
const AT = ["spec"];
/** `createdAt` of everything. */
const CREATED = "2026-01-01T00:00:00Z";
/** As of what comes from an API server. */
const ORIGIN = { locate: () => undefined };
/** Of objects without labels or annotations, as readers have it. */
const NONE = {};

/** In one piece, as text of an API server is. */
function whole(text: string): string {
  return JSON.parse(`"${text}"`);
}

function metaFor(kind: string, name: string, labels: Meta["labels"] = NONE): Meta {
  return {
    kind,
    apiVersion: "v1",
    namespace: NAMESPACE,
    name: whole(name),
    labels,
    annotations: NONE,
    createdAt: CREATED,
    origin: ORIGIN,
  };
}

function meshService(index: number): Service {
  const name = `service-${index}`;
  const port = { name: "http", port: 80, targetPort: 8080, protocol: "TCP" };
  return {
    meta: metaFor("Service", name),
    selector: { app: name },
    ports: [{ ...port, appProtocol: undefined, at: AT }],
    clusterIps: [address(10, 96, index)],
    headless: false,
    publishNotReadyAddresses: false,
  };
}

/**
 * Addresses are of this machine, and nothing listens there.
 * @param second which of two addresses the first endpoint has
 */
export function meshSlice(
  index: number,
  endpoints: number,
  second = false,
  port = 8080,
): EndpointSlice {
  return {
    meta: metaFor("EndpointSlice", `service-${index}-a`),
    service: `service-${index}`,
    ports: [{ name: "http", port, appProtocol: undefined }],
    endpoints: Array.from({ length: endpoints }, (_, i) => ({
      addresses: [address(127, second && i === 0 ? 128 : 64 + i, index)],
      ready: true,
      hostname: undefined,
      podName: whole(`service-${index}-${i}`),
      zone: undefined,
    })),
  };
}

function address(first: number, second: number, index: number): string {
  return whole(`${first}.${second}.${index >> 8}.${index & 255}`);
}

/** Of the Service at `2 * index`, between itself and the next one. */
export function meshSplit(index: number, weight: number): TrafficSplit {
  const backend = (service: number, share: number) => ({
    service: `service-${service}`,
    weight: share,
    weightText: String(share),
    at: AT,
  });
  return {
    meta: metaFor("TrafficSplit", `split-${index}`),
    service: `service-${2 * index}`,
    backends: [backend(2 * index, 100 - weight), backend(2 * index + 1, weight)],
    matches: undefined,
  };
}

/** What they have in common is kept once, as of those that a controller reads. */
function meshPods(workload: string, count: number): Pod[] {
  const template = {
    labels: { app: workload },
    annotations: NONE,
    serviceAccount: "default",
    containers: [],
    hostname: undefined,
    subdomain: undefined,
  };
  return Array.from({ length: count }, (_, i) => ({
    meta: metaFor("Pod", `${workload}-${i}`, template.labels),
    template,
    ips: [],
    ready: true,
    owner: undefined,
  }));
}

export function largeMesh(
  services: number,
  endpoints: number,
  splits: number,
  port?: number,
): Snapshot {
  const list = <T>(length: number, one: (index: number) => T) =>
    Array.from({ length }, (_, i) => one(i));
  return {
    namespaces: [],
    serviceAccounts: [],
    services: list(services, meshService),
    endpointSlices: list(services, (i) => meshSlice(i, endpoints, false, port)),
    pods: list(services, (i) => meshPods(`service-${i}`, endpoints)).flat(),
    workloads: [],
    trafficSplits: list(splits, (i) => meshSplit(i, 10)),
    httpRouteGroups: [],
    tcpRoutes: [],
    trafficTargets: [],
    trafficPolicies: [],
    egresses: [],
    ingressBackends: [],
    gatewayRoutes: [],
    referenceGrants: [],
  };
}
