/** Values as people give them, `KEY=VALUE` or a file in YAML, to keys with their texts. */
import { parse } from "yaml";
import { fieldsOf } from "../kube/fields.ts";
import type { GivenValues } from "./values.ts";

/**
 * From `KEY=VALUE` texts, each of which may hold several with commas between; a list is `{a,b}`.
 * @throws {Error} a text is none
 */
export function parseAssignments(texts: readonly string[]): GivenValues {
  return Object.fromEntries(texts.flatMap(splitAssignments));
}

/** Commas within braces are those of a list. */
function splitAssignments(text: string): [key: string, value: string][] {
  return text.split(/,(?![^{]*\})/).map((assignment) => {
    const at = assignment.indexOf("=");
    if (at < 1) throw new Error(`"${assignment}" gives no value: write it like meshName=weft`);
    const value = assignment.slice(at + 1).trim();
    return [assignment.slice(0, at).trim(), value.replace(/^\{(.*)\}$/, "$1")];
  });
}

/**
 * From YAML: keys within keys, as in a chart's values, or with dots between.
 * @throws {Error} it is no mapping, or has something in it that no value is
 */
export function parseValuesFile(text: string): GivenValues {
  const document: unknown = parse(text, { maxAliasCount: 0 });
  if (document === null) return {};
  if (typeof document !== "object" || Array.isArray(document)) {
    throw new Error("Values are a mapping of keys");
  }
  return Object.fromEntries(flatten(fieldsOf(document), ""));
}

function flatten(fields: Readonly<Record<string, unknown>>, prefix: string): [string, string][] {
  return Object.entries(fields).flatMap(([name, value]): [string, string][] => {
    const key = prefix + name;
    if (Array.isArray(value)) return [[key, value.map((item) => textOf(key, item)).join(",")]];
    if (typeof value === "object" && value !== null) return flatten(fieldsOf(value), `${key}.`);
    return [[key, textOf(key, value)]];
  });
}

/** An item of a list may be an object with a name, as the pull secrets of a pod are. */
function textOf(key: string, value: unknown): string {
  if (["string", "number", "boolean"].includes(typeof value)) return String(value);
  const { name } = fieldsOf(value);
  if (typeof name === "string") return name;
  throw new Error(`${key} has no value: write it like meshName: weft`);
}
