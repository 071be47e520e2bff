/**
 * MissingSidecars: pods of the mesh that should have a sidecar and have none: made before their namespace joined, or past the
 * webhook. What they send goes past the mesh, and nothing else says so.
 */
import type { Finding, ResourceRef } from "../../base/finding.ts";
import { makeFinding } from "../../schemas/report.ts";
import { fieldsOf, type JsonFields, textField } from "../kube/fields.ts";
import type { ObjectIdentity } from "../objects.ts";
import { choose, wishOf } from "./choose.ts";
import { MISSING_NAMED_MAX } from "./limits.ts";
import { isPod, type ObjectMeta, type PodObject } from "./pod.ts";
import { ownerOf } from "./workload.ts";

interface MissingSidecarsParts {
  /** Undefined: it is in no mesh. */
  readonly namespaceOf: (name: string) => ObjectMeta | undefined;
  /** What is new since the last report, one for each workload. */
  readonly onWorkloads: (findings: readonly Finding[]) => void;
  /** The same of pods, the first of each workload, with what is no longer so. */
  readonly onPods: (came: readonly Finding[], went: readonly Finding[]) => void;
}

/** A pod that could have a sidecar and has none. */
interface Bare {
  readonly uid: string;
  readonly workload: string;
  /** What it says itself; undefined: its namespace decides. */
  readonly wish: ReturnType<typeof wishOf>;
}

export class MissingSidecars {
  readonly #parts: MissingSidecarsParts;
  /** By namespace, and then by name; of namespaces outside too, which may join. */
  readonly #bare = new Map<string, Map<string, Bare>>();
  #told = new Set<string>();
  /** Findings of pods, by namespace and name. */
  #toldOfPods = new Map<string, Finding>();
  #hasNews = false;

  constructor(parts: MissingSidecarsParts) {
    this.#parts = parts;
  }

  heard(object: JsonFields): void {
    const kind = textField(object, "kind");
    if (kind === "Namespace") this.#hasNews = true;
    if (kind !== "Pod" || !isPod(object)) return;
    const metadata = fieldsOf(object["metadata"]);
    const [namespace, name, uid] = ["namespace", "name", "uid"]
      .map((key) => textField(metadata, key) ?? "");
    if (!isRunning(object) || !isBare(object)) return this.removed("Pod", namespace, name);
    const pods = this.#bare.get(namespace) ?? new Map<string, Bare>();
    this.#bare.set(namespace, pods);
    const meta = object.metadata ?? {};
    // One that is known keeps its place, so that it stays among those that are named.
    pods.set(name, { uid, workload: ownerOf(meta), wish: wishOf(meta, "") });
    this.#hasNews = true;
  }

  removed(kind: string, namespace: string, name: string): void {
    const pods = kind === "Pod" ? this.#bare.get(namespace) : undefined;
    if (pods?.delete(name) !== true) return;
    this.#hasNews = true;
    if (pods.size === 0) this.#bare.delete(namespace);
  }

  /** Undefined: it has a sidecar, needs none, or is not there. */
  identityOf({ kind, namespace, name }: ResourceRef): ObjectIdentity | undefined {
    const bare = kind !== "Pod" ? undefined : this.#bare.get(namespace)?.get(name);
    return bare && { apiVersion: "v1", uid: bare.uid };
  }

  /** Tells of what it has not told of; how many pods there are; null: nothing has changed. */
  report(): number | null {
    if (!this.#hasNews) return null;
    this.#hasNews = false;
    const missing = this.#missing();
    const news = [...missing].filter(([key]) => !this.#told.has(key)).map(([, each]) => each);
    this.#told = new Set(missing.keys());
    if (news.length > 0) this.#parts.onWorkloads(news.map(findingOf));
    this.#reportPods([...missing.values()].flatMap(findingsOfPods));
    return [...missing.values()].reduce((sum, { pods }) => sum + pods.length, 0);
  }

  #reportPods(findings: readonly (readonly [pod: string, finding: Finding])[]): void {
    const before = this.#toldOfPods;
    const now = this.#toldOfPods = new Map(findings);
    const only = (of: ReadonlyMap<string, Finding>, notIn: ReadonlyMap<string, Finding>) =>
      [...of].flatMap(([pod, finding]) => notIn.has(pod) ? [] : [finding]);
    const [came, went] = [only(now, before), only(before, now)];
    if (came.length + went.length > 0) this.#parts.onPods(came, went);
  }

  #missing(): Map<string, Missing> {
    const missing = new Map<string, Missing>();
    for (const [namespace, pods] of this.#bare) {
      const meta = this.#parts.namespaceOf(namespace);
      if (meta === undefined) continue;
      const byDefault = wishOf(meta, "") ?? true;
      for (const [name, { uid, workload, wish }] of pods) {
        if ((wish ?? byDefault) === false) continue;
        const key = `${namespace}/${workload}`;
        const of = missing.get(key) ?? { namespace, workload, pods: [] };
        missing.set(key, of);
        of.pods.push({ name, uid });
      }
    }
    return missing;
  }
}

interface Missing {
  readonly namespace: string;
  readonly workload: string;
  readonly pods: { readonly name: string; readonly uid: string }[];
}

function findingOf(missing: Missing): Finding {
  const { namespace, workload, pods: { length } } = missing;
  const [kind, name] = workload.split("/");
  return makeFinding("sidecar-missing", {
    message: `${length === 1 ? "A pod has" : `${length} pods have`} no sidecar`,
    hint: hintOf(missing),
    resource: { kind, namespace, name },
  });
}

/** In words that stay the same while pods come and go, so that each is told of once. */
function findingsOfPods(missing: Missing): [pod: string, finding: Finding][] {
  const { namespace, pods } = missing;
  return pods.slice(0, MISSING_NAMED_MAX).map(({ name, uid }) => [
    `${namespace}/${name}/${uid}`,
    makeFinding("sidecar-missing", {
      message: "The pod has no sidecar, and what it sends goes past the mesh",
      hint: hintOf(missing),
      resource: { kind: "Pod", namespace, name },
    }),
  ]);
}

function hintOf({ namespace, workload }: Missing): string {
  const [kind, name] = workload.split("/");
  return ["Deployment", "StatefulSet", "DaemonSet"].includes(kind)
    ? `Have them made anew: kubectl rollout restart -n ${namespace} ${kind.toLowerCase()} ${name}`
    : `Make what is called ${name} in ${namespace} anew, or label it weft.dev/inject=false`;
}

/** What has ended sends nothing any more. */
function isRunning(pod: object): boolean {
  const { metadata, status } = fieldsOf(pod);
  const phase = fieldsOf(status)["phase"];
  return phase !== "Succeeded" && phase !== "Failed" &&
    fieldsOf(metadata)["deletionTimestamp"] === undefined;
}

function isBare(pod: PodObject): boolean {
  const { kind } = choose(pod, {});
  return kind === "inject" || kind === "refuse";
}
