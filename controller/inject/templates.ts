/** Pods in the objects that people write: a pod itself, and the templates of workloads, also within a List. Pure. */
import { fieldsOf, type JsonFields, textField } from "../kube/fields.ts";
import { isPod, type PodObject } from "./pod.ts";
import { ownerOf } from "./workload.ts";

interface PodTemplate {
  /** From the top of the object to the pod. */
  readonly path: readonly (string | number)[];
  readonly pod: PodObject;
  /** `Deployment/web`, as of the pods that are made of it. */
  readonly workload: string;
  readonly kind: string;
  readonly name: string;
  /** Empty: it does not say. */
  readonly namespace: string;
}

/** Where kinds have their template. Of other kinds, pods are seen by the webhook, once there are any. */
const TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  Pod: [],
  PodTemplate: ["template"],
  Deployment: ["spec", "template"],
  ReplicaSet: ["spec", "template"],
  ReplicationController: ["spec", "template"],
  StatefulSet: ["spec", "template"],
  DaemonSet: ["spec", "template"],
  Rollout: ["spec", "template"],
  Job: ["spec", "template"],
  CronJob: ["spec", "jobTemplate", "spec", "template"],
};

/** Groups of these kinds: another's kind of the same name is another thing. */
const GROUPS = new Set(["", "apps", "batch", "argoproj.io"]);

export function podTemplatesIn(
  value: unknown,
  path: readonly (string | number)[] = [],
): PodTemplate[] {
  const object = fieldsOf(value);
  const { items } = object;
  const kind = textField(object, "kind") ?? "";
  if (kind.endsWith("List") && Array.isArray(items)) {
    return items.flatMap((item, index) => podTemplatesIn(item, [...path, "items", index]));
  }
  const apiVersion = textField(object, "apiVersion") ?? "";
  const group = apiVersion.includes("/") ? apiVersion.split("/")[0] : "";
  if (!Object.hasOwn(TEMPLATES, kind) || !GROUPS.has(group)) return [];
  const steps = TEMPLATES[kind];
  const pod = withoutNulls(steps.reduce<JsonFields>((at, step) => fieldsOf(at[step]), object));
  if (!isPod(pod)) return [];
  const metadata = fieldsOf(object["metadata"]);
  const name = textField(metadata, "name") ?? "";
  return [{
    path: [...path, ...steps],
    pod,
    workload: kind === "Pod" ? ownerOf(pod.metadata ?? {}) : `${kind}/${name}`,
    kind,
    name,
    namespace: textField(metadata, "namespace") ?? "",
  }];
}

/** The API server drops fields that are null, before any webhook sees them. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, each]) =>
      each === null ? [] : [[key, withoutNulls(each)]]
    ),
  );
}
