/**
 * Reads the fields of a section whose types and ranges the schema has already found right.
 */
import { type HeaderValue, type RequestKey } from "../../base/policy.ts";
import type { Field } from "../fields.ts";
import type { Report } from "../report.ts";
import { formatDuration, parseDuration } from "../../base/duration.ts";
import { POLICY_DURATION_MS_MAX } from "../../base/limits.ts";

/** A whole number or one with a fraction; `fallback` where it is left out. */
export function numberOr<Fallback extends number | null>(
  field: Field,
  fallback: Fallback,
): number | Fallback {
  return typeof field.value === "number" ? field.value : fallback;
}

/**
 * Milliseconds, above zero; `fallback` if it is left out. Undefined: it is zero or too long, which is reported.
 */
export function durationOr<Fallback extends number | null>(
  field: Field,
  fallback: Fallback,
  report: Report,
): number | Fallback | undefined {
  const text = field.string();
  if (text === undefined) return fallback;
  const milliseconds = parseDuration(text) ?? 0;
  if (milliseconds > 0 && milliseconds <= POLICY_DURATION_MS_MAX) return milliseconds;
  report(
    "schema-invalid",
    field.path,
    `Duration "${text}" is not from 1ms to ${formatDuration(POLICY_DURATION_MS_MAX)}`,
    milliseconds === 0
      ? `Write a duration such as "500ms" or "2s", or leave "${field.path.at(-1)}" out`
      : `Write a shorter duration, or leave "${field.path.at(-1)}" out`,
  );
  return undefined;
}

/** As {@link durationOr}, of a time that may be unlimited: `0s` gives `unlimited` (GEP-1742). */
export function timeoutOr<Unlimited extends number | null>(
  field: Field,
  unlimited: Unlimited,
  report: Report,
): number | Unlimited | null | undefined {
  const text = field.string();
  return text !== undefined && parseDuration(text) === 0
    ? unlimited
    : durationOr(field, null, report);
}

/** Headers with their names in lower case. */
export function headerValues(list: Field): HeaderValue[] {
  return list.objects().map((item) => ({
    name: (item.at("name").string() ?? "").toLowerCase(),
    value: item.at("value").string() ?? "",
  }));
}

/** The one of several fields that is there. Undefined: none is, or more than one, which is reported. */
export function onlyOneOf(parent: Field, names: readonly string[], report: Report) {
  const present = names.map((name) => parent.at(name)).filter((field) => field.isPresent);
  if (present.length === 1) return present[0];
  const choice = `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
  report(
    "schema-invalid",
    parent.path,
    present.length === 0 ? `None of ${choice} is there` : `More than one of ${choice} is there`,
    `Write one of ${choice}`,
  );
  return undefined;
}

/** `header`, `cookie` or, with `sourceIp: true`, the client's address. */
export function requestKey(field: Field): RequestKey {
  const name = field.string() ?? "";
  return field.path.at(-1) === "header"
    ? { source: "header", name: name.toLowerCase() }
    : { source: "cookie", name };
}
