// Tests of bindings.ts: what a plan says is made when it is asked for, and kept while plans have it.
import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import { LOCAL_STATE, type StateStore } from "../../base/state_store.ts";
import { compile } from "../../routing/compile/compile.ts";
import { buildTable } from "../../routing/table/build.ts";
import type { Table } from "../../routing/table/table.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { planOfMesh } from "../../tests/policy/mesh.ts";
import { Timers } from "../loop/timers.ts";
import { Bindings } from "./bindings.ts";

const ENDPOINTS = [{ port: 1 }, { port: 2 }, { port: 3 }];
const POLICY = {
  outlierDetection: {},
  connectionLimits: { maxConnections: 1 },
  rateLimit: { http: { requests: 1, per: "1h" } },
  mirror: { service: "copy" },
};

/** A table for these Services, each with the same endpoints and a policy. */
function tableOf(...names: string[]): Table {
  const plan = planOfMesh({
    services: Object.fromEntries([...names, "copy"].map((name) => [name, ENDPOINTS])),
    policies: Object.fromEntries(names.map((name) => [name, POLICY])),
  });
  return buildTable(plan, { namespace: "default", identity: "", seed: null });
}

/** Bindings, and what they ask of others: pools by endpoint, and keys of state that is kept elsewhere. */
class Fixture {
  readonly pools: string[] = [];
  readonly kept = new Set<string>();
  readonly bindings: Bindings;

  constructor() {
    const store: StateStore = {
      ...LOCAL_STATE,
      tally: (key, length, fill) => {
        this.kept.add(key);
        const tally = LOCAL_STATE.tally(key, length, fill);
        tally.release = () => void this.kept.delete(key);
        return tally;
      },
    };
    const timers = new Timers({ nowMs: 0, wakeBy() {} }, () => {});
    this.bindings = new Bindings(0, timers, null, store, {
      of: ({ key }) => {
        this.pools.push(key);
        return null;
      },
      retainOwn() {},
    });
  }

  bind(table: Table): void {
    this.pools.length = 0;
    this.bindings.bind(table, 0);
  }

  /** The state of a Service's backend, as the first request after a plan has it. */
  ask(table: Table, name: string) {
    const route = [...table.services.values()].flatMap(({ routes }) => routes).find(({ service }) =>
      service.key === `default/${name}`
    );
    ok(route !== undefined);
    return {
      backend: this.bindings.backend(route.backends[0], route, 0),
      route: this.bindings.route(route, route.backends[0], 0),
    };
  }

  get series(): string[] {
    const names = Array.from(this.bindings.samples(), ([name, labels]) => `${name} ${labels}`);
    return names.filter((name) => name.startsWith("weft_panic"));
  }
}

Deno.test("bindings: a plan alone makes nothing, whatever it says", () => {
  const fixture = new Fixture();
  fixture.bind(tableOf("one", "two"));
  deepEqual([fixture.pools, [...fixture.kept], [...fixture.bindings.samples()]], [[], [], []]);
});

Deno.test("bindings: the first request makes what it needs, and later ones have the same", () => {
  const fixture = new Fixture();
  const table = tableOf("one", "two");
  fixture.bind(table);
  const first = fixture.ask(table, "two");
  // Of the backend and of its mirror.
  equal(fixture.pools.length, 2 * ENDPOINTS.length);
  deepEqual([...fixture.kept], [
    "backend default/two:80 limits",
    "policy default/two:80 rateLimit Service default/two http",
  ]);
  deepEqual(fixture.series, ["weft_panic 0,default/two:80"]);
  deepEqual(fixture.ask(table, "two"), first);
  equal(fixture.pools.length, 2 * ENDPOINTS.length);
});

Deno.test("bindings: a new plan is for what was used, and gives back what it does not have", () => {
  const fixture = new Fixture();
  const before = tableOf("one", "two", "three");
  fixture.bind(before);
  const { backend } = fixture.ask(before, "one");
  fixture.ask(before, "two");
  const after = tableOf("zero", "one", "three");
  fixture.bind(after);
  equal(fixture.pools.length, 2 * ENDPOINTS.length, "of one and of the mirror");
  deepEqual([...fixture.kept], [
    "backend default/one:80 limits",
    "policy default/one:80 rateLimit Service default/one http",
  ]);
  deepEqual(fixture.series, ["weft_panic 0,default/one:80"]);
  equal(fixture.ask(after, "one").backend, backend);
  fixture.bind(tableOf());
  deepEqual([fixture.pools, [...fixture.kept], fixture.series], [[], [], []]);
  fixture.bind(after);
  notEqual(fixture.ask(after, "one").backend, backend);
});

Deno.test("bindings: limits last while a request is under way, whatever plans say meanwhile", () => {
  const fixture = new Fixture();
  const table = tableOf("one");
  fixture.bind(table);
  const { limits } = fixture.ask(table, "one").backend;
  ok(limits !== null && limits.takeRequest());
  // The request is delayed, and opens its connection later: that counts for those that come then.
  fixture.bind(tableOf());
  fixture.bind(tableOf());
  fixture.bind(table);
  equal(fixture.ask(table, "one").backend.limits, limits);
  limits.requestEnded();
  fixture.bind(tableOf());
  fixture.bind(table);
  notEqual(fixture.ask(table, "one").backend.limits, limits);
});

/** A headless Service `db` of three pods with limits, and a root `app` before it with a say of its own. */
function headlessTable(): Table {
  const ports = [{ name: "http", port: 80 }];
  const policyOf = (name: string, sections: Record<string, unknown>) => ({
    apiVersion: "weft.dev/v1alpha1",
    kind: "TrafficPolicy",
    metadata: { name },
    spec: { targetRefs: [{ kind: "Service", name }], ...sections },
  });
  const text = [
    { apiVersion: "v1", kind: "Service", metadata: { name: "app" }, spec: { ports } },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "db" },
      spec: { clusterIP: "None", ports },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      addressType: "IPv4",
      metadata: { name: "db", labels: { "kubernetes.io/service-name": "db" } },
      ports: [{ name: "http", port: 8080 }],
      endpoints: [1, 2, 3].map((i) => ({ addresses: [`10.0.0.${i}`], hostname: `db-${i}` })),
    },
    {
      apiVersion: "split.smi-spec.io/v1alpha4",
      kind: "TrafficSplit",
      metadata: { name: "app" },
      spec: { service: "app", backends: [{ service: "db", weight: 1 }] },
    },
    policyOf("db", { connectionLimits: { maxConnections: 1 } }),
    policyOf("app", { loadBalancing: { algorithm: "RoundRobin" } }),
  ].map((document) => JSON.stringify(document)).join("\n---\n");
  const { plan } = compile(parseManifests([{ name: "db.yaml", text }]).snapshot);
  return buildTable(plan, { namespace: "default", identity: "", seed: null });
}

Deno.test("bindings: a backend's own limits are one count by its name, by its pods' and by any root", () => {
  const fixture = new Fixture();
  const table = headlessTable();
  fixture.bind(table);
  const routes = [...table.services.values()].flatMap(({ routes }) => routes).filter((
    { backends },
  ) => backends.length > 0);
  const states = routes.map((route) => fixture.bindings.backend(route.backends[0], route, 0));
  // By name, by the three pods, and by the split of the root.
  equal(new Set(states).size, 5);
  equal(new Set(states.map(({ limits }) => limits)).size, 1);
  ok(states[0].limits !== null);
  deepEqual([...fixture.kept], ["backend default/db:80 limits"]);
});
