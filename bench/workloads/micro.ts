/** The `*_bench.ts` files beside the code, run with `deno bench`. */
import type { Row } from "../report.ts";
import type { BenchWorkload } from "./workload.ts";

interface BenchResult {
  readonly group: string | null;
  readonly name: string;
  /** Nanoseconds; absent where the benchmark threw. */
  readonly results: readonly { ok?: { avg: number; p75: number; p99: number } }[];
}

const ROOT = new URL("../../", import.meta.url);

export const MICRO: BenchWorkload = {
  name: "micro",
  title: "Micro benchmarks",
  about:
    "Nanoseconds an iteration, from source: decisions of the routing core, HPACK, reading of manifests.",
  columns: [
    { key: "mean", title: "mean", digits: 0 },
    { key: "p75", title: "p75", digits: 0 },
    { key: "p99", title: "p99", digits: 0 },
  ],
  compared: null,
  async measure() {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["bench", "--json", "--no-prompt", "--allow-all", "--no-check"],
      cwd: ROOT,
    }).output();
    const decoder = new TextDecoder();
    if (!success) throw new Error(`deno bench failed: ${decoder.decode(stderr).trim()}`);
    const { benches } = JSON.parse(decoder.decode(stdout)) as { benches: BenchResult[] };
    return benches.flatMap(rowsOf);
  },
};

function rowsOf({ group, name, results }: BenchResult): Row[] {
  // Some names begin with their group's.
  const contender = group === null || name.startsWith(group) ? name : `${group}: ${name}`;
  return results.flatMap(({ ok }) =>
    ok === undefined ? [] : [{
      contender,
      variant: "",
      values: { mean: ok.avg, p75: ok.p75, p99: ok.p99 },
    }]
  );
}
