/** ServiceBuilder: makes the parts of a table that one Service of the plan comes to. */
import { greatestCommonDivisor } from "../../base/divisor.ts";
import { sameConditions } from "../match/match.ts";
import { type MatchIndex, matchIndexOf } from "../match/match_index.ts";
import { PatternError } from "../match/pattern_syntax.ts";
import { carriesHttp, portFor } from "../plan.ts";
import type {
  BackendReadiness,
  PlanBackend,
  PlanMirror,
  PlanPort,
  PlanRoute,
  PlanRoutePolicy,
  PlanRule,
} from "../plan.ts";
import type { EndpointSet, TableClient } from "./endpoint_set.ts";
import type { PlanService } from "../plan.ts";
import type { PlanView } from "../plan_view.ts";
import { GuardedEndpoints } from "./access.ts";
import { Affinity } from "./affinity.ts";
import type { EndpointGroups, ReachableEndpoints, ReachableGroup } from "./endpoint_groups.ts";
import { backendPolicy } from "./endpoint_policies.ts";
import type { Numbers } from "./numbers.ts";
import type {
  RouteRefusal,
  SkippedBackend,
  TableBackend,
  TableMirror,
  TablePort,
  TableRoute,
  TableService,
} from "./table.ts";

/** Ports and routes refer to each other, so a port is made first and gets its fallback last. */
class BuiltPort implements TablePort {
  readonly service: BuiltService;
  readonly plan: PlanPort;
  readonly port: number;
  readonly group: string;
  readonly isHttp: boolean;
  readonly rules: TableRoute[] = [];
  readonly pods: TableRoute[] = [];
  readonly matches: MatchIndex;
  fallback!: TableRoute;
  connections!: TableRoute;

  constructor(service: BuiltService, plan: PlanPort, matches: MatchIndex) {
    this.service = service;
    this.plan = plan;
    this.port = plan.port;
    this.group = `${service.key}:${plan.port}`;
    this.isHttp = carriesHttp(plan.protocol);
    this.matches = matches;
  }
}

class BuiltService implements TableService {
  readonly plan: PlanService;
  readonly key: string;
  ports: readonly BuiltPort[] = [];
  routes: readonly TableRoute[] = [];
  groups: readonly ReachableGroup[] = [];

  constructor(plan: PlanService) {
    this.plan = plan;
    this.key = `${plan.namespace}/${plan.name}`;
  }
}

type Usable = Omit<Extract<ReachableEndpoints, { refusal: null }>, "refusal"> & {
  readonly plan: PlanBackend;
  readonly refusal: RouteRefusal | null;
};

/** For a backend that says what is done with headers, where no policy says anything. */
const NO_POLICY: PlanRoutePolicy = { sources: {} };

export class ServiceBuilder {
  readonly #plan: PlanView;
  /** Of the client. */
  readonly #namespace: string;
  readonly #groups: EndpointGroups;
  readonly #routeNumbers: Numbers;
  readonly #backendNumbers: Numbers;
  /** Of the Service that is being built. */
  #routes: TableRoute[] = [];
  #groupsNamed = new Set<ReachableGroup>();

  constructor(
    plan: PlanView,
    { namespace }: Pick<TableClient, "namespace">,
    groups: EndpointGroups,
    routeNumbers: Numbers,
    backendNumbers: Numbers,
  ) {
    this.#plan = plan;
    this.#namespace = namespace;
    this.#groups = groups;
    this.#routeNumbers = routeNumbers;
    this.#backendNumbers = backendNumbers;
  }

