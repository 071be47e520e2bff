/** Tells Findings: to a person as every command does, to a collector of logs as events. */
import { type Finding, formatPosition, formatRef } from "../base/finding.ts";
import type { Log } from "../base/log.ts";
import type { Output } from "../console/output.ts";
import { renderFindings } from "../console/findings.ts";

export type ReportFindings = (findings: readonly Finding[]) => void;

export function findingReporter(log: Log, stderr: Output): ReportFindings {
  if (stderr.isTerminal) return (findings) => stderr.write(renderFindings(stderr, findings));
  const levels = { error: "error", warning: "warn", info: "info" } as const;
  return (findings) => {
    for (const { severity, code, message, hint, position, resource } of findings) {
      log.write(levels[severity], "Finding", {
        code,
        text: message,
        hint,
        ...(position === undefined ? {} : { position: formatPosition(position) }),
        ...(resource === undefined ? {} : { resource: formatRef(resource) }),
      });
    }
  };
}
