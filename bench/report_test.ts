/** Medians and tables. */
import assert from "node:assert/strict";
import { median, medianOf, renderPairs, renderRows, type Row } from "./report.ts";

const COLUMNS = [{ key: "cpu", title: "CPU µs", digits: 1 }, {
  key: "rate",
  title: "/s",
  digits: 0,
}];

function row(contender: string, cpu: number | null, variant = ""): Row {
  return { contender, variant, values: { cpu, rate: 1000 } };
}

Deno.test("median takes the middle, or the mean of the middle two", () => {
  assert.equal(median([30, 10, 20]), 20);
  assert.equal(median([40, 10, 20, 30]), 25);
  assert.throws(() => median([]));
});

Deno.test("medianOf takes each number by itself and passes over what is not known", () => {
  const rounds = [{ cpu: null, p50: 70 }, { cpu: 8, p50: 50 }, { cpu: 6, p50: 60, p99: null }];
  assert.deepEqual(medianOf(rounds), { cpu: 7, p50: 60, p99: null });
});

Deno.test("renderRows divides by the first row and leaves out what is not known", () => {
  const lines = renderRows(COLUMNS, [row("Weft", 10), row("other", 15), row("none", null)], "cpu")
    .split("\n");
  assert.equal(lines[0], "|  | CPU, × Weft | CPU µs | /s |");
  assert.equal(lines[2], "| Weft | 1.00 | 10.0 | 1000 |");
  assert.equal(lines[3], "| other | 1.50 | 15.0 | 1000 |");
  assert.equal(lines[4], "| none | – | – | 1000 |");
});

Deno.test("renderRows compares within a variant", () => {
  const rows = [row("Weft", 10, "one"), row("Weft", 20, "two"), row("other", 30, "two")];
  assert.match(renderRows(COLUMNS, rows, "cpu"), /\| other, two \| 1\.50 \|/);
});

Deno.test("renderRows without a comparison has no column for it", () => {
  assert.match(renderRows(COLUMNS, [row("Weft", 10)], null), /\| Weft \| 10\.0 \| 1000 \|\n$/);
});

Deno.test("renderPairs divides round by round, and says how far the rounds are apart", () => {
  const rounds = (...cpu: number[]) => cpu.map((one) => ({ cpu: one, rate: null }));
  const now = { ...row("Weft", 11), rounds: rounds(10, 22, 27) };
  const before = { ...row("Weft before", 20), rounds: rounds(10, 20, 30) };
  const [, , line, end] = renderPairs(COLUMNS, [now, before], ["Weft", "Weft before"]).split("\n");
  assert.equal(line, "| CPU µs | 1.00 | 0.90 | 1.10 |");
  assert.equal(end, "");
  assert.equal(renderPairs(COLUMNS, [now], ["Weft", "Weft before"]), "");
});