  /**
   * @param alike the same Service in other tables: if rules match the same requests as there, what was compiled and learnt for
   * them is shared
   * @throws {Error} where the paths of one port are too many to be matched together
   */
  build(plan: PlanService, alike: readonly (TableService | null)[]): TableService {
    const service = new BuiltService(plan);
    this.#routes = [];
    this.#groupsNamed = new Set();
    service.ports = plan.ports.map((planned) => {
      const each = portFor(planned, this.#namespace);
      const others = alike.flatMap((other) =>
        other?.ports.filter(({ port }) => port === each.port) ?? []
      );
      return this.#port(service, each, others);
    });
    // Copies have no room to grow, and there are many.
    service.routes = this.#routes.slice();
    service.groups = [...this.#groupsNamed].slice();
    return service;
  }

  /** The numbers of a Service that is no more as it was are free. */
  release({ routes }: TableService): void {
    for (const { index, backends } of routes) {
      this.#routeNumbers.giveBack(index);
      for (const backend of backends) this.#backendNumbers.giveBack(backend.index);
    }
  }

  #port(service: BuiltService, plan: PlanPort, alike: readonly TablePort[]): BuiltPort {
    const port = new BuiltPort(service, plan, matchesOf(service, plan, alike));
    for (const rule of plan.rules) port.rules.push(this.#route(port, rule.route, rule, null));
    const { answer, ...connections } = plan.fallback;
    const isAnswered = answer !== undefined;
    port.connections = this.#route(port, isAnswered ? connections : plan.fallback, null, null);
    port.fallback = isAnswered
      ? this.#route(port, { ...plan.fallback, backends: [] }, null, null)
      : port.connections;
    for (const pod of service.plan.podHosts) {
      port.pods.push(this.#route(port, this.#podRoute(port, pod), null, pod));
    }
    return port;
  }

  /** A request for one pod of a headless Service goes to that pod, past every rule and split. */
  #podRoute({ service, group }: BuiltPort, pod: string): PlanRoute {
    const { namespace, name } = service.plan;
    const backend = { namespace, service: name, weight: 1, state: "ready", group } as const;
    return {
      id: `${group} pod ${pod}`,
      split: null,
      position: null,
      backends: this.#named(this.#groups.find(group)).hasPod(pod) ? [backend] : [],
    };
  }

  #named(group: ReachableGroup): ReachableGroup {
    this.#groupsNamed.add(group);
    return group;
  }

  #route(
    port: BuiltPort,
    plan: PlanRoute,
    rule: PlanRule | null,
    pod: string | null,
  ): TableRoute {
    const usable: Usable[] = [];
    const skipped: SkippedBackend[] = [];
    for (const backend of plan.backends) {
      const group = this.#named(this.#groups.of(backend.group));
      const reachable = pod === null ? group.whole : group.pod(pod);
      if (backend.weight === 0) skipped.push({ plan: backend, reason: "weight-zero" });
      else if (plan.keepsShares === true && backend.state !== "ready") {
        usable.push({ ...NO_ENDPOINTS, plan: backend, refusal: KEPT[backend.state] });
      } else if (backend.state !== "ready") skipped.push({ plan: backend, reason: backend.state });
      else if (reachable.refusal === null) usable.push({ ...reachable, plan: backend });
      else skipped.push({ plan: backend, reason: reachable.refusal });
    }
    const divisor = usable.reduce((gcd, { plan }) => greatestCommonDivisor(gcd, plan.weight), 0);
    const backends = usable.map(({ plan, endpointSet, guarded, refusal }): TableBackend => ({
      index: this.#backendNumbers.take(),
      plan,
      key: `${plan.namespace}/${plan.service}`,
      weight: plan.weight / divisor,
      endpointSet,
      guarded,
      refusal,
      policy: backendPolicy(this.#plan, plan.group, port.group),
    }));
    const policy = rule?.policy ?? port.plan.policy ??
      (plan.backends.some(({ headers }) => headers !== undefined) ? NO_POLICY : null);
    const key = policy?.sessionAffinity?.key;
    const route: TableRoute = {
      index: this.#routeNumbers.take(),
      plan,
      rule,
      service: port.service,
      port,
      backends,
      skipped,
      weightTotal: backends.reduce((total, backend) => total + backend.weight, 0),
      refusal: backends.length > 0 ? null : refusalOf(plan, skipped),
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
    const reachable = this.#named(this.#groups.of(plan.group)).whole;
    if (reachable.refusal !== null) return null;
    const { endpointSet, guarded } = reachable;
    return { endpointSet, guarded, percent: plan.percent };
  }
}

/** What stands for a backend that keeps its share and has no endpoint. */
const NO_ENDPOINTS = (() => {
  const endpointSet: EndpointSet = { key: "", whole: null, endpoints: [] };
  return { endpointSet, guarded: new GuardedEndpoints(endpointSet, new Map()) };
})();

const KEPT = {
  "missing": "route-invalid",
  "foreign": "route-invalid",
  "no-port": "route-invalid",
  "no-endpoints": "no-endpoints",
} as const satisfies Record<Exclude<BackendReadiness, "ready">, RouteRefusal>;

/** Why a route without backends takes nothing. */
function refusalOf(
  { answer, keepsShares }: PlanRoute,
  skipped: readonly SkippedBackend[],
): RouteRefusal {
  if (answer !== undefined) return answer.kind === "redirect" ? "redirected" : "no-rule";
  if (skipped.some(({ reason }) => reason === "access-denied")) return "access-denied";
  return keepsShares === true ? "route-invalid" : "no-endpoints";
}

function matchesOf(
  { key }: BuiltService,
  { port, rules }: PlanPort,
  alike: readonly TablePort[],
): MatchIndex {
  const matches = rules.map((rule) => rule.match);
  for (const other of alike) {
    if (sameConditions(other.matches.matches, matches)) return other.matches;
  }
  try {
    return matchIndexOf(matches);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw new Error(`Cannot compile the rules of "${key}:${port}": ${error.message}`);
  }
}
