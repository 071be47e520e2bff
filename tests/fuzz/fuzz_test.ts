import assert from "node:assert/strict";
import { randomSeed } from "../../base/random.ts";
import { textOf } from "../support/bytes_notation.ts";
import { fuzz, inputRandom, renderFailure } from "./fuzz.ts";
import { CANARY, TARGETS } from "./targets.ts";

for (const target of TARGETS) {
  Deno.test(`fuzz ${target.name}: ${target.invariant}`, () => {
    const limits = { iterations: Infinity, milliseconds: 600, iterationsMin: 20 };
    const result = fuzz(target, randomSeed() >>> 0, limits);
    if (typeof result !== "number") assert.fail(renderFailure(result));
  });
}

Deno.test("fuzz: the inputs of each target are many", () => {
  // A few inputs again and again would make every invariant true.
  for (const target of TARGETS) {
    const inputs = new Set<string>();
    fuzz({ ...target, check: (bytes) => void inputs.add(textOf(bytes)) }, 1, {
      iterations: 1_000,
      milliseconds: Infinity,
    });
    assert.ok(inputs.size > 100, target.name);
  }
});

Deno.test("fuzz: the canary is caught, and its input shrunk", () => {
  const result = fuzz(CANARY, 1, { iterations: 20_000, milliseconds: Infinity });
  assert.ok(typeof result !== "number", "A wrong invariant went unnoticed");
  assert.ok(result.bytes.length < CANARY.generate(inputRandom(CANARY, result.seed)).length);
  assert.match(renderFailure(result), /--target canary --seed \d+ --iterations 1/);
  const again = fuzz(CANARY, result.seed, { iterations: 1, milliseconds: Infinity });
  assert.deepEqual(again, result);
});
