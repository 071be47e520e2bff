/** Runs the `*_bench.ts` files beside the code with `deno bench` and makes one table of them. */
import { renderTable } from "./report.ts";

interface BenchResult {
  readonly group: string | null;
  readonly name: string;
  /** Nanoseconds; absent where the benchmark threw. */
  readonly results: readonly { ok?: { avg: number; p75: number; p99: number } }[];
}

const ROOT = new URL("../", import.meta.url);

/** A Markdown table of every micro benchmark; empty where there is none. Throws where they do not run. */
export async function runMicroBenchmarks(): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bench", "--json", "--no-prompt", "--allow-all", "--no-check"],
    cwd: ROOT,
  }).output();
  const decoder = new TextDecoder();
  const errors = decoder.decode(stderr);
  if (!success) {
    if (/No test modules found|No bench modules found/i.test(errors)) return "";
    throw new Error(`deno bench failed: ${errors.trim()}`);
  }
  const { benches } = JSON.parse(decoder.decode(stdout)) as { benches: BenchResult[] };
  const rows = benches.flatMap(({ group, name, results }) =>
    results.flatMap(({ ok }) =>
      ok === undefined ? [] : [[
        group === null ? name : `${group}: ${name}`,
        ...[ok.avg, ok.p75, ok.p99].map((value) => value.toFixed(0)),
      ]]
    )
  );
  return rows.length === 0 ? "" : renderTable(["ns per iteration", "mean", "p75", "p99"], rows);
}
