/**
 * MeshObjects: what the API server has, as resources of a Snapshot, and of these the ones that the mesh sees: those in its namespaces. It
 * tells what is new, gone or another now; what is equal to what was before is no news. Readers are those of manifests.
 */
import type { Finding, ResourceRef } from "../base/finding.ts";
import { isSameData } from "../base/same_data.ts";
import { identify } from "../schemas/identify.ts";
import { emptyLists, kindKey, kindKeys } from "../schemas/kinds.ts";
import { readObject, refOfMeta } from "../schemas/read_object.ts";
import type { Meta, Origin, Pod, Snapshot } from "../schemas/resources.ts";
import { withDeployment } from "../schemas/workloads.ts";
import { fieldsOf, type JsonFields, textField } from "./kube/fields.ts";

/** Namespaces with this label, and the name of the mesh, are in it. */
export const MEMBER_LABEL = "weft.dev/monitored-by";

/** Annotations that say something to the mesh; others may be large, and change by themselves. */
const OWN_ANNOTATION = /^(weft\.dev|flomesh\.io|openservicemesh\.io)\//;

type List = keyof Snapshot;

/** A resource, new (`before` null), gone (`after` null), or another now. */
export interface ObjectChange {
  readonly list: List;
  readonly before: Snapshot[List][number] | null;
  readonly after: Snapshot[List][number] | null;
}

/** An object that is about to be written. */
interface Candidate {
  readonly ref: ResourceRef;
  /** What is wrong with it by itself, and was not before. */
  readonly findings: readonly Finding[];
  /** Null: nothing of it counts, before or after. */
  readonly change: ObjectChange | null;
}

export interface ObjectIdentity {
  readonly apiVersion: string;
  readonly uid: string;
}

interface ObjectEvents {
  change(change: ObjectChange): void;
  /** What is wrong with an object of the mesh by itself, as it is now; told where that has changed. */
  findings(ref: ResourceRef, findings: readonly Finding[]): void;
}

interface Entry {
  readonly list: List;
  /** Of the object, or of one that has its name later. */
  readonly uid: string;
  readonly resource: Snapshot[List][number];
  readonly findings: readonly Finding[];
}

/** Most objects have none, and there are many. */
const NO_FINDINGS: readonly Finding[] = [];

/** Nothing that the API server says has a place in a file. */
const NOWHERE: Origin = { locate: () => undefined };

export class MeshObjects {
  readonly #mesh: string;
  readonly #events: ObjectEvents;
  /** By namespace, then by kind and name; also of namespaces outside, which may join. */
  readonly #entries = new Map<string, Map<string, Entry>>();
  readonly #members = new Set<string>();
  readonly #pods = new AlikePods();

  /** @param mesh its name, the value of the label */
  constructor(mesh: string, events: ObjectEvents) {
    this.#mesh = mesh;
    this.#events = events;
  }

  get namespaces(): number {
    return this.#members.size;
  }

  /** Labels and annotations of a namespace in the mesh. */
  memberMeta(namespace: string): Meta | undefined {
    return this.#entries.get("")?.get(namespace)?.resource.meta;
  }

  /** A pod, of whatever namespace. */
  pod(namespace: string, name: string): Pod | undefined {
    const entry = this.#entries.get(namespace)?.get(`Pod ${name}`);
    return entry?.list === "pods" ? entry.resource as Pod : undefined;
  }

  /** Whether the pod of this uid is there, in whatever namespace. */
  hasPod(namespace: string, name: string, uid: string): boolean {
    return this.#entries.get(namespace)?.get(`Pod ${name}`)?.uid === uid;
  }

