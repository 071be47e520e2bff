/**
 * Checks an SMI object against the schema of its version in our own CRDs, as the API server would, and says for
 * people what is wrong. The only file that knows the schema checker.
 */
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import type { FieldPath } from "../base/finding.ts";
import { definitionOf, type OpenApiSchema } from "./crds/definitions.ts";
import { describe, isRecord, textHint } from "./fields.ts";
import type { Report } from "./report.ts";
import { suggest } from "./suggest.ts";

/** Reports each field that is wrong, missing or not known. The kind and version must be ones of our CRDs. */
export function checkSchema(kind: string, version: string, value: unknown, report: Report): void {
  const { schema, validate } = checkerOf(kind, version);
  if (!validate(value)) {
    for (const error of reportable(validate.errors ?? [])) {
      reportError(error, value, schema, report);
    }
  }
  checkUnknown(schema, value, [], report);
}

interface Checker {
  readonly schema: OpenApiSchema;
  readonly validate: ValidateFunction;
}

const checkers = new Map<string, Checker>();
let ajv: Ajv | undefined;

/** Compiled when first asked for: most runs see one version of each kind. */
function checkerOf(kind: string, version: string): Checker {
  const key = `${kind}/${version}`;
  const known = checkers.get(key);
  if (known !== undefined) return known;
  const schema = schemaOf(kind, version);
  // Null fields were left out on reading, so that `nullable` has nothing to say.
  ajv ??= new Ajv({ strict: false, strictNumbers: true, allErrors: true, validateFormats: false });
  const checker = { schema, validate: ajv.compile(jsonSchema(schema)) };
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
      missingHint(name, field, fieldSchema),
    );
    return;
  }
  const [message, hint] = explain(error, field, fieldSchema);
  report("schema-invalid", path, message, hint);
}

function missingHint(name: string, parent: unknown, schema: OpenApiSchema | undefined): string {
  const unknown = Object.keys(isRecord(parent) ? parent : {}).filter((key) =>
    schema?.properties?.[key] === undefined
  );
  const slip = suggest(name, unknown);
  if (slip !== undefined) return `Did you mean "${name}" where "${slip}" stands?`;
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
      return [`${describe(value)} has not the form that is asked for`, `Correct it${meaning}`];
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

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  integer: "a whole number",
  array: "a list",
  object: "an object",
  boolean: "true or false",
};

function typeHint(value: unknown, schema: OpenApiSchema | undefined, meaning: string): string {
  if (schema?.type === "string") return textHint(value);
  const isNumber = schema?.type === "number" || schema?.type === "integer";
  if (isNumber && typeof value === "string" && value.trim() !== "" && isFinite(Number(value))) {
    return `Write ${Number(value)} without quotes`;
  }
  if (schema?.type === "object" && Array.isArray(value)) {
    return `Write one object, not a list${meaning}`;
  }
  if (schema?.type === "array") return `Write a list, each item after a "-"${meaning}`;
  return `Correct it${meaning}`;
}

/** Reports fields that the schema does not have; the API server would drop them. */
function checkUnknown(
  schema: OpenApiSchema,
  value: unknown,
  path: FieldPath,
  report: Report,
): void {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return;
    for (const [index, item] of value.entries()) {
      checkUnknown(items, item, [...path, index], report);
    }
    return;
  }
  if (!isRecord(value) || schema["x-kubernetes-preserve-unknown-fields"] === true) return;
  // `metadata` is the same for all kinds and not ours to check.
  if (path[0] === "metadata") return;
  const properties = schema.properties ?? {};
  for (const [key, child] of Object.entries(value)) {
    const property = Object.getOwnPropertyDescriptor(properties, key)?.value;
    if (property !== undefined) checkUnknown(property, child, [...path, key], report);
    else if (path.length > 0 || key !== "status") reportUnknown(key, properties, path, report);
  }
}

function reportUnknown(
  key: string,
  properties: Readonly<Record<string, OpenApiSchema>>,
  path: FieldPath,
  report: Report,
): void {
  const names = Object.keys(properties);
  const meant = suggest(key, names);
  const others = names.length === 0 ? "there are none here" : `there are ${names.join(", ")}`;
  report(
    "field-unknown",
    [...path, key],
    `There is no field "${key}" here in this version`,
    meant === undefined ? `Remove it; ${others}` : `Did you mean "${meant}"?`,
  );
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

function schemaAt(root: OpenApiSchema, path: FieldPath): OpenApiSchema | undefined {
  return path.reduce<OpenApiSchema | undefined>(
    (schema, key) => typeof key === "number" ? schema?.items : schema?.properties?.[key],
    root,
  );
}

function lowerFirst(text: string): string {
  return /^[A-Z][a-z ]/.test(text) ? text[0]?.toLowerCase() + text.slice(1) : text;
}
