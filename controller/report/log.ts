/** What is wrong with objects of the mesh, into the log of the controller. */
import { type Finding, formatRef } from "../../base/finding.ts";
import type { Log } from "../../base/log.ts";
import { FINDINGS_LOGGED_MAX } from "../limits.ts";

export function logFindings(findings: readonly Finding[], log: Log): void {
  const weighty = findings.filter(({ severity }) => severity !== "info");
  for (const finding of weighty.slice(0, FINDINGS_LOGGED_MAX)) {
    const { code, severity, message, hint, resource, field } = finding;
    log.write(severity === "error" ? "error" : "warn", "Finding", {
      code,
      finding: message,
      hint,
      ...(resource === undefined ? {} : { object: formatRef(resource) }),
      ...(field === undefined ? {} : { field }),
    });
  }
  const left = weighty.length - FINDINGS_LOGGED_MAX;
  if (left > 0) log.warn("More findings", { count: left });
}