  /** All pods of the mesh. */
  *memberPods(): Iterable<Pod> {
    for (const namespace of this.#members) yield* this.pods(namespace, {});
  }

  /** All that counts in the mesh, as if it were new. */
  *all(): Iterable<ObjectChange> {
    for (const [namespace, entries] of this.#entries) {
      if (namespace !== "" && !this.#members.has(namespace)) continue;
      for (const { list, resource } of entries.values()) {
        yield { list, before: null, after: resource };
      }
    }
  }

  /** The version and the uid of an object of the mesh; undefined: it is not there. */
  identityOf({ kind, namespace, name }: ResourceRef): ObjectIdentity | undefined {
    const entries = this.#members.has(namespace) ? this.#entries.get(namespace) : undefined;
    const key = kindKeys(kind).find((each) => entries?.has(`${each} ${name}`));
    const entry = entries?.get(`${key} ${name}`);
    return entry && { apiVersion: entry.resource.meta.apiVersion, uid: entry.uid };
  }

  /** The pods of a namespace with these labels. */
  pods(namespace: string, labels: Readonly<Record<string, string>>): Pod[] {
    const wanted = Object.entries(labels);
    return [...this.#entries.get(namespace)?.values() ?? []]
      .flatMap(({ list, resource }) => list === "pods" ? [resource as Pod] : [])
      .filter(({ meta }) => wanted.every(([name, value]) => meta.labels[name] === value));
  }

  heard(object: JsonFields): void {
    const read = readEntry(object);
    if (read === null) return;
    const { meta } = read;
    const entry = read.entry?.list === "pods"
      ? { ...read.entry, resource: this.#pods.of(read.entry.resource as Pod) }
      : read.entry;
    const kind = kindKey(meta.kind, meta.apiVersion);
    if (entry === null) this.removed(kind, meta.namespace, meta.name);
    else if (entry.list === "namespaces") this.#putNamespace(meta, entry);
    else this.#put(meta.namespace, `${kind} ${meta.name}`, entry);
  }

  /** What the object would be if it were written; null: it counts for nothing in the mesh. */
  candidate(object: JsonFields): Candidate | null {
    const read = readEntry(object);
    if (read === null || !this.#members.has(read.meta.namespace)) return null;
    const { meta, entry, findings } = read;
    const kind = kindKey(meta.kind, meta.apiVersion);
    const before = this.#entries.get(meta.namespace)?.get(`${kind} ${meta.name}`);
    const known = new Set(before?.findings.map((finding) => JSON.stringify(finding)));
    const list = (entry ?? before)?.list;
    return {
      ref: refOfMeta(meta),
      findings: findings.filter((finding) => !known.has(JSON.stringify(finding))),
      change: list === undefined
        ? null
        : { list, before: before?.resource ?? null, after: entry?.resource ?? null },
    };
  }

  removed(kind: string, namespace: string, name: string): void {
    if (kind === "Namespace") return this.#setMember(name, undefined);
    const entries = this.#entries.get(namespace);
    const entry = entries?.get(`${kind} ${name}`);
    if (entries === undefined || entry === undefined) return;
    entries.delete(`${kind} ${name}`);
    if (entries.size === 0) this.#entries.delete(namespace);
    if (this.#members.has(namespace)) this.#tell(entry, undefined);
  }

  #put(namespace: string, key: string, entry: Entry): void {
    const entries = this.#entries.get(namespace) ?? new Map<string, Entry>();
    this.#entries.set(namespace, entries);
    const before = entries.get(key);
    const isSame = before !== undefined && isSameData(before, entry);
    if (isSame) return;
    entries.set(key, entry);
    if (this.#members.has(namespace)) this.#tell(before, entry);
  }

  #putNamespace(meta: Meta, entry: Entry): void {
    this.#setMember(meta.name, meta.labels[MEMBER_LABEL] === this.#mesh ? entry : undefined);
  }

  /** The entries of namespaces themselves are those of the namespace with the empty name. */
  #setMember(namespace: string, entry: Entry | undefined): void {
    const own = this.#entries.get("") ?? new Map<string, Entry>();
    this.#entries.set("", own);
    const before = own.get(namespace);
    if (before !== undefined && entry !== undefined && isSameData(before, entry)) return;
    if (entry === undefined) own.delete(namespace);
    else own.set(namespace, entry);
    this.#tell(before, entry);
    const isMember = entry !== undefined;
    if (isMember === this.#members.has(namespace)) return;
    if (isMember) this.#members.add(namespace);
    else this.#members.delete(namespace);
    for (const each of this.#entries.get(namespace)?.values() ?? []) {
      if (isMember) this.#tell(undefined, each);
      else this.#tell(each, undefined);
    }
  }

  #tell(before: Entry | undefined, after: Entry | undefined): void {
    const meta = (after ?? before)?.resource.meta;
    const findings = after?.findings ?? [];
    if (meta !== undefined && !isSameData(before?.findings ?? [], findings)) {
      this.#events.findings(refOfMeta(meta), findings);
    }
    if (before !== undefined && after !== undefined && before.list !== after.list) {
      this.#tell(before, undefined);
      return this.#tell(undefined, after);
    }
    const list = (after ?? before)?.list;
    if (list === undefined || before?.resource === after?.resource) return;
    this.#events.change({
      list,
      before: before?.resource ?? null,
      after: after?.resource ?? null,
    });
  }
}

/** What is read of an object: null: it is of no kind that is read; `entry` null: nothing that counts is in it. */
function readEntry(
  object: JsonFields,
): { meta: Meta; entry: Entry | null; findings: readonly Finding[] } | null {
  const findings: Finding[] = [];
  const identified = identify(withoutBallast(object), NOWHERE, "default", findings);
  if (identified === undefined || "hint" in identified) return null;
  const lists = emptyLists();
  readObject(identified, lists, findings);
  const { meta } = identified;
  const [list] = (Object.keys(lists) as List[]).filter((each) => lists[each].length > 0);
  if (list === undefined) return { meta, entry: null, findings };
  const [resource] = lists[list];
  const uid = textField(fieldsOf(object["metadata"]), "uid") ?? "";
  const entry = { list, uid, resource: projected(list, resource) };
  const told = findings.length === 0 ? NO_FINDINGS : findings;
  return { meta, entry: { ...entry, findings: told }, findings };
}

/** What nothing here reads, and what would make news of nothing. */
function withoutBallast(object: JsonFields): JsonFields {
  const { managedFields: _, annotations, ...metadata } = fieldsOf(object["metadata"]);
  const own = Object.entries(fieldsOf(annotations)).filter(([name]) => OWN_ANNOTATION.test(name));
  return { ...object, metadata: { ...metadata, annotations: Object.fromEntries(own) } };
}

/** Of pods, which are many, only what the compiler reads is kept. */
function projected(list: List, resource: Snapshot[List][number]): Snapshot[List][number] {
  if (list !== "pods") return resource;
  const pod = withDeployment(resource as Pod);
  const containers = pod.template.containers.map((each) => ({ ...each, image: "", command: [] }));
  return { ...pod, template: { ...pod.template, containers } };
}

/**
 * What a pod has in common with the one before it is kept once: pods of one workload come one after the other, and differ in name and
 * address alone.
 */
class AlikePods {
  #last: Pod | null = null;

  of(pod: Pod): Pod {
    const last = this.#last;
    if (last !== null) pod = alike(last, pod);
    this.#last = pod;
    return pod;
  }
}

function alike(last: Pod, pod: Pod): Pod {
  const labels = same(last.meta.labels, pod.meta.labels);
  const annotations = same(last.meta.annotations, pod.meta.annotations);
  const containers = same(last.template.containers, pod.template.containers);
  const template = same(last.template, { ...pod.template, labels, annotations, containers });
  const namespace = same(last.meta.namespace, pod.meta.namespace);
  const meta = { ...pod.meta, namespace, labels, annotations };
  return { ...pod, meta, template, owner: same(last.owner, pod.owner) };
}

function same<T>(last: T, next: T): T {
  return isSameData(last, next) ? last : next;
}
