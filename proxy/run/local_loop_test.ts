// A loop that shares its thread: work that takes many small steps has them, and does not wait for the loop's long turns.
import { equal, ok } from "node:assert/strict";
import { planForTest } from "../../routing/table/plan_for_test.ts";
import { DEFAULT_TIMEOUTS, type ProxyConfig } from "../config.ts";
import { startProxy } from "./start_proxy.ts";

const STEPS = 12;
/** An answer of another process that is not waited for by turns takes a few milliseconds, on a busy machine some of the time. */
const QUICK_MS = 10;
const PAIRS_MAX = 6;
const IN_A_ROW = 5;
const PATIENCE_MS = 30_000;

const CONFIG: ProxyConfig = {
  driver: "native",
  workers: 0,
  outbound: [{ address: "127.0.0.1", port: 0, namespace: "app", identity: "", seed: null }],
  inbound: [],
  admin: null,
  timeouts: DEFAULT_TIMEOUTS,
  bodyBytesMax: Infinity,
  reportRequests: false,
};

async function stepsMs(): Promise<number> {
  const startMs = performance.now();
  // No descriptor tells the loop of a timer.
  for (let i = 0; i < STEPS; i++) await new Promise((resolve) => setTimeout(resolve, 0));
  return performance.now() - startMs;
}

Deno.test({
  name: "local loop: while there is work on its thread an idle loop lets it go on",
  ignore: Deno.build.os !== "linux",
  // The driver's library stays loaded.
  sanitizeResources: false,
  async fn() {
    let isWorking = false;
    const idle = Promise.withResolvers<void>();
    const proxy = await startProxy(CONFIG, planForTest([]), {
      isWorking: () => isWorking,
      onIdle: idle.resolve,
    });
    try {
      await idle.promise;
      // Another process may take the time of either; a loop that makes no difference makes none in any pair.
      const pairs: (readonly [working: number, otherwise: number])[] = [];
      while (
        pairs.length < PAIRS_MAX && !pairs.some(([working, otherwise]) => working * 3 < otherwise)
      ) {
        isWorking = false;
        const otherwise = await stepsMs();
        isWorking = true;
        pairs.push([await stepsMs(), otherwise]);
      }
      ok(pairs.length < PAIRS_MAX, `ms: ${pairs.join("; ")}`);
    } finally {
      isWorking = true;
      await proxy.stop();
    }
  },
});

Deno.test({
  name: "local loop: what comes for others ends the wait of an idle loop",
  ignore: Deno.build.os !== "linux",
  // The driver's library stays loaded.
  sanitizeResources: false,
  async fn() {
    const idle = Promise.withResolvers<void>();
    const proxy = await startProxy(CONFIG, planForTest([]), { onIdle: idle.resolve });
    const peer = new Deno.Command("cat", { stdin: "piped", stdout: "piped" }).spawn();
    const [writer, reader] = [peer.stdin.getWriter(), peer.stdout.getReader()];
    try {
      await idle.promise;
      // By turns alone one may be quick by chance, and the next begins with a turn of 20 ms at least.
      const startMs = performance.now();
      let quick = 0;
      while (quick < IN_A_ROW && performance.now() - startMs < PATIENCE_MS) {
        const sentMs = performance.now();
        await writer.write(new Uint8Array(1));
        await reader.read();
        quick = performance.now() - sentMs < QUICK_MS ? quick + 1 : 0;
      }
      equal(quick, IN_A_ROW);
    } finally {
      await writer.close();
      await reader.cancel();
      await peer.status;
      await proxy.stop();
    }
  },
});
