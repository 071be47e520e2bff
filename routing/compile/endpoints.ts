/**
 * Which endpoints stand behind each port of each Service, as Kubernetes' endpoints controller and kube-proxy
 * would have it. Knows nothing of splits.
 */
import { canonicalIp } from "../../base/ip.ts";
import { counted } from "../../base/text.ts";
import type { PlanEndpoint } from "../plan.ts";
import type {
  EndpointSlice,
  Pod,
  Service,
  ServicePort,
  SliceEndpoint,
} from "../../schemas/resources.ts";
import type { Catalog } from "./catalog.ts";
import { keyOf } from "./keys.ts";
import { type Findings, plainList, quoted, quotedList } from "./findings.ts";
import { compareText } from "../../base/order.ts";
import { compareNumbers } from "./order.ts";

/** A Service as the plan sees it: its TCP ports with what stands behind each. */
export interface ResolvedService {
  readonly service: Service;
  /** By port number, ascending. */
  readonly ports: readonly ResolvedPort[];
  /** First DNS labels of single pods behind a headless Service, sorted. */
  readonly podHosts: readonly string[];
}

/** The same without what stands behind the ports. */
export interface ServicePorts {
  readonly service: Service;
  readonly ports: readonly { readonly port: ServicePort }[];
}

export interface ResolvedPort {
  readonly port: ServicePort;
  /** Key into `Plan.groups`. */
  readonly group: string;
  /** By pod, address, port. */
  readonly endpoints: readonly PlanEndpoint[];
}

/** The id of an endpoint group. */
export function groupId(namespace: string, service: string, port: number): string {
  return `${keyOf(namespace, service)}:${port}`;
}

/** What stands behind a Service's own ports. */
export function resolveService(
  service: Service,
  catalog: Catalog,
  findings: Findings,
): ResolvedService {
  const { namespace, name } = service.meta;
  const slices = catalog.slicesOf(service);
  const ports = tcpPorts(service).map((port) => ({
    port,
    group: groupId(namespace, name, port.port),
    endpoints: sortedEndpoints(
      slices.length > 0
        ? endpointsOfSlices({ catalog, service, slices, port })
        : endpointsOfPods({ catalog, service, port, findings }),
    ),
  }));
  if (slices.length === 0) checkSelector(catalog, service, findings);
  const hosts = ports.flatMap(({ endpoints }) => endpoints.map(({ hostname }) => hostname));
  const podHosts = [...new Set(hosts)].filter((host) => host !== "").sort(compareText);
  return { service, ports, podHosts };
}

/** UDP and SCTP do not pass through the mesh. Of two entries with one number (not valid) the first counts. */
function tcpPorts(service: Service): ServicePort[] {
  const byNumber = new Map<number, ServicePort>();
  for (const port of service.ports) {
    if (port.protocol === "TCP" && !byNumber.has(port.port)) byNumber.set(port.port, port);
  }
  return [...byNumber.values()].sort((a, b) => compareNumbers(a.port, b.port));
}

function endpointsOfPods(
  { catalog, service, port, findings }: {
    catalog: Catalog;
    service: Service;
    port: ServicePort;
    findings: Findings;
  },
): PlanEndpoint[] {
  const endpoints: PlanEndpoint[] = [];
  const unresolved: Pod[] = [];
  for (const pod of catalog.podsOf(service)) {
    const number = targetPortOf(pod, port.targetPort);
    if (number === undefined) unresolved.push(pod);
    else if (pod.ready || service.publishNotReadyAddresses) {
      const address = pod.ips.find((ip) => canonicalIp(ip) !== null) ?? "";
      const hostname = podHostname(catalog, service, pod);
      const identity = identityOf(catalog, pod, number);
      endpoints.push(planEndpoint({ address, port: number, hostname }, identity));
    }
  }
  if (unresolved.length > 0) {
    const names = unresolved[0].template.containers
      .flatMap(({ ports }) => ports.map(({ name }) => name)).filter((name) => name !== "");
    findings.add({
      code: "target-port-unresolved",
      meta: service.meta,
      path: [...port.at, "targetPort"],
      message: `No container port named ${quoted(String(port.targetPort))} in ` +
        `${counted(unresolved.length, "selected pod")}: ` +
        quotedList(unresolved.map(({ meta }) => meta.name)),
      hint: names.length === 0
        ? "Name a container port in the pod template, or give targetPort as a number"
        : `The pod's ports are named ${quotedList(names)}; use one of them or a number`,
    });
  }
  return endpoints;
}

/** A name is looked up in each pod by itself, so one Service may lead to different numbers. */
function targetPortOf(pod: Pod, targetPort: number | string): number | undefined {
  if (typeof targetPort === "number") return targetPort;
  for (const container of pod.template.containers) {
    for (const port of container.ports) {
      if (port.name === targetPort && port.protocol === "TCP") return port.containerPort;
    }
  }
  return undefined;
}

type EndpointIdentity = Pick<PlanEndpoint, "pod" | "workload" | "identity" | "mutualTls">;

