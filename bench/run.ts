/**
 * `deno task bench`: measures Weft beside other proxies that do the same jobs, in one run on this machine. Owns which workloads run,
 * and that only a run of all contenders, long enough, writes its tables to bench/RESULTS.md; others print.
 *
 *   deno task bench [--workload NAME,..] [--only CONTENDER,..] [--seconds N] [--rounds N] [--no-micro]
 *     [--before EXECUTABLE]
 */
import { isForResults, type Options, parseOptions } from "./options.ts";
import { isInstalled } from "./process.ts";
import type { Row } from "./report.ts";
import { renderResults, replaceSections } from "./results.ts";
import { Session } from "./session.ts";
import { WORKLOADS } from "./workloads/all.ts";

const RESULTS = new URL("./RESULTS.md", import.meta.url);

function fail(message: string): never {
  console.error(message);
  Deno.exit(2);
}

function optionsOrFail(args: readonly string[]): Options {
  try {
    return parseOptions(args, WORKLOADS.map(({ name }) => name));
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
}

/** True if nothing went wrong. What this machine lacks is left out, which is not wrong. */
async function run(options: Options): Promise<boolean> {
  const startedAt = new Date();
  const [loadBefore] = Deno.loadavg();
  const session = new Session(options);
  const { workloads: wanted } = options;
  const workloads = WORKLOADS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  const measured = new Map<string, readonly Row[]>();
  try {
    for (const workload of workloads) {
      try {
        measured.set(workload.name, await workload.measure(session));
      } catch (error) {
        session.leaveOut(`all of ${workload.name}`, error);
      }
    }
    const measurement = { session, startedAt, loadBefore };
    const text = renderResults(workloads, measured, measurement);
    console.log(text);
    const kept = !isForResults(options)
      ? null
      : wanted.length === 0
      ? text
      : replaceSections(Deno.readTextFileSync(RESULTS), workloads, measured, measurement);
    if (kept !== null) Deno.writeTextFileSync(RESULTS, kept);
    else {console.error(
        "RESULTS.md is not written: this run was hasty, or of some contenders, or of another machine",
      );}
    return !session.hasFaults;
  } finally {
    await session.end();
  }
}

async function main(args: readonly string[]): Promise<void> {
  const options = optionsOrFail(args);
  for (const tool of ["nginx", "wrk", "taskset"]) {
    if (!isInstalled(tool)) fail(`"${tool}" is not installed, and every measurement needs it`);
  }
  if (navigator.hardwareConcurrency < 2) fail("Two cores are needed: one for the proxy alone");
  if (!await run(options)) Deno.exit(1);
}

if (import.meta.main) await main(Deno.args);
