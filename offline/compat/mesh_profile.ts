/**
 * What another mesh makes of the same manifests, by its documents and sources, in terms of our plan. A profile changes what is
 * compiled and what comes of it; what no plan can say is a remark.
 */
import { compile } from "../../routing/compile/compile.ts";
import type { Plan, PlanPort, PlanRoute, PlanService } from "../../routing/plan.ts";
import type { Position } from "../../base/finding.ts";
import type { Snapshot, TrafficSplit } from "../../schemas/resources.ts";

export interface MeshProfile {
  /** As its people write it. */
  readonly name: string;
  /** Traffic targets count. */
  readonly readsTargets: boolean;
  /** What it answers where no rule takes a request. */
  readonly noRuleStatus: number;
  /** What it reads of the resources. */
  read(snapshot: Snapshot): Snapshot;
  /** What it does with what was compiled of that. */
  change(plan: Plan, snapshot: Snapshot): Plan;
  /** What else it does otherwise with these manifests. */
  remarks(plan: Plan, snapshot: Snapshot): MeshRemark[];
}

/** A difference that is no matter of where a request goes, or that no plan can say. */
export interface MeshRemark {
  /** Stays the same once released. */
  readonly code: string;
  readonly text: string;
  /** Where the manifests have it; null: nowhere in particular. */
  readonly position: Position | null;
}

/** What no rule and no backend takes. */
export const NOTHING: Pick<PlanRoute, "backends" | "answer"> = {
  backends: [],
  answer: { kind: "no-rule" },
};

/** The same plan with other ports. */
export function changePorts(
  plan: Plan,
  change: (port: PlanPort, service: PlanService) => PlanPort,
): Plan {
  const services = plan.services.map((service) => ({
    ...service,
    ports: service.ports.map((port) => change(port, service)),
  }));
  return { ...plan, services };
}

/** The same port with other routes. */
export function changeRoutes(port: PlanPort, change: (route: PlanRoute) => PlanRoute): PlanPort {
  const rules = port.rules.map((rule) => ({ ...rule, route: change(rule.route) }));
  return { ...port, rules, fallback: change(port.fallback) };
}

/** Where what no rule takes goes, by `namespace/service:port`, if the splits were these. */
export function fallbacksOf(
  snapshot: Snapshot,
  trafficSplits: readonly TrafficSplit[],
): ReadonlyMap<string, PlanRoute> {
  const { plan } = compile({ ...snapshot, trafficSplits });
  return new Map(
    plan.services.flatMap((service) =>
      service.ports.map((port) => [portKey(service, port), port.fallback])
    ),
  );
}

export function portKey({ namespace, name }: PlanService, { port }: PlanPort): string {
  return `${namespace}/${name}:${port}`;
}

/** `namespace/service` of the Service that a split is for. */
export function rootOf({ meta, service }: TrafficSplit): string {
  return `${meta.namespace}/${service.split(/[.:]/)[0]}`;
}

/** Those that count, by root, the oldest first, then by name: as Weft orders them. */
export function splitsByRoot({ trafficSplits }: Snapshot): Map<string, TrafficSplit[]> {
  const counting = trafficSplits.filter(({ isRefused }) => isRefused !== true);
  const ordered = [...counting].sort((a, b) => {
    const [older, newer] = [ageOf(a), ageOf(b)];
    if (older !== newer) return older < newer ? -1 : 1;
    return a.meta.name < b.meta.name ? -1 : 1;
  });
  return Map.groupBy(ordered, rootOf);
}

/** What has no time is the newest. */
function ageOf({ meta: { createdAt } }: TrafficSplit): string {
  return createdAt ?? "~";
}

/** One split that takes every request, with the backends of all; the first mention of a backend counts. */
export function mergedSplit(
  splits: readonly TrafficSplit[],
  weigh: (weight: number) => number = (weight) => weight,
): TrafficSplit {
  const backends = splits.flatMap((split) => split.backends).filter((backend, index, all) =>
    all.findIndex(({ service }) => service === backend.service) === index
  );
  return {
    ...splits[0],
    matches: undefined,
    backends: backends.map((backend) => ({ ...backend, weight: weigh(backend.weight) })),
  };
}

export function positionOfSplit({ meta }: TrafficSplit): Position | null {
  return meta.origin.locate([]) ?? null;
}

/** Several splits for one root, of which it takes one; which one is a matter of chance there. */
export function oneSplitRemarks(snapshot: Snapshot, code: string, text: string): MeshRemark[] {
  return [...splitsByRoot(snapshot)].filter(([, splits]) => splits.length > 1)
    .map(([root, splits]) => ({
      code,
      text: `${root} has ${splits.length} TrafficSplits: ${text}`,
      position: positionOfSplit(splits[1]),
    }));
}

/** A version of TrafficSplit that the other mesh does not serve. */
export function versionRemarks(
  { trafficSplits }: Snapshot,
  mesh: string,
  served: readonly string[],
): MeshRemark[] {
  const versionOf = ({ meta }: TrafficSplit) => meta.apiVersion.replace(/^.*\//, "");
  const other = trafficSplits.find((split) => !served.includes(versionOf(split)));
  if (other === undefined) return [];
  return [{
    code: "split-version",
    text: `${mesh} reads TrafficSplit ${served.join(" and ")} only, and has no matches in it: ` +
      `what is said here is of the same splits in that version`,
    position: positionOfSplit(other),
  }];
}

/** Of a mesh in which hosts do not count where they do not show. */
export function egressRemarks({ egresses }: Snapshot, mesh: string): MeshRemark[] {
  const blind = egresses.find(({ hosts, ports }) =>
    hosts !== undefined && ports.some(({ protocol }) => protocol === "tcp")
  );
  if (blind === undefined) return [];
  return [{
    code: "egress-hosts",
    text:
      `In ${mesh} the hosts of an Egress do not count at a tcp port, and any host may be called ` +
      "there; here such a port allows nothing",
    position: blind.meta.origin.locate(["spec", "hosts"]) ?? null,
  }];
}

/** Of a mesh that has callers from outside come in by IngressBackends alone, whatever they ask. */
export function ingressRemarks({ ingressBackends }: Snapshot, mesh: string): MeshRemark[] {
  const [first] = ingressBackends;
  if (first === undefined) return [];
  const narrowed = ingressBackends.find(({ matches }) => matches !== undefined);
  return [
    {
      code: "ingress-needed",
      text:
        `In ${mesh} whom no IngressBackend lets in is refused; here callers from outside come ` +
        "in where mutual TLS and targets are not asked of them",
      position: first.meta.origin.locate([]) ?? null,
    },
    ...(narrowed === undefined ? [] : [{
      code: "ingress-matches",
      text: `${mesh} reads no matches of an IngressBackend and lets every request in; here only ` +
        "those that one of them takes",
      position: narrowed.meta.origin.locate(["spec", "matches"]) ?? null,
    }]),
  ];
}

/** Of a mesh that draws a backend for each request. */
export function randomRemarks(snapshot: Snapshot, mesh: string): MeshRemark[] {
  const split = snapshot.trafficSplits.find(({ backends }) =>
    backends.filter(({ weight }) => weight > 0).length > 1
  );
  if (split === undefined) return [];
  return [{
    code: "random-choice",
    text: `${mesh} draws a backend for each request, so that shares hold on the average; here ` +
      "any run of requests of a client has them to the request",
    position: positionOfSplit(split),
  }];
}
