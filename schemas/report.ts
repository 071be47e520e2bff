/**
 * Makes Findings about one object of the input: the severity from the code, the position from the field path.
 */
import {
  type FieldPath,
  type Finding,
  FINDING_CODES,
  type FindingCode,
  formatFieldPath,
  type Position,
  type ResourceRef,
} from "../base/finding.ts";
import type { Origin } from "./resources.ts";

/** Reports a problem of a field of the object at hand; `path` is empty for the object as a whole. */
export type Report = (code: FindingCode, path: FieldPath, message: string, hint: string) => void;

/** A reporter for one object. */
export function reportTo(
  findings: Finding[],
  origin: Origin,
  resource: ResourceRef | undefined,
): Report {
  return (code, path, message, hint) => {
    const position = origin.locate(path);
    findings.push(
      makeFinding(code, { message, hint, resource, position, field: formatFieldPath(path) }),
    );
  };
}

/** A Finding with only the parts that are known. */
export function makeFinding(
  code: FindingCode,
  parts: {
    readonly message: string;
    readonly hint: string;
    readonly resource?: ResourceRef | undefined;
    readonly field?: string;
    readonly position?: Position | undefined;
  },
): Finding {
  const { message, hint, resource, field, position } = parts;
  return {
    code,
    severity: FINDING_CODES[code][0],
    message,
    hint,
    ...(resource === undefined ? {} : { resource }),
    ...(field === undefined || field === "" ? {} : { field }),
    ...(position === undefined ? {} : { position }),
  };
}
