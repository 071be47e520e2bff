/**
 * Workloads of Kubernetes' own (apps/v1, batch/v1, core v1), and of others that make pods of a template: what they say of
 * their pods.
 */
import type { FieldPath } from "../../base/finding.ts";
import { Field, isRecord } from "../fields.ts";
import { MANIFEST_LIMITS, TEMPLATE_DEPTH_MAX } from "../limits.ts";
import type { SourceObject } from "../object.ts";
import type { Workload } from "../resources.ts";
import { readOwner, readPodTemplate } from "./pod.ts";

const SPEC_FIELDS = ["replicas", "selector", "serviceName", "template"];
const OF_CRON_JOB = ["spec", "jobTemplate", "spec"];

/** Reads a workload of Kubernetes' own. */
export function readWorkload(object: SourceObject): Workload {
  const { kind } = object.meta;
  const path = kind === "CronJob" ? OF_CRON_JOB : ["spec"];
  const spec = at(object.root, path);
  if (!JOBS.includes(kind)) spec.checkSlips(SPEC_FIELDS);
  const template = spec.at("template");
  if (!template.isPresent) template.reportMissing();
  const isSuspended = object.root.at("spec").at("suspend").value === true;
  return {
    ...readCommon(object, spec),
    replicas: isSuspended ? 0 : limited(object, readReplicas(kind, spec)),
    template: readPodTemplate(template),
    ...(kind === "CronJob" ? { templateAt: template.path } : {}),
  };
}

const JOBS = ["Job", "CronJob"];

function readCommon(object: SourceObject, spec: Field) {
  const { meta, root } = object;
  return {
    meta,
    kind: meta.kind,
    serviceName: meta.kind === "StatefulSet" ? spec.at("serviceName").string() : undefined,
    owner: readOwner(root.at("metadata")),
  };
}

/** How many pods there are at one time. A DaemonSet has one: the input is taken for a cluster of one node. */
function readReplicas(kind: string, spec: Field): number {
  const count = (name: string) => spec.at(name).integer({ min: 0, max: 2 ** 31 - 1 }) ?? 1;
  if (kind === "DaemonSet") return 1;
  if (!JOBS.includes(kind)) return count("replicas");
  return spec.at("completions").isPresent
    ? Math.min(count("parallelism"), count("completions"))
    : count("parallelism");
}

/**
 * Where an object of a kind that is not known has templates of pods, wherever in its spec: `spec.template` of an Argo Rollout,
 * one for each role of a training job.
 */
function templatesIn(value: unknown, path: FieldPath): FieldPath[] {
  if (path.length > TEMPLATE_DEPTH_MAX || typeof value !== "object" || value === null) return [];
  // A whole object within another is not for this one to run.
  if (isRecord(value) && typeof value["kind"] === "string" && "apiVersion" in value) return [];
  return Object.entries(value).flatMap(([key, child]) => {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    return /template$/i.test(key) && isPodTemplate(child) ? [at] : templatesIn(child, at);
  });
}

function isPodTemplate(value: unknown): boolean {
  const spec = new Field(value, [], () => {}).at("spec");
  return Array.isArray(spec.at("containers").value);
}

/** Whether an object of a kind that is not known makes pods, by templates of its own or another workload's. */
export function makesPods(value: unknown): boolean {
  const spec = new Field(value, [], () => {}).at("spec");
  return isRecord(spec.at("workloadRef").value) || templatesIn(spec.value, ["spec"]).length > 0;
}

/** Reads a workload of another kind. Its templates are Kubernetes' own; the rest is read as far as it is alike. */
export function readOtherWorkload(object: SourceObject): readonly Workload[] {
  const { root } = object;
  const spec = new Field(root.at("spec").value, ["spec"], () => {});
  const reference = spec.at("workloadRef");
  const [kind, name] = ["kind", "name"].map((key) => reference.at(key).string());
  const own = templatesIn(spec.value, ["spec"]);
  const paths = own.length === 0 ? [["spec", "template"]] : own;
  return paths.map((path) => ({
    ...readCommon(object, spec),
    replicas: limited(object, replicasBeside(path, object)),
    template: readPodTemplate(at(root, path)),
    templateAt: path,
    ...(kind === undefined || name === undefined ? {} : { templateOf: { kind, name } }),
  }));
}

/** What stands beside a template, where it can be read as for a workload of Kubernetes' own; 1 otherwise. */
function replicasBeside(path: FieldPath, { root, meta }: SourceObject): number {
  if (meta.kind.endsWith("DaemonSet")) return 1;
  const parent = at(root, path.slice(0, -1));
  const numbers = ["replicas", "parallelism"].map((name) => parent.at(name).value);
  return Number(numbers.find((value) => Number.isInteger(value) && Number(value) >= 0) ?? 1);
}

function at(field: Field, path: FieldPath): Field {
  return path.reduce<Field>(
    (inner, key) => typeof key === "string" ? inner.at(key) : inner.list()[key],
    field,
  );
}

function limited(object: SourceObject, replicas: number): number {
  if (replicas <= MANIFEST_LIMITS.workloadReplicasMax) return replicas;
  const path: Readonly<Record<string, FieldPath>> = {
    Job: ["spec", "parallelism"],
    CronJob: [...OF_CRON_JOB, "parallelism"],
  };
  object.report(
    "limit-exceeded",
    path[object.meta.kind] ?? ["spec", "replicas"],
    `${replicas} pods are more than Weft makes of one workload; ${MANIFEST_LIMITS.workloadReplicasMax} count`,
    `Write ${MANIFEST_LIMITS.workloadReplicasMax} or less`,
  );
  return MANIFEST_LIMITS.workloadReplicasMax;
}
