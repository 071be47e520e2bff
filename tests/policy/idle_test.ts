/** What a proxy was never asked for costs it nothing: no series, no state. What was used is kept from plan to plan. */
import assert from "node:assert/strict";
import v8 from "node:v8";
import { BackendState } from "../../proxy/policy/backend_state.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { DRIVERS, TestProxy } from "../support/test_proxy.ts";
import { tally, want } from "./client.ts";
import { applyMesh, type Mesh } from "./mesh.ts";

const SERVICES = 200;
/** On loopback, so that each is an endpoint of its own; nothing listens there. */
const ENDPOINTS = Array.from({ length: 10 }, (_, i) => ({ port: i + 1 }));

/** Many Services that no request asks for, each with every section of a policy, and `app` in their middle. */
function large(app: readonly { readonly port: number }[], more: Partial<Mesh> = {}): Mesh {
  const names = Array.from({ length: SERVICES }, (_, i) => `service-${i}`);
  const unused = names.map((name) => [name, ENDPOINTS] as const);
  const half = SERVICES / 2;
  const policies = Object.fromEntries(
    [...names, "app"].map((name) => [name, {
      loadBalancing: { algorithm: "RoundRobin" },
      ...{
        outlierDetection: { consecutiveFailures: 1, ejectionTime: "1h" },
        retry: { retryOn: ["reset"] },
      },
      connectionLimits: { maxConnections: 9 },
      rateLimit: { http: { requests: 1_000, per: "1h" } },
      fault: { delay: { percent: 0, duration: "1ms" } },
      mirror: { service: "service-0", percent: 0 },
    }]),
  );
  return {
    services: Object.fromEntries([...unused.slice(0, half), ["app", app], ...unused.slice(half)]),
    policies,
    ...more,
  };
}

function start(driver: (typeof DRIVERS)[number]): Promise<TestProxy> {
  // The event loop is in this process, to be looked into.
  return TestProxy.start(driver, { workers: 0 });
}

for (const driver of DRIVERS) {
  Deno.test({
    name:
      `idle proxy (${driver}): a large mesh adds no series and no state to those of an empty one`,
    async fn() {
      await using proxy = await start(driver);
      const series = await proxy.samples();
      await applyMesh(proxy, large(ENDPOINTS));
      assert.ok(series.length < 100, `${series.length} series`);
      assert.deepEqual(
        (await proxy.samples()).map(({ name, labels }) => [name, Object.keys(labels)]),
        series.map(({ name, labels }) => [name, Object.keys(labels)]),
      );
      // Deno 2.6 cannot count them.
      if (typeof v8.queryObjects === "function") {
        assert.equal(v8.queryObjects(BackendState, { format: "count" }), 0);
      }
    },
  });

  Deno.test({
    name: `idle proxy (${driver}): the first request makes what its route needs, and is counted`,
    async fn() {
      await using proxy = await start(driver);
      await using origin = new ScriptedOrigin(answering(() => ok("here")));
      await applyMesh(proxy, large([origin]));
      using client = await proxy.connect();
      await want(client, "200 here");
      assert.equal(await proxy.metric("weft_requests_total"), 1);
      assert.equal(await proxy.metric("weft_request_duration_seconds_count"), 1);
      assert.equal(await proxy.metric("osm_request_total"), 1);
      const named = (await proxy.samples()).filter(({ labels }) => "service" in labels);
      assert.deepEqual([...new Set(named.map(({ labels }) => labels.service))], ["default/app"]);
    },
  });

  Deno.test({
    name: `plans (${driver}): what was used is kept while it is in them, also where it is not used`,
    async fn() {
      await using proxy = await start(driver);
      await using down = new ScriptedOrigin(answering(() => ok("down").replace("200", "500")));
      await using good = new ScriptedOrigin(answering(() => ok("good")));
      const mesh = large([down, good]);
      await applyMesh(proxy, mesh);
      using client = await proxy.connect();
      const both = { "500 down": 1, "200 good": 1 };
      assert.deepEqual(await tally(client, 2), both);
      const kept = async () => ({
        requests: await proxy.metric("weft_requests_total"),
        ejected: await proxy.metric("weft_ejections_active"),
        ejections: await proxy.metric("weft_ejections_total"),
      });
      const before = { requests: 2, ejected: 1, ejections: 1 };
      assert.deepEqual(await kept(), before);
      await applyMesh(proxy, large([good, down]));
      await applyMesh(proxy, mesh);
      assert.deepEqual(await kept(), before);
      await want(client, "200 good");
      assert.deepEqual(await kept(), { ...before, requests: 3 });
      // What leaves the plan is forgotten, and begins anew where it comes back.
      await applyMesh(proxy, { services: { other: [good] } });
      assert.deepEqual(await kept(), { requests: 0, ejected: 0, ejections: 0 });
      await applyMesh(proxy, mesh);
      assert.deepEqual(await kept(), { requests: 0, ejected: 0, ejections: 0 });
      assert.deepEqual(await tally(client, 2), both);
      assert.deepEqual(await kept(), before);
    },
  });

  Deno.test({
    name: `plans (${driver}): what is left of a rate is kept while nothing is asked`,
    async fn() {
      await using proxy = await start(driver);
      await using origin = new ScriptedOrigin(answering(() => ok("here")));
      const rateLimit = { http: { requests: 1, per: "1h", burst: 2 } };
      const mesh = large([origin], { policies: { app: { rateLimit } } });
      await applyMesh(proxy, mesh);
      using client = await proxy.connect();
      await want(client, "200 here");
      await applyMesh(proxy, mesh);
      await applyMesh(proxy, mesh);
      await want(client, "200 here");
      await want(client, "429 rate-limited");
      await applyMesh(proxy, mesh);
      assert.equal(await proxy.metric("weft_rate_limited_total"), 1);
    },
  });
}
