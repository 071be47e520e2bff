/**
 * Checks an SMI object against the schema of its version in our own CRDs, as the API server would, and says for
 * people what is wrong. The only file that knows the schema checker.
 */
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import type { FieldPath } from "../base/finding.ts";
import { definitionOf, type OpenApiSchema, schemaAt } from "./crds/definitions.ts";
import { GATEWAY_SCHEMAS } from "./gateway/shapes.ts";
import type { Kind } from "./kinds.ts";
import { describe, textHint } from "./fields.ts";
import type { Report } from "./report.ts";
import { suggest } from "./suggest.ts";
import { reportUnknown, type UnknownField, unknownFields } from "./unknown_fields.ts";

/** Reports each field that is wrong, missing or not known. The kind must be one that has a schema. */
export function checkSchema(
  { kind, isDefined }: Pick<Kind, "kind" | "isDefined">,
  version: string,
  value: unknown,
  report: Report,
): void {
  const { schema, validate } = checkerOf(kind, version, isDefined);
  const unknown = unknownFields(schema, value);
  if (!validate(value)) {
    for (const error of reportable(validate.errors ?? [])) {
      if (!isExplained(error, value, unknown)) reportError(error, value, schema, report);
    }
  }
  for (const field of unknown) reportUnknown(field, { kind, version, schema, isDefined }, report);
}

interface Checker {
  readonly schema: OpenApiSchema;
  readonly validate: ValidateFunction;
}

const checkers = new Map<string, Checker>();
let ajv: Ajv | undefined;

/** Compiled when first asked for: most runs see one version of each kind. */
function checkerOf(kind: string, version: string, isDefined: boolean): Checker {
  const key = isDefined ? `${kind}/${version}` : kind;
  const known = checkers.get(key);
  if (known !== undefined) return known;
  const schema = isDefined ? schemaOf(kind, version) : GATEWAY_SCHEMAS[kind];
  // Null fields were left out on reading, so that `nullable` has nothing to say.
  ajv ??= new Ajv({ strict: false, strictNumbers: true, allErrors: true, validateFormats: false });
  // A cluster may have written a status, of whatever shape.
  const { status: _, ...properties } = schema.properties ?? {};
  const checker = { schema, validate: ajv.compile(jsonSchema({ ...schema, properties })) };
  checkers.set(key, checker);
  return checker;
}

function schemaOf(kind: string, version: string): OpenApiSchema {
  const found = definitionOf(kind)?.spec.versions.find(({ name }) => name === version);
  if (found === undefined) throw new RangeError(`No schema: "${kind}" "${version}"`);
  return found.schema.openAPIV3Schema;
}

/** JSON Schema for an OpenAPI schema: the two differ for us in integers that may be text. */
function jsonSchema(schema: OpenApiSchema): Record<string, unknown> {
  const { properties, items, anyOf, ...rest } = schema;
  const result: Record<string, unknown> = { ...rest };
  if (schema["x-kubernetes-int-or-string"] === true) {
    result["type"] = ["integer", "string"];
  } else if (anyOf !== undefined) {
    result["anyOf"] = anyOf.map(jsonSchema);
  }
  if (items !== undefined) result["items"] = jsonSchema(items);
  if (properties !== undefined) {
    result["properties"] = Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [name, jsonSchema(property)]),
    );
  }
  return result;
}

/**
 * The errors worth a Finding. The branches of an `anyOf` (spec, or the layout of an older version) say in several
 * ways what the first of them says. A kind of route or identity that we do not know is left to compile, which
 * knows what comes of it.
 */
function reportable(errors: readonly ErrorObject[]): ErrorObject[] {
  return errors.filter(({ keyword, schemaPath, instancePath }) =>
    keyword !== "anyOf" && !/\/anyOf\/[1-9]/.test(schemaPath) &&
    !(keyword === "enum" && instancePath.endsWith("/kind"))
  );
}

/** Whether a field is missing most likely because it stands there misspelt, or elsewhere: that is reported. */
function isExplained(
  { keyword, params, instancePath }: ErrorObject,
  value: unknown,
  unknown: readonly UnknownField[],
): boolean {
  if (keyword !== "required") return false;
  const parent = pathOf(instancePath, value);
  return unknown.some(({ path }) =>
    path.at(-1) === params["missingProperty"] ||
    (path.length === parent.length + 1 && parent.every((key, depth) => path[depth] === key))
  );
}

function reportError(
  error: ErrorObject,
  value: unknown,
  schema: OpenApiSchema,
  report: Report,
): void {
  const path = pathOf(error.instancePath, value);
  const field = fieldAt(value, path);
  const fieldSchema = schemaAt(schema, path);
  if (error.keyword === "required") {
    const name = String(error.params["missingProperty"]);
    report(
      "schema-invalid",
      [...path, name],
      `Field "${name}" is missing`,
      missingHint(name, fieldSchema),
    );
    return;
  }
  const [message, hint] = explain(error, field, fieldSchema);
  report("schema-invalid", path, message, hint);
}

