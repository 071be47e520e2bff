/**
 * Workloads of Kubernetes' own (apps/v1, batch/v1, core v1), and of others that make pods of a template: what they say of
 * their pods.
 */
import type { FieldPath } from "../../base/finding.ts";
import { Field, isRecord } from "../fields.ts";
import { MANIFEST_LIMITS } from "../limits.ts";
import type { SourceObject } from "../object.ts";
import type { Workload } from "../resources.ts";
import { readOwner, readPodTemplate } from "./pod.ts";

const SPEC_FIELDS = ["replicas", "selector", "serviceName", "template"];
const OF_CRON_JOB = ["spec", "jobTemplate", "spec"];

/** Reads a workload of Kubernetes' own. */
export function readWorkload(object: SourceObject): Workload {
  const { kind } = object.meta;
  const path = kind === "CronJob" ? OF_CRON_JOB : ["spec"];
  const spec = path.reduce((field, key) => field.at(key), object.root);
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

/** Whether an object of a kind that is not known has what makes pods: a template of its own, or another workload's. */
export function hasPodTemplate(value: unknown): boolean {
  const spec = new Field(value, [], () => {}).at("spec");
  return Array.isArray(spec.at("template").at("spec").at("containers").value) ||
    isRecord(spec.at("workloadRef").value);
}

/** Reads a workload of another kind. Its template is Kubernetes' own; the rest is read as far as it is alike. */
export function readOtherWorkload(object: SourceObject): Workload {
  const spec = new Field(object.root.at("spec").value, ["spec"], () => {});
  const numbers = ["replicas", "parallelism"].map((name) => spec.at(name).value);
  const replicas = numbers.find((value) => Number.isInteger(value) && Number(value) >= 0) ?? 1;
  const reference = spec.at("workloadRef");
  const [kind, name] = ["kind", "name"].map((key) => reference.at(key).string());
  const isDaemon = object.meta.kind.endsWith("DaemonSet");
  return {
    ...readCommon(object, spec),
    replicas: isDaemon ? 1 : limited(object, Number(replicas)),
    template: readPodTemplate(object.root.at("spec").at("template")),
    ...(kind === undefined || name === undefined ? {} : { templateOf: { kind, name } }),
  };
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
