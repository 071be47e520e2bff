/** Findings for a person: worst first, then by place, each with its way out, and counted at the end. */
import { type Finding, formatPosition, formatRef, type Severity } from "../base/finding.ts";
import type { Output, Style } from "./output.ts";
import { counted, withoutFlagAdvice } from "../base/text.ts";
import { printable } from "./text.ts";

const SEVERITIES: readonly Severity[] = ["error", "warning", "info"];
const STYLES = { error: "error", warning: "warning", info: "info" } as const satisfies Record<
  Severity,
  Style
>;

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
    const severity = output.style(STYLES[finding.severity], finding.severity);
    rendered += `${printable(placeOf(finding))} ${severity} ` +
      `${output.style("strong", finding.code)} ${printable(withoutFlagAdvice(finding.message))}\n`;
    if (finding.hint !== "") rendered += `    ${output.style("faint", printable(finding.hint))}\n`;
  }
  return `${rendered}${summarizeFindings(findings)}\n`;
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
