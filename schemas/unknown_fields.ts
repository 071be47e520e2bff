/**
 * Fields that the schema of a kind does not have: where they stand, and what was most likely meant by them.
 */
import type { FieldPath } from "../base/finding.ts";
import {
  definitionOf,
  KINDS_DEFINED,
  type OpenApiSchema,
  propertyOf,
  schemaAt,
} from "./crds/definitions.ts";
import { isRecord, METADATA_FIELDS } from "./fields.ts";
import type { Report } from "./report.ts";
import { commonLength, suggest, suggestField } from "./suggest.ts";

export interface UnknownField {
  readonly path: FieldPath;
  /** The field of the same object that it is most likely a slip of. */
  readonly meant: string | undefined;
}

/** All fields that a schema does not have; the API server would drop or refuse them. */
export function unknownFields(
  schema: OpenApiSchema,
  value: unknown,
  path: FieldPath = [],
): UnknownField[] {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined
      ? []
      : value.flatMap((item, index) => unknownFields(items, item, [...path, index]));
  }
  // Where something else than an object is asked for, that is reported.
  if (!isRecord(value) || schema.type !== "object") return [];
  if (path[0] === "metadata") return unknownMetadata(value, path);
  const names = Object.keys(schema.properties ?? {});
  return Object.entries(value).flatMap(([key, child]) => {
    // A cluster may have written one, of whatever shape.
    if (path.length === 0 && key === "status") return [];
    const property = propertyOf(schema, key);
    const at = [...path, key];
    if (property !== undefined) return unknownFields(property, child, at);
    return [{ path: at, meant: suggestField(key, names) }];
  });
}

/** Of `metadata`, which is Kubernetes' own and may grow, only slips: a misspelt namespace is another namespace. */
function unknownMetadata(
  value: Readonly<Record<string, unknown>>,
  path: FieldPath,
): UnknownField[] {
  if (path.length > 1) return [];
  return Object.keys(value).flatMap((key) => {
    const meant = METADATA_FIELDS.includes(key) ? undefined : suggest(key, METADATA_FIELDS);
    return meant === undefined ? [] : [{ path: [...path, key], meant }];
  });
}

interface KindOfSchema {
  readonly kind: string;
  readonly version: string;
  readonly schema: OpenApiSchema;
  readonly isDefined: boolean;
}

export function reportUnknown(field: UnknownField, of: KindOfSchema, report: Report): void {
  const { path } = field;
  report(
    "field-unknown",
    path,
    `There is no field "${path.at(-1)}" here in ${of.version}, so this ${of.kind} is left out`,
    unknownHint(field, of),
  );
}

/** First what is right as it is written, in another version or place; then slips. */
function unknownHint(
  { path, meant }: UnknownField,
  { kind, schema, isDefined }: KindOfSchema,
): string {
  const name = String(path.at(-1));
  const version = isDefined ? versionWith(path, kind) : undefined;
  if (version !== undefined) return `Write apiVersion "${version}", which has it`;
  const places = nearestPlaces(placesOf(schema, name, ""), path);
  if (places.length > 0) return `It belongs ${places.map(placeName).join(" or ")}`;
  if (meant !== undefined) return `Did you mean "${meant}"?`;
  const names = Object.keys(schemaAt(schema, path.slice(0, -1))?.properties ?? {});
  const here = names.length === 0 ? "there are none here" : `those here are ${names.join(", ")}`;
  const other = isDefined ? kindWith(name) : undefined;
  return `Correct or remove it: ${
    other === undefined ? here : `${here}; ${other} has one of this name`
  }`;
}

/** The newest version of a kind that has a field. */
function versionWith(path: FieldPath, kind: string): string | undefined {
  const definition = definitionOf(kind)?.spec;
  const found = definition?.versions.find(({ schema }) =>
    schemaAt(schema.openAPIV3Schema, path) !== undefined
  );
  return found === undefined ? undefined : `${definition?.group}/${found.name}`;
}

/** A kind of ours that has a field of this name somewhere. */
function kindWith(name: string): string | undefined {
  return KINDS_DEFINED.find((kind) => {
    const schema = definitionOf(kind)?.spec.versions[0]?.schema.openAPIV3Schema;
    return schema !== undefined && placesOf(schema, name, "").length > 0;
  });
}

/** Every object of a schema that has a field of this name, as `spec.backends[]`; empty: the top level. */
function placesOf(schema: OpenApiSchema, name: string, at: string): string[] {
  const places = propertyOf(schema, name) === undefined ? [] : [at];
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    if (at === "" && ["apiVersion", "kind", "metadata"].includes(key)) continue;
    places.push(...placesOf(property, name, at === "" ? key : `${at}.${key}`));
  }
  if (schema.items !== undefined) places.push(...placesOf(schema.items, name, `${at}[]`));
  return places;
}

function placeName(place: string): string {
  return place === "" ? "at the top level" : `in "${place}"`;
}

/** Those of the places that are nearest to where a field stands; none if there are too many to help. */
function nearestPlaces(places: readonly string[], path: FieldPath): readonly string[] {
  const here = path.slice(0, -1).map((key) => typeof key === "number" ? "[]" : key);
  const distances = places.map((place) => {
    const keys = place.replaceAll("[]", ".[]").split(".").filter((key) => key !== "");
    return keys.length + here.length - 2 * commonLength(keys, here);
  });
  const nearest = places.filter((_, index) => distances[index] === Math.min(...distances));
  return nearest.length <= 2 ? nearest : [];
}
