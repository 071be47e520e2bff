/**
 * Says of one object which kind it is and what it is called. Knows the table of kinds, nothing of their fields.
 */
import type { Finding, ResourceRef } from "../base/finding.ts";
import { Field, isCarried, isRecord, METADATA_FIELDS, textHint } from "./fields.ts";
import { type Kind, KINDS, otherWorkload } from "./kinds.ts";
import { hintForOther, knownOther } from "./other_kinds.ts";
import { type Report, reportTo } from "./report.ts";
import type { Meta, Origin } from "./resources.ts";
import { suggest } from "./suggest.ts";
import { NAME_LENGTH_MAX } from "../base/limits.ts";

/** An object of a kind that Weft reads, or `isRefused` one that was most likely meant to be. */
export interface IdentifiedObject {
  readonly kind: Kind;
  readonly version: string;
  readonly value: Readonly<Record<string, unknown>>;
  readonly meta: Meta;
  readonly isRefused: boolean;
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
  if (value["apiVersion"] === undefined && value["kind"] === undefined && !hasSlip(value)) {
    reportAny(
      "document-invalid",
      [],
      'The document has neither "apiVersion" nor "kind", so it is no Kubernetes object',
      "Name the manifests alone; what another file is for is not for Weft",
    );
    return undefined;
  }
  const apiVersion = textAt(value, "apiVersion", reportAny);
  const kindName = textAt(value, "kind", reportAny);
  if (apiVersion === undefined || kindName === undefined) return undefined;
  const metadata = new Field(value, [], () => {}).at("metadata");
  const ref = refOf(kindName, metadata, defaultNamespace);
  if (kindName.toLowerCase() === "list") {
    reportNoItems(kindName, value, reportAny);
    return undefined;
  }
  const known = findKind(apiVersion, kindName, value, reportTo(findings, origin, ref));
  if (known === undefined) return undefined;
  if ("hint" in known) return { apiVersion, ref, origin, hint: known.hint };
  // Only what others may name is of use if it does not count.
  const { kind, version, isRefused } = known;
  if (isRefused && !kind.canBeRefused) return undefined;
  const namespace = kind.isNamespaced ? ref.namespace : "";
  const report = isRefused ? () => {} : reportTo(findings, origin, { ...ref, namespace });
  if (!hasName(metadata, report)) return undefined;
  const meta = readMeta(value, { apiVersion, origin, ref: { ...ref, namespace } }, report);
  if (!known.kind.hasSchema) {
    new Field(value, [], report).at("metadata").checkSlips(METADATA_FIELDS);
  }
  // A plan that names it would be refused, with all that is right in it.
  if (!isCarried(ref.name) || (namespace !== "" && !isCarried(namespace))) return undefined;
  return { kind, version, value, meta, isRefused };
}

/** A List that has them is read by its items. */
function reportNoItems(
  kind: string,
  value: Readonly<Record<string, unknown>>,
  report: Report,
): void {
  if (kind !== "List") {
    report("kind-misspelt", ["kind"], `There is no kind "${kind}"`, 'Did you mean "List"?');
    return;
  }
  const meant = Object.hasOwn(value, "items") ? undefined : suggest("items", Object.keys(value));
  report(
    "document-invalid",
    ["items"],
    'The List has no list "items"',
    meant === undefined
      ? 'Add "items", with each object after a "-"'
      : `Did you mean "items" where "${meant}" stands?`,
  );
}