function missingHint(name: string, schema: OpenApiSchema | undefined): string {
  const description = schema?.properties?.[name]?.description;
  return description === undefined ? `Add "${name}"` : `Add "${name}": ${lowerFirst(description)}`;
}

/** Message and hint for an error of a field that is there. */
function explain(
  error: ErrorObject,
  value: unknown,
  schema: OpenApiSchema | undefined,
): readonly [string, string] {
  const meaning = schema?.description === undefined ? "" : `: ${lowerFirst(schema.description)}`;
  switch (error.keyword) {
    case "type": {
      const expected = [error.params["type"]].flat().map((type) => TYPE_NAMES[type] ?? type);
      return [
        `${describe(value)} is not ${expected.join(" or ")}`,
        typeHint(value, schema, meaning),
      ];
    }
    case "enum": {
      const allowed: string[] = error.params["allowedValues"];
      const meant = suggest(String(value), allowed);
      return [
        `${describe(value)} is not one of ${allowed.join(", ")}`,
        meant === undefined ? `Write one of ${allowed.join(", ")}` : `Write "${meant}"`,
      ];
    }
    case "pattern":
      return isDuration(schema) ? [`${describe(value)} is not a duration`, durationHint(value)] : [
        `${describe(value)} has not the form that is asked for`,
        numberHint(value) ?? `Correct it${meaning}`,
      ];
    case "minItems":
      return ["The list is empty", `Add an item${meaning}`];
    case "minimum":
    case "maximum": {
      const range = `from ${schema?.minimum} to ${schema?.maximum}`;
      return [`${describe(value)} is not ${range}`, `Write a number ${range}`];
    }
    default:
      return [`${describe(value)} ${error.message}`, `Correct it${meaning}`];
  }
}

/** The definitions write one pattern for all of them. */
function isDuration(schema: OpenApiSchema | undefined): boolean {
  return schema?.pattern?.includes("(h|m|s|ms)") === true;
}

function durationHint(value: unknown): string {
  const number = typeof value === "number" ? value : String(value).trim();
  return /^\d{1,5}$/.test(String(number))
    ? `Write its unit: "${number}s" or "${number}ms"`
    : 'Write whole numbers with h, m, s or ms, such as "1m30s" or "500ms"';
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  integer: "a whole number",
  array: "a list",
  object: "an object",
  boolean: "true or false",
};

/** `10%`, and `500m` as v1alpha1 has weights, are numbers with something after them. */
function numberIn(value: unknown): readonly [number?: number, unit?: string] {
  const [, digits, unit] = /^\s*(\d{1,15}(?:\.\d{1,15})?)\s*(%|m|)\s*$/.exec(String(value)) ?? [];
  return digits === undefined ? [] : [Number(digits), unit];
}

function numberHint(value: unknown): string | undefined {
  const [number, unit] = numberIn(value);
  if (number === undefined) return undefined;
  return `Write ${number} without ${unit === "" ? "quotes" : `"${unit}"`}`;
}

function typeHint(value: unknown, schema: OpenApiSchema | undefined, meaning: string): string {
  if (isDuration(schema)) return durationHint(value);
  if (schema?.type === "string") return textHint(value);
  const isNumber = schema?.type === "number" || schema?.type === "integer";
  const hint = isNumber ? numberHint(value) : undefined;
  if (hint !== undefined) return hint;
  if (schema?.type === "object" && Array.isArray(value)) {
    return `Write one object, not a list${meaning}`;
  }
  if (schema?.type === "object" && schema.properties !== undefined) {
    return `Write its fields under it: ${Object.keys(schema.properties).join(", ")}`;
  }
  if (schema?.type === "array") return `Write a list, each item after a "-"${meaning}`;
  return `Correct it${meaning}`;
}

/** A JSON pointer (RFC 6901) as a field path: digits are an index only where the value has a list. */
function pathOf(pointer: string, root: unknown): FieldPath {
  const path: (string | number)[] = [];
  let value = root;
  for (const token of pointer.split("/").slice(1)) {
    const text = token.replaceAll("~1", "/").replaceAll("~0", "~");
    const key = Array.isArray(value) ? Number(text) : text;
    path.push(key);
    value = fieldAt(value, [key]);
  }
  return path;
}

function fieldAt(root: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null
        ? Object.getOwnPropertyDescriptor(value, key)?.value
        : undefined,
    root,
  );
}

function lowerFirst(text: string): string {
  return /^[A-Z][a-z ]/.test(text) ? text[0]?.toLowerCase() + text.slice(1) : text;
}
