/** What a client is told where attempts failed or were never made, through the real proxy, on both drivers. */
import assert from "node:assert/strict";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, testThroughProxy } from "../support/test_proxy.ts";
import { skipWithoutLinux, unreachable } from "../support/unreachable.ts";
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

testThroughProxy("causes after attempts", LAST_ATTEMPT, { timeouts: { connectMs: 100 } });