function hasSlip(value: Readonly<Record<string, unknown>>): boolean {
  return ["apiVersion", "kind"].some((key) => suggest(key, Object.keys(value)) !== undefined);
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

/** Of two of one name the first: TCPRoute is one of SMI, where its group does not say which. */
const KINDS_BY_NAME = new Map(KINDS.toReversed().map((kind) => [kind.kind, kind]));
const KINDS_BY_GROUP = Map.groupBy(KINDS, ({ group }) => group);

/** What an object says that it is. */
interface Claim {
  readonly apiVersion: string;
  readonly group: string;
  readonly version: string;
  readonly name: string;
}

/** A kind that Weft reads; `isRefused`: it is only what was most likely meant, which is reported. */
interface FoundKind {
  readonly kind: Kind;
  readonly version: string;
  readonly isRefused: boolean;
}

/** The kind; or, where it is none of ours, a hint; or undefined where it is none at all, which is reported. */
function findKind(
  apiVersion: string,
  name: string,
  value: unknown,
  report: Report,
): FoundKind | { readonly hint: string } | undefined {
  const slash = apiVersion.lastIndexOf("/");
  const group = apiVersion.slice(0, Math.max(slash, 0));
  const claim = { apiVersion, group, version: apiVersion.slice(slash + 1), name };
  const { version } = claim;
  const kind = KINDS_BY_GROUP.get(group)?.find((each) => each.kind === name) ??
    KINDS_BY_NAME.get(name);
  if (kind?.group === group && kind.versions.includes(version)) {
    return { kind, version, isRefused: false };
  }
  const meant = kind === undefined || !isNearGroup(group, kind)
    ? misspeltKind(claim, report)
    : misplacedKind(claim, kind, report);
  if (meant !== undefined) return meant === null ? undefined : { ...meant, isRefused: true };
  const other = otherWorkload(value, { kind: name, group, version });
  if (other !== undefined) return { kind: other, version, isRefused: false };
  if (kind === undefined) return { hint: hintForOther(group, name) };
  const hint = knownOther(group, name) ??
    `It is another ${name} than that of ${apiVersionsOf(kind)}, which Weft reads`;
  return { hint };
}

/** One of our kinds in a version or a group in which it is not. */
function misplacedKind(
  { group, version, name }: Claim,
  kind: Kind,
  report: Report,
): Omit<FoundKind, "isRefused"> {
  report(
    "version-unsupported",
    ["apiVersion"],
    kind.group === group
      ? `Weft does not read version "${version}" of ${name}`
      : `${name} is not in group "${group}"`,
    kind.group !== group && kind.versions.includes(version)
      ? `Did you mean "${apiVersionOf(kind, version)}"?`
      : `Use ${apiVersionsOf(kind)}`,
  );
  return { kind, version: versionNear(kind, version) };
}

/**
 * What is meant by a kind that its group, right or nearly so, does not have. Null: that is not known. Undefined: it may well be a
 * kind of others, and nothing is reported.
 */
function misspeltKind(
  { apiVersion, group, version, name }: Claim,
  report: Report,
): Omit<FoundKind, "isRefused"> | null | undefined {
  if (knownOther(group, name) !== undefined) return undefined;
  const candidates = KINDS.filter((kind) => isNearGroup(group, kind));
  const meant = suggest(name, candidates.map(({ kind }) => kind));
  const kind = meant === undefined ? undefined : KINDS_BY_NAME.get(meant);
  const ofGroup = KINDS_BY_GROUP.get(group) ?? [];
  // In a group of ours there are no other kinds; in Kubernetes' own there are many.
  if (kind === undefined && !ofGroup.some(({ isShipped }) => isShipped)) return undefined;
  report(
    "kind-misspelt",
    ["kind"],
    `There is no kind "${name}" in ${apiVersion}`,
    kind === undefined
      ? `Use ${ofGroup.map(({ kind }) => kind).join(", ")}`
      : kind.group === group
      ? `Did you mean "${kind.kind}"?`
      : `Did you mean "${kind.kind}" of "${apiVersionOf(kind, versionNear(kind, version))}"?`,
  );
  return kind === undefined ? null : { kind, version: versionNear(kind, version) };
}

/** Whether a group is the kind's own, a slip of it, or where the kind once was or is easily looked for. */
function isNearGroup(group: string, kind: Kind): boolean {
  if (group === kind.group || suggest(group, [kind.group]) !== undefined) return true;
  if (isOfKubernetes(group)) return true;
  return kind.group.endsWith(".smi-spec.io") &&
    /(^|\.)smi-?spec\b|^(split|specs|access)\.smi/.test(group);
}

/** Only Kubernetes has groups without a dot, and those that end with its name. */
function isOfKubernetes(group: string): boolean {
  return !group.includes(".") || /^(?!gateway\.|kustomize\.)[^.]+(\.[^.]+)?\.k8s\.io$/.test(group);
}

function versionNear(kind: Kind, version: string): string {
  return kind.versions.includes(version) ? version : kind.versions.at(-1) ?? version;
}

function apiVersionOf({ group }: Kind, version: string): string {
  return group === "" ? version : `${group}/${version}`;
}

function apiVersionsOf(kind: Kind): string {
  return [...kind.versions].reverse().map((version) => apiVersionOf(kind, version)).join(", ");
}
