/** The text of RESULTS.md: machine, procedure, tables and targets. */
import { LOAD_CORES, proxyCores, type Session } from "./session.ts";
import { BEFORE, WEFTS } from "./contenders/weft.ts";
import { renderPairs, renderRows } from "./report.ts";
import { type Measured, renderTargets } from "./targets.ts";
import type { BenchWorkload } from "./workloads/workload.ts";

function describeMachine(): string {
  const model = /^model name\s*:\s*(.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1];
  const system = /^PRETTY_NAME="(.*)"$/m.exec(Deno.readTextFileSync("/etc/os-release"))?.[1];
  return `${navigator.hardwareConcurrency} × ${model ?? Deno.build.arch}, ${system ?? "Linux"}, ` +
    `kernel ${Deno.osRelease()}`;
}

/** What one section says of when and how it was measured. */
interface Measurement {
  readonly session: Session;
  /** When the run began. */
  readonly startedAt: Date;
  /** How many processes wanted a core then, on average of a minute. */
  readonly loadBefore: number;
}

/** One workload's part, with its targets. */
function renderWorkload(
  workload: BenchWorkload,
  measured: Measured,
  { session, startedAt, loadBefore }: Measurement,
): string {
  const { title, name, about, columns, compared } = workload;
  const rows = measured.get(name) ?? [];
  const table = rows.length === 0 ? "Nothing was measured.\n" : renderRows(columns, rows, compared);
  const pairs = renderPairs(columns, rows, [WEFTS[0].name, BEFORE]);
  const targets = renderTargets(name, measured, navigator.hardwareConcurrency);
  const { seconds, rounds } = session.options;
  const [weft = "Weft unknown"] = session.contenders().values();
  const stamp = `Measured ${
    startedAt.toISOString().slice(0, 16)
  }Z in ${rounds} rounds of ${seconds} s, ${
    weft.replace(/, (?:Deno|V8).*/s, "")
  }); the machine's load was ${loadBefore.toFixed(1)} before.`;
  return `## ${title} (\`${name}\`)\n\n${about} ${stamp}\n\n${
    [table, pairs, targets].filter((part) => part !== "").join("\n")
  }`;
}

/** The text of a run of everything. */
export function renderResults(
  workloads: readonly BenchWorkload[],
  measured: Measured,
  measurement: Measurement,
): string {
  const { session } = measurement;
  const versions = [...session.contenders()].map(([{ name, note }, version]) =>
    `- **${name}**: ${version}; ${note}`
  );
  const omissions = session.omissions.map((line) => `- ${line}`);
  const sections = workloads.map((workload) => renderWorkload(workload, measured, measurement));
  return `# Results

Written by \`deno task bench\` (\`bench/run.ts\`); do not edit. Numbers of one machine: compare within a table only, since
tables are of the day that each names.

Machine: ${describeMachine()}. Proxies and loads are taken in turn; numbers are medians over the rounds.
Load generators (wrk, h2load, one thread) and origins have core ${LOAD_CORES}; each proxy has core ${
    proxyCores(1)
  } to itself while
it is measured. Above about 90 % "core busy" the proxy is what limits the rate, below it the load is, and only CPU a
request compares proxies. Every proxy has the same job: \`^/test\` to two origins 75/25, other requests to the first; connections
kept on both sides, one worker, no access log. In the tables of targets CPU is of the proxy, a request, at 64 connections where there are several loads.

${versions.join("\n")}
${omissions.length === 0 ? "" : `\nLeft out:\n\n${omissions.join("\n")}\n`}
${sections.join("\n")}`;
}

/**
 * Earlier results with the sections of the workloads that were measured now in place of theirs, and new ones at the end. Null: they are of
 * another machine.
 */
export function replaceSections(
  earlier: string,
  workloads: readonly BenchWorkload[],
  measured: Measured,
  measurement: Measurement,
): string | null {
  if (!earlier.includes(`Machine: ${describeMachine()}.`)) return null;
  let text = earlier;
  for (const workload of workloads) {
    const start = text.indexOf(`## ${workload.title} (\`${workload.name}\`)\n`);
    const section = renderWorkload(workload, measured, measurement);
    if (start < 0) {
      text += `\n${section}`;
      continue;
    }
    const next = text.indexOf("\n## ", start);
    const end = next < 0 ? text.length : next + 1;
    text = text.slice(0, start) + section + (next < 0 ? "" : "\n") + text.slice(end);
  }
  return text;
}
