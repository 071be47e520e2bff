/** The text of RESULTS.md: machine, procedure, tables and targets. */
import { LOAD_CORES, proxyCores, type Session } from "./session.ts";
import { renderRows, type Row } from "./report.ts";
import { type Measured, renderTargets } from "./targets.ts";
import type { BenchWorkload } from "./workloads/workload.ts";

function describeMachine(): string {
  const model = /^model name\s*:\s*(.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1];
  const system = /^PRETTY_NAME="(.*)"$/m.exec(Deno.readTextFileSync("/etc/os-release"))?.[1];
  return `${navigator.hardwareConcurrency} × ${model ?? Deno.build.arch}, ${system ?? "Linux"}, ` +
    `kernel ${Deno.osRelease()}`;
}

/** One workload's part. */
function renderWorkload(workload: BenchWorkload, rows: readonly Row[]): string {
  const { title, name, about, columns, compared } = workload;
  const table = rows.length === 0 ? "Nothing was measured.\n" : renderRows(columns, rows, compared);
  return `## ${title} (\`${name}\`)\n\n${about}\n\n${table}`;
}

/** @param startedAt when the run began */
export function renderResults(
  session: Session,
  workloads: readonly BenchWorkload[],
  measured: Measured,
  startedAt: Date,
): string {
  const { seconds, rounds } = session.options;
  const versions = [...session.contenders()].map(([{ name, note }, version]) =>
    `- **${name}**: ${version}; ${note}`
  );
  const omissions = session.omissions.map((line) => `- ${line}`);
  const tables = workloads.map((workload) =>
    renderWorkload(workload, measured.get(workload.name) ?? [])
  );
  return `# Results

Written by \`deno task bench\` (\`bench/run.ts\`); do not edit. Numbers of one machine on one day: compare within a table only.

Machine: ${describeMachine()}; ${
    startedAt.toISOString().slice(0, 16)
  }Z. ${rounds} rounds of ${seconds} s for each proxy and load, taken in
turn; medians. Load generators (wrk, h2load, one thread) and origins have core ${LOAD_CORES}; each proxy has core ${
    proxyCores(1)
  } to itself while
it is measured. Above about 90 % "core busy" the proxy is what limits the rate, below it the load is, and only CPU a
request compares proxies. Every proxy has the same job: \`^/test\` to two origins 75/25, other requests to the first; connections
kept on both sides, one worker, no access log.

${versions.join("\n")}
${omissions.length === 0 ? "" : `\nLeft out:\n\n${omissions.join("\n")}\n`}
${tables.join("\n")}
## Targets

CPU is of the proxy, a request, at 64 connections where there are several loads.

${renderTargets(measured, navigator.hardwareConcurrency)}`;
}
