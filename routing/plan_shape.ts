/**
 * The checks that the shape of a plan is made of: of numbers, texts, lists and objects, and of the values that many
 * parts of a plan have. They say where a value differs from what was expected.
 */
import type { Position, ResourceRef } from "../base/finding.ts";
import { NAME_LENGTH_MAX, PORT_MAX } from "../base/limits.ts";

/** Says what is wrong and where; never leaves the function that checks. */
export class ShapeError extends Error {}

/** Returns the value itself, now known to have the type, or throws a {@link ShapeError}. */
export type Check<T> = (value: unknown, path: string) => T;

/** @throws {ShapeError} always */
export function fail(path: string, expected: string): never {
  throw new ShapeError(`The plan is not valid: "${path}" must be ${expected}`);
}

/** A text of a form, at most so long. */
export function text(lengthMax: number, form: RegExp, description: string): Check<string> {
  return (value, path) => {
    if (typeof value !== "string" || value.length > lengthMax || !form.test(value)) {
      fail(path, `${description} of at most ${lengthMax} characters`);
    }
    return value;
  };
}

/** A whole number from `min` to `max`. */
export function whole(min: number, max: number): Check<number> {
  return (value, path) => {
    const isWhole = typeof value === "number" && Number.isSafeInteger(value);
    if (!isWhole || value < min || value > max) fail(path, `a whole number, ${min} to ${max}`);
    return value;
  };
}

/** A number from `min` to `max`, with or without a fraction. */
export function number(min: number, max: number): Check<number> {
  return (value, path) => {
    if (typeof value !== "number" || !(value >= min && value <= max)) {
      fail(path, `a number, ${min} to ${max}`);
    }
    return value;
  };
}

export function isBoolean(value: unknown, path: string): boolean {
  if (typeof value !== "boolean") fail(path, "true or false");
  return value;
}

export function oneOf<const T extends string | number>(values: readonly T[]): Check<T> {
  return (value, path) => {
    if (!values.includes(value as T)) fail(path, `one of ${values.join(", ")}`);
    return value as T;
  };
}

export function nullable<T>(check: Check<T>): Check<T | null> {
  return (value, path) => value === null ? null : check(value, path);
}

/** The text's limit bounds the length of every list. */
export function list<T>(check: Check<T>): Check<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) fail(path, "a list");
    for (const [index, item] of value.entries()) check(item, `${path}[${index}]`);
    return value as readonly T[];
  };
}

/** A field that may be left out, where its type says so. */
type FieldCheck<T, K extends keyof T> = Record<never, never> extends Pick<T, K>
  ? { readonly optional: Check<NonNullable<T[K]>> }
  : Check<T[K]>;

/** Marks the check of a field that may be left out. */
export function optional<T>(check: Check<T>): { readonly optional: Check<T> } {
  return { optional: check };
}

/** These fields, and whatever else a later version of the plan has: what must not be passed over is in `Plan.requires`. */
export function shape<T extends object>(
  fields: { readonly [K in keyof T]-?: FieldCheck<T, K> },
): Check<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  return (value, path) => {
    const members = membersOf(value, path);
    for (const name of names) {
      const field = fields[name] as Check<unknown> | { readonly optional: Check<unknown> };
      const fieldPath = path === "" ? name : `${path}.${name}`;
      const isPresent = Object.hasOwn(members, name);
      if (typeof field !== "function") {
        if (isPresent) field.optional(members[name], fieldPath);
      } else if (isPresent) field(members[name], fieldPath);
      else fail(fieldPath, "present");
    }
    return value as T;
  };
}

export function record<T>(check: Check<T>): Check<Readonly<Record<string, T>>> {
  return (value, path) => {
    const members = membersOf(value, path);
    for (const key of Object.keys(members)) {
      check(members[key], `${path}[${JSON.stringify(key)}]`);
    }
    return members as Readonly<Record<string, T>>;
  };
}

function membersOf(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(path, "an object");
  return value as Record<string, unknown>;
}

export const port = whole(1, PORT_MAX);
export const name = text(NAME_LENGTH_MAX, /^[^\s/:\p{Cc}]+$/u, "a name");
/** Namespaces of cluster-scoped kinds are empty. */
const namespace = text(NAME_LENGTH_MAX, /^[^\s/:\p{Cc}]*$/u, "a namespace");
export const label = text(NAME_LENGTH_MAX, /^[^\s\p{Cc}]*$/u, "a short text");
/** What people write freely, as the name of a match; bounded by the size of the plan. */
export const prose: Check<string> = (value, path) => {
  if (typeof value !== "string") fail(path, "a text");
  return value;
};
export const resource = shape<ResourceRef>({ kind: name, namespace, name });
export const position = nullable(
  shape<Position>({
    file: prose,
    line: whole(1, Number.MAX_SAFE_INTEGER),
    column: whole(1, Number.MAX_SAFE_INTEGER),
  }),
);
