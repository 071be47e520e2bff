/**
 * explain: the same decision as `decide`, with its reasons. Takes no place in any sequence. It
 * looks rules and targets up one by one, and a property test proves that it and `decide` agree.
 */
import { type RefusalReason, REFUSALS } from "../../base/refusals.ts";
import type {
  PlanBackend,
  PlanEndpointPolicy,
  PlanRoute,
  PlanRoutePolicy,
  PlanSection,
  PlanSectionName,
} from "../plan.ts";
import { firstFailure } from "../match/match.ts";
import { CONNECT, DEFAULT_PORT, headText, type RequestHead } from "../request.ts";
import { connectionRoute, findPort, isPodRoute, pinnedBackend } from "./decide.ts";
import { EgressRules } from "./egress_rules.ts";
import { explainAccess, explainNoAccess } from "./explain_access.ts";
import { positionText, refText } from "./explanation.ts";
import type {
  AccessExplanation,
  BackendExplanation,
  Explanation,
  HostExplanation,
  PortExplanation,
  RouteExplanation,
  RuleExplanation,
} from "./explanation.ts";
import { redirectLocation } from "./target_change.ts";
import { HostMatch, nameSuffixes } from "./host_index.ts";
import type { SplitState } from "./split.ts";
import type {
  RouteRefusal,
  SkipReason,
  Table,
  TableBackend,
  TablePort,
  TableRoute,
  TableService,
} from "./table.ts";
import type { TableEndpoint } from "./endpoint_set.ts";

/** What is to be explained. */
export interface Asked {
  readonly head: RequestHead;
  /** It is a whole connection, of which `head` says where it goes, and no more. */
  readonly isWhole: boolean;
  /** Why it is refused before it is routed; null: it is not. */
  readonly unrouted: RefusalReason | null;
}

/** Explains what becomes of what is asked about now. */
export function explainAsked(
  table: Table,
  { head, isWhole, unrouted }: Asked,
  defaultPort: number,
  state: SplitState,
): Explanation {
  if (unrouted !== null) return explainUnrouted(table, head, unrouted);
  return isWhole ? explainWhole(table, head, state) : explain(table, head, defaultPort, state);
}

/** Explains what `decide` would do with the request now. Parameters are those of `decide`. */
export function explain(
  table: Table,
  head: RequestHead,
  defaultPort: number,
  state: SplitState,
): Explanation {
  return explainAs(table, head, defaultPort, state, head.method === CONNECT ? "tunnel" : "http");
}

/** Explains what `decideWhole` would do with the connection now. Parameters are those of `decideWhole`. */
function explainWhole(table: Table, head: RequestHead, state: SplitState): Explanation {
  return explainAs(table, head, -1, state, "tcp");
}

function explainUnrouted(table: Table, head: RequestHead, reason: RefusalReason): Explanation {
  return {
    ...explainNothing(table, head),
    host: explainHost(table, head, new HostMatch<TableService>(), null),
    reason,
    status: REFUSALS[reason].status,
  };
}

/** `tunnel`: a connection is asked for in HTTP, which the rules of a port that speaks HTTP apply to. */
type Form = "http" | "tunnel" | "tcp";

