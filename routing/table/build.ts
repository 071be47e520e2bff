/**
 * buildTable: from a plan to a table for one client. Drops the backends that can take nothing from
 * this client, so that what is left needs no check per request but the traffic targets' HTTP rules.
 */
import { sameConditions } from "../match/match.ts";
import { MatchIndex } from "../match/match_index.ts";
import { PatternError } from "../match/pattern_syntax.ts";
import type {
  Plan,
  PlanBackend,
  PlanEndpointPolicy,
  PlanMirror,
  PlanPort,
  PlanRoute,
  PlanRule,
} from "../plan.ts";
import { Affinity } from "./affinity.ts";
import { EndpointGroups } from "./endpoint_groups.ts";
import type { ReachableEndpoints } from "./endpoint_groups.ts";
import type { TableClient } from "./endpoint_set.ts";
import { HostIndex } from "./host_index.ts";
import type {
  SkippedBackend,
  Table,
  TableBackend,
  TableMirror,
  TablePort,
  TableRoute,
  TableService,
} from "./table.ts";

/**
 * Makes a plan executable for one client.
 *
 * @param plan of `compile`, or checked by `plan_codec.ts`
 * @param before an earlier table, of any client: where a port's rules match the same requests as
 * there, what was compiled and learnt for them is shared, so that a change of weights or endpoints
 * costs a large plan little
 * @throws {Error} where the paths of one port are too many to be matched together
 */
export function buildTable(plan: Plan, client: TableClient, before: Table | null = null): Table {
  return new TableBuilder(plan, client, before).build();
}

/** Ports and routes refer to each other, so a port is made first and gets its fallback last. */
class BuiltPort implements TablePort {
  readonly service: TableService;
  readonly plan: PlanPort;
  readonly port: number;
  readonly isHttp: boolean;
  readonly rules: readonly TableRoute[];
  readonly pods: readonly TableRoute[];
  readonly matches: MatchIndex;
  fallback!: TableRoute;

  constructor(port: Omit<TablePort, "fallback">) {
    this.service = port.service;
    this.plan = port.plan;
    this.port = port.port;
    this.isHttp = port.isHttp;
    this.rules = port.rules;
    this.pods = port.pods;
    this.matches = port.matches;
  }
}

type Usable = Extract<ReachableEndpoints, { refusal: null }> & { readonly plan: PlanBackend };

/** Most ports of a mesh have none, and an index is large: one serves them all, and remembers nothing. */
const NO_RULES = new MatchIndex([]);

class TableBuilder {
  readonly #plan: Plan;
  readonly #client: TableClient;
  readonly #groups: EndpointGroups;
  /** Ports of the table before, by `namespace/service:port`. */
  readonly #before = new Map<string, TablePort>();
  readonly #routes: TableRoute[] = [];
  readonly #backends: TableBackend[] = [];

  constructor(plan: Plan, client: TableClient, before: Table | null) {
    this.#plan = plan;
    this.#client = client;
    this.#groups = new EndpointGroups(plan, client);
    for (const service of before?.services ?? []) {
      for (const port of service.ports) this.#before.set(`${service.key}:${port.port}`, port);
    }
  }

