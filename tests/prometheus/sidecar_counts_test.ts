/** The controller reads of a sidecar's metrics what a sidecar has counted. */
import assert from "node:assert/strict";
import { labelKey } from "../../base/metrics.ts";
import {
  callOf,
  countsSince,
  readSidecarCounts,
  type SidecarCounts,
} from "../../controller/traffic/sidecar_counts.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { answering, ScriptedOrigin } from "../support/scripted_origin.ts";
import { configOf, podinfoPlan } from "./podinfo.ts";

Deno.test({
  name: "sidecar counts: calls, backends and the application's own answers, and what came since",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    let count = 0;
    await using origin = new ScriptedOrigin(
      answering(() =>
        `HTTP/1.1 ${count++ % 5 === 0 ? "500 Bad" : "200 OK"}\r\nContent-Length: 0\r\n\r\n`
      ),
      { mayFail: true },
    );
    const { port } = origin;
    const application = { address: "127.0.0.1", port };
    const proxy = await startProxy({
      ...configOf(),
      workers: 1,
      inbound: [{ address: "127.0.0.1", port: 0, application, identity: "test/podinfo" }],
    }, podinfoPlan({ "podinfo-primary": port, "podinfo-canary": port }, [3, 1]));
    const read = async (): Promise<SidecarCounts> => {
      const response = await fetch(`http://127.0.0.1:${proxy.admin?.port}/metrics`);
      return readSidecarCounts(await response.text());
    };
    const ask = async (port: number, times: number) => {
      using client = await RawSocket.connect(port);
      for (let i = 0; i < times; i++) {
        await client.send("GET / HTTP/1.1\r\nHost: podinfo.test:9898\r\n\r\n");
        await client.readResponse();
      }
    };
    try {
      await ask(proxy.outbound[0].port, 40);
      const first = await read();
      const calls = Array.from(first.calls, ([key, { count }]) => [callOf(key), count] as const)
        .toSorted(([, a], [, b]) => a - b);
      assert.deepEqual(calls, [
        [callTo("podinfo-canary"), 10],
        [callTo("podinfo-primary"), 30],
      ]);
      const sum = [...first.calls.values()].reduce((failed, { failure }) => failed + failure, 0);
      assert.equal(sum, 8);
      await ask(proxy.inbound[0].port, 10);
      await ask(proxy.outbound[0].port, 20);
      const { backends, application } = countsSince(await read(), first);
      const canary = backends.get(labelKey("test/podinfo", "test/podinfo-canary"));
      assert.equal(canary?.count, 5);
      assert.ok((canary.quantile(0.99) ?? 0) > 0);
      assert.deepEqual([application.success, application.failure], [8, 2]);
    } finally {
      await proxy.stop();
    }
  },
});

function callTo(name: string): { source: string; destination: string } {
  return { source: "test/Deployment/loadtester", destination: `test/Deployment/${name}` };
}
