/**
 * `deno task metrics`: writes the tables of metrics and of reasons in docs/observability.md from their declarations.
 * tests/metrics_doc_test.ts fails while they are not what this makes.
 */
import type { Metric, MetricGroup } from "../base/metrics.ts";
import { CUTS, REFUSALS } from "../base/refusals.ts";
import { CONTROLLER_METRICS } from "../controller/metrics.ts";
import { PROXY_METRICS } from "../proxy/observe/metrics.ts";
import { readFile, ROOT } from "./repository.ts";

export const METRICS_PATH = "docs/observability.md";

/** Labels that the text before the table explains, and what it calls them. */
const SHORT: readonly (readonly [labels: RegExp, name: string])[] = [
  [/^`listener`, `service`, `port`, `split`, `backend`/, "route"],
  [/^`source_namespace`.*`destination_name`/, "source, destination"],
  [/^`listener`, `service`, `port`, `target`/, "target"],
];

/** `text` with today's tables in place of those that it has. */
export function withTables(text: string): string {
  return withReasonsTable(withMetricsTable(text));
}

function withReasonsTable(text: string): string {
  const refusals = Object.values(REFUSALS).map(({ reason, status, grpcStatus, text }) =>
    `| \`${reason}\` | ${status} | ${grpcStatus} | ${text} |`
  );
  const cuts = Object.entries(CUTS).map(([reason, text]) => `| \`${reason}\` | | | ${text} |`);
  const head = ["| Reason | Status | gRPC | What |", "| --- | --- | --- | --- |"];
  const table = [...head, ...refusals, ...cuts].join("\n");
  return text.replace(/^\| Reason \|.*\n(?:\|.*\n)*/m, () => `${table}\n`);
}

function withMetricsTable(text: string): string {
  // In the order in which they stand.
  const tables = [PROXY_METRICS, CONTROLLER_METRICS].map((groups: readonly MetricGroup[]) => {
    const rows = groups.flatMap((group) =>
      Object.values(group.metrics).map((metric) => row(group, metric))
    );
    return ["| Metric | Labels | What |", "| --- | --- | --- |", ...rows].join("\n");
  });
  return text.replace(/^\| Metric \|.*\n(?:\|.*\n)*/gm, () => `${tables.shift()}\n`);
}

function row({ labels }: MetricGroup, { name, kind, help, labels: own }: Metric<unknown>): string {
  let text = [...labels, ...own].map((label) => `\`${label}\``).join(", ");
  for (const [long, short] of SHORT) text = text.replace(long, short);
  const what = kind === "histogram" ? `Histogram: ${help[0].toLowerCase()}${help.slice(1)}` : help;
  return `| \`${name}\` |${text === "" ? "" : ` ${text}`} | ${what} |`;
}

if (import.meta.main) {
  Deno.writeTextFileSync(
    new URL(METRICS_PATH, ROOT),
    withTables(readFile(METRICS_PATH)),
  );
}
