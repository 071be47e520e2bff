import assert from "node:assert/strict";
import fc from "fast-check";
import { MANIFEST_LIMITS } from "../limits.ts";
import { parseWeight, wholeWeights } from "./weight.ts";

function whole(...values: unknown[]): readonly number[] {
  return wholeWeights(values.map((value) => parseWeight(value) ?? -1n)).weights;
}

Deno.test("parseWeight: every suffix of a quantity", () => {
  const one = 1_000_000_000n;
  const cases: readonly (readonly [unknown, bigint])[] = [
    [1, one],
    ["1", one],
    ["+1", one],
    ["-1", -one],
    ["0.5", one / 2n],
    [".5", one / 2n],
    ["5.", 5n * one],
    [1.5, one * 3n / 2n],
    ["500m", one / 2n],
    ["1u", 1000n],
    ["1n", 1n],
    ["0.1n", 1n],
    ["2k", 2000n * one],
    ["1Ki", 1024n * one],
    ["1M", 1_000_000n * one],
    ["1Ei", 2n ** 60n * one],
    ["1e3", 1000n * one],
    ["1E-3", one / 1000n],
    ["1E", 10n ** 18n * one],
    [1e-7, 100n],
  ];
  for (const [text, nanos] of cases) assert.equal(parseWeight(text), nanos, String(text));
});

Deno.test("parseWeight: what is no weight, or costs too much to compute", () => {
  const bad = [
    "",
    "+",
    ".",
    "m",
    "1x",
    "1 ",
    "1mm",
    "--1",
    "0x1",
    "1e",
    NaN,
    Infinity,
    true,
    null,
    {},
  ];
  for (const value of [...bad, "1e999999999", "9".repeat(1000), 1e300]) {
    assert.equal(parseWeight(value), undefined, String(value));
  }
});

Deno.test("wholeWeights: units where all are whole, thousandths where one is not", () => {
  assert.deepEqual(whole(75, 25), [75, 25]);
  assert.deepEqual(whole("1", "2"), [1, 2]);
  assert.deepEqual(whole("500m", "500m"), [500, 500]);
  assert.deepEqual(whole("500m", "1"), [500, 1000]);
  assert.deepEqual(whole("500m", "0"), [500, 0]);
  assert.deepEqual(whole("2000m", "1"), [2, 1]);
  assert.deepEqual(whole(1.5, 3), [1500, 3000]);
  assert.deepEqual(whole("1u", "1m"), [1, 1000]);
  assert.deepEqual(whole(-5, 3), [0, 3]);
  assert.deepEqual(whole(), []);
});

Deno.test("wholeWeights: large weights are made smaller, exactly where that can be", () => {
  assert.deepEqual(wholeWeights([parseWeight("1E") ?? 0n, parseWeight("2E") ?? 0n]), {
    weights: [1, 2],
    isExact: true,
  });
  const { weights, isExact } = wholeWeights([parseWeight("1E") ?? 0n, parseWeight(1) ?? 0n, 0n]);
  assert.equal(isExact, false);
  assert.equal(weights[1], 1);
  assert.equal(weights[2], 0);
});

Deno.test("wholeWeights: keeps the ratio and the limit, whatever the weights", () => {
  const nanos = fc.oneof(fc.bigInt(0n, 10n ** 12n), fc.bigInt(0n, 10n ** 30n));
  fc.assert(fc.property(fc.array(nanos, { minLength: 1, maxLength: 6 }), (values) => {
    const { weights, isExact } = wholeWeights(values);
    assert.ok(
      weights.reduce((total, weight) => total + weight, 0) <= MANIFEST_LIMITS.weightTotalMax,
    );
    for (const [index, weight] of weights.entries()) {
      const value = values[index] ?? 0n;
      assert.equal(weight > 0, value > 0n);
      if (!isExact) continue;
      for (const [other, otherWeight] of weights.entries()) {
        assert.equal(BigInt(weight) * (values[other] ?? 0n), BigInt(otherWeight) * value);
      }
    }
  }));
});
