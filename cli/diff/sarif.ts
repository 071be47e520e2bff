/** What differs, for tools that show results beside the lines they are about (SARIF 2.1.0, as GitHub takes it). */
import { type Finding, FINDING_CODES, type Position } from "../../base/finding.ts";
import { VERSION } from "../../base/version.ts";
import type { DiffReport } from "./report.ts";
import {
  accessText,
  aliasText,
  changedText,
  decidingText,
  edgeText,
  endpointText,
  holeText,
  percentText,
  portText,
  trafficText,
} from "./wording.ts";

const RULES = {
  "requests-moved": "Requests are answered by other backends, or in other shares",
  "requests-treated": "Requests are treated otherwise on their way",
  "hole-opened": "No rule takes requests that one took",
  "port-changed": "A port or name of the mesh comes, goes or speaks otherwise",
  "rule-dead": "A rule that nothing comes to",
  "access-opened": "A caller may send what it could not",
  "access-closed": "A caller may no longer send what it could",
  "edge-opened": "What could not leave or enter the mesh may now",
  "edge-closed": "What could leave or enter the mesh may no longer",
} as const;

type RuleId = keyof typeof RULES;

const LEVELS: Readonly<Partial<Record<RuleId, string>>> = {
  "hole-opened": "warning",
  "rule-dead": "warning",
  "access-opened": "warning",
  "edge-opened": "warning",
};

interface Result {
  readonly ruleId: string;
  readonly level: string;
  readonly text: string;
  readonly position: Position | null;
}

/** @param errors of the new side, which are among the results */
export function renderSarif(report: DiffReport, errors: readonly Finding[]): string {
  const results = [
    ...errors.map(({ code, message, position = null }): Result => ({
      ruleId: code,
      level: "error",
      text: message,
      position,
    })),
    ...resultsOf(report).map(({ id, ...rest }): Result => ({
      ruleId: id,
      level: LEVELS[id] ?? "note",
      ...rest,
    })),
  ];
  const rules = [
    ...Object.entries(RULES).map(([id, text]) => ruleOf(id, text)),
    ...[...new Set(errors.map(({ code }) => code))].map((code) =>
      ruleOf(code, FINDING_CODES[code][1])
    ),
  ];
  return JSON.stringify(
    {
      $schema: "https://json.schemastore.org/sarif-2.1.0.json",
      version: "2.1.0",
      runs: [{
        tool: { driver: { name: "weft", semanticVersion: VERSION, rules } },
        results: results.map(sarifResult),
      }],
    },
    null,
    2,
  );
}

function ruleOf(id: string, text: string) {
  return { id, shortDescription: { text } };
}

function resultsOf(report: DiffReport): { id: RuleId; text: string; position: Position | null }[] {
  return [
    ...report.requests.map((change) => {
      const shares = change.backends.map(({ backend, before, after }) =>
        `${backend} ${percentText(before)} -> ${percentText(after)}`
      );
      const what = [...shares, ...change.policies.map((section) => `policy ${section}`)].join(", ");
      const id: RuleId = change.hole === "opened"
        ? "hole-opened"
        : change.backends.length > 0
        ? "requests-moved"
        : "requests-treated";
      const hole = holeText(change);
      const traffic = trafficText(change, report);
      const text = `${changedText(change)} to ${change.service}:${change.port}: ${what}, ` +
        `decided by ${decidingText(change)}${hole === null ? "" : `; ${hole}`}` +
        (traffic === "" ? "" : `; ${traffic}`);
      return { id, text, position: change.after.position ?? change.before.position };
    }),
    ...report.ports.map((port) => ({
      id: "port-changed" as const,
      text: portText(port),
      position: null,
    })),
    ...report.names.map((name) => ({
      id: "port-changed" as const,
      text: aliasText(name),
      position: null,
    })),
    ...report.endpoints.map((endpoint) => ({
      id: "requests-treated" as const,
      text: endpointText(endpoint),
      position: null,
    })),
    ...report.deadRules.map(({ rule, service, port, position }) => ({
      id: "rule-dead" as const,
      text: `Nothing comes to ${rule} of ${service}:${port}`,
      position,
    })),
    ...report.access.map((change) => ({
      id: `access-${change.change}` as const,
      text: accessText(change),
      position: change.targets[0]?.position ?? null,
    })),
    ...report.edge.map((change) => ({
      id: `edge-${change.change}` as const,
      text: edgeText(change),
      position: change.rules[0]?.position ?? null,
    })),
  ];
}

/** A place in a revision is none of the files that results are shown in. */
function sarifResult({ ruleId, level, text, position }: Result) {
  const isHere = position !== null && !/^[^/]{2,}:/.test(position.file) && position.file !== "-";
  return {
    ruleId,
    level,
    message: { text },
    locations: isHere
      ? [{
        physicalLocation: {
          artifactLocation: { uri: encodeURI(position.file.replace(/^\.\//, "")) },
          region: { startLine: position.line, startColumn: position.column },
        },
      }]
      : [],
  };
}
