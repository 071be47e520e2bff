/**
 * MissingSidecars: pods of the mesh that should have a sidecar and have none: made before their namespace joined, or past the
 * webhook. What they send goes past the mesh, and nothing else says so.
 */
import type { Finding } from "../../base/finding.ts";
import { makeFinding } from "../../schemas/report.ts";
import { fieldsOf, type JsonFields, textField } from "../kube/fields.ts";
import { choose, wishOf } from "./choose.ts";
import { isPod, type ObjectMeta, type PodObject } from "./pod.ts";
import { ownerOf } from "./workload.ts";

interface MissingSidecarsParts {
  /** Undefined: it is in no mesh. */
  readonly namespaceOf: (name: string) => ObjectMeta | undefined;
  /** What is new since the last report, one for each workload. */
  readonly onFindings: (findings: readonly Finding[]) => void;
}

/** A pod that could have a sidecar and has none. */
interface Bare {
  readonly workload: string;
  /** What it says itself; undefined: its namespace decides. */
  readonly wish: ReturnType<typeof wishOf>;
}

export class MissingSidecars {
  readonly #parts: MissingSidecarsParts;
  /** By namespace, and then by name; of namespaces outside too, which may join. */
  readonly #bare = new Map<string, Map<string, Bare>>();
  #told = new Set<string>();
  #hasNews = false;

  constructor(parts: MissingSidecarsParts) {
    this.#parts = parts;
  }

  heard(object: JsonFields): void {
    const kind = textField(object, "kind");
    if (kind === "Namespace") this.#hasNews = true;
    if (kind !== "Pod" || !isPod(object)) return;
    const metadata = fieldsOf(object["metadata"]);
    const [namespace, name] = ["namespace", "name"].map((key) => textField(metadata, key) ?? "");
    this.removed("Pod", namespace, name);
    if (!isRunning(object) || !isBare(object)) return;
    const pods = this.#bare.get(namespace) ?? new Map<string, Bare>();
    this.#bare.set(namespace, pods);
    const meta = object.metadata ?? {};
    pods.set(name, { workload: ownerOf(meta), wish: wishOf(meta, "") });
    this.#hasNews = true;
  }

  removed(kind: string, namespace: string, name: string): void {
    const pods = kind === "Pod" ? this.#bare.get(namespace) : undefined;
    if (pods?.delete(name) !== true) return;
    this.#hasNews = true;
    if (pods.size === 0) this.#bare.delete(namespace);
  }

  /** Tells of workloads that it has not told of; how many pods there are; null: nothing has changed. */
  report(): number | null {
    if (!this.#hasNews) return null;
    this.#hasNews = false;
    const missing = this.#missing();
    const news = [...missing].filter(([key]) => !this.#told.has(key)).map(([, each]) => each);
    this.#told = new Set(missing.keys());
    if (news.length > 0) this.#parts.onFindings(news.map(findingOf));
    return [...missing.values()].reduce((sum, { pods }) => sum + pods, 0);
  }

  #missing(): Map<string, Missing> {
    const missing = new Map<string, Missing>();
    for (const [namespace, pods] of this.#bare) {
      const meta = this.#parts.namespaceOf(namespace);
      if (meta === undefined) continue;
      const byDefault = wishOf(meta, "") ?? true;
      for (const { workload, wish } of pods.values()) {
        if ((wish ?? byDefault) === false) continue;
        const key = `${namespace}/${workload}`;
        missing.set(key, { namespace, workload, pods: (missing.get(key)?.pods ?? 0) + 1 });
      }
    }
    return missing;
  }
}

interface Missing {
  readonly namespace: string;
  readonly workload: string;
  readonly pods: number;
}

function findingOf({ namespace, workload, pods }: Missing): Finding {
  const [kind, name] = workload.split("/");
  const isRestartable = ["Deployment", "StatefulSet", "DaemonSet"].includes(kind);
  return makeFinding("sidecar-missing", {
    message: `${pods === 1 ? "A pod has" : `${pods} pods have`} no sidecar`,
    hint: isRestartable
      ? `Have them made anew: kubectl rollout restart -n ${namespace} ${kind.toLowerCase()} ${name}`
      : `Make what is called ${name} in ${namespace} anew, or label it weft.dev/inject=false`,
    resource: { kind, namespace, name },
  });
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
