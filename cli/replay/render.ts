/** What would become of a log's requests, as tables for a person. */
import type { Output } from "../../console/output.ts";
import { type Cell, renderTable } from "../../console/table.ts";
import { foldText, printable } from "../../console/text.ts";
import { counted } from "../../base/text.ts";
import { LISTED_CHANGES_MAX } from "../limits.ts";
import { isDifferent, kindsOf, type ReplayReport } from "./report.ts";

export function renderReplay(output: Output, report: ReplayReport): string {
  const sections = [
    renderRoutes(output, report),
    ...kindsOf(report).map((kind) => renderKind(output, report, kind)),
    `${foldText(summaryText(report), output.columns ?? Infinity).join("\n")}\n`,
  ];
  return sections.filter((section) => section !== "").join("\n");
}

const HEADS = ["TO", "DECIDED BY", "REQUESTS", "BACKEND", "WAS", "WOULD BE"];

function renderRoutes(output: Output, { routes }: ReplayReport): string {
  if (routes.length === 0) return "";
  const shown = routes.slice(0, LISTED_CHANGES_MAX);
  const rows = shown.flatMap(({ service, port, rule, split, requests, backends }) => {
    const recorded = backends.reduce((sum, each) => sum + (each.recorded ?? 0), 0);
    const head = [
      `${service}:${port}`,
      rule ?? (split === null ? "own endpoints" : `split ${split}`),
      String(requests),
    ];
    const cells = backends.map((each): Cell[] => [
      each.backend,
      each.recorded === null || recorded === 0 ? "-" : percent(each.recorded / recorded),
      percent(each.share),
    ]);
    const [first = ["none", "", ""], ...rest] = cells;
    return [[...head, ...first], ...rest.map((row) => [" ", " ", " ", ...row])];
  });
  const more = routes.length - shown.length;
  const rest = more === 0 ? "" : `and ${more} more\n`;
  return `${renderTable(output, HEADS, rows)}${rest}`;
}

function renderKind(
  output: Output,
  { log }: ReplayReport,
  { title, count, samples }: ReturnType<typeof kindsOf>[number],
): string {
  if (count === 0) return "";
  const share = percent(count / Math.max(1, log.requests + log.connections));
  const lines = samples.map((sample) => [printable(sample)]);
  return `${output.style("strong", title)}: ${count} (${share})\n${
    renderTable(output, [], lines, 2)
  }`;
}

function summaryText(report: ReplayReport): string {
  const { log } = report;
  const facts = [
    `${counted(log.requests, "request")} in ${counted(log.lines, "line")} (${
      log.format ?? "no format"
    })`,
    ...(log.connections === 0 ? [] : [counted(log.connections, "connection")]),
    ...(log.unrouted === 0 ? [] : [`${log.unrouted} not compared: inbound, or out of the mesh`]),
    ...(log.unreadable === 0 ? [] : [`${counted(log.unreadable, "line")} not read`]),
    ...(log.lost === 0 ? [] : [`${counted(log.lost, "line")} lost by the log itself`]),
  ];
  const verdict = isDifferent(report) ? "" : "; all go where they went";
  return `${facts.join(", ")}${verdict}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}
