/**
 * What a scrape of a sidecar costs it, and what the controller's reading of it costs the controller, by backends in use:
 * `deno bench --allow-env --allow-ffi --allow-read tests/prometheus/scrape_bench.ts`. It prints the sizes first.
 */
import { Lazy } from "../../base/lazy.ts";
import { readSidecarCounts } from "../../controller/traffic/sidecar_counts.ts";
import { renderProxyMetrics } from "../../proxy/observe/exposition.ts";
import { Telemetry } from "../../proxy/observe/telemetry.ts";
import { endpointForTest } from "../../routing/table/plan_for_test.ts";

const LISTENER = { address: "127.0.0.1", port: 0, namespace: "shop", identity: "", seed: null };
const NOTHING_OUTSIDE = {
  spans: [],
  accessesLost: 0,
  tapsLost: 0,
  planKeeping: null,
  certificates: [],
};

/** A sidecar whose application has called so many backends, each with a pod of its own. */
function telemetryOf(backends: number): Telemetry {
  const telemetry = new Telemetry(false, [{ ...LISTENER, workload: "Deployment/client" }], []);
  for (let i = 1; i <= backends; i++) {
    const stats = telemetry.statsOf({
      listener: "0",
      service: "shop/web",
      port: "8080",
      split: "shop/web",
      backend: `shop/web-${i}`,
      rule: "",
    });
    const plan = endpointForTest(i, { workload: `Deployment/web-${i}` });
    const endpoint = { plan, key: plan.address };
    const facts = { planHash: new Lazy(() => ""), port: null, rule: null, stats, planWaitMs: 0 };
    telemetry.answered({ facts, endpoint, place: plan.address }, 200, "", i, 0, null);
  }
  return telemetry;
}

function scrape(telemetry: Telemetry): string {
  const samples = [...telemetry.samples()];
  return renderProxyMetrics([{ samples, planHash: "0", lastFault: "" }], NOTHING_OUTSIDE);
}

for (const backends of [1, 11, 100]) {
  const telemetry = telemetryOf(backends);
  const text = scrape(telemetry);
  const series = text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
  console.log(`${backends} backends in use: ${series} series, ${text.length} bytes`);
  Deno.bench(`a scrape, ${backends} backends in use`, () => void scrape(telemetry));
  Deno.bench(`its reading, ${backends} backends in use`, () => void readSidecarCounts(text));
}
