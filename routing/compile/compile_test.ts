/** Properties of compile over random snapshots, and its scale. What it routes is in tests/smi_*_cases_test.ts. */
import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import type { FieldPath } from "../../base/finding.ts";
import type {
  EndpointSlice,
  HttpRouteGroup,
  Meta,
  Pod,
  PodTemplate,
  Service,
  Snapshot,
  TcpRoute,
  TrafficPolicy,
  TrafficSplit,
  TrafficTarget,
} from "../../schemas/resources.ts";
import { decodePlan, encodePlan } from "../plan_codec.ts";
import { requestHeadOf } from "../request.ts";
import { decide, Decision } from "../table/decide.ts";
import { SplitState } from "../table/split.ts";
import { buildTable } from "../table/build.ts";
import { compile } from "./compile.ts";

// Few names, so that resources refer to each other, clash, and miss each other.
const NAMES = ["web", "web-a", "web-b", "api", "x1"];
const anyName = fc.constantFrom(...NAMES);
const anyNamespace = fc.constantFrom("app", "other");
const anyLabels = fc.dictionary(
  fc.constantFrom("app", "version", "__proto__"),
  fc.constantFrom("web", "a", "b"),
  { maxKeys: 2 },
);
const anyPortNumber = fc.constantFrom(80, 81, 8080);
const anyPortName = fc.constantFrom("", "http", "tcp-x", "grpc", "tls");
const anyAppProtocol = fc.constantFrom(undefined, "http", "tcp", "h2c", "odd");
const anyPath = fc.constantFrom(
  undefined,
  ".*",
  "/",
  "/api",
  "/api/.*",
  "/api/v[0-9]",
  "api",
  "/(",
  "(?=x)",
  "^/a|/b",
);
const AT: FieldPath = ["spec", "x", 0];

function metaOf(kind: string): fc.Arbitrary<Meta> {
  return fc.record({
    kind: fc.constant(kind),
    apiVersion: fc.constant("v1"),
    namespace: anyNamespace,
    name: anyName,
    labels: fc.constant({}),
    annotations: fc.constant({}),
    createdAt: fc.constantFrom(
      undefined,
      "2024-01-01T00:00:00Z",
      "2024-01-01T01:00:00+01:00",
      "2025-01-01T00:00:00Z",
      "no time",
    ),
    origin: fc.nat(3).map((line) => ({
      locate: () => line === 0 ? undefined : { file: "in.yaml", line, column: 1 },
    })),
  });
}

const anyService: fc.Arbitrary<Service> = fc.record({
  meta: metaOf("Service"),
  selector: fc.option(anyLabels, { nil: undefined }),
  ports: fc.array(
    fc.record({
      name: anyPortName,
      port: anyPortNumber,
      targetPort: fc.oneof(anyPortNumber, anyPortName),
      protocol: fc.constantFrom("TCP", "TCP", "UDP"),
      appProtocol: anyAppProtocol,
      at: fc.constant(AT),
    }),
    { maxLength: 3 },
  ),
  clusterIps: fc.constantFrom([], ["10.0.0.1"], ["fd00::1", "10.0.0.2"], ["None"]),
  headless: fc.boolean(),
  publishNotReadyAddresses: fc.boolean(),
});

const anyTemplate: fc.Arbitrary<PodTemplate> = fc.record({
  labels: anyLabels,
  annotations: fc.constant({}),
  serviceAccount: fc.constantFrom("", "sa"),
  containers: fc.array(
    fc.record({
      name: anyName,
      image: anyName,
      command: fc.constant([]),
      ports: fc.array(
        fc.record({
          name: anyPortName,
          containerPort: anyPortNumber,
          protocol: fc.constantFrom("TCP", "UDP"),
        }),
        { maxLength: 2 },
      ),
    }),
    { maxLength: 2 },
  ),
  hostname: fc.constantFrom(undefined, "pod-0"),
  subdomain: fc.constantFrom(undefined, "web"),
});

const anyPod: fc.Arbitrary<Pod> = fc.record({
  meta: metaOf("Pod"),
  template: anyTemplate,
  ips: fc.constantFrom([], ["10.1.0.1"], ["fd00::2", "10.1.0.2"]),
  ready: fc.boolean(),
  owner: fc.constantFrom(undefined, { kind: "StatefulSet", name: "web" }),
});

const anySlice: fc.Arbitrary<EndpointSlice> = fc.record({
  meta: metaOf("EndpointSlice").chain((meta) =>
    fc.constantFrom("EndpointSlice", "Endpoints").map((kind) => ({ ...meta, kind }))
  ),
  service: anyName,
  ports: fc.array(
    fc.record({ name: anyPortName, port: anyPortNumber, appProtocol: anyAppProtocol }),
    { maxLength: 2 },
  ),
  endpoints: fc.array(
    fc.record({
      addresses: fc.constantFrom([], ["10.1.0.1"], ["fd00::2"], ["pod.example.com"]),
      ready: fc.boolean(),
      hostname: fc.constantFrom(undefined, "pod-0"),
      podName: fc.option(anyName, { nil: undefined }),
      zone: fc.constant(undefined),
    }),
    { maxLength: 3 },
  ),
});

