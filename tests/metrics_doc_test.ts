/** docs/observability.md lists every metric that a proxy has, and no other. */
import assert from "node:assert/strict";
import { renderMetrics } from "../proxy/observe/metrics.ts";
import { readFile } from "../tools/repository.ts";

Deno.test("docs: every metric is listed, and nothing that is none", () => {
  const text = readFile("docs/observability.md");
  const listed = [...text.matchAll(/^\| `((?:weft|osm)_\w+)` \|/gm)].map(([, name]) => name);
  const rendered = [...renderMetrics([]).matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name);
  assert.ok(rendered.length > 20);
  assert.deepEqual(listed.toSorted(), rendered.toSorted());
});
