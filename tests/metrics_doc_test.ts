/** docs/observability.md lists every metric and every reason that there is, as they are declared, and no others. */
import assert from "node:assert/strict";
import type { MetricGroup } from "../base/metrics.ts";
import { CONTROLLER_METRICS } from "../controller/metrics.ts";
import { PROXY_METRICS } from "../proxy/observe/metrics.ts";
import { METRICS_PATH, withTables } from "../tools/metrics.ts";
import { readFile } from "../tools/repository.ts";

Deno.test("docs: the tables of metrics and reasons are those declared, as `deno task metrics` makes them", () => {
  const text = readFile(METRICS_PATH);
  assert.ok(text.includes("| `weft_requests_total` |"));
  assert.ok(text.includes("| `weft_controller_synced` |"));
  assert.ok(text.includes("| `upstream-head-too-large` | 502 |"));
  assert.equal(text, withTables(text));
});

Deno.test("metrics: names are declared once, and say what they are, as Prometheus advises", () => {
  const metrics = [...PROXY_METRICS, ...CONTROLLER_METRICS]
    .flatMap(({ metrics }: MetricGroup) => Object.values(metrics));
  const names = metrics.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const { name, kind } of metrics) {
    assert.match(name, /^(weft|osm|response)(_[a-z0-9]+)+$/);
    assert.equal(name.endsWith("_total"), kind === "counter", name);
  }
});
