/**
 * The report of a dry run: what `-o json` and `-o yaml` write, and what the tables are made of. Its shape is a promise:
 * fields are added, never renamed or removed, while `apiVersion` stays.
 */
import { type Finding, formatRef, type Position } from "../../base/finding.ts";
import type { LoadBalancing, PolicySettings } from "../../base/policy.ts";
import type {
  BackendReadiness,
  MatchConditions,
  Plan,
  PlanBackend,
  PlanEgress,
  PlanEndpoint,
  PlanIngress,
  PlanMatch,
  PlanPort,
  PlanRoute,
  PlanRoutePolicy,
  PlanRouting,
  PlanSectionName,
  PlanService,
  PortProtocol,
} from "../../routing/plan.ts";
import type { Snapshot, TrafficPolicy, TrafficSplit } from "../../schemas/resources.ts";
import { type Allowance, allowancesOf } from "../../offline/allowances.ts";
import { sortFindings } from "../../console/findings.ts";
import type { Simulation } from "../../offline/simulate.ts";

export interface DryRunReport {
  readonly apiVersion: "weft.dev/v1alpha1";
  readonly kind: "DryRun";
  readonly plan: {
    /** Of the plan compiled from this input. */
    readonly hash: string;
    readonly clusterDomain: string;
    /** True: traffic targets are not enforced. */
    readonly permissive: boolean;
  };
  /** By namespace, then name. */
  readonly services: readonly ReportService[];
  /** By namespace, then name. */
  readonly splits: readonly ReportSplit[];
  /** By namespace, then name. */
  readonly policies: readonly ReportPolicy[];
  /** What traffic targets allow, by Service and port; left out in permissive mode. What is not there is refused. */
  readonly access?: readonly Allowance[];
  /** What may leave the mesh, by caller; left out where egress is on. */
  readonly egress?: readonly PlanEgress[];
  /** What may come in from outside where callers are held to mutual TLS or targets, by account; left out where no one is let in. */
  readonly ingress?: readonly PlanIngress[];
  /** Worst first. */
  readonly findings: readonly Finding[];
  /** Only with `--request`. */
  readonly simulation?: Simulation;
}

interface ReportService {
  readonly namespace: string;
  readonly name: string;
  readonly clusterIps: readonly string[];
  readonly position: Position | null;
  readonly ports: readonly ReportPort[];
  /** Calls are balanced as `sessionAffinity: ClientIP` of the Service asks for; left out where they are not. */
  readonly affinity?: ReportAffinity;
}

interface ReportAffinity {
  readonly loadBalancing: LoadBalancing;
  readonly position: Position | null;
}

export interface ReportPort {
  readonly port: number;
  readonly name: string;
  readonly protocol: PortProtocol;
  /** Of the Service itself, whatever a split makes of it. */
  readonly endpoints: readonly ReportEndpoint[];
  /** In match order; the last one takes what no other does. */
  readonly routes: readonly ReportRoute[];
}

export interface ReportRoute {
  /** Null: every request. */
  readonly match: ReportMatch | null;
  /** `namespace/name`; null: the Service's own endpoints. */
  readonly split: string | null;
  /** What that is, where it is no TrafficSplit: `HTTPRoute`. */
  readonly splitKind?: string;
  /** Of clients of this namespace alone, in place of the others; left out: of those that have none of their own. */
  readonly consumers?: string;
  /** What the proxy answers by itself, a status; left out: a backend answers. */
  readonly answer?: number;
  /** Of the split. */
  readonly position: Position | null;
  readonly backends: readonly ReportBackend[];
  /** Which policy each section of what is done with its requests comes from; left out where there is none. */
  readonly policies?: readonly ReportPolicySource[];
}

interface ReportPolicySource {
  readonly section: PlanSectionName;
  /** `namespace/name`. */
  readonly policy: string;
  /** What the policy is attached to: `Service app/web`, `HTTPRouteGroup app/group#match`. */
  readonly target: string;
  readonly position: Position | null;
}

interface ReportMatch extends MatchConditions {
  /** `namespace/name` of the HTTPRouteGroup. */
  readonly group: string;
  readonly name: string;
  readonly position: Position | null;
}

interface ReportBackend {
  /** `namespace/name`. */
  readonly service: string;
  readonly weight: number;
  /** Of the requests of this route, 0 to 1, after backends that can take none were left out; a route of the Gateway API keeps their shares. */
  readonly share: number;
  readonly state: BackendReadiness;
  readonly endpoints: readonly ReportEndpoint[];
}

export interface ReportEndpoint {
  /** Empty if the input gives none. */
  readonly address: string;
  readonly port: number;
  readonly pod: string;
  readonly workload: string;
}

interface ReportSplit {
  readonly namespace: string;
  readonly name: string;
  /** As written. */
  readonly service: string;
  /** As written: `Kind name`. */
  readonly matches: readonly string[];
  /** As written. */
  readonly backends: readonly { readonly service: string; readonly weight: string }[];
  readonly position: Position | null;
}

interface ReportPolicy {
  readonly namespace: string;
  readonly name: string;
  /** As written: `Service web`, `HTTPRouteGroup routes#match`. */
  readonly targets: readonly string[];
  /** With every default filled in; durations in milliseconds. */
  readonly settings: PolicySettings;
  readonly position: Position | null;
}

