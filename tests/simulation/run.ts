/**
 * Runs simulations: `deno run tests/simulation/run.ts --seed N --runs M`. Without a seed it starts where the clock
 * says. Prints the first seed that breaks a promise, and how to see it again,
 * step by step with `--trace`.
 */
import { runSimulation } from "./simulation.ts";

function numberOf(name: string, otherwise: number): number {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(Deno.args[at + 1]);
}

const first = numberOf("seed", Date.now() % 1e9);
const runs = numberOf("runs", 1_000);
const onTrace = Deno.args.includes("--trace") ? (line: string) => console.log(line) : null;
const startedMs = performance.now();
let exchanges = 0;
let answered = 0;
for (let seed = first; seed < first + runs; seed++) {
  try {
    const summary = runSimulation(seed, { onTrace });
    exchanges += summary.exchanges;
    answered += summary.answeredByEndpoints;
  } catch (error) {
    console.log(error instanceof Error ? error.stack : error);
    console.log(`Again: deno run tests/simulation/run.ts --seed ${seed} --runs 1 --trace`);
    Deno.exit(1);
  }
}
const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
console.log(
  `${runs} runs from seed ${first}: ${exchanges} exchanges, ${answered} answered by endpoints, ${seconds} s`,
);