function explainAs(
  table: Table,
  head: RequestHead,
  defaultPort: number,
  state: SplitState,
  form: Form,
): Explanation {
  const match = new HostMatch<TableService>();
  table.hosts.find(head.bytes, head.authorityStart, head.authorityEnd, match);
  const { service } = match;
  const refused = (reason: RouteRefusal, reached: Partial<Explanation> = {}): Explanation => ({
    ...explainNothing(table, head),
    host: explainHost(table, head, match, service),
    reason,
    // There is nothing to answer a connection with.
    status: form === "tcp" ? 0 : REFUSALS[reason].status,
    ...reached,
  });
  if (!match.isValid) return refused("host-invalid");
  if (service === null) {
    const reason = match.alias === null ? "host-unknown" : "alias-outside";
    return refused(reason, explainEgress(table, head, match, form));
  }
  const found = findPort(service, match.port, defaultPort);
  const port = explainPort(found, match.port, defaultPort);
  if (found === null) return refused("port-unknown", { port });
  if (!found.isHttp && form === "http") return refused("not-http", { port });
  const request = found.isHttp && form !== "tcp" ? head : null;
  const rules = request !== null && match.pod === -1 ? explainRules(found, request) : [];
  const route = request === null
    ? connectionRoute(found, match.pod)
    : chooseRoute(found, match.pod, rules);
  const pinned = route.affinity === null || request === null
    ? null
    : pinnedBackend(route.affinity, request);
  const backend = pinned ?? state.peek(route);
  const reached = { port, rules, route: explainRoute(route, state, backend, pinned !== null) };
  if (backend === null) {
    const reason = route.refusal ?? "no-endpoints";
    const access = reason === "access-denied" ? explainNoAccess(table, route, request) : null;
    const { answer } = route.plan;
    const redirect = answer?.kind === "redirect"
      ? { status: answer.status, location: redirectLocation(answer, head, found.port) }
      : {};
    return refused(reason, { ...reached, access, ...redirect });
  }
  if (backend.refusal !== null) {
    return refused(backend.refusal, { ...reached, backend: backend.key });
  }
  const access = explainAccess(table, backend, request);
  const chosen = { ...reached, access, backend: backend.key };
  if (!access.isAllowed) return refused("access-denied", chosen);
  const endpoints = allowedEndpoints(backend, access).map(({ key, plan }) => ({
    endpoint: key,
    pod: plan.pod,
    workload: plan.workload,
  }));
  const forward = { outcome: "forward", reason: null, status: 0, endpoints } as const;
  return { ...refused("no-endpoints", chosen), ...forward };
}

/** What the client's Egresses say of what the mesh does not know. */
function explainEgress(
  { plan: { egressOff, egress = {} }, client }: Table,
  head: RequestHead,
  { port, nameStart, nameEnd }: HostMatch<TableService>,
  form: Form,
): Pick<Explanation, "egress"> {
  if (egressOff !== true) return {};
  const rules = Object.hasOwn(egress, client.identity) ? egress[client.identity] : [];
  const by = new EgressRules(rules).allowing({
    address: null,
    port: port === -1 ? DEFAULT_PORT : port,
    // A connection to a name is most often TLS, which says that name.
    protocol: form === "http" ? "http" : "https",
    host: headText(head, nameStart, nameEnd).toLowerCase(),
    head: form === "http" ? head : null,
  });
  return {
    egress: {
      allowedBy: by === null ? null : refText(by.ref),
      position: by === null ? null : positionText(by.position),
    },
  };
}

/** An explanation of a request that nothing is known of. */
function explainNothing({ plan, client }: Table, head: RequestHead) {
  return {
    planHash: plan.hash,
    client: { namespace: client.namespace, identity: client.identity },
    request: {
      method: headText(head, head.methodStart, head.methodEnd),
      authority: headText(head, head.authorityStart, head.authorityEnd),
      path: headText(head, head.pathStart, head.pathEnd),
    },
    port: null,
    rules: [],
    route: null,
    access: null,
    outcome: "refuse",
    backend: null,
    endpoints: [],
  } as const;
}

function explainHost(
  table: Table,
  head: RequestHead,
  match: HostMatch<TableService>,
  service: TableService | null,
): HostExplanation {
  const name = match.isValid ? headText(head, match.nameStart, match.nameEnd).toLowerCase() : "";
  const pod = service === null || match.pod === -1 ? null : service.plan.podHosts[match.pod];
  return {
    name,
    spelling: match.alias !== null
      ? "external-name"
      : service === null
      ? null
      : spellingOf(name, service, pod, table.plan.clusterDomain),
    service: service?.key ?? null,
    pod,
    outside: service === null ? match.alias?.host ?? null : null,
  };
}

/**
 * The form of a name that was recognised, with the words `pod`, `service` and `namespace` in it.
 */
function spellingOf(
  name: string,
  { plan }: TableService,
  pod: string | null,
  clusterDomain: string,
): string {
  const short = (pod === null ? "" : `${pod}.`) + plan.name;
  const form = pod === null ? "service" : "pod.service";
  if (name === short.toLowerCase()) return form;
  const qualified = `${short}.${plan.namespace}`.toLowerCase();
  if (!name.startsWith(qualified)) return "cluster-ip";
  const suffix = name.slice(qualified.length);
  const isKnown = ["", ...nameSuffixes(clusterDomain)].includes(suffix);
  return isKnown ? `${form}.namespace${suffix}` : form;
}

