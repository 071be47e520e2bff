/** Builds plans for tests: the least text for what a test is about, defaults for the rest. */
import { VersionedMap } from "../../base/versioned_map.ts";
import { compareNames, type Part, type PartKey } from "../parts.ts";
import { type ById, type PlanView, servicesOf } from "../plan_view.ts";
import type {
  BackendReadiness,
  Plan,
  PlanBackend,
  PlanEndpoint,
  PlanMatch,
  PlanPort,
  PlanRoute,
  PlanRule,
  PlanService,
  PlanTarget,
} from "../plan.ts";
import type { Table, TableService } from "./table.ts";

/** An endpoint at `10.0.0.<last>`, port 8080. */
export function endpointForTest(last: number, more: Partial<PlanEndpoint> = {}): PlanEndpoint {
  return {
    address: `10.0.0.${last}`,
    port: 8080,
    pod: `pod-${last}`,
    workload: "",
    hostname: "",
    identity: "",
    ...more,
  };
}

/** A backend `app/<service>` whose group is `app/<service>:80`. */
export function backendForTest(
  service: string,
  weight: number,
  state: BackendReadiness = "ready",
): PlanBackend {
  return { namespace: "app", service, weight, state, group: `app/${service}:80` };
}

/** A route over backends in namespace `app`, of a split that is named like the route. */
export function routeForTest(id: string, weights: Readonly<Record<string, number>>): PlanRoute {
  return {
    id,
    split: { kind: "TrafficSplit", namespace: "app", name: id },
    position: { file: "split.yaml", line: 1, column: 1 },
    backends: Object.entries(weights).map(([service, weight]) => backendForTest(service, weight)),
  };
}

export function matchForTest(more: Partial<PlanMatch> = {}): PlanMatch {
  return {
    group: { kind: "HTTPRouteGroup", namespace: "app", name: "group" },
    name: "match",
    path: null,
    methods: null,
    headers: [],
    position: { file: "group.yaml", line: 1, column: 1 },
    ...more,
  };
}

/** A rule whose route goes to one backend alone. */
export function ruleForTest(match: Partial<PlanMatch>, service: string, id = service): PlanRule {
  return { match: matchForTest(match), route: routeForTest(`rule ${id}`, { [service]: 1 }) };
}

export function portForTest(more: Partial<PlanPort> = {}): PlanPort {
  return {
    port: 80,
    name: "http",
    protocol: "http",
    rules: [],
    fallback: routeForTest("fallback", { a: 1 }),
    ...more,
  };
}

/** The Service `app/web` with one port 80. */
export function serviceForTest(
  port: Partial<PlanPort> = {},
  more: Partial<PlanService> = {},
): PlanService {
  return {
    namespace: "app",
    name: "web",
    clusterIps: [],
    ports: [portForTest(port)],
    podHosts: [],
    position: null,
    ...more,
  };
}

/** A target that lets `app/client` call `app/server`. */
export function targetForTest(more: Partial<PlanTarget> = {}): PlanTarget {
  return {
    ref: { kind: "TrafficTarget", namespace: "app", name: "target" },
    position: { file: "target.yaml", line: 1, column: 1 },
    destination: "app/server",
    sources: ["app/client"],
    port: null,
    http: [],
    tcpPorts: null,
    ...more,
  };
}

/**
 * Groups that routes name and `more` lacks get one endpoint each, numbered from 1 in order of
 * appearance.
 */
export function planForTest(services: readonly PlanService[], more: Partial<Plan> = {}): Plan {
  const groups: Record<string, readonly PlanEndpoint[]> = { ...more.groups };
  const ports = services.flatMap((service) => service.ports);
  const routes = ports.flatMap((port) => [port.fallback, ...port.rules.map((it) => it.route)]);
  let last = 0;
  for (const { group } of routes.flatMap((route) => route.backends)) {
    last++;
    groups[group] ??= [endpointForTest(last)];
  }
  return {
    version: 2,
    hash: "0".repeat(64),
    clusterDomain: "cluster.local",
    permissive: true,
    services,
    targets: [],
    ...more,
    groups,
  };
}

/** A plan that shares with the one before whatever is the same in both, as one that is put together from parts does. */
export function sharingPlan(before: Plan, plan: Plan): Plan {
  const sharing = {
    ...plan,
    services: sharingList(before.services, plan.services),
    targets: sharingList(before.targets, plan.targets),
    groups: sharingRecord(before.groups, plan.groups),
  };
  const { endpointPolicies } = plan;
  if (endpointPolicies === undefined) return sharing;
  return {
    ...sharing,
    endpointPolicies: sharingRecord(before.endpointPolicies ?? {}, endpointPolicies),
  };
}

function sharingList<T>(before: readonly T[], items: readonly T[]): readonly T[] {
  const known = new Map(before.map((item) => [JSON.stringify(item), item]));
  const sharing = items.map((item) => known.get(JSON.stringify(item)) ?? item);
  const isSame = before.length === sharing.length && before.every((item, i) => item === sharing[i]);
  return isSame ? before : sharing;
}

function sharingRecord<T>(
  before: Readonly<Record<string, T>>,
  record: Readonly<Record<string, T>>,
): Readonly<Record<string, T>> {
  const known = Object.values(before);
  const values = sharingList(known, Object.values(record));
  const isSame = values === known && Object.keys(before).join() === Object.keys(record).join();
  return isSame
    ? before
    : Object.fromEntries(Object.keys(record).map((key, i) => [key, values[i]]));
}

/** In the order of a compiled plan. */
export function servicesOfTable({ services }: Table): TableService[] {
  return [...services.values()].sort((a, b) => compareNames(a.plan, b.plan));
}

/** A view as a plan. */
export function planOfView(view: PlanView): Plan {
  const { services: _, groups, endpointPolicies = {}, ...plan } = view;
  const recordOf = <Value>(values: ById<Value>) =>
    Object.fromEntries<Value>(values instanceof VersionedMap ? values : Object.entries(values));
  const policies = recordOf(endpointPolicies);
  const said = Object.keys(policies).length === 0 ? {} : { endpointPolicies: policies };
  const services = [...servicesOf(view).values()].sort(compareNames);
  return { ...plan, services, groups: recordOf(groups), ...said };
}

/** The parts that are different, with null for those that are gone. */
export function differentParts(
  before: ReadonlyMap<PartKey, Part>,
  after: ReadonlyMap<PartKey, Part>,
): [PartKey, Part | null][] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((key) => JSON.stringify(before.get(key)) !== JSON.stringify(after.get(key)))
    .map((key) => [key, after.get(key) ?? null]);
}
