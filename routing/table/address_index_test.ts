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
  ports: [portForTest({ port: 5432, protocol: "tcp" }), portForTest({ port: 9187 })],
});

const POD = endpointForTest(1);
const POD_V6 = endpointForTest(1, { address: "FD00:0:0::1" });

const index = new AddressIndex(planForTest([WEB, V1, HEADLESS], {
  groups: {
    "app/web:80": [],
    "app/v1:80": [POD, POD_V6],
    "app/db:5432": [POD, endpointForTest(2, { port: 5432 })],
    "app/db:9187": [endpointForTest(3, { port: 0 }), endpointForTest(4, { address: "" })],
  },
}));

Deno.test("AddressIndex: a ClusterIP and port is a Service's port, IPv6 too", () => {
  same(index.find("10.96.0.7", 80), { service: 0, port: 0, endpoint: null });
  same(index.find("fd00:96::7", 80), { service: 0, port: 0, endpoint: null });
});

Deno.test("AddressIndex: a port that the Service does not have is not of the mesh", () => {
  equal(index.find("10.96.0.7", 81), null);
  equal(index.find("10.96.0.8", 80), null);
});

Deno.test("AddressIndex: a pod's address belongs to the first Service that it stands behind", () => {
  same(index.find("10.0.0.1", 8080), { service: 1, port: 0, endpoint: POD });
  same(index.find("10.0.0.2", 5432)?.service, 2);
});

Deno.test("AddressIndex: addresses are compared as addresses, not as text", () => {
  same(index.find("fd00::1", 8080)?.endpoint, POD_V6);
});

Deno.test("AddressIndex: pods without port or address are left out", () => {
  equal(index.find("10.0.0.3", 0), null);
  equal(index.find("", 8080), null);
});
