/** Findings for a person: worst first, then by place, each with its way out, and counted at the end. */
import { type Finding, formatPosition, formatRef, type Severity } from "../base/finding.ts";
import type { Output, Style } from "./output.ts";
import { counted, withoutFlagAdvice } from "../base/text.ts";
import { foldText, printable, widthOf } from "./text.ts";
import { FOLDED_MESSAGE_MIN } from "./limits.ts";

const SEVERITIES: readonly Severity[] = ["error", "warning", "info"];
const STYLES = { error: "error", warning: "warning", info: "info" } as const satisfies Record<
  Severity,
  Style
>;

/** Of the lines that a message goes on in, and of a hint. */
const MESSAGE_INDENT = 2;
const HINT_INDENT = 4;

/** Worst first; within a severity by file, line and column; those without a place last, in the order given. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  return findings
    .map((finding, index) => ({ finding, index }))
    .sort((a, b) => compareFindings(a.finding, b.finding) || a.index - b.index)
    .map(({ finding }) => finding);
}

function compareFindings(a: Finding, b: Finding): number {
  const severity = SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity);
  if (severity !== 0) return severity;
  if (a.position === undefined || b.position === undefined) {
    return Number(a.position === undefined) - Number(b.position === undefined);
  }
  if (a.position.file !== b.position.file) return a.position.file < b.position.file ? -1 : 1;
  return a.position.line - b.position.line || a.position.column - b.position.column;
}

/** True if a Finding means that a resource does not do what it says. */
export function hasErrors(findings: readonly Finding[]): boolean {
  return findings.some((finding) => finding.severity === "error");
}

/** One block: `place severity code message` and a hint line for each, then the counts. Empty for none. */
export function renderFindings(output: Output, findings: readonly Finding[]): string {
  if (findings.length === 0) return "";
  let rendered = "";
  for (const finding of sortFindings(findings)) {
    rendered += renderFinding(output, finding);
    if (finding.hint === "") continue;
    for (const line of foldText(printable(finding.hint), widthAfter(output, HINT_INDENT))) {
      rendered += `${" ".repeat(HINT_INDENT)}${output.style("faint", line)}\n`;
    }
  }
  return `${rendered}${summarizeFindings(findings)}\n`;
}

/** Its place, severity, code and message; folded where the output has a width. */
function renderFinding(output: Output, finding: Finding): string {
  const { severity, code } = finding;
  const place = printable(placeOf(finding));
  const message = printable(withoutFlagAdvice(finding.message));
  const head = `${place} ${output.style(STYLES[severity], severity)} ${
    output.style("strong", code)
  }`;
  const width = widthAfter(output, MESSAGE_INDENT);
  // What stands before the message takes its room of the first line, and is kept whole.
  const taken = widthOf(`${place} ${severity} ${code}`) - MESSAGE_INDENT;
  const isAlone = taken + FOLDED_MESSAGE_MIN > width;
  const lines = isAlone
    ? ["", ...foldText(message, width)]
    : foldText(`${"x".repeat(Math.max(0, taken))} ${message}`, width);
  const first = lines[0].slice(Math.max(0, taken));
  const rest = lines.slice(1).map((line) => `${" ".repeat(MESSAGE_INDENT)}${line}\n`);
  return `${head}${first}\n${rest.join("")}`;
}

function widthAfter({ columns }: Output, indent: number): number {
  return Math.max(FOLDED_MESSAGE_MIN, (columns ?? Infinity) - indent);
}

/** `1 error, 2 warnings`; `No findings` for none. */
export function summarizeFindings(findings: readonly Finding[]): string {
  const counts = SEVERITIES
    .map((severity) => ({
      severity,
      count: findings.filter((finding) => finding.severity === severity).length,
    }))
    .filter(({ count }) => count > 0)
    .map(({ severity, count }) => severity === "info" ? `${count} info` : counted(count, severity));
  return counts.length === 0 ? "No findings" : counts.join(", ");
}

/** Where it is in a file; for a resource that is in none, its name and field. */
function placeOf(finding: Finding): string {
  if (finding.position !== undefined) return formatPosition(finding.position);
  if (finding.resource === undefined) return "-";
  const field = finding.field === undefined || finding.field === "" ? "" : ` ${finding.field}`;
  return `${formatRef(finding.resource)}${field}:`;
}
