/**
 * Whether an object of the mesh may be written: the same reading and compilation as everywhere say what it would come to. Refused is what
 * would be an error of this very object and was none before; whatever else is new about it is a warning.
 */
import { type Finding, type FindingCode, formatRef, type ResourceRef } from "../../base/finding.ts";
import { isSameData } from "../../base/same_data.ts";
import { WARNING_CHARACTERS_MAX, WARNINGS_MAX } from "../limits.ts";
import { type AdmissionRequest, ALLOWED, askedFor, type Verdict } from "./review.ts";
import { fieldsOf, type JsonFields, textField } from "../kube/fields.ts";

/** What an object would come to. */
export interface WriteOutcome {
  readonly ref: ResourceRef;
  /** Findings that there would be and are not now, of whatever object. */
  readonly came: readonly Finding[];
}

/** These are over once another object is there, and what is applied together has no order. */
const WAITS_FOR_OTHERS: ReadonlySet<FindingCode> = new Set([
  "split-root-missing",
  "split-no-backend",
]);

/** @param outcomeOf null: it counts for nothing, or nothing is known yet */
export function validate(
  request: AdmissionRequest,
  outcomeOf: (object: JsonFields) => WriteOutcome | null,
): Verdict {
  const { operation, subResource = "", object, oldObject } = request;
  const isWritten = operation === "CREATE" || operation === "UPDATE";
  if (!isWritten || subResource !== "") return ALLOWED;
  // What touches labels or finalizers has not asked about the rest.
  if (operation === "UPDATE" && isSameData(askedFor(object), askedFor(oldObject))) return ALLOWED;
  const outcome = outcomeOf(named(fieldsOf(object), request));
  if (outcome === null) return ALLOWED;
  const isOwn = ({ resource }: Finding) =>
    resource !== undefined && formatRef(resource) === formatRef(outcome.ref);
  const errors = outcome.came.filter((finding) =>
    finding.severity === "error" && isOwn(finding) && !WAITS_FOR_OTHERS.has(finding.code)
  );
  if (errors.length > 0) {
    const message = errors.map((finding) => textOf(finding, true)).join("; ");
    return { allowed: false, status: { code: 422, reason: "Invalid", message } };
  }
  const warnings = outcome.came.filter(({ severity }) => severity !== "info")
    .map((finding) => shortened(textOf(finding, isOwn(finding))));
  return warnings.length === 0 ? ALLOWED : { ...ALLOWED, warnings: atMost(warnings) };
}

/** As it will be stored: a name may not have been made yet, and an object is as old as its first writing. */
function named(object: JsonFields, { namespace = "" }: AdmissionRequest): JsonFields {
  const metadata = fieldsOf(object["metadata"]);
  const prefix = textField(metadata, "generateName") ?? "";
  const name = textField(metadata, "name") ?? `${prefix}0`;
  return { ...object, metadata: { ...metadata, name, namespace } };
}

function textOf({ code, field, message, hint, resource }: Finding, isOwn: boolean): string {
  const where = [
    ...(isOwn || resource === undefined ? [] : [formatRef(resource)]),
    ...(field === undefined ? [] : [field]),
  ].join(" ");
  return `${where === "" ? "" : `${where}: `}${message}. ${hint} (${code})`;
}

function shortened(text: string): string {
  return text.length <= WARNING_CHARACTERS_MAX
    ? text
    : `${text.slice(0, WARNING_CHARACTERS_MAX - 1)}…`;
}

function atMost(warnings: readonly string[]): readonly string[] {
  const left = warnings.length - WARNINGS_MAX;
  return left <= 0 ? warnings : [
    ...warnings.slice(0, WARNINGS_MAX),
    `${left} more; the controller's log and the objects' Events have all`,
  ];
}
