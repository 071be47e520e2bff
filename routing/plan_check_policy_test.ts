/** What a proxy takes of a plan's policies, and what it refuses, whatever its source. */
import { deepEqual, throws } from "node:assert/strict";
import { endpointPolicy, routePolicy } from "./plan_check_policy.ts";

const SOURCE = {
  policy: { kind: "TrafficPolicy", namespace: "app", name: "web" },
  target: "Service app/web",
  position: null,
};

function withSources(sections: Readonly<Record<string, unknown>>): unknown {
  const sources = Object.fromEntries(Object.keys(sections).map((name) => [name, SOURCE]));
  return { sources, ...sections };
}

const HASH_KEY = { source: "header", name: "x-user" };
const RETRY = {
  attempts: 2,
  conditions: ["5xx"],
  statuses: [429],
  methods: ["GET"],
  perTryTimeoutMs: null,
  budgetPercent: 20,
  backoffMs: 25,
};
const NO_CHANGES = { set: [], add: [], remove: [] };

const ENDPOINT_SECTIONS: Readonly<Record<string, unknown>> = {
  loadBalancing: { algorithm: "RingHash", hashKey: HASH_KEY, maxLoadPercent: 125 },
  outlierDetection: {
    consecutiveFailures: 5,
    ejectionTimeMs: 30_000,
    maxEjectedPercent: 50,
    panicThresholdPercent: 0,
  },
  slowStart: { windowMs: 1 },
  connectionLimits: { maxConnections: null, maxPending: 0, maxRequests: 1 },
};

const ROUTE_SECTIONS: Readonly<Record<string, unknown>> = {
  retry: RETRY,
  timeouts: { requestMs: 1, idleMs: null },
  rateLimit: { http: { count: 1, perMs: 1_000, burst: 1 }, tcp: null, status: 429, headers: [] },
  headers: { request: { ...NO_CHANGES, remove: ["a"] }, response: NO_CHANGES },
  fault: { delay: null, abort: { percent: 0.5, status: 503 } },
  mirror: { namespace: "app", service: "next", group: "app/next:80", percent: 10 },
  sessionAffinity: { key: { source: "cookie", name: "S" }, ttlSeconds: 60 },
};

Deno.test("policies of a plan: what is right is taken as it is", () => {
  for (const sections of [ENDPOINT_SECTIONS, {}, { slowStart: { windowMs: 5 } }]) {
    deepEqual(endpointPolicy(withSources(sections), "policy"), withSources(sections));
  }
  const unlimited = { timeouts: { requestMs: 0, idleMs: 0 } };
  for (const sections of [ROUTE_SECTIONS, {}, { retry: RETRY }, unlimited]) {
    deepEqual(routePolicy(withSources(sections), "policy"), withSources(sections));
  }
});

const added = (name: string, value: string) => ({
  request: { ...NO_CHANGES, add: [{ name, value }] },
  response: NO_CHANGES,
});
const kept = (key: unknown) => ({ key, ttlSeconds: null });

/** One section each, and where the complaint points. */
const WRONG: readonly [section: string, value: unknown, path: string][] = [
  ["loadBalancing", { algorithm: "Random", hashKey: null }, "algorithm"],
  ["loadBalancing", { algorithm: "RingHash", hashKey: null }, "hashKey"],
  ["loadBalancing", { algorithm: "PeakEwma", hashKey: HASH_KEY }, "hashKey"],
  [
    "loadBalancing",
    { algorithm: "PeakEwma", hashKey: null, maxLoadPercent: 125 },
    "maxLoadPercent",
  ],
  ["loadBalancing", { algorithm: "RingHash", hashKey: HASH_KEY, maxLoadPercent: 100 }, "maxLoad"],
  ["loadBalancing", { algorithm: "RingHash", hashKey: { source: "header", name: "X" } }, "name"],
  ["outlierDetection", { ...Object(ENDPOINT_SECTIONS.outlierDetection), ejectionTimeMs: 0 }, "Ms"],
  ["slowStart", { windowMs: 0.5 }, "windowMs"],
  ["connectionLimits", { maxConnections: 0, maxPending: 0, maxRequests: null }, "maxConnections"],
  ["retry", { ...RETRY, attempts: 1_000 }, "attempts"],
  ["retry", { ...RETRY, statuses: [200] }, "statuses"],
  ["retry", { ...RETRY, methods: ["FETCH"] }, "methods"],
  ["timeouts", { requestMs: -1, idleMs: null }, "requestMs"],
  ["timeouts", { requestMs: 2 ** 40, idleMs: null }, "requestMs"],
  ["headers", added("a", "b\r\nc: d"), "value"],
  ["headers", added("a", "b\0"), "value"],
  ["headers", added("A", "b"), "name"],
  ["headers", added(":path", "/other"), "name"],
  ["headers", added("a b", "c"), "name"],
  ["headers", added("a", "b".repeat(1_025)), "value"],
  [
    "headers",
    {
      request: {
        ...NO_CHANGES,
        set: Array.from({ length: 5 }, () => ({ name: "a", value: "b".repeat(1_000) })),
      },
      response: NO_CHANGES,
    },
    "request",
  ],
  ["fault", { delay: null, abort: { percent: 101, status: 503 } }, "percent"],
  ["fault", { delay: null, abort: { percent: 1, status: 100 } }, "status"],
  ["mirror", { namespace: "app", service: "a/b", group: "g", percent: 1 }, "service"],
  ["sessionAffinity", kept({ source: "source-ip", name: "" }), "source"],
  ["sessionAffinity", kept({ source: "cookie", name: "a=b" }), "name"],
  ["sessionAffinity", kept({ source: "cookie", name: "" }), "name"],
];

Deno.test("policies of a plan: what is wrong is refused, and where it stands is said", () => {
  for (const [section, value, path] of WRONG) {
    const check = section in ENDPOINT_SECTIONS ? endpointPolicy : routePolicy;
    const refused = new RegExp(`policy\\.${section}.*${path}`);
    throws(
      () => check(withSources({ [section]: value }), "policy"),
      refused,
      JSON.stringify(value),
    );
  }
});

Deno.test("policies of a plan: every section has a source, and nothing else has", () => {
  throws(
    () => routePolicy({ sources: {}, timeouts: ROUTE_SECTIONS.timeouts }, "policy"),
    /sources/,
  );
  throws(() => routePolicy({ sources: { timeouts: SOURCE } }, "policy"), /sources/);
  // A section of a later version.
  endpointPolicy(withSources({ hedging: {} }), "policy");
  throws(() => endpointPolicy({ ...Object(withSources({})), hedging: {} }, "policy"), /sources/);
});
