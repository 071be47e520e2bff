/** Fuzzes until something fails or time is up: `run.ts [--target NAME] [--seconds 60] [--seed N] [--iterations N]`. */
import { parseArgs } from "node:util";
import { randomSeed } from "../../base/random.ts";
import { fuzz, renderFailure, type Target } from "./fuzz.ts";
import { CANARY, TARGETS } from "./targets.ts";

const { values } = parseArgs({
  options: {
    target: { type: "string" },
    seconds: { type: "string", default: "60" },
    seed: { type: "string" },
    iterations: { type: "string" },
  },
});
const all: readonly Target[] = [...TARGETS, CANARY];
const targets = values.target === undefined
  ? TARGETS
  : all.filter(({ name }) => name === values.target);
if (targets.length === 0) {
  console.error(
    `No target "${values.target}"; there are: ${all.map(({ name }) => name).join(", ")}`,
  );
  Deno.exit(2);
}
const seed = values.seed === undefined ? randomSeed() >>> 0 : Number(values.seed);
const milliseconds = Number(values.seconds) * 1_000 / targets.length;
const iterations = Number(values.iterations ?? Infinity);
console.log(`Seed ${seed}`);
for (const target of targets) {
  const result = fuzz(target, seed, { iterations, milliseconds });
  if (typeof result !== "number") {
    console.error(renderFailure(result));
    Deno.exit(1);
  }
  console.log(`${target.name}: ${result} inputs. ${target.invariant}`);
}
