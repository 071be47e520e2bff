/** Some seconds of simulated runs, and the proof that the simulation sees what it is there to see. */
import { match, ok } from "node:assert/strict";
import { PLANTED_BUGS } from "./planted.ts";
import { SOURCE_BUGS } from "./planted_source.ts";
import { runSimulation } from "./simulation.ts";

/** Some seconds. The first seeds stay the same; `run.ts` goes through others. */
const RUNS = 250;
/** A planted bug must show within as many runs. */
const PLANTED_RUNS = 300;

Deno.test("the data plane keeps its promises in every simulated run", () => {
  let answered = 0;
  for (let seed = 1; seed <= RUNS; seed++) {
    try {
      answered += runSimulation(seed).answeredByEndpoints;
    } catch (error) {
      const again = `deno run tests/simulation/run.ts --seed ${seed} --runs 1 --trace`;
      throw new Error(`Seed ${seed}. Again: ${again}`, { cause: error });
    }
  }
  ok(answered > 5 * RUNS, `Only ${answered} answers by endpoints: the runs show too little`);
});

Deno.test("a seed names a run exactly", () => {
  const traces = [1, 2].map(() => {
    const lines: string[] = [];
    runSimulation(7, { onTrace: (line) => lines.push(line) });
    return lines.join("\n");
  });
  ok(traces[0].length > 1_000);
  ok(traces[0] === traces[1]);
});

for (const bug of [...PLANTED_BUGS, ...SOURCE_BUGS]) {
  Deno.test(`a planted bug is seen: ${bug.name}`, () => {
    let seen: unknown = null;
    for (let seed = 1; seed <= PLANTED_RUNS && seen === null; seed++) {
      try {
        bug.run(seed);
      } catch (error) {
        seen = error;
      }
    }
    ok(seen instanceof Error, `${PLANTED_RUNS} runs did not show it`);
    match(seen.name, /^(SimulationError|WireError|HpackError)$/, "The run itself broke");
    match(seen.message, bug.complaint);
  });
}
