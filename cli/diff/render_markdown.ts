/** What differs, as a comment on a pull request (GitHub's and GitLab's Markdown). */
import { type Finding, formatPosition } from "../../base/finding.ts";
import { printable } from "../../console/text.ts";
import { LISTED_CHANGES_MAX } from "../limits.ts";
import type { DiffReport } from "./report.ts";
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

/** @param errors of the new side, which are told first */
export function renderDiffMarkdown(report: DiffReport, errors: readonly Finding[]): string {
  const sections = [
    `### Where requests go\n\n${escaped(summaryText(report))}.\n`,
    list(
      "The new manifests have errors",
      errors.map(({ position, message }) =>
        `${position === undefined ? "" : `${code(formatPosition(position))}: `}${escaped(message)}`
      ),
    ),
    requestTable(report),
    list(TITLES.mesh, [
      ...report.ports.map((port) => escaped(portText(port))),
      ...report.names.map((name) => escaped(aliasText(name))),
      ...report.endpoints.map((endpoint) => escaped(endpointText(endpoint))),
    ]),
    list(
      TITLES.deadRules,
      report.deadRules.map(({ rule, position }) => `${code(rule)} ${code(placeText(position))}`),
    ),
    list(
      TITLES.access,
      report.access.map((change) =>
        `${change.change === "opened" ? "**opened**" : "closed"}: ${escaped(accessText(change))}`
      ),
    ),
    list(
      TITLES.edge,
      report.edge.map((change) =>
        `${change.change === "opened" ? "**opened**" : "closed"}: ${escaped(edgeText(change))}`
      ),
    ),
    report.ignoresEndpoints && report.requests.length > 0 ? `${ENDPOINTS_NOTE}.\n` : "",
    explainBlock(report),
  ];
  return sections.filter((section) => section !== "").join("\n");
}

function requestTable(report: DiffReport): string {
  const { requests } = report;
  if (requests.length === 0) return "";
  const shown = requests.slice(0, LISTED_CHANGES_MAX);
  const rows = shown.map((change) => {
    const { service, port, backends, policies, after } = change;
    const hole = holeText(change);
    const traffic = trafficText(change, report);
    const changes = [
      ...backends.map(({ backend, before, after }) =>
        `${code(nearName(backend, service))} ${percentText(before)} → **${percentText(after)}**`
      ),
      ...(policies.length === 0 ? [] : [`policy: ${policies.join(", ")}`]),
      ...(traffic === "" ? [] : [traffic]),
      ...(hole === null ? [] : [change.hole === "opened" ? `:warning: ${hole}` : hole]),
    ];
    const place = placeText(after.position);
    const cells = [
      code(changedText(change)),
      code(`${service}:${port}`),
      changes.join("<br>"),
      `${code(decidingText(change))}${place === "" ? "" : `<br>${code(place)}`}`,
    ];
    return `| ${cells.join(" | ")} |\n`;
  });
  const more = requests.length - shown.length;
  return "| shortest request | to | backends | decided by |\n|---|---|---|---|\n" + rows.join("") +
    (more === 0 ? "" : `\nand ${more} more kinds of requests\n`);
}

function list(title: string, items: readonly string[]): string {
  if (items.length === 0) return "";
  const shown = items.slice(0, LISTED_CHANGES_MAX).map((item) => `- ${item}\n`);
  const more = items.length - shown.length;
  return `**${title}**\n\n${shown.join("")}${more === 0 ? "" : `- and ${more} more\n`}`;
}

/** How to ask again; the paths are those of the new side. */
function explainBlock({ requests, after }: DiffReport): string {
  const commands = requests.slice(0, LISTED_CHANGES_MAX).flatMap(({ request }) =>
    request === null || request.isCapturedOnly
      ? []
      : [`weft explain ${request.explain.map(quotedForShell).join(" ")} -f ${after}`]
  );
  if (commands.length === 0 || after === "-") return "";
  return "<details><summary>Ask for the reasons</summary>\n\n```sh\n" +
    `${commands.join("\n")}\n\`\`\`\n\n</details>\n`;
}

/** Text of the input must not become markup: a name can hold what Markdown and HTML take for theirs. */
function escaped(text: string): string {
  return printable(text).replace(/[\\`*_{}[\]<>|#~!&]/g, "\\$&");
}

/** In a table a bar ends the cell also within code. */
function code(text: string): string {
  const plain = printable(text).replaceAll("|", "\\|");
  const longest = Math.max(0, ...[...plain.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return longest === 0 ? `${fence}${plain}${fence}` : `${fence} ${plain} ${fence}`;
}

function quotedForShell(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
