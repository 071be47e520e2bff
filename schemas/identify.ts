/**
 * Says of one object which kind it is and what it is called. Knows the table of kinds, nothing of their fields.
 */
import type { Finding, ResourceRef } from "../base/finding.ts";
import { Field, isCarried, isRecord, METADATA_FIELDS, textHint } from "./fields.ts";
import { type Kind, KINDS } from "./kinds.ts";
import { type Report, reportTo } from "./report.ts";
import type { Meta, Origin } from "./resources.ts";
import { suggest } from "./suggest.ts";
import { NAME_LENGTH_MAX } from "../base/limits.ts";

/** An object of a kind that Weft reads. */
export interface IdentifiedObject {
  readonly kind: Kind;
  readonly version: string;
  readonly value: Readonly<Record<string, unknown>>;
  readonly meta: Meta;
}

/** An object of a kind that Weft does not read. */
export interface PassedOver {
  readonly apiVersion: string;
  readonly ref: ResourceRef;
  readonly origin: Origin;
  readonly hint: string;
}

/** What an object is; undefined if it is none, or of a version that Weft does not read, which is reported. */
export function identify(
  value: unknown,
  origin: Origin,
  defaultNamespace: string,
  findings: Finding[],
): IdentifiedObject | PassedOver | undefined {
  const reportAny = reportTo(findings, origin, undefined);
  if (!isRecord(value)) {
    reportAny(
      "document-invalid",
      [],
      "The document is not an object",
      "Write a Kubernetes object, with apiVersion, kind and metadata.name",
    );
    return undefined;
  }
  const apiVersion = textAt(value, "apiVersion", reportAny);
  const kindName = textAt(value, "kind", reportAny);
  if (apiVersion === undefined || kindName === undefined) return undefined;
  const metadata = new Field(value, [], () => {}).at("metadata");
  const ref = refOf(kindName, metadata, defaultNamespace);
  const known = findKind(apiVersion, kindName, reportTo(findings, origin, ref));
  if (known === undefined) return undefined;
  if ("hint" in known) return { apiVersion, ref, origin, hint: known.hint };
  const namespace = known.kind.isNamespaced ? ref.namespace : "";
  const report = reportTo(findings, origin, { ...ref, namespace });
  if (!hasName(metadata, report)) return undefined;
  const meta = readMeta(value, { apiVersion, origin, ref: { ...ref, namespace } }, report);
  if (!known.kind.hasSchema) {
    new Field(value, [], report).at("metadata").checkSlips(METADATA_FIELDS);
  }
  // A plan that names it would be refused, with all that is right in it.
  if (!isCarried(ref.name) || (namespace !== "" && !isCarried(namespace))) return undefined;
  return { kind: known.kind, version: known.version, value, meta };
}

function textAt(
  value: Readonly<Record<string, unknown>>,
  key: string,
  report: Report,
): string | undefined {
  const text = new Field(value, [], () => {}).at(key).requiredString();
  if (text !== undefined) return text;
  const meant = suggest(key, Object.keys(value));
  report(
    "document-invalid",
    [key],
    `The object has no "${key}"`,
    meant === undefined || meant === key
      ? `Add "${key}" as text`
      : `Did you mean "${key}" where "${meant}" stands?`,
  );
  return undefined;
}

/** What to call an object of which perhaps not even the kind is known. */
function refOf(kind: string, metadata: Field, defaultNamespace: string): ResourceRef {
  const name = metadata.at("name").string() ?? metadata.at("generateName").string() ?? "";
  return { kind, namespace: metadata.at("namespace").string() || defaultNamespace, name };
}

function hasName(metadata: Field, report: Report): boolean {
  const name = metadata.at("name");
  if (name.requiredString() !== undefined) return true;
  report(
    "document-invalid",
    ["metadata", "name"],
    'The object has no "metadata.name"',
    metadata.at("generateName").isPresent
      ? 'Write "name" in place of "generateName", which only a cluster can complete'
      : name.isPresent && typeof name.value !== "string"
      ? textHint(name.value)
      : 'Add "name" to "metadata"',
  );
  return false;
}

/** RFC 1123 subdomain, which Kubernetes asks of the names of all kinds that Weft reads. */
const OBJECT_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function isObjectName(text: string): boolean {
  return text.length <= NAME_LENGTH_MAX && OBJECT_NAME.test(text);
}

function reportName(field: Field, name: string): void {
  field.report(
    `"${name.slice(0, 60)}" is not a name that Kubernetes accepts`,
    'Use lower-case letters, digits, "-" and ".", with a letter or digit at both ends',
  );
}

function readMeta(
  value: Readonly<Record<string, unknown>>,
  identity: { readonly apiVersion: string; readonly origin: Origin; readonly ref: ResourceRef },
  report: Report,
): Meta {
  const { apiVersion, origin, ref } = identity;
  const metadata = new Field(value, [], report).at("metadata");
  metadata.at("namespace").string();
  if (!isObjectName(ref.name)) reportName(metadata.at("name"), ref.name);
  if (ref.namespace !== "" && !isObjectName(ref.namespace)) {
    reportName(metadata.at("namespace"), ref.namespace);
  }
  return {
    kind: ref.kind,
    apiVersion,
    namespace: ref.namespace,
    name: ref.name,
    labels: metadata.at("labels").stringMap(),
    annotations: metadata.at("annotations").stringMap(),
    createdAt: metadata.at("creationTimestamp").string(),
    origin,
  };
}

const KINDS_BY_NAME = new Map(KINDS.map((kind) => [kind.kind, kind]));

/** The kind; or, where it is none of ours, a hint; or undefined if its version is none of ours. */
function findKind(
  apiVersion: string,
  name: string,
  report: Report,
): { readonly kind: Kind; readonly version: string } | { readonly hint: string } | undefined {
  const slash = apiVersion.lastIndexOf("/");
  const group = apiVersion.slice(0, Math.max(slash, 0));
  const version = apiVersion.slice(slash + 1);
  const kind = KINDS_BY_NAME.get(name);
  if (kind === undefined) return { hint: hintForUnknown(name) };
  if (kind.group === group && kind.versions.includes(version)) return { kind, version };
  const readable = `Use ${apiVersionsOf(kind)}`;
  if (kind.group === group) {
    report(
      "version-unsupported",
      ["apiVersion"],
      `Weft does not read version "${version}" of ${name}`,
      readable,
    );
    return undefined;
  }
  if (isFormerGroup(group, kind)) {
    report("version-unsupported", ["apiVersion"], `${name} is not in group "${group}"`, readable);
    return undefined;
  }
  return { hint: `It is another ${name} than that of ${apiVersionsOf(kind)}, which Weft reads` };
}

/** Where a kind once was, or where one easily looks for it. */
function isFormerGroup(group: string, kind: Kind): boolean {
  return kind.hasSchema ? /(^|\.)smi-spec\.io$/.test(group) : group === "extensions";
}

function apiVersionsOf(kind: Kind): string {
  const prefix = kind.group === "" ? "" : `${kind.group}/`;
  return [...kind.versions].reverse().map((version) => `${prefix}${version}`).join(", ");
}

function hintForUnknown(name: string): string {
  const meant = suggest(name, KINDS_BY_NAME.keys());
  return meant === undefined
    ? "Nothing to do: it has no say in where requests go"
    : `Did you mean "${meant}"?`;
}
