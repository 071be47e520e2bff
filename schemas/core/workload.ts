/**
 * Deployment, ReplicaSet, StatefulSet, DaemonSet (apps/v1) and Job (batch/v1): what they say of their pods.
 */
import type { Field } from "../fields.ts";
import { MANIFEST_LIMITS } from "../limits.ts";
import type { SourceObject } from "../object.ts";
import type { Workload, WorkloadKind } from "../resources.ts";
import { readOwner, readPodTemplate } from "./pod.ts";

const SPEC_FIELDS = ["replicas", "selector", "serviceName", "template"];

/** A reader of one kind of workload. */
export function workloadReader(kind: WorkloadKind): (object: SourceObject) => Workload {
  return (object) => {
    const spec = object.root.at("spec");
    spec.checkSlips(SPEC_FIELDS);
    const template = spec.at("template");
    if (!template.isPresent) template.reportMissing();
    return {
      meta: object.meta,
      kind,
      replicas: limited(object, readReplicas(kind, spec)),
      template: readPodTemplate(template),
      serviceName: kind === "StatefulSet" ? spec.at("serviceName").string() : undefined,
      owner: readOwner(object.root.at("metadata")),
    };
  };
}

/** How many pods there are at one time. A DaemonSet has one: the input is taken for a cluster of one node. */
function readReplicas(kind: WorkloadKind, spec: Field): number {
  const count = (name: string) => spec.at(name).integer({ min: 0, max: 2 ** 31 - 1 }) ?? 1;
  switch (kind) {
    case "DaemonSet":
      return 1;
    case "Job":
      return spec.at("completions").isPresent
        ? Math.min(count("parallelism"), count("completions"))
        : count("parallelism");
    default:
      return count("replicas");
  }
}

function limited(object: SourceObject, replicas: number): number {
  if (replicas <= MANIFEST_LIMITS.workloadReplicasMax) return replicas;
  object.report(
    "limit-exceeded",
    ["spec", object.meta.kind === "Job" ? "parallelism" : "replicas"],
    `${replicas} pods are more than Weft makes of one workload; ${MANIFEST_LIMITS.workloadReplicasMax} count`,
    `Write ${MANIFEST_LIMITS.workloadReplicasMax} or less`,
  );
  return MANIFEST_LIMITS.workloadReplicasMax;
}
