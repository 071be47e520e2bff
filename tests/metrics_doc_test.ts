/** docs/observability.md lists every metric that a proxy has, as it is declared, and no other. */
import assert from "node:assert/strict";
import { PROXY_METRICS } from "../proxy/observe/metrics.ts";
import { METRICS_PATH, withMetricsTable } from "../tools/metrics.ts";
import { readFile } from "../tools/repository.ts";

Deno.test("docs: the table of metrics is what is declared; else run `deno task metrics`", () => {
  const text = readFile(METRICS_PATH);
  assert.ok(text.includes("| `weft_requests_total` |"));
  assert.equal(text, withMetricsTable(text));
});

Deno.test("metrics: names are declared once, and say what they are, as Prometheus advises", () => {
  const metrics = PROXY_METRICS.flatMap(({ metrics }) => Object.values(metrics));
  const names = metrics.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const { name, kind } of metrics) {
    assert.match(name, /^(weft|osm)(_[a-z0-9]+)+$/);
    assert.equal(name.endsWith("_total"), kind === "counter", name);
  }
});
