/** What a client is told where attempts failed or were never made, through the real proxy, on both drivers. */
import assert from "node:assert/strict";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, testThroughProxy } from "../support/test_proxy.ts";
import { skipWithoutLinux, unreachable } from "../support/unreachable.ts";
import { until } from "../support/until.ts";
import { GET, outcomeOf, want } from "./client.ts";
import { applyMesh } from "./mesh.ts";

const DOWN = "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n";

const LAST_ATTEMPT: readonly ProxyCase[] = [
  {
    name: "the endpoints leave the plan while they are connected to: those that came are asked",
    skip: skipWithoutLinux,
    async run(proxy) {
      await using gone = await unreachable();
      await using other = new ScriptedOrigin(answering(() => ok("other")));
      await applyMesh(proxy, { services: { app: [gone] } });
      using client = await proxy.connect();
      await client.send(GET);
      await proxy.untilMetric("weft_upstream_connections_open", 1);
      await applyMesh(proxy, { services: { app: [other] } });
      assert.equal(outcomeOf(await client.readResponse()), "200 other");
    },
  },
  {
    name: "the failure itself ejects the last endpoint: why it failed, not that none is left",
    skip: skipWithoutLinux,
    async run(proxy) {
      await using gone = await unreachable();
      const outlierDetection = {
        consecutiveFailures: 1,
        ejectionTime: "1h",
        maxEjectedPercent: 100,
        panicThresholdPercent: 0,
      };
      await applyMesh(proxy, {
        services: { app: [gone] },
        policies: { app: { outlierDetection } },
      });
      using client = await proxy.connect();
      await want(client, "504 upstream-connect-timeout");
      await want(client, "503 no-healthy-endpoint");
    },
  },
  {
    name: "an answer that was to be tried again, and then a reset: the reset",
    async run(proxy) {
      let asked = 0;
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
        if (asked++ === 0) await socket.send(DOWN);
      });
      await applyMesh(proxy, {
        services: { app: [origin] },
        policies: { app: { retry: { attempts: 1, retryOn: [503], backoff: "1ms" } } },
      });
      using client = await proxy.connect();
      await want(client, "502 upstream-reset");
      assert.equal(asked, 2);
    },
  },
];

/** Longer than any test. */
const FOR_EVER = "1h";

const ENDED: readonly ProxyCase[] = [
  {
    name: "during an injected delay: the endpoint is not asked",
    async run(proxy) {
      await using origin = new ScriptedOrigin(answering(() => ok("late")));
      await applyMesh(proxy, {
        services: { app: [origin] },
        policies: { app: { fault: { delay: { duration: FOR_EVER } } } },
      });
      using client = await proxy.connect();
      await client.send(GET);
      await client.endSending();
      assert.equal(await client.readRest(), "");
      assert.equal(origin.accepted, 0);
    },
  },
  {
    name: "during the wait before a retry",
    async run(proxy) {
      await using origin = new ScriptedOrigin(answering(() => DOWN));
      await applyMesh(proxy, {
        services: { app: [origin] },
        policies: { app: { retry: { attempts: 9, retryOn: [503], backoff: "30s" } } },
      });
      const before = await proxy.metric("weft_upstream_retries_total");
      using client = await proxy.connect();
      await client.send(GET);
      const retries = () => proxy.metric("weft_upstream_retries_total");
      await until("a retry to be put off", retries, (count) => count > before);
      await client.endSending();
      assert.equal(await client.readRest(), "");
    },
  },
  {
    name: "while an endpoint is at work: it is not asked again",
    async run(proxy) {
      const release = Promise.withResolvers<void>();
      let asked = 0;
      await using origin = new ScriptedOrigin(answering(async () => {
        asked++;
        await release.promise;
        return DOWN;
      }));
      await applyMesh(proxy, {
        services: { app: [origin] },
        policies: { app: { retry: { retryOn: [503], backoff: "1ms" } } },
      });
      using client = await proxy.connect();
      await client.send(GET);
      await until("the endpoint to be asked", () => asked, (count) => count === 1);
      await client.endSending();
      assert.equal(await client.readRest(), "");
      release.resolve();
      assert.equal(asked, 1);
    },
  },
  {
    name: "while it waits for a connection",
    async run(proxy) {
      const release = Promise.withResolvers<void>();
      let asked = 0;
      await using origin = new ScriptedOrigin(answering(async () => {
        asked++;
        await release.promise;
        return ok("done");
      }));
      await applyMesh(proxy, {
        services: { app: [origin] },
        policies: { app: { connectionLimits: { maxConnections: 1 } } },
      });
      using first = await proxy.connect();
      await first.send(GET);
      await until("the endpoint to be asked", () => asked, (count) => count === 1);
      using second = await proxy.connect();
      await second.send(GET);
      await second.endSending();
      assert.equal(await second.readRest(), "");
      release.resolve();
      assert.equal(outcomeOf(await first.readResponse()), "200 done");
      assert.equal(asked, 1);
    },
  },
];

testThroughProxy("causes after attempts", LAST_ATTEMPT, { timeouts: { connectMs: 100 } });
testThroughProxy("clients that end their connection", ENDED);