const anySplit: fc.Arbitrary<TrafficSplit> = fc.record({
  meta: metaOf("TrafficSplit"),
  service: fc.constantFrom(...NAMES, "web.app", "WEB.app.svc.", "web:80", "no such name", ""),
  backends: fc.array(
    fc.record({
      service: fc.constantFrom(...NAMES, "app/web-a", "web.other", "no such name", "\u0000"),
      weight: fc.constantFrom(0, 0, 1, 3, 75, -1, NaN, 1.5, 2 ** 52, Number.MAX_VALUE),
      weightText: fc.constant(""),
      at: fc.constant(AT),
    }),
    { maxLength: 4 },
  ),
  matches: fc.option(
    fc.array(
      fc.record({
        kind: fc.constantFrom("HTTPRouteGroup", "HTTPRouteGroup", "TCPRoute"),
        name: anyName,
        at: fc.constant(AT),
      }),
      { maxLength: 3 },
    ),
    { nil: undefined },
  ),
});

const anyGroup: fc.Arbitrary<HttpRouteGroup> = fc.record({
  meta: metaOf("HTTPRouteGroup"),
  matches: fc.array(
    fc.record({
      name: fc.constantFrom("", "m", "m#1", "a/b"),
      pathRegex: anyPath,
      methods: fc.constantFrom(undefined, [], ["*"], ["GET"], ["POST", "GET"], ["get"], ["NONE"]),
      headers: fc.array(
        fc.record({
          name: fc.constantFrom("X-V", "x-v", "host", ":authority"),
          pattern: fc.constantFrom(".*", "^1$", "(?=1)"),
          at: fc.constant(AT),
        }),
        { maxLength: 2 },
      ),
      at: fc.constant(AT),
    }),
    { maxLength: 4 },
  ),
});

const anySubject = fc.record({
  kind: fc.constantFrom("ServiceAccount", "ServiceAccount", "Group"),
  namespace: fc.constantFrom("", "app", "other"),
  name: fc.constantFrom("sa", "default"),
  at: fc.constant(AT),
});

const anyTarget: fc.Arbitrary<TrafficTarget> = fc.record({
  meta: metaOf("TrafficTarget"),
  destination: anySubject,
  port: fc.option(anyPortNumber, { nil: undefined }),
  sources: fc.array(anySubject, { maxLength: 2 }),
  rules: fc.array(
    fc.record({
      kind: fc.constantFrom("HTTPRouteGroup", "TCPRoute", "UDPRoute"),
      name: anyName,
      matches: fc.option(fc.array(fc.constantFrom("m", "none")), { nil: undefined }),
      at: fc.constant(AT),
    }),
    { maxLength: 3 },
  ),
});

const anyTcpRoute: fc.Arbitrary<TcpRoute> = fc.record({
  meta: metaOf("TCPRoute"),
  ports: fc.array(anyPortNumber, { maxLength: 2 }),
});

const anyPolicy: fc.Arbitrary<TrafficPolicy> = fc.record({
  meta: metaOf("TrafficPolicy"),
  targets: fc.array(
    fc.record({
      kind: fc.constantFrom("Service", "Service", "HTTPRouteGroup", "Gateway"),
      name: anyName,
      match: fc.option(fc.constantFrom("m", "none"), { nil: undefined }),
      at: fc.constant(AT),
    }),
    { maxLength: 3 },
  ),
  settings: fc.record({
    loadBalancing: fc.record({
      algorithm: fc.constantFrom("RoundRobin" as const, "PeakEwma" as const),
      hashKey: fc.constant(null),
    }),
    slowStart: fc.record({ windowMs: fc.integer({ min: 1, max: 10 }) }),
    timeouts: fc.record({
      requestMs: fc.option(fc.integer({ min: 1, max: 10 })),
      idleMs: fc.constant(null),
    }),
    mirror: fc.record({ service: anyName, percent: fc.constant(100) }),
  }, { requiredKeys: [] }),
});

const anySnapshot: fc.Arbitrary<Snapshot> = fc.record({
  namespaces: fc.constant([]),
  serviceAccounts: fc.constant([]),
  services: fc.array(anyService, { maxLength: 6 }),
  endpointSlices: fc.array(anySlice, { maxLength: 3 }),
  pods: fc.array(anyPod, { maxLength: 6 }),
  workloads: fc.array(
    fc.record({
      meta: metaOf("StatefulSet"),
      kind: fc.constant("StatefulSet" as const),
      replicas: fc.constant(1),
      template: anyTemplate,
      serviceName: fc.option(anyName, { nil: undefined }),
      owner: fc.constant(undefined),
    }),
    { maxLength: 2 },
  ),
  trafficSplits: fc.array(anySplit, { maxLength: 6 }),
  httpRouteGroups: fc.array(anyGroup, { maxLength: 5 }),
  tcpRoutes: fc.array(anyTcpRoute, { maxLength: 2 }),
  trafficTargets: fc.array(anyTarget, { maxLength: 3 }),
  trafficPolicies: fc.array(anyPolicy, { maxLength: 4 }),
});

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
    trafficPolicies: shuffle(snapshot.trafficPolicies),
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
    trafficPolicies: [],
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
