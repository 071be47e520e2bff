/** Properties of compile over random snapshots, and its scale. What it routes is in tests/smi_*_cases_test.ts. */
import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import type { Meta, Service, Snapshot } from "../../schemas/resources.ts";
import { decodePlan, encodePlan } from "../plan_codec.ts";
import { requestHeadOf } from "../request.ts";
import { decide, Decision } from "../table/decide.ts";
import { SplitState } from "../table/split.ts";
import { buildTable } from "../table/build.ts";
import { compile } from "./compile.ts";
import { anySnapshot } from "./snapshot_for_test.ts";

const AT = ["spec", "x", 0];

/** Another order of every list, the same for the same seed. */
function shuffled(snapshot: Snapshot, seed: number): Snapshot {
  const shuffle = <T>(items: readonly T[]): T[] =>
    items.map((item, index) => ({ item, key: Math.imul(index + 1, seed | 1) >>> 7 }))
      .sort((a, b) => a.key - b.key).map(({ item }) => item);
  return {
    namespaces: shuffle(snapshot.namespaces),
    serviceAccounts: shuffle(snapshot.serviceAccounts),
    services: shuffle(snapshot.services),
    endpointSlices: shuffle(snapshot.endpointSlices),
    pods: shuffle(snapshot.pods),
    workloads: shuffle(snapshot.workloads),
    trafficSplits: shuffle(snapshot.trafficSplits),
    httpRouteGroups: shuffle(snapshot.httpRouteGroups),
    tcpRoutes: shuffle(snapshot.tcpRoutes),
    trafficTargets: shuffle(snapshot.trafficTargets),
    egresses: shuffle(snapshot.egresses),
    ingressBackends: shuffle(snapshot.ingressBackends),
    trafficPolicies: shuffle(snapshot.trafficPolicies),
    gatewayRoutes: shuffle(snapshot.gatewayRoutes),
    referenceGrants: shuffle(snapshot.referenceGrants),
  };
}

Deno.test("compile: the order of the input never matters", () => {
  fc.assert(
    fc.property(anySnapshot, fc.boolean(), fc.integer(), (snapshot, permissive, seed) => {
      const one = compile(snapshot, { permissive });
      const other = compile(shuffled(snapshot, seed), { permissive });
      equal(encodePlan(other.plan), encodePlan(one.plan));
      deepEqual(other.findings, one.findings);
    }),
    { numRuns: 300 },
  );
});

Deno.test("compile: whatever the input, the plan reaches a proxy and decides every request", () => {
  fc.assert(
    fc.property(anySnapshot, fc.boolean(), (snapshot, permissive) => {
      const decoded = decodePlan(encodePlan(compile(snapshot, { permissive }).plan));
      if (!decoded.ok) throw new Error(decoded.message);
      const client = { namespace: "app", identity: "app/sa", seed: null };
      const table = buildTable(decoded.plan, client);
      const state = new SplitState(table);
      const decision = new Decision();
      for (const url of ["http://web.app/api", "http://api:8080/", "http://pod-0.web.app/x"]) {
        for (const method of ["GET", "POST", "BREW"]) {
          decide(table, requestHeadOf({ method, url }), 80, state, decision);
          equal(decision.outcome === "refuse", decision.endpointSet === null);
        }
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("compile: no two rules of a port ask for the same, and none is before a wider one", () => {
  fc.assert(
    fc.property(anySnapshot, (snapshot) => {
      for (const { ports } of compile(snapshot).plan.services) {
        for (const { rules } of ports) {
          const conditions = rules.map(({ match: { path, methods, headers } }) =>
            JSON.stringify([path, methods, headers])
          );
          equal(new Set(conditions).size, rules.length);
          const firstAnyPath = rules.findIndex(({ match }) => match.path === null);
          const rest = firstAnyPath < 0 ? [] : rules.slice(firstAnyPath);
          equal(rest.some(({ match }) => match.path === "/api"), false);
        }
      }
    }),
    { numRuns: 200 },
  );
});

function metaFor(kind: string, name: string): Meta {
  return {
    kind,
    apiVersion: "v1",
    namespace: "app",
    name,
    labels: {},
    annotations: {},
    createdAt: undefined,
    origin: { locate: () => undefined },
  };
}

function serviceNamed(name: string, selector: Record<string, string>): Service {
  const port = { name: "http", port: 80, targetPort: 8080, protocol: "TCP" };
  return {
    meta: metaFor("Service", name),
    selector,
    ports: [{ ...port, appProtocol: undefined, at: AT }],
    clusterIps: [],
    headless: false,
    publishNotReadyAddresses: false,
  };
}

/** `serviceCount` Services with a pod each, and one root with `ruleCount` rules in 100 splits. */
function largeSnapshot(serviceCount: number, ruleCount: number, path: (index: number) => string) {
  const names = Array.from({ length: serviceCount }, (_, index) => `service-${index}`);
  const splitNames = Array.from({ length: 100 }, (_, index) => `split-${index}`);
  const template = { annotations: {}, serviceAccount: "sa", containers: [] };
  const host = { hostname: undefined, subdomain: undefined };
  return {
    namespaces: [],
    serviceAccounts: [],
    services: [
      serviceNamed("root", { tier: "web" }),
      ...names.map((name) => serviceNamed(name, { tier: "web", name })),
    ],
    endpointSlices: [],
    pods: names.map((name) => ({
      meta: metaFor("Pod", name),
      template: { ...template, ...host, labels: { tier: "web", name } },
      ips: [],
      ready: true,
      owner: undefined,
    })),
    workloads: [],
    trafficSplits: splitNames.map((name, index) => ({
      meta: metaFor("TrafficSplit", name),
      service: "root",
      backends: [names[index], names[index + 1]].map((service) => ({
        service,
        weight: 1,
        weightText: "1",
        at: AT,
      })),
      matches: [{ kind: "HTTPRouteGroup", name, at: AT }],
    })),
    httpRouteGroups: splitNames.map((name, index) => ({
      meta: metaFor("HTTPRouteGroup", name),
      matches: Array.from({ length: ruleCount / splitNames.length }, (_, i) => ({
        name: `m${i}`,
        pathRegex: path(index * ruleCount / splitNames.length + i),
        methods: ["GET"],
        headers: [],
        at: ["spec", "matches", i],
      })),
    })),
    tcpRoutes: [],
    trafficTargets: [],
    egresses: [],
    ingressBackends: [],
    trafficPolicies: [],
    gatewayRoutes: [],
    referenceGrants: [],
  } satisfies Snapshot;
}

// No clock decides here: a quadratic step would take minutes, and the runner's limit ends it.
Deno.test("compile: 2,000 Services and 10,000 rules of one root", () => {
  const snapshot = largeSnapshot(2000, 10_000, (index) => `/tenants/${index}/items`);
  const { plan, findings } = compile(snapshot);
  const root = plan.services.find(({ name }) => name === "root");
  equal(root?.ports[0].rules.length, 10_000);
  deepEqual([...new Set(findings.map(({ code }) => code))], ["unmatched-reaches-backends"]);
});

Deno.test("compile: 2,000 rules whose patterns all begin alike", () => {
  const snapshot = largeSnapshot(200, 2000, (index) => `/[a-z]+/(x|y)${index}`);
  equal(
    compile(snapshot).plan.services.find(({ name }) => name === "root")?.ports[0].rules.length,
    2000,
  );
});
