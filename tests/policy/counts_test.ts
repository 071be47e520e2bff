/** What policies did is counted, by backend or by what a policy is attached to, through the real proxy, on both drivers. */
import assert from "node:assert/strict";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, type TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { ask, GET, outcomeOf, tally, want } from "./client.ts";
import { applyMesh } from "./mesh.ts";

const DOWN = "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n";
const BACKEND = { listener: "0", backend: "default/app:80" };
const TARGET = { listener: "0", service: "default/app", port: "80", target: "Service default/app" };

/** The series of one metric, by their labels as text. */
async function seriesOf(proxy: TestProxy, name: string): Promise<Record<string, number>> {
  const samples = (await proxy.samples()).filter((sample) => sample.name === name);
  return Object.fromEntries(samples.map(({ labels, value }) => [textOf(labels), value]));
}

function textOf(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels).map(([name, value]) => `${name}=${value}`).join();
}

const CASES: readonly ProxyCase[] = [
  {
    name: "ejections by cause, those that last, and panic",
    async run(proxy) {
      await using down = new ScriptedOrigin(answering(() => DOWN));
      await using resetting = new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
      });
      await using good = new ScriptedOrigin(answering(() => ok("good")));
      const eject = async (maxEjectedPercent: number, panicThresholdPercent: number) =>
        await applyMesh(proxy, {
          services: { app: [down, resetting, good] },
          policies: {
            app: {
              loadBalancing: { algorithm: "RoundRobin" },
              outlierDetection: {
                consecutiveFailures: 1,
                ejectionTime: "1h",
                maxEjectedPercent,
                panicThresholdPercent,
              },
            },
          },
        });
      await eject(100, 0);
      using client = await proxy.connect();
      await tally(client, 9);
      assert.deepEqual(await seriesOf(proxy, "weft_ejections_active"), { [textOf(BACKEND)]: 2 });
      assert.deepEqual(await seriesOf(proxy, "weft_ejections_total"), {
        [textOf({ ...BACKEND, cause: "5xx" })]: 1,
        [textOf({ ...BACKEND, cause: "reset" })]: 1,
      });
      assert.deepEqual(await seriesOf(proxy, "weft_panic"), { [textOf(BACKEND)]: 0 });
      await eject(100, 50);
      assert.deepEqual(await seriesOf(proxy, "weft_panic"), { [textOf(BACKEND)]: 1 });
      // The series leave with the policy.
      await applyMesh(proxy, { services: { app: [down] } });
      assert.deepEqual(await seriesOf(proxy, "weft_ejections_active"), {});
      assert.deepEqual(await seriesOf(proxy, "weft_ejections_total"), {});
    },
  },
  {
    name: "requests that wait for a connection, and limits reached",
    async run(proxy) {
      const release = Promise.withResolvers<void>();
      await using origin = new ScriptedOrigin(answering(async () => {
        await release.promise;
        return ok("done");
      }));
      await applyMesh(proxy, {
        services: { app: [origin] },
        policies: {
          app: { connectionLimits: { maxConnections: 1, maxPending: 1, maxRequests: 3 } },
        },
      });
      const held = [await proxy.connect(), await proxy.connect()];
      for (const client of held) await client.send(GET);
      const name = "weft_pending_requests";
      await until("one to wait", () => proxy.metric(name), (count) => count === 1);
      using third = await proxy.connect();
      await want(third, "503 pending-limit");
      // A limit that is lower than what is under way.
      await applyMesh(proxy, {
        services: { app: [origin] },
        policies: {
          app: { connectionLimits: { maxConnections: 1, maxPending: 1, maxRequests: 2 } },
        },
      });
      await want(third, "503 request-limit");
      assert.deepEqual(await seriesOf(proxy, "weft_limit_hits_total"), {
        [textOf({ ...BACKEND, limit: "connections" })]: 2,
        [textOf({ ...BACKEND, limit: "pending" })]: 1,
        [textOf({ ...BACKEND, limit: "requests" })]: 1,
      });
      release.resolve();
      for (const client of held) {
        assert.equal(outcomeOf(await client.readResponse()), "200 done");
        client.close();
      }
      assert.deepEqual(await seriesOf(proxy, name), { [textOf(BACKEND)]: 0 });
    },
  },
  {
    name: "rates, faults and budgets, by what the policy is attached to",
    async run(proxy) {
      await using origin = new ScriptedOrigin(answering(() => DOWN));
      const services = { app: [origin] };
      using client = await proxy.connect();
      const rateLimit = { http: { requests: 1, per: "1h", burst: 2 } };
      await applyMesh(proxy, { services, policies: { app: { rateLimit } } });
      await tally(client, 5);
      assert.deepEqual(await seriesOf(proxy, "weft_rate_limited_total"), {
        [textOf({ ...TARGET, kind: "http" })]: 3,
        [textOf({ ...TARGET, kind: "tcp" })]: 0,
      });
      await applyMesh(proxy, {
        services,
        policies: {
          app: { rateLimit, fault: { delay: { duration: "1ms" }, abort: { status: 418 } } },
        },
      });
      assert.deepEqual(await tally(client, 1), { "429 rate-limited": 1 });
      await applyMesh(proxy, {
        services,
        policies: { app: { fault: { delay: { duration: "1ms" } } } },
      });
      await tally(client, 4);
      assert.deepEqual(await seriesOf(proxy, "weft_faults_injected_total"), {
        [textOf({ ...TARGET, kind: "delay" })]: 4,
        [textOf({ ...TARGET, kind: "abort" })]: 0,
      });
      assert.deepEqual(await seriesOf(proxy, "weft_rate_limited_total"), {});
      const retry = { attempts: 1, retryOn: ["5xx"], backoff: "1ms", budgetPercent: 0 };
      await applyMesh(proxy, { services, policies: { app: { retry } } });
      for (let i = 0; i < 3; i++) assert.equal(outcomeOf(await ask(client)), "500 ");
      assert.deepEqual(await seriesOf(proxy, "weft_retry_budget_exhausted_total"), {
        [textOf(TARGET)]: 3,
      });
    },
  },
];

testThroughProxy("counts of policies", CASES);
