/** Targets: met, missed, not measured. */
import assert from "node:assert/strict";
import type { Row } from "./report.ts";
import { renderTargets } from "./targets.ts";

function row(contender: string, values: Row["values"], variant = ""): Row {
  return { contender, variant, values };
}

function lineOf(text: string, workload: string, rows: readonly Row[], cores = 2): string {
  const table = renderTargets(workload, new Map([[workload, rows]]), cores);
  return table.split("\n").find((line) => line.includes(text)) ?? "";
}

Deno.test("a target is a ratio of CPU, met up to its limit", () => {
  const rows = (
    weft: number,
  ) => [row("Weft", { "cpu@64": weft }), row("HAProxy", { "cpu@64": 100 })];
  const text = "HTTP/1.1 small: Weft to HAProxy";
  assert.match(lineOf(text, "http1", rows(95)), /\| at most 0\.95 × \| 0\.95 × \| met \|/);
  assert.match(lineOf(text, "http1", rows(96)), /\| 0\.96 × \| \*\*missed\*\* \|/);
});

Deno.test("who was not measured is no failure and no success; what was not run has no line", () => {
  const rows = [row("Weft", { "cpu@64": 10 })];
  assert.match(lineOf("HTTP/1.1 small: Weft to Pipy", "http1", rows), /\| – \| not measured \|/);
  assert.equal(lineOf("HTTP/2: Weft to Envoy", "http1", rows), "");
});

Deno.test("added latency is what is beyond the origin's own", () => {
  const rows = [
    row("Weft", { "p50@1": 90 }),
    row("HAProxy", { "p50@1": 60 }),
    row("no proxy", { "p50@1": 20 }),
  ];
  assert.match(lineOf("Added p50", "http1", rows), /\| 1\.75 × \| \*\*missed\*\* \|/);
});

Deno.test("variants of one workload are compared with each other", () => {
  const rows = [row("Weft", { cpu: 10 }, "1 route"), row("Weft", { cpu: 14 }, "10 000 routes")];
  assert.match(lineOf("10 000 routes", "routes", rows), /\| 1\.40 × \| met \|/);
});

Deno.test("two workers are judged only where they and their load have cores", () => {
  const rows = [row("Weft", { rate: 100 }, "1 worker"), row("Weft", { rate: 180 }, "2 workers")];
  assert.match(lineOf("two workers", "workers", rows, 2), /1\.80 × \| 2 cores cannot tell/);
  assert.match(lineOf("two workers", "workers", rows, 4), /1\.80 × \| met/);
});
