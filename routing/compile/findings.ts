/**
 * Collects what compile has to tell a person. Owns severity by code, positions and the order of Findings;
 * knows nothing of what is being checked.
 */
import {
  type FieldPath,
  type Finding,
  FINDING_CODES,
  type FindingCode,
  formatFieldPath,
  formatRef,
  type Position,
  type ResourceRef,
  type Severity,
} from "../../base/finding.ts";
import type { Meta } from "../../schemas/resources.ts";
import { compareText } from "../../base/order.ts";
import { compareNumbers } from "./order.ts";

interface Report {
  readonly code: FindingCode;
  readonly meta: Meta;
  /** The field that is at fault; empty: the resource as a whole. */
  readonly path: FieldPath;
  /** Sentence case, no final period, quoted values. */
  readonly message: string;
  /** What to change. */
  readonly hint: string;
  /** Where this case is milder than the code's own severity. */
  readonly severity?: Severity;
}

/** Makes Findings, and hands them over. */
export class Findings {
  readonly #report: (finding: Finding) => void;

  constructor(report: (finding: Finding) => void) {
    this.#report = report;
  }

  add(report: Report): void {
    const { code, meta, path, message, hint } = report;
    const position = meta.origin.locate(path);
    this.#report({
      code,
      severity: report.severity ?? FINDING_CODES[code][0],
      message,
      hint,
      resource: refOf(meta),
      ...(path.length > 0 && { field: formatFieldPath(path) }),
      ...(position !== undefined && { position }),
    });
  }
}

/** By file, line and column; those without a position last, by resource. `text` is what a Finding is as JSON. */
export function orderFindings(
  findings: Iterable<readonly [text: string, finding: Finding]>,
): Finding[] {
  return [...findings].sort(([aText, a], [bText, b]) =>
    comparePositions(a.position, b.position) ||
    compareText(resourceText(a), resourceText(b)) ||
    compareText(a.code, b.code) ||
    compareText(aText, bText)
  ).map(([, finding]) => finding);
}

/** The reference that a Plan and a Finding carry in place of the resource. */
export function refOf(meta: Meta): ResourceRef {
  return { kind: meta.kind, namespace: meta.namespace, name: meta.name };
}

/** The position of a field, as a Plan carries it. */
export function positionOf(meta: Meta, path: FieldPath): Position | null {
  const position = meta.origin.locate(path);
  return position === undefined
    ? null
    : { file: position.file, line: position.line, column: position.column };
}

/** `"a", "b" and "c"`, of which at most `countMax` are written out. */
export function quotedList(names: readonly string[], countMax = 5): string {
  return joinedList(names.slice(0, countMax).map(quoted), names.length);
}

/** `80, 443 and 9090`. */
export function plainList(items: readonly (string | number)[]): string {
  return joinedList(items.map(String), items.length);
}

export function quoted(name: string): string {
  return JSON.stringify(name);
}

function joinedList(items: readonly string[], total: number): string {
  if (items.length < total) return `${items.join(", ")} and ${total - items.length} more`;
  if (items.length < 2) return items.join("");
  return `${items.slice(0, -1).join(", ")} and ${items[items.length - 1]}`;
}

function resourceText(finding: Finding): string {
  return finding.resource === undefined ? "" : formatRef(finding.resource);
}

function comparePositions(a: Position | undefined, b: Position | undefined): number {
  if (a === undefined || b === undefined) {
    return compareNumbers(Number(a === undefined), Number(b === undefined));
  }
  return compareText(a.file, b.file) || compareNumbers(a.line, b.line) ||
    compareNumbers(a.column, b.column);
}
