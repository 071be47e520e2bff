/**
 * One identified object to the resource that it makes: checked by its schema where it has one, then read by its kind. The same for
 * manifests and for what an API server says.
 */
import type { FieldPath, Finding } from "../base/finding.ts";
import { Field } from "./fields.ts";
import type { IdentifiedObject } from "./identify.ts";
import type { SnapshotLists } from "./kinds.ts";
import { SourceOrigin } from "./positions.ts";
import { type Report, reportTo } from "./report.ts";
import type { Meta } from "./resources.ts";
import { checkSchema } from "./validate.ts";

/** Adds what an object makes to the lists, and to the Findings what is wrong with it. */
export function readObject(
  object: IdentifiedObject,
  lists: SnapshotLists,
  findings: Finding[],
): void {
  const { kind, version, value, meta } = object;
  const invalid: FieldPath[] = [];
  let { isRefused } = object;
  // Of what is no object of the kind, its fields are not at fault.
  const reportAny = isRefused ? () => {} : reportTo(findings, meta.origin, refOfMeta(meta));
  const report: Report = (code, path, message, hint) => {
    if (code === "schema-invalid") invalid.push(path);
    if (code === "field-unknown") isRefused = true;
    reportAny(code, path, message, hint);
  };
  const isSound = (path: FieldPath) =>
    !invalid.some((bad) => path.every((key, depth) => bad[depth] === key));
  if (kind.hasSchema) {
    checkSchema(kind, version, value, report);
    for (const path of emptyFields(object).filter(isSound)) reportEmpty(path, report);
  }
  const root = new Field(value, [], kind.hasSchema ? () => {} : report);
  kind.readInto({ meta, version, root, isSound, isRefused, report }, lists);
}

function emptyFields({ value, meta: { origin } }: IdentifiedObject): FieldPath[] {
  const fields = origin instanceof SourceOrigin ? origin.emptyFields(value) : [];
  return fields.filter(([first]) => first !== "metadata" && first !== "status");
}

/** Such a field is as if it were not there, as for the API server: a `pathRegex` without a value is every path. */
function reportEmpty(path: FieldPath, report: Report): void {
  report(
    "field-empty",
    path,
    `"${path.at(-1)}" has no value and counts as left out`,
    "Write a value, or remove the field",
  );
}

/** What to call it. */
export function refOfMeta({ kind, namespace, name }: Meta) {
  return { kind, namespace, name };
}
