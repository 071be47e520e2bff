/** What owns a pod, as metrics name it: seen through ReplicaSets to Deployments, and through Jobs to CronJobs. Pure. */
import type { ObjectMeta } from "./pod.ts";

/** `Deployment/web`; empty where nothing owns the pod and it has no name yet. */
export function ownerOf({ ownerReferences = [], labels = {}, name }: ObjectMeta): string {
  const owner = ownerReferences.find(({ controller }) => controller === true) ?? ownerReferences[0];
  if (owner === undefined) return name === undefined ? "" : `Pod/${name}`;
  // A Deployment calls its ReplicaSets after itself and the hash of their template, a CronJob its Jobs after the minute.
  const suffix = `-${labels["pod-template-hash"] ?? ""}`;
  if (owner.kind === "ReplicaSet" && suffix !== "-" && owner.name.endsWith(suffix)) {
    return `Deployment/${owner.name.slice(0, -suffix.length)}`;
  }
  const rollout = `-${labels["rollouts-pod-template-hash"] ?? ""}`;
  if (owner.kind === "ReplicaSet" && rollout !== "-" && owner.name.endsWith(rollout)) {
    return `Rollout/${owner.name.slice(0, -rollout.length)}`;
  }
  const cronJob = /^(.+)-\d{8,10}$/.exec(owner.name)?.[1];
  return owner.kind === "Job" && cronJob !== undefined
    ? `CronJob/${cronJob}`
    : `${owner.kind}/${owner.name}`;
}
