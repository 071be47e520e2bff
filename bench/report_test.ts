/** Medians and tables. */
import assert from "node:assert/strict";
import {
  type Measurement,
  median,
  medianOf,
  renderRatios,
  renderRows,
  type Row,
} from "./report.ts";

const MEASUREMENT: Measurement = { cpu: 10, requestsPerSecond: 1000, p50: 50, p99: 90, busy: 0.5 };

function row(name: string, cpu: number | null): Row {
  const at = { ...MEASUREMENT, cpu };
  return { name, at1: at, at64: at, privateMb: 2, residentMb: 4, errors: 0 };
}

Deno.test("median takes the middle, or the mean of the middle two", () => {
  assert.equal(median([30, 10, 20]), 20);
  assert.equal(median([40, 10, 20, 30]), 25);
  assert.throws(() => median([]));
});

Deno.test("medianOf takes each number by itself and passes over what is not known", () => {
  const rounds = [
    { ...MEASUREMENT, cpu: null, p50: 70 },
    { ...MEASUREMENT, cpu: 8, p50: 50 },
    { ...MEASUREMENT, cpu: 6, p50: 60 },
  ];
  assert.deepEqual(medianOf(rounds), { ...MEASUREMENT, cpu: 7, p50: 60 });
});

Deno.test("renderRatios divides by the base row and leaves out what is not known", () => {
  const lines = renderRatios([row("Weft", 10), row("other", 15), row("none", null)], "Weft")
    .split("\n");
  assert.match(lines[2], /^\| Weft \| 1\.00 \|/);
  assert.match(lines[3], /^\| other \| 1\.50 \|/);
  assert.match(lines[4], /^\| none \| – \|/);
  assert.equal(renderRatios([row("other", 15)], "Weft"), "");
});

Deno.test("renderRows shows the load of the core and the errors", () => {
  assert.match(renderRows([row("Weft", 10)]), /\| Weft \| 10\.0 .*\| 50 % \| 0 \|\n$/);
});
