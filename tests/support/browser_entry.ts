/**
 * What tests/browser_bundle_test.ts bundles and runs without a runtime: the guide's split compiled, and four requests
 * decided. It leaves its answer in the global variable `answer`.
 */
import { compile } from "../../routing/compile/compile.ts";
import { requestHeadOf } from "../../routing/request.ts";
import { buildTable } from "../../routing/table/build.ts";
import { decide, Decision } from "../../routing/table/decide.ts";
import { SplitState } from "../../routing/table/split.ts";
import type { Meta, Service, Snapshot } from "../../schemas/resources.ts";

function meta(kind: string, apiVersion: string, name: string): Meta {
  return {
    kind,
    apiVersion,
    namespace: "httpbin",
    name,
    labels: {},
    annotations: {},
    createdAt: undefined,
    origin: { locate: () => undefined },
  };
}

function service(name: string): Service {
  return {
    meta: meta("Service", "v1", name),
    selector: undefined,
    ports: [{
      name: "http",
      port: 8080,
      targetPort: 8080,
      protocol: "TCP",
      appProtocol: undefined,
      at: ["spec", "ports", 0],
    }],
    clusterIps: [],
    headless: false,
    publishNotReadyAddresses: false,
  };
}

function slice(name: string, address: string): Snapshot["endpointSlices"][number] {
  const endpoint = {
    addresses: [address],
    ready: true,
    hostname: undefined,
    podName: undefined,
    zone: undefined,
  };
  return {
    meta: meta("EndpointSlice", "discovery.k8s.io/v1", name),
    service: name,
    ports: [{ name: "http", port: 8080, appProtocol: undefined }],
    endpoints: [endpoint],
  };
}

function backend(name: string, weight: number, index: number) {
  return { service: name, weight, weightText: `${weight}`, at: ["spec", "backends", index] };
}

const snapshot: Snapshot = {
  namespaces: [],
  serviceAccounts: [],
  services: ["httpbin", "httpbin-v1", "httpbin-v2"].map(service),
  endpointSlices: [slice("httpbin-v1", "10.0.0.1"), slice("httpbin-v2", "10.0.0.2")],
  pods: [],
  workloads: [],
  trafficSplits: [{
    meta: meta("TrafficSplit", "split.smi-spec.io/v1alpha4", "httpbin-split"),
    service: "httpbin",
    backends: [backend("httpbin-v1", 75, 0), backend("httpbin-v2", 25, 1)],
    matches: undefined,
  }],
  httpRouteGroups: [],
  tcpRoutes: [],
  trafficTargets: [],
  trafficPolicies: [],
  egresses: [],
  ingressBackends: [],
  gatewayRoutes: [],
  referenceGrants: [],
};

const { plan } = compile(snapshot);
const table = buildTable(plan, { namespace: "curl", identity: "", seed: null });
const state = new SplitState(table);
const decision = new Decision();
const backends: string[] = [];
for (let i = 0; i < 4; i++) {
  const head = requestHeadOf({ method: "GET", url: "http://httpbin.httpbin:8080/test" });
  decide(table, head, 80, state, decision);
  backends.push(decision.backend?.key ?? decision.reason ?? "");
}

declare global {
  var answer: { hash: string; backends: string[] };
}
globalThis.answer = { hash: plan.hash, backends };
