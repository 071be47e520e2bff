// Tests of what the SMI metrics API answers, from counters that are given.
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { labelKey } from "../../base/metrics.ts";
import { TrafficCounts } from "../traffic/traffic.ts";
import { SMI_METRICS_PATH, smiMetricsAnswer } from "./answers.ts";
import type { PodTraffic } from "./sidecar_history.ts";

function trafficOf(success: number, failure: number): TrafficCounts {
  const traffic = new TrafficCounts();
  traffic.success = success;
  traffic.failure = failure;
  traffic.buckets.set(1, success).set(Infinity, success + failure);
  return traffic;
}

function podOf(name: string, workload: string, answered: TrafficCounts, called = ""): PodTraffic {
  const calls = new Map(
    called === ""
      ? []
      : [[labelKey(`shop/${workload}`, `shop/${called}`), trafficOf(9, 1)] as const],
  );
  const pod = { namespace: "shop", name, workload, address: "10.0.0.1" };
  return { pod, counts: { calls, backends: new Map(), application: answered } };
}

const TRAFFIC = [
  podOf("web-1", "Deployment/web", trafficOf(7, 0)),
  podOf("web-2", "Deployment/web", trafficOf(2, 1)),
  podOf("client-1", "Deployment/client", new TrafficCounts(), "Deployment/web"),
];

/** Windows that were asked for. */
const ASKED: number[] = [];

async function ask(path: string, accept = "application/json") {
  const url = new URL(`https://controller${SMI_METRICS_PATH}${path}`);
  // deno-lint-ignore no-explicit-any -- what it answers is what is tested
  const { status, body }: { status: number; body: any } = await smiMetricsAnswer(url, accept, {
    window(ms) {
      ASKED.push(ms);
      return Promise.resolve({ seconds: 30.04, traffic: TRAFFIC });
    },
  });
  return { status, body };
}

function valuesOf(item: { metrics: { name: string; value: string }[] }): Record<string, string> {
  return Object.fromEntries(item.metrics.map(({ name, value }) => [name, value]));
}

Deno.test("SMI metrics: the kinds are listed without a look at sidecars", async () => {
  const { status, body } = await ask("");
  equal(status, 200);
  equal(body.kind, "APIResourceList");
  deepEqual(body.resources.map(({ name }: { name: string }) => name), [
    ...["namespaces", "pods", "deployments", "daemonsets", "statefulsets"],
  ]);
  deepEqual(ASKED, []);
});

Deno.test("SMI metrics: of a Deployment the answers of all its pods, as quantities", async () => {
  const { body } = await ask("/namespaces/shop/deployments/web?t=10s");
  equal(ASKED.pop(), 10_000);
  equal(body.kind, "TrafficMetrics");
  equal(body.window, "30s");
  deepEqual(body.resource, { kind: "Deployment", namespace: "shop", name: "web" });
  deepEqual(body.edge, { direction: "from", side: "server", resource: null });
  deepEqual(valuesOf(body), {
    p50_response_latency: "556m",
    p90_response_latency: "1",
    p99_response_latency: "1",
    success_count: "9",
    failure_count: "1",
  });
});

Deno.test("SMI metrics: lists, of a namespace and of all", async () => {
  const names = async (path: string) =>
    (await ask(path)).body.items.map(({ resource }: { resource: { name: string } }) =>
      resource.name
    );
  deepEqual(await names("/namespaces/shop/pods"), ["client-1", "web-1", "web-2"]);
  deepEqual(await names("/namespaces/other/pods"), []);
  deepEqual(await names("/deployments"), ["client", "web"]);
  deepEqual(await names("/namespaces"), ["shop"]);
  equal((await ask("/namespaces/shop")).body.kind, "TrafficMetrics");
});

Deno.test("SMI metrics: edges, seen from either end", async () => {
  const edges = async (path: string) =>
    (await ask(path)).body.items.map((
      { edge, metrics }: {
        edge: { direction: string; side: string; resource: { name: string } };
        metrics: never[];
      },
    ) => [edge.direction, edge.side, edge.resource.name, valuesOf({ metrics })["success_count"]]);
  deepEqual(await edges("/namespaces/shop/deployments/client/edges"), [[
    ...["to", "client", "web", "9"],
  ]]);
  deepEqual(await edges("/namespaces/shop/deployments/web/edges"), [[
    ...["from", "server", "client", "9"],
  ]]);
  deepEqual(await edges("/namespaces/shop/pods/client-1/edges"), [["to", "client", "web", "9"]]);
  deepEqual(await edges("/namespaces/shop/edges"), [
    ["to", "client", "shop", "9"],
    ["from", "server", "shop", "9"],
  ]);
});

Deno.test("SMI metrics: what is not there is said as the API server says it", async () => {
  for (
    const [path, code, reason] of [
      ["/services", 404, "NotFound"],
      ["/namespaces/shop/deployments/none", 404, "NotFound"],
      ["/namespaces/shop/deployments/edges/edges", 404, "NotFound"],
      ["/namespaces/shop/pods/web-1/edges/more", 404, "NotFound"],
      ["/pods/edges", 404, "NotFound"],
      ["/namespaces/shop/pods?t=1h", 400, "BadRequest"],
      ["/namespaces/shop/pods?t=soon", 400, "BadRequest"],
      ["/namespaces/shop/pods?labelSelector=app%3Dweb", 400, "BadRequest"],
    ] as const
  ) {
    const { status, body } = await ask(path);
    deepEqual([status, body.kind, body.code, body.reason], [code, "Status", code, reason], path);
    ok(body.message.length > 10);
  }
});

Deno.test("SMI metrics: a table for kubectl", async () => {
  const { body } = await ask("/namespaces/shop/deployments", "application/json;as=Table;v=v1");
  equal(body.kind, "Table");
  deepEqual(body.rows.map(({ cells }: { cells: string[] }) => cells), [
    ["client", "", "30s", "0", "0", "0ms", "0ms", "0ms"],
    ["web", "", "30s", "9", "1", "0.6ms", "1ms", "1ms"],
  ]);
  match(body.columnDefinitions[0].name, /^Name$/);
});
