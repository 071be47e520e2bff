/**
 * Manifests to a Snapshot: text in, resources and Findings out. Pure; `source.ts` reads the files.
 */
import { type Finding, formatPosition, formatRef } from "../base/finding.ts";
import { isRecord } from "./fields.ts";
import { type IdentifiedObject, identify, type PassedOver } from "./identify.ts";
import { emptyLists, type SnapshotLists } from "./kinds.ts";
import { MANIFEST_LIMITS } from "./limits.ts";
import type { SourceOrigin } from "./positions.ts";
import { ReadMemory } from "./read_memory.ts";
import { refOfMeta } from "./read_object.ts";
import { makeFinding, reportTo } from "./report.ts";
import type { Meta, Snapshot } from "./resources.ts";
import {
  hasTemplateAction,
  isKustomization,
  isOfChart,
  reportKustomization,
  TemplateFiles,
} from "./templates.ts";

export interface ManifestFile {
  /** As a person would write it; positions name it. */
  readonly name: string;
  readonly text: string;
}

export interface ManifestOptions {
  /** Of objects that name no namespace, as `kubectl -n`; `default` if left out. */
  readonly defaultNamespace?: string;
}

export interface Loaded {
  readonly snapshot: Snapshot;
  readonly findings: Finding[];
  /** Kubernetes objects of kinds that Weft reads; one that stands twice counts once. */
  readonly objects: number;
  /** Files in which there is nothing, or nothing but comments. */
  readonly emptyFiles: readonly string[];
}

/**
 * Reads manifests. What is wrong with them is in the findings: a document, object or field that cannot be read is
 * left out, and nothing else.
 * @param memory of earlier readings with the same options
 */
export function parseManifests(
  files: readonly ManifestFile[],
  options: ManifestOptions = {},
  memory = new ReadMemory(),
): Loaded {
  memory.begin();
  const findings: Finding[] = [];
  const templates = new TemplateFiles();
  const emptyFiles: string[] = [];
  const inventory = new Inventory(
    options.defaultNamespace ?? "default",
    findings,
    templates,
    memory,
  );
  for (const { name, text } of withinSize(files, findings)) {
    const { source, documents, errors } = memory.fileOf(name, text);
    const { length } = findings;
    for (const { code, message, hint, offset } of errors) {
      const position = source.positionAt(offset);
      if (code === "yaml-syntax" && hasTemplateAction(text)) templates.add(position);
      else findings.push(makeFinding(code, { message, hint, position }));
    }
    const isBroken = findings.length > length || templates.has(name);
    if (documents.length === 0 && !isBroken) emptyFiles.push(name);
    for (const { value, origin, isBroken } of documents) {
      if (isBroken) inventory.addBroken(value, origin);
      else inventory.add(value, origin);
    }
  }
  inventory.reportPassedOver();
  templates.report(findings);
  const objects = inventory.objects();
  const lists = emptyLists();
  for (const object of objects) memory.readObject(object, lists, findings);
  const count = objects.filter(({ isRefused }) => !isRefused).length;
  return { snapshot: finish(lists, findings), findings, objects: count, emptyFiles };
}

function* withinSize(files: readonly ManifestFile[], findings: Finding[]): Generator<ManifestFile> {
  let total = 0;
  for (const file of files) {
    total += file.text.length;
    const isTooLarge = file.text.length > MANIFEST_LIMITS.fileBytesMax;
    if (isTooLarge || total > MANIFEST_LIMITS.totalBytesMax) {
      findings.push(sizeFinding(file.name, isTooLarge));
      if (!isTooLarge) return;
      total -= file.text.length;
    } else {
      yield file;
    }
  }
}

/** The Finding for a file that is too large by itself, or with which all files together are. */
export function sizeFinding(file: string, isTooLarge: boolean): Finding {
  const mebibytes = (isTooLarge ? MANIFEST_LIMITS.fileBytesMax : MANIFEST_LIMITS.totalBytesMax) /
    (1024 * 1024);
  return makeFinding("limit-exceeded", {
    message: isTooLarge
      ? `The file is larger than ${mebibytes} MiB and was not read`
      : `With this file the input is larger than ${mebibytes} MiB; it and the rest were not read`,
    hint: isTooLarge ? "Split the file" : "Name fewer files",
    position: { file, line: 1, column: 1 },
  });
}

/** The objects of all files, of which the last of each name counts. */
class Inventory {
  readonly #defaultNamespace: string;
  readonly #findings: Finding[];
  readonly #objects = new Map<string, IdentifiedObject>();
  readonly #passedOver = new Map<string, { readonly first: PassedOver; count: number }>();
  readonly #templates: TemplateFiles;
  readonly #memory: ReadMemory;
  #count = 0;

  constructor(
    defaultNamespace: string,
    findings: Finding[],
    templates: TemplateFiles,
    memory: ReadMemory,
  ) {
    this.#memory = memory;
    this.#defaultNamespace = defaultNamespace;
    this.#findings = findings;
    this.#templates = templates;
  }