function explainPort(
  found: TablePort | null,
  asked: number,
  defaultPort: number,
): PortExplanation {
  const wanted = asked === -1 ? defaultPort : asked;
  const number = found?.port ?? wanted;
  return {
    asked: asked === -1 ? null : asked,
    source: asked !== -1 ? "authority" : number === wanted ? "default" : "only-port",
    number,
    isKnown: found !== null,
    name: found?.plan.name ?? null,
    protocol: found?.plan.protocol ?? null,
  };
}

function explainRules(port: TablePort, head: RequestHead): RuleExplanation[] {
  let isDecided = false;
  return port.plan.rules.map(({ match, route }) => {
    const failed = isDecided ? null : firstFailure(match, head);
    const outcome = isDecided ? "not-reached" : failed === null ? "matched" : "failed";
    if (outcome === "matched") isDecided = true;
    return {
      group: refText(match.group),
      ...(match.group.kind === "HTTPRouteGroup" ? {} : { kind: match.group.kind }),
      match: match.name,
      split: route.split === null ? null : refText(route.split),
      position: positionText(match.position),
      outcome,
      failed,
    };
  });
}

function chooseRoute(
  port: TablePort,
  pod: number,
  rules: readonly RuleExplanation[],
): TableRoute {
  if (pod !== -1) return port.pods[pod];
  const winner = rules.findIndex((rule) => rule.outcome === "matched");
  return winner === -1 ? port.fallback : port.rules[winner];
}

function explainRoute(
  route: TableRoute,
  state: SplitState,
  chosen: TableBackend | null,
  isPinned: boolean,
): RouteExplanation {
  const usable = new Map(route.backends.map((backend) => [backend.plan, backend]));
  const backends = route.plan.backends.map((plan): BackendExplanation => {
    const backend = usable.get(plan);
    return {
      service: `${plan.namespace}/${plan.service}`,
      weight: plan.weight,
      state: plan.state,
      share: backend === undefined ? 0 : backend.weight / route.weightTotal,
      skipped: backend === undefined ? skipReason(route, plan) : null,
      isChosen: backend !== undefined && backend === chosen,
    };
  });
  return {
    id: route.plan.id,
    kind: route.rule !== null ? "rule" : isPodRoute(route.port, route) ? "pod" : "fallback",
    split: route.plan.split === null ? null : refText(route.plan.split),
    ...splitKind(route.plan),
    ...(route.plan.answer === undefined ? {} : { answer: route.plan.answer.kind }),
    position: positionText(route.plan.position),
    backends,
    sequencePosition: state.position(route),
    weightTotal: route.weightTotal,
    ...(isPinned ? { isPinned } : {}),
    ...explainPolicies(route.policy, chosen?.policy ?? null),
  };
}

function splitKind({ split }: PlanRoute): Pick<RouteExplanation, "splitKind"> {
  return split === null || split.kind === "TrafficSplit" ? {} : { splitKind: split.kind };
}

/** Of the route, and of the endpoints of the backend that is chosen. */
function explainPolicies(
  ...policies: readonly (PlanRoutePolicy | PlanEndpointPolicy | null)[]
): Pick<RouteExplanation, "policies"> {
  const sections = policies.flatMap((policy) =>
    policy === null ? [] : Object.entries(policy.sources).map(([section, source]) => ({
      section: section as PlanSectionName,
      settings: Object.getOwnPropertyDescriptor(policy, section)?.value as PlanSection,
      policy: refText(source.policy),
      ...(source.policy.kind === "TrafficPolicy" ? {} : { kind: source.policy.kind }),
      target: source.target,
      position: positionText(source.position),
    }))
  );
  return sections.length === 0 ? {} : { policies: sections };
}

function allowedEndpoints(
  backend: TableBackend,
  access: AccessExplanation,
): readonly TableEndpoint[] {
  if (!access.isEnforced) return backend.endpointSet.endpoints;
  const allowed = new Set(
    access.guards.filter((guard) => guard.isAllowed).flatMap((guard) => guard.endpoints),
  );
  return backend.endpointSet.endpoints.filter((endpoint) => allowed.has(endpoint.key));
}

function skipReason(route: TableRoute, plan: PlanBackend): SkipReason | null {
  return route.skipped.find((skipped) => skipped.plan === plan)?.reason ?? null;
}