  build(): Table {
    const plan = this.#plan;
    const services: TableService[] = [];
    for (const service of plan.services) {
      const ports: TablePort[] = [];
      const key = `${service.namespace}/${service.name}`;
      const built: TableService = { index: services.length, plan: service, key, ports };
      services.push(built);
      for (const port of service.ports) ports.push(this.#port(built, port));
    }
    return {
      plan,
      hash: plan.hash,
      client: this.#client,
      services,
      routes: this.#routes,
      backends: this.#backends,
      endpoints: this.#groups.endpoints,
      hosts: new HostIndex(plan.services, this.#client.namespace, plan.clusterDomain, plan.aliases),
    };
  }

  #port(service: TableService, plan: PlanPort): TablePort {
    const name = `${service.key}:${plan.port}`;
    const isHttp = ["http", "http2", "grpc"].includes(plan.protocol);
    const matches = this.#matchIndex(name, plan.rules);
    const rules: TableRoute[] = [];
    const pods: TableRoute[] = [];
    const port = new BuiltPort({ service, plan, port: plan.port, isHttp, rules, pods, matches });
    for (const rule of plan.rules) rules.push(this.#route(port, rule.route, rule, null));
    port.fallback = this.#route(port, plan.fallback, null, null);
    for (const pod of service.plan.podHosts) {
      pods.push(this.#route(port, this.#podRoute(port, pod), null, pod));
    }
    return port;
  }

  #matchIndex(port: string, rules: readonly PlanRule[]): MatchIndex {
    if (rules.length === 0) return NO_RULES;
    const matches = rules.map((rule) => rule.match);
    const before = this.#before.get(port)?.matches;
    if (before !== undefined && sameConditions(before.matches, matches)) return before;
    try {
      return new MatchIndex(matches);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      throw new Error(`Cannot compile the rules of "${port}": ${error.message}`);
    }
  }

  /** A request for one pod of a headless Service goes to that pod, past every rule and split. */
  #podRoute({ service, port }: TablePort, pod: string): PlanRoute {
    const { namespace, name } = service.plan;
    const group = `${service.key}:${port}`;
    const hasPod = Object.hasOwn(this.#plan.groups, group) &&
      this.#plan.groups[group].some(({ hostname }) => hostname === pod);
    const backend = { namespace, service: name, weight: 1, state: "ready", group } as const;
    return {
      id: `${group} pod ${pod}`,
      split: null,
      position: null,
      backends: hasPod ? [backend] : [],
    };
  }

  #route(
    port: TablePort,
    plan: PlanRoute,
    rule: PlanRule | null,
    pod: string | null,
  ): TableRoute {
    const usable: Usable[] = [];
    const skipped: SkippedBackend[] = [];
    for (const backend of plan.backends) {
      const reachable = this.#groups.reach(backend.group, pod);
      if (backend.weight === 0) skipped.push({ plan: backend, reason: "weight-zero" });
      else if (backend.state !== "ready") skipped.push({ plan: backend, reason: backend.state });
      else if (reachable.refusal === null) usable.push({ ...reachable, plan: backend });
      else skipped.push({ plan: backend, reason: reachable.refusal });
    }
    const isDenied = skipped.some(({ reason }) => reason === "access-denied");
    const divisor = usable.reduce((gcd, { plan }) => greatestCommonDivisor(gcd, plan.weight), 0);
    const backends = usable.map(({ plan, endpointSet, guarded }, i): TableBackend => ({
      index: this.#backends.length + i,
      plan,
      key: `${plan.namespace}/${plan.service}`,
      weight: plan.weight / divisor,
      endpointSet,
      guarded,
      policy: this.#endpointPolicy(port, plan),
    }));
    this.#backends.push(...backends);
    const policy = rule?.policy ?? port.plan.policy ?? null;
    const key = policy?.sessionAffinity?.key;
    const route: TableRoute = {
      index: this.#routes.length,
      plan,
      rule,
      service: port.service,
      port,
      backends,
      skipped,
      weightTotal: backends.reduce((total, backend) => total + backend.weight, 0),
      refusal: backends.length > 0 ? null : isDenied ? "access-denied" : "no-endpoints",
      policy,
      affinity: key === undefined || backends.length < 2
        ? null
        : new Affinity(key, port.service.key, backends),
      mirror: this.#mirror(policy?.mirror),
    };
    this.#routes.push(route);
    return route;
  }

  #mirror(plan: PlanMirror | undefined): TableMirror | null {
    if (plan === undefined) return null;
    const reachable = this.#groups.reach(plan.group, null);
    if (reachable.refusal !== null) return null;
    const { endpointSet, guarded } = reachable;
    return { endpointSet, guarded, percent: plan.percent };
  }

  /** A section that the backend's own Service lacks is that of the Service that was asked for. */
  #endpointPolicy(port: TablePort, { group }: PlanBackend): PlanEndpointPolicy | null {
    const policies = this.#plan.endpointPolicies;
    if (policies === undefined) return null;
    const own = Object.hasOwn(policies, group) ? policies[group] : undefined;
    const rootGroup = `${port.service.key}:${port.port}`;
    const root = Object.hasOwn(policies, rootGroup) ? policies[rootGroup] : undefined;
    if (own === undefined || root === undefined) return own ?? root ?? null;
    return { ...root, ...own, sources: { ...root.sources, ...own.sources } };
  }
}

function greatestCommonDivisor(some: number, other: number): number {
  while (other !== 0) [some, other] = [other, some % other];
  return some;
}