/** Puts together what a dry run has to say. */
export function buildReport(
  input: { plan: Plan; snapshot: Snapshot; findings: readonly Finding[] },
  simulation?: Simulation,
): DryRunReport {
  const { plan, snapshot } = input;
  return {
    apiVersion: "weft.dev/v1alpha1",
    kind: "DryRun",
    plan: { hash: plan.hash, clusterDomain: plan.clusterDomain, permissive: plan.permissive },
    services: plan.services.map((service) => reportService(plan, service)),
    splits: snapshot.trafficSplits.filter(({ isRefused }) => isRefused !== true).map(reportSplit)
      .sort(byNamespaceAndName),
    policies: snapshot.trafficPolicies.map(reportPolicy).sort(byNamespaceAndName),
    ...(plan.permissive
      ? {}
      : { access: plan.services.flatMap((service) => allowancesOf(plan, service)) }),
    ...(plan.ingress === undefined ? {} : { ingress: Object.values(plan.ingress).flat() }),
    ...(plan.egressOff === true ? { egress: Object.values(plan.egress ?? {}).flat() } : {}),
    findings: sortFindings(input.findings),
    ...(simulation === undefined ? {} : { simulation }),
  };
}

function reportService(plan: Plan, service: PlanService): ReportService {
  const { namespace, name, clusterIps, position } = service;
  return {
    namespace,
    name,
    clusterIps,
    position,
    ports: service.ports.map((port) => reportPort(plan, service, port)),
    ...reportAffinity(plan, service),
  };
}

/** All ports of a Service are treated alike. A TrafficPolicy counts before the Service's own word. */
function reportAffinity(
  { endpointPolicies = {} }: Plan,
  { namespace, name, ports: [first] }: PlanService,
): Pick<ReportService, "affinity"> {
  const policy = endpointPolicies[`${namespace}/${name}:${first?.port}`];
  const source = policy?.sources.loadBalancing;
  if (policy?.loadBalancing === undefined || source?.policy.kind !== "Service") return {};
  return { affinity: { loadBalancing: policy.loadBalancing, position: source.position } };
}

function reportPort(plan: Plan, service: PlanService, port: PlanPort): ReportPort {
  const own = plan.groups[`${service.namespace}/${service.name}:${port.port}`] ?? [];
  const routesOf = ({ rules, fallback }: PlanRouting): ReportRoute[] => [
    ...rules.map(({ match, route, policy }) => ({
      ...reportRoute(plan, match, route),
      ...reportSources(policy ?? port.policy),
    })),
    { ...reportRoute(plan, null, fallback), ...reportSources(port.policy) },
  ];
  const consumers = Object.entries(port.consumers ?? {});
  return {
    port: port.port,
    name: port.name,
    protocol: port.protocol,
    endpoints: own.map(reportEndpoint),
    routes: [
      ...routesOf(port),
      ...consumers.flatMap(([namespace, routing]) =>
        routesOf(routing).map((route) => ({ ...route, consumers: namespace }))
      ),
    ],
  };
}

function reportSources(policy: PlanRoutePolicy | undefined): Pick<ReportRoute, "policies"> {
  if (policy === undefined) return {};
  const policies = Object.entries(policy.sources).map((
    [section, { policy, target, position }],
  ) => ({
    section: section as PlanSectionName,
    policy: `${policy.namespace}/${policy.name}`,
    target,
    position,
  }));
  return { policies };
}

function reportRoute(plan: Plan, match: PlanMatch | null, route: PlanRoute): ReportRoute {
  const { answer, split, keepsShares } = route;
  const weightOf = keepsShares === true ? ({ weight }: PlanBackend) => weight : usableWeight;
  const total = route.backends.reduce((sum, backend) => sum + weightOf(backend), 0);
  return {
    match: match === null ? null : {
      ...match,
      group: `${match.group.namespace}/${match.group.name}`,
    },
    split: split === null ? null : `${split.namespace}/${split.name}`,
    ...(split === null || split.kind === "TrafficSplit" ? {} : { splitKind: split.kind }),
    ...(answer === undefined ? {} : { answer: answer.kind === "redirect" ? answer.status : 404 }),
    position: route.position,
    backends: (answer === undefined ? route.backends : []).map((backend) => ({
      service: `${backend.namespace}/${backend.service}`,
      weight: backend.weight,
      share: total === 0 ? 0 : weightOf(backend) / total,
      state: backend.state,
      endpoints: (plan.groups[backend.group] ?? []).map(reportEndpoint),
    })),
  };
}

function usableWeight(backend: PlanBackend): number {
  return backend.state === "ready" ? backend.weight : 0;
}

function reportEndpoint({ address, port, pod, workload }: PlanEndpoint): ReportEndpoint {
  return { address, port, pod, workload };
}

function reportSplit(split: TrafficSplit): ReportSplit {
  return {
    namespace: split.meta.namespace,
    name: split.meta.name,
    service: split.service,
    matches: (split.matches ?? []).map(({ kind, name }) =>
      formatRef({ kind, namespace: "", name })
    ),
    backends: split.backends.map(({ service, weightText }) => ({ service, weight: weightText })),
    position: split.meta.origin.locate([]) ?? null,
  };
}

function reportPolicy({ meta, targets, settings }: TrafficPolicy): ReportPolicy {
  return {
    namespace: meta.namespace,
    name: meta.name,
    targets: targets.map(({ kind, name, match }) =>
      `${kind} ${name}${match === undefined ? "" : `#${match}`}`
    ),
    settings,
    position: meta.origin.locate([]) ?? null,
  };
}

type Named = Pick<ReportSplit, "namespace" | "name">;

function byNamespaceAndName(a: Named, b: Named): number {
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  return a.name < b.name ? -1 : Number(a.name > b.name);
}
