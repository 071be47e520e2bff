/**
 * Reads the fields of an untyped object: the value where it has the type asked for, otherwise a Finding at the
 * field, and undefined. Knows nothing of any kind.
 */
import type { FieldPath } from "../base/finding.ts";
import type { Report } from "./report.ts";
import { suggest } from "./suggest.ts";
import { NAME_LENGTH_MAX } from "../base/limits.ts";

/** Maps that say nothing, of which there are many. */
const NO_ENTRIES: Readonly<Record<string, string>> = Object.freeze({});

/** A field of an object, present or not. */
export class Field {
  readonly value: unknown;
  readonly path: FieldPath;
  readonly #report: Report;

  constructor(value: unknown, path: FieldPath, report: Report) {
    this.value = value;
    this.path = path;
    this.#report = report;
  }

  /** Null counts as absent, as for the API server. */
  get isPresent(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  /** A field of this object; absent where this is no object. */
  at(key: string): Field {
    const value = isRecord(this.value)
      ? Object.getOwnPropertyDescriptor(this.value, key)?.value
      : undefined;
    return new Field(value, [...this.path, key], this.#report);
  }

  string(): string | undefined {
    if (typeof this.value === "string" || !this.isPresent) return this.value as string | undefined;
    this.#reportType("text", textHint(this.value));
    return undefined;
  }

  /** Text that must be there and not be empty. */
  requiredString(): string | undefined {
    if (this.isPresent && this.value !== "") return this.string();
    this.reportMissing();
    return undefined;
  }

  boolean(): boolean | undefined {
    if (typeof this.value === "boolean" || !this.isPresent) {
      return this.value as boolean | undefined;
    }
    this.#reportType("true or false", "Write true or false without quotes");
    return undefined;
  }

  /** A whole number from `min` to `max`. One in quotes is reported, and clear enough to count. */
  integer(range: { readonly min: number; readonly max: number }): number | undefined {
    if (!this.isPresent) return undefined;
    const { value } = this;
    const isQuoted = typeof value === "string" && /^\d{1,10}$/.test(value);
    const number = isQuoted ? Number(value) : value;
    if (typeof number !== "number" || !Number.isInteger(number)) {
      this.#reportType("a whole number", "Write a whole number without quotes");
      return undefined;
    }
    if (number < range.min || number > range.max) {
      this.report(
        `${number} is not from ${range.min} to ${range.max}`,
        `Write a number from ${range.min} to ${range.max}`,
      );
      return undefined;
    }
    if (isQuoted) this.#reportType("a whole number", `Write ${number} without quotes`);
    return number;
  }

  port(): number | undefined {
    return this.integer({ min: 1, max: 65_535 });
  }

  /** The items of a list; none if it is absent. */
  list(): readonly Field[] {
    if (!this.isPresent) return [];
    if (Array.isArray(this.value)) {
      return this.value.map((item, index) => new Field(item, [...this.path, index], this.#report));
    }
    this.#reportType("a list", 'Write a list: each item on a line of its own that begins with "-"');
    return [];
  }

  /** The items of a list that are objects; the others are reported. */
  objects(): readonly Field[] {
    return this.list().filter((item) => item.isObject());
  }

  /** Whether this is an object. Anything else but an absent field is reported. */
  isObject(): boolean {
    if (isRecord(this.value)) return true;
    if (this.value !== undefined) this.#reportType("an object", "Write fields here");
    return false;
  }

  /** The items of a list that are text; the others are reported. */
  strings(): readonly string[] {
    return this.list().map((item) => item.string()).filter((text) => text !== undefined);
  }

  /**
   * A map of text to text, such as labels. A number or a boolean is reported and counts as its text: leaving a
   * condition out would make a selector match more than it says.
   */
  stringMap(): Readonly<Record<string, string>> {
    if (!this.isPresent || !this.isObject()) return NO_ENTRIES;
    const entries = Object.entries(this.value as Record<string, unknown>).map(([key, value]) => {
      this.at(key).string();
      return [key, typeof value === "string" ? value : JSON.stringify(value)] as const;
    });
    return entries.length === 0 ? NO_ENTRIES : Object.fromEntries(entries);
  }

  /** Reports fields that are a slip of a known one; others may be newer than Weft and are passed over. */
  checkSlips(known: readonly string[]): void {
    if (!isRecord(this.value)) return;
    for (const key of Object.keys(this.value)) {
      if (known.includes(key)) continue;
      const meant = suggest(key, known);
      if (meant === undefined) continue;
      this.#report(
        "field-misspelt",
        [...this.path, key],
        `There is no field "${key}"`,
        `Did you mean "${meant}"?`,
      );
    }
  }

  reportMissing(): void {
    const name = this.path.at(-1);
    this.report(`Field "${name}" is missing`, `Add "${name}"`);
  }

  report(message: string, hint: string): void {
    this.#report("schema-invalid", this.path, message, hint);
  }

  #reportType(expected: string, hint: string): void {
    this.report(`${describe(this.value)} is not ${expected}`, hint);
  }
}

/** Reports a port at the end of the name of a Service; whether there is none. */
export function hasNoPort(field: Field, report: Report): boolean {
  const [, name, port] = /^([^:]+):(.*)$/.exec(field.string() ?? "") ?? [];
  if (name === undefined) return true;
  report(
    "schema-invalid",
    field.path,
    `"${field.value}" has a port, and a Service is named without one`,
    `Write "${name}": it is meant with all ports, and port ${port} cannot be chosen here`,
  );
  return false;
}

/** The fields of `metadata`, which all kinds have. */
export const METADATA_FIELDS: readonly string[] = [
  "annotations",
  "clusterName",
  "creationTimestamp",
  "deletionGracePeriodSeconds",
  "deletionTimestamp",
  "finalizers",
  "generateName",
  "generation",
  "labels",
  "managedFields",
  "name",
  "namespace",
  "ownerReferences",
  "resourceVersion",
  "selfLink",
  "uid",
];

/** Whether a value is an object with fields. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a name, right or not, can be told from others wherever names are put together, as in a plan. */
export function isCarried(text: string): boolean {
  return text.length <= NAME_LENGTH_MAX && /^[^\s/:\p{Cc}]+$/u.test(text);
}

/** The way out for a value that should be text. What was written is gone: `1.0` is 1 by now, and `on` is true. */
export function textHint(value: unknown): string {
  if (typeof value === "boolean") {
    return "Put it in quotes: YAML reads on, off, yes, no, y and n as true or false";
  }
  return typeof value === "number" ? "Put it in quotes, to make it text" : "Write text here";
}

/** A value for a message: short, and with its type where the two are easily mistaken. */
export function describe(value: unknown): string {
  if (Array.isArray(value)) return "A list";
  if (isRecord(value)) return "An object";
  if (typeof value !== "string") return String(value);
  return value.length > 60 ? `Text "${value.slice(0, 57)}..."` : `Text "${value}"`;
}
