/**
 * TrafficTarget v1alpha1 to v1alpha3 to the one internal shape (smi-spec traffic-access).
 *
 * A target only ever allows. What cannot be read of it allows nothing: a bad source or rule loses itself, a bad
 * destination the target.
 */
import type { Field } from "../fields.ts";
import type { SourceObject } from "../object.ts";
import type { TargetRule, TargetSubject, TrafficTarget } from "../resources.ts";

/** Reads a target. The schema of its version has been checked. */
export function readTrafficTarget(object: SourceObject): TrafficTarget {
  const { body, rulesKey } = locateBody(object);
  const at = body.at("destination");
  const destination = readSubject(object, at);
  const port = readPort(object, at.at("port"));
  const read = {
    meta: object.meta,
    sources: body.at("sources").objects().flatMap((at) => readSubject(object, at) ?? []),
    rules: body.at(rulesKey).objects().flatMap((at) => readRule(at) ?? []),
  };
  if (!object.isRefused && destination !== undefined && port !== null) {
    return { ...read, destination, port };
  }
  const unknown = { kind: "", namespace: object.meta.namespace, name: "", at: at.path };
  return { ...read, destination: destination ?? unknown, port: undefined, isRefused: true };
}

/** v1alpha1 has everything at the top, and its rules are called `specs`. */
function locateBody(object: SourceObject): { readonly body: Field; readonly rulesKey: string } {
  const old = { body: object.root, rulesKey: "specs" };
  if (object.version === "v1alpha1") return old;
  const spec = object.root.at("spec");
  const misplaced = ["destination", "specs", "sources"].find((key) =>
    object.root.at(key).isPresent
  );
  if (misplaced !== undefined) {
    object.report(
      "layout-legacy",
      [misplaced],
      spec.isPresent
        ? `"${misplaced}" stands where v1alpha1 has it; what is in spec counts`
        : `In ${object.version} "${misplaced}" belongs in spec`,
      'Move "destination", "specs" (as "rules") and "sources" into "spec"',
    );
  }
  return spec.isPresent ? { body: spec, rulesKey: "rules" } : old;
}

function readSubject(object: SourceObject, at: Field): TargetSubject | undefined {
  const kind = at.at("kind").requiredString();
  const name = at.at("name").requiredString();
  const namespace = at.at("namespace");
  if (kind === undefined || name === undefined) return undefined;
  if (namespace.isPresent && namespace.string() === undefined) return undefined;
  return { kind, name, namespace: namespace.string() || object.meta.namespace, at: at.path };
}

/** Undefined: every port. Null: there is one and it cannot be read. */
function readPort(object: SourceObject, field: Field): number | undefined | null {
  if (!field.isPresent) return undefined;
  const { value } = field;
  if (typeof value !== "number" && typeof value !== "string") return null;
  const port = typeof value === "string" && /^\d{1,5}$/.test(value) ? Number(value) : value;
  if (typeof port === "string" || port < 1 || port > 65_535) {
    object.report(
      "schema-invalid",
      field.path,
      `Port ${value} is not from 1 to 65535`,
      "Write the number of a port",
    );
    return null;
  }
  if (!Number.isInteger(port)) return null;
  if (object.version === "v1alpha3") {
    object.report(
      "layout-legacy",
      field.path,
      "v1alpha3 has no port in a destination; it counts as it did in v1alpha2",
      "Name a TCPRoute with the port in the rules instead",
    );
  } else if (typeof value === "string" && object.version === "v1alpha2") {
    object.report(
      "layout-legacy",
      field.path,
      `Port "${value}" is text, as v1alpha1 had it`,
      `Write ${port} without quotes`,
    );
  }
  return port;
}

function readRule(at: Field): TargetRule | undefined {
  const kind = at.at("kind").requiredString();
  const name = at.at("name").requiredString();
  if (kind === undefined || name === undefined) return undefined;
  const list = at.at("matches");
  if (!list.isPresent) return { kind, name, matches: undefined, at: at.path };
  if (!Array.isArray(list.value)) return undefined;
  // An empty list says nothing; one without a readable name must not come to mean all of them.
  const matches = list.value.length === 0 ? undefined : list.strings();
  return { kind, name, matches, at: at.path };
}
