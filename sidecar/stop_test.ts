// How `weft proxy` ends: what each signal and /quitquitquit mean for clients who come afterwards.
import assert from "node:assert/strict";
import { until } from "../tests/support/until.ts";
import {
  planText,
  requestThrough,
  type RunningSidecar,
  startApplication,
  startSidecar,
  testInFolder,
} from "./sidecar_for_test.ts";

/** Far longer than the test takes: that it is over is never waited for. */
const ACCEPT = ["--accept-timeout", "1h"];

async function statusOf({ admin }: RunningSidecar, path: string, method = "GET"): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${admin}${path}`, { method });
  await response.body?.cancel();
  return response.status;
}

function testStop(
  name: string,
  stop: (sidecar: RunningSidecar) => Promise<void>,
): void {
  for (const workers of Deno.build.os === "linux" ? ["0", "2"] : ["1"]) {
    testInFolder(`proxy, --workers ${workers}: ${name}`, async (folder) => {
      const application = startApplication("one");
      const file = `${folder}/plan.json`;
      Deno.writeTextFileSync(file, await planText(application.port));
      const sidecar = await startSidecar(["--plan", file, "--workers", workers, ...ACCEPT]);
      assert.equal((await requestThrough(sidecar.outbound, "web.app")).body, "one");
      await stop(sidecar);
      await application.server.shutdown();
    });
  }
}

testStop(
  "SIGTERM: not ready, but who comes is served; a second one ends it at once",
  async (sidecar) => {
    sidecar.environment.sendStopSignal("SIGTERM");
    await until("not ready", () => statusOf(sidecar, "/readyz"), (status) => status === 503);
    assert.equal(await statusOf(sidecar, "/healthz"), 200, "the kubelet must not restart it");
    assert.equal((await requestThrough(sidecar.outbound, "web.app")).body, "one");
    sidecar.environment.sendStopSignal("SIGTERM");
    assert.equal(await sidecar.code, 1);
  },
);

testStop("SIGINT: no new client is served", async (sidecar) => {
  sidecar.environment.sendStopSignal("SIGINT");
  assert.equal(await sidecar.code, 0);
  assert.equal((await requestThrough(sidecar.outbound, "web.app")).status, 0);
});

testStop("POST /quitquitquit: no new client is served", async (sidecar) => {
  assert.equal(await statusOf(sidecar, "/quitquitquit", "POST"), 200);
  assert.equal(await sidecar.code, 0);
  assert.equal((await requestThrough(sidecar.outbound, "web.app")).status, 0);
});

testStop("POST /quitquitquit, then SIGTERM: as /quitquitquit alone", async (sidecar) => {
  assert.equal(await statusOf(sidecar, "/quitquitquit", "POST"), 200);
  sidecar.environment.sendStopSignal("SIGTERM");
  assert.equal(await sidecar.code, 0);
});