/** All fields in one object, where a spread would put some of them into another: there are very many. */
function planEndpoint(
  { address, port, hostname }: Pick<PlanEndpoint, "address" | "port" | "hostname">,
  { pod, workload, identity, mutualTls }: EndpointIdentity,
): PlanEndpoint {
  return mutualTls === true
    ? { address, port, hostname, pod, workload, identity, mutualTls }
    : { address, port, hostname, pod, workload, identity };
}

function identityOf({ texts }: Catalog, pod: Pod, port: number): EndpointIdentity {
  const excluded = pod.template.mutualTls?.excludedPorts;
  const takesMutualTls = excluded?.every(({ first, last }) => port < first || port > last);
  return {
    pod: pod.meta.name,
    workload: pod.owner === undefined ? "" : texts.of(keyOf(pod.owner.kind, pod.owner.name)),
    identity: texts.of(keyOf(pod.meta.namespace, pod.template.serviceAccount || "default")),
    ...(takesMutualTls === true ? { mutualTls: true } : {}),
  };
}

/** The label under which DNS serves one pod of a headless Service; empty if it does not. */
function podHostname(catalog: Catalog, service: Service, pod: Pod): string {
  if (!service.headless) return "";
  const { hostname, subdomain } = pod.template;
  if (subdomain === service.meta.name && hostname !== undefined) return hostname;
  if (pod.owner?.kind !== "StatefulSet") return "";
  const owner = catalog.statefulSets.get(pod.meta.namespace, pod.owner.name);
  return owner?.serviceName === service.meta.name ? pod.meta.name : "";
}

function endpointsOfSlices(
  { catalog, service, slices, port }: {
    catalog: Catalog;
    service: Service;
    slices: readonly EndpointSlice[];
    port: ServicePort;
  },
): PlanEndpoint[] {
  const endpoints: PlanEndpoint[] = [];
  const ending: PlanEndpoint[] = [];
  for (const slice of slices) {
    const target = slice.ports.find(({ name }) => name === port.name) ??
      slice.ports.find(({ name }) => name === "");
    if (target === undefined) continue;
    for (const endpoint of slice.endpoints) {
      // Consumers of a slice use the first address; the others are the same endpoint.
      const address = endpoint.addresses[0];
      // Nor is a slice of host names one that Kubernetes itself would route to.
      if (address === undefined || canonicalIp(address) === null) continue;
      const counts = endpoint.ready || service.publishNotReadyAddresses;
      if (!counts && endpoint.isEnding !== true) continue;
      const hostname = service.headless ? endpoint.hostname ?? "" : "";
      const identity = identityOfSlice(catalog, slice, endpoint, target.port);
      const planned = planEndpoint({ address, port: target.port, hostname }, identity);
      (counts ? endpoints : ending).push(planned);
    }
  }
  // As kube-proxy does: a call to one that is ending may still succeed, one to none cannot.
  return onePerPod(endpoints.length > 0 ? endpoints : ending, service);
}

function identityOfSlice(
  catalog: Catalog,
  slice: EndpointSlice,
  { podName, addresses: [address] }: SliceEndpoint,
  port: number,
): EndpointIdentity {
  const pod = podName === undefined ? undefined : catalog.pods.get(slice.meta.namespace, podName);
  if (pod === undefined) return { pod: podName ?? "", workload: "", identity: "" };
  const { mutualTls, ...identity } = identityOf(catalog, pod, port);
  // A slice that was made by hand may name a pod with another address.
  const isIts = pod.ips.length === 0 || pod.ips.includes(address);
  return mutualTls === true && isIts ? { ...identity, mutualTls } : identity;
}

/** A dual-stack Service has a slice per address family; a pod in both is one endpoint, not two. */
function onePerPod(endpoints: readonly PlanEndpoint[], service: Service): PlanEndpoint[] {
  const isIpv6Preferred = service.clusterIps[0]?.includes(":") ?? false;
  const byPod = new Map<string, PlanEndpoint>();
  for (const endpoint of endpoints) {
    const owner = endpoint.pod === "" ? endpoint.address : endpoint.pod;
    const key = JSON.stringify([owner, endpoint.port]);
    const known = byPod.get(key);
    const isPreferred = endpoint.address.includes(":") === isIpv6Preferred &&
      known?.address.includes(":") !== isIpv6Preferred;
    if (known === undefined || isPreferred) byPod.set(key, endpoint);
  }
  return [...byPod.values()];
}

function sortedEndpoints(endpoints: readonly PlanEndpoint[]): PlanEndpoint[] {
  return [...endpoints].sort((a, b) =>
    compareText(a.pod, b.pod) || compareText(a.address, b.address) || compareNumbers(a.port, b.port)
  );
}

function checkSelector(catalog: Catalog, service: Service, findings: Findings): void {
  const labels = Object.entries(service.selector ?? {}).map(([name, value]) => `${name}=${value}`);
  if (labels.length === 0 || catalog.selectsAnything(service)) return;
  findings.add({
    code: "selector-matches-nothing",
    meta: service.meta,
    path: ["spec", "selector"],
    message: `No pod or workload in namespace ${quoted(service.meta.namespace)} has the labels ` +
      plainList(labels),
    hint: "Correct the selector or the labels of the pod template, or add the missing workload",
  });
}
