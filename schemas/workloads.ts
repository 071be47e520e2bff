/**
 * Stands in for the controllers of Kubernetes: makes of each workload the pods that a cluster would, so that
 * manifests without a cluster have something to route to. Pure.
 *
 * Names: `<workload>-0`, `<workload>-1` and so on, which for a StatefulSet are the very names that Kubernetes
 * gives; a Deployment whose pod would take another pod's name has `<workload>-deployment-0`. A DaemonSet makes one
 * pod, as on a cluster of one node.
 */
import type { FieldPath } from "../base/finding.ts";
import type { Meta, Origin, Pod, PodTemplate, Snapshot, Workload } from "./resources.ts";

/**
 * The snapshot with pods for every workload that has none of its own in it. `addressOf` gives an address to pods
 * that have none, old and new; where it is left out or gives undefined, they keep none.
 */
export function expandWorkloads(
  snapshot: Snapshot,
  addressOf?: (namespace: string, pod: string) => string | undefined,
): Snapshot {
  const owners = new Owners(snapshot);
  const existing = snapshot.pods.map((pod) => ({ ...pod, owner: owners.ofPod(pod) }));
  const busy = new Set(
    existing.flatMap(({ meta, owner }) => owner === undefined ? [] : [ownerKey(meta, owner)]),
  );
  const names = new Set(existing.map(({ meta }) => nameKey(meta.namespace, meta.name)));
  // Kubernetes fixes the names of a StatefulSet's pods, so these go first.
  const idle = snapshot.workloads
    .filter((workload) => !busy.has(ownerKey(workload.meta, ownerOf(workload))))
    .filter((workload) => !owners.isOwned(workload))
    .sort((left, right) => rank(left) - rank(right));
  const made = idle.flatMap((workload) => makePods(workload, owners, names));
  const pods = [...existing, ...made].map((pod) => withAddress(pod, addressOf));
  return { ...snapshot, pods };
}

type Owner = { readonly kind: string; readonly name: string };

/** Who made what, seen through ReplicaSets to their Deployments. */
class Owners {
  readonly #workloads: ReadonlyMap<string, Workload>;

  constructor(snapshot: Snapshot) {
    this.#workloads = new Map(
      snapshot.workloads.map((workload) => [ownerKey(workload.meta, ownerOf(workload)), workload]),
    );
  }

  /** Whether another workload of the snapshot makes this one's pods. */
  isOwned({ meta, owner }: Workload): boolean {
    return owner !== undefined && this.#workloads.has(ownerKey(meta, owner));
  }

  /** The Deployment behind a ReplicaSet, where it is known; anything else is its own. */
  behind(meta: Meta, owner: Owner): Owner {
    if (owner.kind !== "ReplicaSet") return owner;
    return this.#workloads.get(ownerKey(meta, owner))?.owner ?? owner;
  }

  ofPod({ meta, owner, template }: Pod): Owner | undefined {
    if (owner === undefined) return undefined;
    const maker = this.behind(meta, owner);
    return maker.kind === "ReplicaSet" ? deploymentOf(template, maker) : maker;
  }
}

/** A pod as seen without its ReplicaSet: its owner is the Deployment, where it has one. */
export function withDeployment(pod: Pod): Pod {
  const { owner, template } = pod;
  return owner?.kind === "ReplicaSet" ? { ...pod, owner: deploymentOf(template, owner) } : pod;
}

/** Without the ReplicaSet itself: Kubernetes calls it after its Deployment and the hash of the template. */
function deploymentOf({ labels }: PodTemplate, replicaSet: Owner): Owner {
  const suffix = `-${labels["pod-template-hash"] ?? ""}`;
  return suffix !== "-" && replicaSet.name.endsWith(suffix)
    ? { kind: "Deployment", name: replicaSet.name.slice(0, -suffix.length) }
    : replicaSet;
}

function ownerOf({ kind, meta }: Workload): Owner {
  return { kind, name: meta.name };
}

function ownerKey({ namespace }: Meta, { kind, name }: Owner): string {
  return `${namespace}/${kind}/${name}`;
}

function nameKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

function rank({ kind }: Workload): number {
  return kind === "StatefulSet" ? 0 : 1;
}

function makePods(workload: Workload, owners: Owners, names: Set<string>): Pod[] {
  const owner = owners.behind(workload.meta, ownerOf(workload));
  return Array.from({ length: workload.replicas }, (_, index) => {
    const name = freeName(workload, index, names);
    const template = templateOf(workload, name, index);
    return {
      meta: {
        kind: "Pod",
        apiVersion: "v1",
        namespace: workload.meta.namespace,
        name,
        labels: template.labels,
        annotations: template.annotations,
        createdAt: workload.meta.createdAt,
        origin: templateOrigin(workload),
      },
      template,
      ips: [],
      ready: true,
      owner,
    };
  });
}

function freeName({ kind, meta }: Workload, index: number, names: Set<string>): string {
  const stems = [meta.name, `${meta.name}-${kind.toLowerCase()}`];
  for (let attempt = 0;; attempt++) {
    const stem = stems[attempt] ?? `${stems[1]}-${attempt}`;
    const name = `${stem}-${index}`;
    const key = nameKey(meta.namespace, name);
    if (names.has(key)) continue;
    names.add(key);
    return name;
  }
}

/** The pod of a StatefulSet is known by name: hostname, governing Service, and labels to select it by. */
function templateOf(
  { kind, template, serviceName }: Workload,
  name: string,
  index: number,
): PodTemplate {
  if (kind !== "StatefulSet") return template;
  return {
    ...template,
    labels: {
      ...template.labels,
      "statefulset.kubernetes.io/pod-name": name,
      "apps.kubernetes.io/pod-index": String(index),
    },
    hostname: name,
    subdomain: serviceName ?? template.subdomain,
  };
}

/** One for all pods of a workload, and in every reading in which the workload is the same. */
const TEMPLATE_ORIGINS = new WeakMap<Workload, TemplateOrigin>();

function templateOrigin(workload: Workload): TemplateOrigin {
  let origin = TEMPLATE_ORIGINS.get(workload);
  if (origin === undefined) TEMPLATE_ORIGINS.set(workload, origin = new TemplateOrigin(workload));
  return origin;
}

/** A made pod's fields stand in the template of its workload. */
class TemplateOrigin implements Origin {
  readonly #workload: Origin;
  readonly #at: FieldPath;

  constructor({ meta, templateAt = ["spec", "template"] }: Workload) {
    this.#workload = meta.origin;
    this.#at = templateAt;
  }

  locate(path: FieldPath) {
    return this.#workload.locate(path.length === 0 ? [] : [...this.#at, ...path]);
  }
}

function withAddress(
  pod: Pod,
  addressOf: ((namespace: string, pod: string) => string | undefined) | undefined,
): Pod {
  if (pod.ips.length > 0) return pod;
  const address = addressOf?.(pod.meta.namespace, pod.meta.name);
  return address === undefined ? pod : { ...pod, ips: [address] };
}
