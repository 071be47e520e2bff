/**
 * From manifests to what runs here: pods with their loopback addresses, and the snapshot as a cluster on this machine
 * would have it. Pure but for reading the files.
 */
import type { Finding } from "../base/finding.ts";
import type { Plan } from "../routing/plan.ts";
import type { Snapshot } from "../schemas/resources.ts";
import { loadPaths } from "../schemas/source.ts";
import { expandWorkloads } from "../schemas/workloads.ts";
import type { PodAddresses } from "./pod_addresses.ts";
import type { LocalPod } from "./pod_runner.ts";
import { endpointPorts } from "./redirect.ts";
import { standInAnswer } from "./stand_in.ts";

/** Where manifests are. */
export interface ManifestSource {
  readonly paths: readonly string[];
  readonly recursive: boolean;
  /** Of resources that name none. */
  readonly namespace: string;
  /** The text of standard input, for the path `-`; asked for at every reading. */
  readonly stdin: () => Promise<string>;
}

/** Reads manifests; every pod of the snapshot has its loopback address. */
export async function readManifests(
  source: ManifestSource,
  book: PodAddresses,
): Promise<{ snapshot: Snapshot; findings: readonly Finding[] }> {
  const { snapshot, findings } = await loadPaths(source.paths, {
    recursive: source.recursive,
    defaultNamespace: source.namespace,
    stdin: source.stdin,
  });
  return { snapshot: localSnapshot(snapshot, book), findings };
}

/**
 * The snapshot with workloads expanded into pods on loopback addresses. Addresses of a real cluster, in manifests
 * that were exported from one, are left out: nothing of it can be reached.
 */
export function localSnapshot(snapshot: Snapshot, book: PodAddresses): Snapshot {
  const addressOf = (namespace: string, pod: string) => book.addressOf(namespace, pod);
  const expanded = expandWorkloads(snapshot, addressOf);
  const selecting = new Set(
    snapshot.services
      .filter(({ selector }) => Object.keys(selector ?? {}).length > 0)
      .map(({ meta }) => `${meta.namespace}/${meta.name}`),
  );
  return {
    ...expanded,
    pods: expanded.pods.map((pod) => ({
      ...pod,
      ips: [addressOf(pod.meta.namespace, pod.meta.name)],
      ready: true,
    })),
    endpointSlices: expanded.endpointSlices.filter(({ meta, service }) =>
      !selecting.has(`${meta.namespace}/${service}`)
    ),
  };
}

/** The snapshot where only pods at addresses that `isReady` are ready. */
export function withReadiness(
  snapshot: Snapshot,
  isReady: (address: string) => boolean,
): Snapshot {
  return {
    ...snapshot,
    pods: snapshot.pods.map((pod) => isReady(pod.ips[0] ?? "") ? pod : { ...pod, ready: false }),
  };
}

/** What to run for each pod: its container ports, and those that Services send to without naming them so. */
export function localPods(snapshot: Snapshot, plan: Plan): LocalPod[] {
  const sentTo = endpointPorts(plan);
  return snapshot.pods.map((pod) => {
    const address = pod.ips[0] ?? "";
    const declared = pod.template.containers.flatMap(({ ports }) => ports)
      .filter(({ protocol }) => protocol === "TCP")
      .map(({ containerPort }) => containerPort);
    return {
      namespace: pod.meta.namespace,
      name: pod.meta.name,
      identity: identityOf(pod),
      workload: pod.owner?.name ?? pod.meta.name,
      address,
      ports: [...new Set([...declared, ...(sentTo.get(address) ?? [])])],
      answer: standInAnswer(pod),
    };
  });
}

/** Clients who share a listener: those of one namespace, or of one service account. */
export interface ClientGroup {
  readonly namespace: string;
  /** `namespace/serviceaccount`; empty: traffic targets are not enforced, so that it does not count. */
  readonly identity: string;
  /** What owns all pods of the group, such as `Deployment/curl`; empty if that is not one thing. */
  readonly workload: string;
  /** Its only pod; empty if there are several. */
  readonly pod: string;
}

/**
 * Every namespace that something is in, sorted: each has clients. Who calls is known, for metrics, where only one workload
 * could. Where traffic targets are enforced it is every service account that pods have or targets let in.
 */
export function clientsOf(snapshot: Snapshot, isEnforced = false): ClientGroup[] {
  if (isEnforced) {
    return identitiesIn(snapshot).map((identity) => {
      const pods = snapshot.pods.filter((pod) => identityOf(pod) === identity);
      return { namespace: identity.split("/")[0], identity, ...whoCalls(pods) };
    });
  }
  return namespacesIn(snapshot).map((namespace) => {
    const pods = snapshot.pods.filter(({ meta }) => meta.namespace === namespace);
    return { namespace, identity: "", ...whoCalls(pods) };
  });
}

function namespacesIn({ namespaces, services, pods }: Snapshot): string[] {
  const names = [
    ...namespaces.map(({ meta }) => meta.name),
    ...[...services, ...pods].map(({ meta }) => meta.namespace),
  ];
  return [...new Set(names)].sort();
}

/** In order of their namespaces, and in each the one that a client has who names none first. */
function identitiesIn(snapshot: Snapshot): string[] {
  const { serviceAccounts, trafficTargets, pods } = snapshot;
  const named = [
    ...pods.map(identityOf),
    ...serviceAccounts.map(({ meta }) => `${meta.namespace}/${meta.name}`),
    ...trafficTargets.flatMap(({ meta, sources }) =>
      sources.map(({ namespace, name }) => `${namespace || meta.namespace}/${name}`)
    ),
  ];
  const namespaces = [
    ...new Set([...namespacesIn(snapshot), ...named.map((identity) => identity.split("/")[0])]),
  ].sort();
  return namespaces.flatMap((namespace) => {
    const others = named.filter((identity) => identity.startsWith(`${namespace}/`)).sort();
    return [...new Set([`${namespace}/default`, ...others])];
  });
}

function identityOf({ meta, template }: Snapshot["pods"][number]): string {
  return `${meta.namespace}/${template.serviceAccount || "default"}`;
}

function whoCalls(pods: Snapshot["pods"]): Pick<ClientGroup, "workload" | "pod"> {
  const owners = pods.map(({ owner }) => owner === undefined ? "" : `${owner.kind}/${owner.name}`);
  return {
    workload: new Set(owners).size === 1 ? owners[0] : "",
    pod: pods.length === 1 ? pods[0].meta.name : "",
  };
}
