import { deepStrictEqual as same, strictEqual as equal } from "node:assert/strict";
import { AddressIndex } from "./address_index.ts";
import {
  endpointForTest,
  planForTest,
  portForTest,
  routeForTest,
  serviceForTest,
} from "./plan_for_test.ts";

const WEB = serviceForTest({ fallback: routeForTest("split", { v1: 1, v2: 1 }) }, {
  clusterIps: ["10.96.0.7", "fd00:96::7"],
});
const V1 = serviceForTest({ fallback: routeForTest("own", { v1: 1 }) }, { name: "v1" });
const HEADLESS = serviceForTest({}, {
  name: "db",
  clusterIps: ["None"],
  ports: [
    portForTest({ port: 5432, protocol: "tcp" }),
    portForTest({ port: 8080 }),
    portForTest({ port: 9187 }),
  ],
});
const UNSAID = serviceForTest({ isGuessed: true }, { name: "a-first" });

const POD = endpointForTest(1);
const POD_V6 = endpointForTest(1, { address: "FD00:0:0::1" });

const index = new AddressIndex(planForTest([UNSAID, WEB, V1, HEADLESS], {
  groups: {
    "app/web:80": [],
    "app/v1:80": [POD, POD_V6],
    "app/db:5432": [endpointForTest(2, { port: 5432 })],
    "app/db:8080": [POD],
    "app/a-first:80": [POD],
    "app/db:9187": [endpointForTest(3, { port: 0 }), endpointForTest(4, { address: "" })],
  },
}));

/** The pod's ports of Services, as `service:port`. */
function listedAt(address: string, port: number): string[] | null {
  const found = index.find(address, port);
  if (found?.kind !== "pod") return null;
  return found.listed.map((each) => `${each.service}:${each.port.port}`);
}

Deno.test("AddressIndex: a ClusterIP is a Service's, IPv6 too, and its port may be one that is not there", () => {
  const [port] = WEB.ports;
  same(index.find("10.96.0.7", 80), { kind: "service", service: "app/web", port });
  same(index.find("fd00:96::7", 80), { kind: "service", service: "app/web", port });
  same(index.find("10.96.0.7", 81), { kind: "service", service: "app/web", port: null });
  equal(index.find("10.96.0.8", 80), null);
});

Deno.test("AddressIndex: a pod has the ports of all Services that it is behind, declared ones first", () => {
  same(listedAt("10.0.0.1", 8080), ["app/db:8080", "app/v1:80", "app/a-first:80"]);
  same(listedAt("10.0.0.2", 5432), ["app/db:5432"]);
  same(listedAt("10.0.0.2", 8080), []);
});

Deno.test("AddressIndex: a pod knows its headless Services, whichever port was asked for", () => {
  for (const port of [8080, 9, 5432]) {
    const found = index.find("10.0.0.1", port);
    same(found?.kind === "pod" && found.headless, ["app/a-first", "app/db", "app/v1"]);
    equal(found?.kind === "pod" && found.asked, port);
  }
});

Deno.test("AddressIndex: addresses are compared as addresses, not as text", () => {
  const found = index.find("fd00::1", 8080);
  same(found?.kind === "pod" && found.listed[0].endpoint, POD_V6);
});

Deno.test("AddressIndex: pods without port or address are left out", () => {
  equal(index.find("10.0.0.3", 0), null);
  equal(index.find("", 8080), null);
});
