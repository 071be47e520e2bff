// A loop that shares its thread: work that takes many small steps has them, and does not wait for the loop's long turns.
import { ok } from "node:assert/strict";
import { planForTest } from "../../routing/table/plan_for_test.ts";
import { DEFAULT_TIMEOUTS } from "../config.ts";
import { startProxy } from "./start_proxy.ts";

const STEPS = 60;

async function stepsMs(): Promise<number> {
  const startMs = performance.now();
  for (let i = 0; i < STEPS; i++) await Deno.stat(".");
  return performance.now() - startMs;
}

Deno.test({
  name: "local loop: while there is work on its thread an idle loop lets it go on",
  ignore: Deno.build.os !== "linux",
  // The driver's library stays loaded.
  sanitizeResources: false,
  async fn() {
    let isWorking = false;
    const proxy = await startProxy(
      {
        driver: "native",
        workers: 0,
        outbound: [{ address: "127.0.0.1", port: 0, namespace: "app", identity: "", seed: null }],
        inbound: [],
        admin: null,
        timeouts: DEFAULT_TIMEOUTS,
        bodyBytesMax: Infinity,
        reportRequests: false,
      },
      planForTest([]),
      { isWorking: () => isWorking },
    );
    try {
      const otherwiseMs = await stepsMs();
      isWorking = true;
      const workingMs = await stepsMs();
      ok(workingMs * 3 < otherwiseMs, `${workingMs} ms, and ${otherwiseMs} ms otherwise`);
    } finally {
      isWorking = true;
      await proxy.stop();
    }
  },
});
