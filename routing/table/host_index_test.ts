import { deepStrictEqual as same, ok, strictEqual as equal } from "node:assert/strict";
import type { PlanService } from "../plan.ts";
import { HostIndex, HostMatch } from "./host_index.ts";
import { serviceForTest } from "./plan_for_test.ts";

const encoder = new TextEncoder();

const SERVICES = [
  serviceForTest({}, { clusterIps: ["10.96.0.7", "fd00:0:0:0::7"] }),
  serviceForTest({}, { name: "db", podHosts: ["db-0", "db-1"] }),
  serviceForTest({}, { name: "web", namespace: "other" }),
  serviceForTest({}, { name: "svc", namespace: "svc" }),
];

const CLUSTER = { clusterDomain: "cluster.local" };

/** What an authority names, the Service by its place; -1: none. */
function find(authority: string, namespace = "app") {
  const index = new HostIndex(placed(SERVICES), namespace, CLUSTER);
  const bytes = encoder.encode(`[${authority}]`); // Neighbouring bytes must not matter.
  const match = new HostMatch<Placed>();
  index.find(bytes, 1, bytes.length - 1, match);
  return { ...match, service: match.service?.place ?? -1 };
}

interface Placed {
  readonly plan: PlanService;
  readonly place: number;
}

function placed(services: readonly PlanService[]): Placed[] {
  return services.map((plan, place) => ({ plan, place }));
}

Deno.test("every spelling of a name is known, with port, trailing dot, in any case", () => {
  const names = ["web.app", "web.app.svc", "web.app.svc.cluster", "web.app.svc.cluster.local"];
  for (const name of names) {
    for (const namespace of ["app", "client"]) {
      for (const spelling of [name, `${name}.`, name.toUpperCase()]) {
        equal(find(spelling, namespace).service, 0, spelling);
        equal(find(spelling, namespace).port, -1);
        equal(find(`${spelling}:8080`, namespace).service, 0, spelling);
        equal(find(`${spelling}:8080`, namespace).port, 8080);
      }
    }
  }
});

Deno.test("a bare name means the Service of the client's own namespace", () => {
  equal(find("web").service, 0);
  equal(find("web:80").service, 0);
  equal(find("web", "other").service, 2);
  equal(find("web", "client").service, -1);
  equal(find("web.svc").service, -1, "a bare name takes no suffix");
});

Deno.test("a namespace called svc does not confuse suffixes with names", () => {
  equal(find("svc.svc").service, 3);
  equal(find("svc.svc.svc").service, 3);
  equal(find("svc.svc.svc.cluster.local").service, 3);
});

Deno.test("ClusterIPs are known, IPv6 in any spelling", () => {
  for (const authority of ["10.96.0.7", "10.96.0.7:80", "[fd00::7]", "[FD00:0::0.0.0.7]:80"]) {
    equal(find(authority).service, 0, authority);
  }
  equal(find("[fd00::8]").service, -1);
  equal(find("fd00::7").isValid, true, "the last colon starts a port");
  equal(find("fd00::7").service, -1, "IPv6 needs brackets");
});

Deno.test("pods of a headless Service are known by name", () => {
  const names = ["db-1.db.app", "db-1.db.app.svc", "db-1.db.app.svc.cluster.local:5432", "db-1.db"];
  for (const name of names) same([find(name).service, find(name).pod], [1, 1], name);
  equal(find("db.app").pod, -1);
  equal(find("db-2.db.app").service, -1);
  equal(find("db-1.db", "client").service, -1);
});

Deno.test("what is not a host, or not a host and a port, is not valid", () => {
  for (
    const authority of ["", ":80", ".", "web:x", "web:99999", "web:-1", "[fd00::7", "[]", "[::1]x"]
  ) {
    ok(!find(authority).isValid, authority);
  }
  ok(find("web:").isValid, "an empty port is the default (RFC 3986 section 3.2.3)");
  equal(find("web:").port, -1);
});

Deno.test("names that only look alike are not known", () => {
  for (
    const authority of [
      "web.app.cluster.local",
      "web.app.svc.cluster.loca",
      "web.app.svc.x",
      "xweb.app",
      "user@web.app",
      "web.app..",
      ".svc",
    ]
  ) {
    equal(find(authority).service, -1, authority);
  }
});

Deno.test("HostIndex: an alias is what it leads to, a Service, one of its pods, or a host outside", () => {
  const aliases = [
    { namespace: "app", name: "shop", host: "db.app.svc.cluster.local" },
    { namespace: "app", name: "first", host: "db-0.db.app.svc" },
    { namespace: "app", name: "api", host: "db.app.example.test" },
    { namespace: "app", name: "whole", host: "db.app" },
  ];
  const services = [serviceForTest({}, { name: "db", podHosts: ["db-0"] })];
  const index = new HostIndex(placed(services), "app", { ...CLUSTER, aliases });
  const found = (text: string) => {
    const match = new HostMatch<Placed>();
    const bytes = encoder.encode(text);
    index.find(bytes, 0, bytes.length, match);
    return [match.service?.place ?? -1, match.pod, match.alias?.host ?? null];
  };
  same(found("db"), [0, -1, null]);
  same(found("shop"), [0, -1, "db.app.svc.cluster.local"]);
  same(found("SHOP.app.svc.cluster.local.:80"), [0, -1, "db.app.svc.cluster.local"]);
  same(found("first.app"), [0, 0, "db-0.db.app.svc"]);
  same(found("api"), [-1, -1, "db.app.example.test"]);
  same(found("whole"), [-1, -1, "db.app"]);
  same(found("api.other"), [-1, -1, null]);
});
