// Quantities become whole numbers in the same ratio; what is none of that stays.
import { deepEqual } from "node:assert/strict";
import { normaliseWeights } from "./weights.ts";

function weightsAfter(written: readonly unknown[], kind = "TrafficSplit"): unknown[] | null {
  const { patch } = normaliseWeights({
    uid: "u",
    kind: { group: "split.smi-spec.io", kind },
    operation: "CREATE",
    object: { spec: { backends: written.map((weight) => ({ service: "a", weight })) } },
  });
  if (patch === undefined) return null;
  const weights = [...written];
  const operations = JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(patch)));
  for (const { op, path, value } of operations) {
    const [, index] = /^\/spec\/backends\/(\d+)\/weight$/.exec(path) ?? [];
    if (op === "replace") weights[Number(index)] = value;
  }
  return weights;
}

Deno.test("weights: quantities become whole numbers, all by one factor", () => {
  const cases: [unknown[], unknown[]][] = [
    [["5", "95"], [5, 95]],
    [["500m", "1"], [500, 1000]],
    [["500m", 1, "0"], [500, 1000, 0]],
    [["1k", 1], [1000, 1]],
    [["0", "100"], [0, 100]],
  ];
  for (const [written, expected] of cases) deepEqual(weightsAfter(written), expected);
});

Deno.test("weights: numbers, and what cannot be read, are left as they are", () => {
  for (const written of [[5, 95], ["5%", "95"], ["-1", "1"], [], [undefined, "1"], ["", "1"]]) {
    deepEqual(weightsAfter(written), null);
  }
  deepEqual(weightsAfter(["5"], "TrafficPolicy"), null);
});