  objects(): readonly IdentifiedObject[] {
    return [...this.#objects.values()];
  }

  /** Adds an object, or each item of a List. */
  add(value: unknown, origin: SourceOrigin): void {
    const list = listOf(value);
    if (list === undefined) return this.#addObject(value, origin);
    for (const [index, item] of list.items.entries()) {
      this.add(list.typed(item), origin.within(["items", index]));
    }
  }

  /** Remembers the name of an object that cannot be read, so that what refers to it is not said to refer to nothing. */
  addBroken(value: unknown, origin: SourceOrigin): void {
    const object = identify(value, origin, this.#defaultNamespace, []);
    if (object === undefined || "hint" in object || !object.kind.canBeRefused) return;
    this.#keep({ ...object, isRefused: true });
  }

  #addObject(value: unknown, origin: SourceOrigin): void {
    this.#count++;
    if (this.#count > MANIFEST_LIMITS.documentsMax) {
      if (this.#count === MANIFEST_LIMITS.documentsMax + 1) this.#reportTooMany(origin);
      return;
    }
    if (isOfChart(value, origin.file)) {
      this.#templates.add(origin.locate([]));
      return;
    }
    if (isKustomization(value, origin.file)) {
      reportKustomization(origin, this.#findings);
      return;
    }
    const object = this.#memory.identify(value, origin, this.#defaultNamespace, this.#findings);
    if (object === undefined) return;
    if ("hint" in object) this.#passOver(object);
    else this.#keep(object);
  }

  #keep(object: IdentifiedObject): void {
    const { meta, kind } = object;
    const key = `${kind.group}/${kind.kind}/${meta.namespace}/${meta.name}`;
    const earlier = this.#objects.get(key);
    if (earlier !== undefined) {
      if (object.isRefused) return;
      if (!earlier.isRefused) this.#reportDuplicate(earlier.meta, meta);
      // Last in order, too, so that findings follow the files.
      this.#objects.delete(key);
    }
    this.#objects.set(key, object);
  }

  #reportDuplicate(earlier: Meta, later: Meta): void {
    const [first, last] = [earlier, later].map(({ origin }) => {
      const position = origin.locate([]);
      return position === undefined ? "the input" : formatPosition(position);
    });
    reportTo(this.#findings, later.origin, refOfMeta(later))(
      "resource-duplicate",
      [],
      `${formatRef(refOfMeta(later))} stands at ${first} and again at ${last}; the last one counts`,
      "Remove one of the two",
    );
  }

  #passOver(object: PassedOver): void {
    const key = `${object.apiVersion} ${object.ref.kind}`;
    const seen = this.#passedOver.get(key);
    if (seen === undefined) this.#passedOver.set(key, { first: object, count: 1 });
    else seen.count++;
  }

  /** One note for each kind, however many objects there are of it. */
  reportPassedOver(): void {
    for (const { first, count } of this.#passedOver.values()) {
      const { ref, apiVersion, origin, hint } = first;
      const objects = count === 1 ? "one object" : `${count} objects`;
      reportTo(this.#findings, origin, ref)(
        "kind-unknown",
        ["kind"],
        `Weft does not read ${ref.kind} (${apiVersion}): ${objects} passed over`,
        hint,
      );
    }
  }

  #reportTooMany(origin: SourceOrigin): void {
    reportTo(this.#findings, origin, undefined)(
      "limit-exceeded",
      [],
      `There are more than ${MANIFEST_LIMITS.documentsMax} objects; this one and the rest were not read`,
      "Name fewer files",
    );
  }
}

/** `List`, or a typed list such as TrafficSplitList, whose items may leave out what they are. */
function listOf(value: unknown):
  | { readonly items: readonly unknown[]; readonly typed: (item: unknown) => unknown }
  | undefined {
  if (!isRecord(value)) return undefined;
  const { apiVersion, kind, items } = value;
  if (typeof kind !== "string" || !kind.endsWith("List")) return undefined;
  if (kind === "List") {
    return Array.isArray(items) ? { items, typed: (item) => item } : undefined;
  }
  if (!Array.isArray(items)) return undefined;
  const itemKind = kind.slice(0, -"List".length);
  const typed = (item: unknown) => isRecord(item) ? { apiVersion, kind: itemKind, ...item } : item;
  return { items, typed };
}

function finish(lists: SnapshotLists, findings: Finding[]): Snapshot {
  return {
    ...lists,
    endpointSlices: preferSlices(lists.endpointSlices),
    workloads: limitReplicas(withTemplates(lists.workloads), findings),
  };
}

/** A cluster mirrors Endpoints into EndpointSlices: a dump of both has every address twice. */
function preferSlices(slices: SnapshotLists["endpointSlices"]): Snapshot["endpointSlices"] {
  const key = ({ meta, service }: typeof slices[number]) => `${meta.namespace}/${service}`;
  const sliced = new Set(slices.filter(({ meta }) => meta.kind === "EndpointSlice").map(key));
  return slices.filter((slice) => slice.meta.kind === "EndpointSlice" || !sliced.has(key(slice)));
}

/** An Argo Rollout may take the template of a Deployment, which then has no pods of its own. */
function withTemplates(workloads: SnapshotLists["workloads"]): SnapshotLists["workloads"] {
  if (workloads.every(({ templateOf }) => templateOf === undefined)) return workloads;
  const keyOf = ({ namespace }: Meta, { kind, name }: { kind: string; name: string }) =>
    `${namespace}/${kind}/${name}`;
  const templates = new Map(
    workloads.map(({ meta, template }) => [keyOf(meta, meta), template]),
  );
  return workloads.map((workload) => {
    const { templateOf, meta } = workload;
    const template = templateOf && templates.get(keyOf(meta, templateOf));
    return template === undefined ? workload : { ...workload, template };
  });
}

function limitReplicas(
  workloads: SnapshotLists["workloads"],
  findings: Finding[],
): Snapshot["workloads"] {
  let room: number = MANIFEST_LIMITS.totalReplicasMax;
  return workloads.map((workload) => {
    const replicas = Math.min(workload.replicas, room);
    room -= replicas;
    if (replicas === workload.replicas) return workload;
    reportTo(findings, workload.meta.origin, refOfMeta(workload.meta))(
      "limit-exceeded",
      ["spec", "replicas"],
      `All workloads together have more than ${MANIFEST_LIMITS.totalReplicasMax} pods; here ${replicas} count`,
      "Name fewer files, or write fewer replicas",
    );
    return { ...workload, replicas };
  });
}
