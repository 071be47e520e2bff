/** What differs, as tables for a person. */
import type { Output } from "../../console/output.ts";
import { type Cell, renderTable } from "../../console/table.ts";
import { foldText, printable } from "../../console/text.ts";
import { LISTED_CHANGES_MAX } from "../limits.ts";
import type { ChangedRequests, DiffReport } from "./report.ts";
import {
  accessText,
  aliasText,
  changedText,
  decidingText,
  edgeText,
  ENDPOINTS_NOTE,
  endpointText,
  holeText,
  nearName,
  percentText,
  placeText,
  portText,
  summaryText,
  TITLES,
  trafficText,
} from "./wording.ts";

/** Ends with one line that says it all. */
export function renderDiffText(
  output: Output,
  report: DiffReport,
  sides: readonly [before: string, after: string] = ["BEFORE", "AFTER"],
): string {
  const sections = [
    ...renderRequests(output, report, sides),
    renderList(output, TITLES.mesh, [
      ...report.ports.map((port) => [portText(port)]),
      ...report.names.map((name) => [aliasText(name)]),
      ...report.endpoints.map((endpoint) => [endpointText(endpoint)]),
    ]),
    renderList(
      output,
      TITLES.deadRules,
      report.deadRules.map(({ rule, service, port, position }) => [
        rule,
        `of ${service}:${port}`,
        placeText(position),
      ]),
    ),
    renderList(
      output,
      TITLES.access,
      report.access.map((change) => [
        { text: accessText(change), style: change.change === "opened" ? "warning" : "info" },
        change.targets.map(({ target, position }) => `${target} ${placeText(position)}`).join(", "),
      ]),
    ),
    renderList(
      output,
      TITLES.edge,
      report.edge.map((change) => [
        { text: edgeText(change), style: change.change === "opened" ? "warning" : "info" },
        change.rules.map(({ rule, position }) => `${rule} ${placeText(position)}`).join(", "),
      ]),
    ),
    report.ignoresEndpoints && report.requests.length > 0 ? fold(output, ENDPOINTS_NOTE) : "",
    fold(output, summaryText(report)),
  ];
  return sections.filter((section) => section !== "").join("\n");
}

/** One table a port. */
function renderRequests(
  output: Output,
  report: DiffReport,
  sides: readonly [before: string, after: string],
): string[] {
  const { requests } = report;
  const shown = requests.slice(0, LISTED_CHANGES_MAX);
  const groups = Map.groupBy(shown, ({ service, port }) => `${service}:${port}`);
  const heads = ["REQUEST", "BACKEND", ...sides, "DECIDED BY", "DEFINED AT"];
  const tables = [...groups].map(([name, changes]) => {
    const title = output.style(
      "strong",
      printable(`Requests to ${name} that are answered otherwise`),
    );
    const rows = changes.flatMap((change) => changeRows(change, report));
    return `${title}\n${renderTable(output, heads, rows, 2)}`;
  });
  const more = requests.length - shown.length;
  return more === 0 ? tables : [...tables, `and ${more} more kinds of requests\n`];
}

/** Backend, before and after. */
const FACT_COLUMNS = 3;

/** One row a backend; what they share stands in the first, and what else changes in rows of their own. */
function changeRows(change: ChangedRequests, report: DiffReport): Cell[][] {
  const { service, backends, policies, after } = change;
  const hole = holeText(change);
  const traffic = trafficText(change, report);
  const request = changedText(change);
  const facts: Cell[][] = backends.map(({ backend, before, after }) => [
    nearName(backend, service),
    percentText(before),
    percentText(after),
  ]);
  if (policies.length > 0) facts.push([`policy: ${policies.join(", ")}`]);
  const [first = [], ...rest] = facts;
  const blanks = Array.from({ length: FACT_COLUMNS - first.length }, () => " ");
  const captured = change.request?.isCapturedOnly === true ? " (captured)" : "";
  return [
    [`${request}${captured}`, ...first, ...blanks, decidingText(change), placeText(after.position)],
    ...rest.map((cells) => [" ", ...cells]),
    ...(traffic === "" ? [] : [[" ", traffic]]),
    ...(hole === null
      ? []
      : [[" ", { text: hole, style: change.hole === "opened" ? "warning" : "good" } as const]]),
  ];
}

function renderList(output: Output, title: string, rows: readonly (readonly Cell[])[]): string {
  if (rows.length === 0) return "";
  const shown = rows.slice(0, LISTED_CHANGES_MAX);
  const more = rows.length - shown.length;
  const rest = more === 0 ? "" : `  and ${more} more\n`;
  return `${output.style("strong", title)}\n${renderTable(output, [], shown, 2)}${rest}`;
}

function fold(output: Output, text: string): string {
  return `${foldText(printable(text), output.columns ?? Infinity).join("\n")}\n`;
}
