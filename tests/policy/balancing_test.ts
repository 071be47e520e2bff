/** Load balancing, ejection and slow start through the real proxy, on both drivers. */
import { closedPort } from "../support/free_port.ts";
import assert from "node:assert/strict";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, testThroughProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { ask, GET, outcomeOf, request, tally, want } from "./client.ts";
import { applyMesh } from "./mesh.ts";

/** An endpoint that answers with its name. */
function named(name: string): ScriptedOrigin {
  return new ScriptedOrigin(answering(() => ok(name)), { mayFail: true });
}

const DOWN = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";

const CASES: readonly ProxyCase[] = [
  {
    name: "a split keeps its exact counts, whatever balances inside its backends",
    async run(proxy) {
      await using a1 = named("a");
      await using a2 = named("a");
      await using b = named("b");
      for (const algorithm of ["PeakEwma", "LeastRequest", "RoundRobin"]) {
        await applyMesh(proxy, {
          services: { app: [a1], a: [a1, a2], b: [b] },
          split: { a: 3, b: 1 },
          policies: { app: { loadBalancing: { algorithm } } },
        });
        using client = await proxy.connect();
        for (let i = 0; i < 3; i++) {
          assert.deepEqual(await tally(client, 4), { "200 a": 3, "200 b": 1 }, algorithm);
        }
      }
    },
  },
  {
    name: "RoundRobin: in turn",
    async run(proxy) {
      await using a = named("a");
      await using b = named("b");
      await using c = named("c");
      await applyMesh(proxy, {
        services: { app: [a, b, c] },
        policies: { app: { loadBalancing: { algorithm: "RoundRobin" } } },
      });
      using client = await proxy.connect();
      assert.deepEqual(await tally(client, 9), { "200 a": 3, "200 b": 3, "200 c": 3 });
    },
  },
  {
    name:
      "sessionAffinity: ClientIP of a Service: one caller, one endpoint, unless a policy balances",
    async run(proxy) {
      await using a = named("a");
      await using b = named("b");
      await using c = named("c");
      const services = { app: [a, b, c] };
      await applyMesh(proxy, { services, byClient: ["app"] });
      const places = new Set<string>();
      for (let i = 0; i < 4; i++) {
        using client = await proxy.connect();
        for (const outcome of Object.keys(await tally(client, 5))) places.add(outcome);
      }
      assert.equal(places.size, 1, [...places].join());
      const policies = { app: { loadBalancing: { algorithm: "RoundRobin" } } };
      await applyMesh(proxy, { services, byClient: ["app"], policies });
      using client = await proxy.connect();
      assert.deepEqual(await tally(client, 6), { "200 a": 2, "200 b": 2, "200 c": 2 });
    },
  },
  ...["PeakEwma", "LeastRequest", "the default"].map((algorithm): ProxyCase => ({
    name: `${algorithm}: an endpoint that has a request under way gets no more of them`,
    async run(proxy) {
      const release = Promise.withResolvers<void>();
      let asked = 0;
      const heldOnce = (name: string) =>
        new ScriptedOrigin(answering(async () => {
          if (asked++ === 0) await release.promise;
          return ok(name);
        }));
      await using a = heldOnce("a");
      await using b = heldOnce("b");
      const policies = algorithm === "the default" ? {} : {
        app: { loadBalancing: { algorithm } },
      };
      await applyMesh(proxy, { services: { app: [a, b] }, policies });
      using held = await proxy.connect();
      using client = await proxy.connect();
      await held.send(GET);
      await until("an endpoint to be asked", () => asked, (count) => count === 1);
      const busy = a.accepted === 1 ? "a" : "b";
      assert.deepEqual(await tally(client, 10), { [`200 ${busy === "a" ? "b" : "a"}`]: 10 });
      release.resolve();
      assert.equal(outcomeOf(await held.readResponse()), `200 ${busy}`);
    },
  })),
  {
    name: "RingHash: a header, a cookie and the source address keep their endpoint",
    async run(proxy) {
      const origins = ["a", "b", "c", "d", "e"].map(named);
      try {
        const keyed = async (hashKey: Record<string, unknown>) => {
          await applyMesh(proxy, {
            services: { app: origins },
            policies: { app: { loadBalancing: { algorithm: "RingHash", hashKey } } },
          });
        };
        using client = await proxy.connect();
        const placeOf = async (header: string) => {
          const counts = await tally(client, 4, request("GET", { headers: [header] }));
          assert.equal(Object.keys(counts).length, 1, `${header}: ${JSON.stringify(counts)}`);
          return Object.keys(counts)[0];
        };
        const users = Array.from({ length: 20 }, (_, i) => `user-${i}`);
        await keyed({ header: "X-User" });
        const byHeader = [];
        for (const user of users) byHeader.push(await placeOf(`x-user: ${user}`));
        assert.ok(new Set(byHeader).size > 2, byHeader.join());
        await keyed({ cookie: "session" });
        const byCookie = [];
        for (const user of users) byCookie.push(await placeOf(`Cookie: a=1; session=${user}`));
        assert.ok(new Set(byCookie).size > 2, byCookie.join());
        await keyed({ sourceIp: true });
        assert.equal(Object.keys(await tally(client, 8)).length, 1);
      } finally {
        for (const origin of origins) await origin[Symbol.asyncDispose]();
      }
    },
  },
  {
    name: "RingHash: the keys of an endpoint that refuses have the same second choice each time",
    async run(proxy) {
      const origins = ["a", "b", "c", "d"].map(named);
      try {
        const loadBalancing = { algorithm: "RingHash", hashKey: { header: "X-User" } };
        await applyMesh(proxy, {
          services: { app: [closedPort(), ...origins] },
          policies: { app: { loadBalancing } },
        });
        using client = await proxy.connect();
        const before = await proxy.metric("weft_upstream_connect_failures_total");
        for (let user = 0; user < 40; user++) {
          const text = request("GET", { headers: [`X-User: user-${user}`] });
          const counts = await tally(client, 4, text);
          assert.equal(Object.keys(counts).length, 1, `${user}: ${JSON.stringify(counts)}`);
        }
        assert.ok(await proxy.metric("weft_upstream_connect_failures_total") > before);
      } finally {
        for (const origin of origins) await origin[Symbol.asyncDispose]();
      }
    },
  },
  {
    name: "RingHash with maxLoadPercent: a full endpoint's requests go to the next, and come back",
    async run(proxy) {
      const release = Promise.withResolvers<void>();
      const origins = ["a", "b"].map((name) =>
        new ScriptedOrigin(answering(async () => {
          await release.promise;
          return ok(name);
        }))
      );
      const [a, b] = origins;
      try {
        const hashKey = { header: "X-User" };
        await applyMesh(proxy, {
          services: { app: origins },
          policies: {
            app: { loadBalancing: { algorithm: "RingHash", hashKey, maxLoadPercent: 125 } },
          },
        });
        const text = request("GET", { headers: ["X-User: one"] });
        const clients = [await proxy.connect(), await proxy.connect(), await proxy.connect()];
        for (const [i, client] of clients.entries()) {
          await client.send(text);
          await until("it to be asked", () => a.accepted + b.accepted, (count) => count === i + 1);
        }
        // Of one, two and three requests on two endpoints, one may have 1, 2 and again 2: a quarter above the average.
        assert.deepEqual([a.accepted, b.accepted].toSorted(), [1, 2]);
        const own = a.accepted === 2 ? "a" : "b";
        release.resolve();
        const outcomes = [];
        for (const client of clients) outcomes.push(outcomeOf(await client.readResponse()));
        const other = own === "a" ? "b" : "a";
        assert.deepEqual(outcomes, [`200 ${own}`, `200 ${own}`, `200 ${other}`]);
        assert.deepEqual(await tally(clients[2], 5, text), { [`200 ${own}`]: 5 });
        for (const client of clients) client.close();
      } finally {
        for (const origin of origins) await origin[Symbol.asyncDispose]();
      }
    },
  },
  {
    name: "ejection: an endpoint that answers 5xx again and again is left out, and comes back",
    async run(proxy) {
      let isDown = true;
      let asked = 0;
      await using bad = new ScriptedOrigin(answering(() => {
        asked++;
        return isDown ? DOWN : ok("bad");
      }));
      await using good = named("good");
      await applyMesh(proxy, {
        services: { app: [bad, good] },
        policies: {
          app: {
            loadBalancing: { algorithm: "RoundRobin" },
            outlierDetection: { consecutiveFailures: 3, ejectionTime: "150ms" },
          },
        },
      });
      using client = await proxy.connect();
      assert.deepEqual(await tally(client, 6), { "500 ": 3, "200 good": 3 });
      assert.equal(asked, 3);
      assert.deepEqual(await tally(client, 20), { "200 good": 20 });
      isDown = false;
      await until(
        "it to come back",
        async () => outcomeOf(await ask(client)),
        (outcome) => outcome === "200 bad",
      );
    },
  },
  {
    name: "ejection: never the only endpoint, and in a panic no endpoint is left out",
    async run(proxy) {
      await using bad = new ScriptedOrigin(answering(() => DOWN));
      await using worse = new ScriptedOrigin(answering(() => DOWN));
      const outlierDetection = { consecutiveFailures: 1, ejectionTime: "1h" };
      await applyMesh(proxy, { services: { app: [bad] }, policies: { app: { outlierDetection } } });
      using client = await proxy.connect();
      assert.deepEqual(await tally(client, 5), { "500 ": 5 });
      await applyMesh(proxy, {
        services: { app: [bad, worse] },
        policies: { app: { outlierDetection: { ...outlierDetection, maxEjectedPercent: 100 } } },
      });
      assert.deepEqual(await tally(client, 6), { "500 ": 6 });
    },
  },
  {
    name: "ejection: with no panic there may be no endpoint left: 503",
    async run(proxy) {
      await using bad = new ScriptedOrigin(answering(() => DOWN));
      const outlierDetection = {
        consecutiveFailures: 2,
        ejectionTime: "1h",
        maxEjectedPercent: 100,
        panicThresholdPercent: 0,
      };
      await applyMesh(proxy, { services: { app: [bad] }, policies: { app: { outlierDetection } } });
      using client = await proxy.connect();
      await want(client, "500 ");
      await want(client, "500 ");
      await want(client, "503 no-healthy-endpoint");
      // Without the policy nothing is left out.
      await applyMesh(proxy, { services: { app: [bad] } });
      await want(client, "500 ");
    },
  },
  {
    name: "ejection: refused connections and resets count",
    async run(proxy) {
      const refusing = closedPort();
      await using resetting = new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
      });
      await using good = named("good");
      const policies = {
        app: {
          loadBalancing: { algorithm: "RoundRobin" },
          outlierDetection: { consecutiveFailures: 1, ejectionTime: "1h" },
        },
      };
      await applyMesh(proxy, { services: { app: [resetting, good] }, policies });
      using client = await proxy.connect();
      assert.deepEqual(await tally(client, 8), { "502 upstream-reset": 1, "200 good": 7 });
      assert.equal(resetting.accepted, 1);
      await applyMesh(proxy, { services: { app: [refusing, good] }, policies });
      const before = await proxy.metric("weft_upstream_connect_failures_total");
      assert.deepEqual(await tally(client, 12), { "200 good": 12 });
      assert.equal(await proxy.metric("weft_upstream_connect_failures_total"), before + 1);
    },
  },
  {
    name: "slow start: a new endpoint begins with a small share",
    async run(proxy) {
      await using old = named("old");
      await using fresh = named("new");
      const policies = {
        app: { loadBalancing: { algorithm: "RoundRobin" }, slowStart: { window: "1h" } },
      };
      await applyMesh(proxy, { services: { app: [old] }, policies });
      using client = await proxy.connect();
      await want(client, "200 old");
      await applyMesh(proxy, { services: { app: [old, fresh] }, policies });
      const { "200 new": share = 0 } = await tally(client, 200);
      // A tenth of its turns: some 18 of 200, four standard deviations to either side.
      assert.ok(share > 2 && share < 36, String(share));
    },
  },
];

testThroughProxy("balancing by policy", CASES);
