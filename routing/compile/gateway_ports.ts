/**
 * What routes of the Gateway API make of one port of a Service: rules in match order, for the clients of the Service's own and other
 * namespaces, and for those of a namespace that has routes of its own.
 */
import type { Retry } from "../../base/policy.ts";
import { POLICY_DURATION_MS_MAX } from "../../base/limits.ts";
import { compareText } from "../../base/order.ts";
import type { GatewayParent, GatewayRoute, GatewayRule } from "../../schemas/resources.ts";
import {
  carriesHttp,
  type PlanMirror,
  type PlanPathChange,
  type PlanPolicySource,
  type PlanRoute,
  type PlanRoutePolicy,
  type PlanRouting,
  type PlanRule,
  type PortProtocol,
} from "../plan.ts";
import { METHODS } from "../request.ts";
import { ownRoute } from "./backends.ts";
import { keyOfMeta } from "./keys.ts";
import type { ResolvedPort, ResolvedService } from "./endpoints.ts";
import { positionOf, refOf } from "./findings.ts";
import { gatewayBackends, type GatewayLookup, planObject } from "./gateway_backends.ts";
import type { CompiledGatewayMatch, CompiledRoute } from "./gateway_routes.ts";
import { compareRanks } from "./order.ts";

/** A route, and by which of its parents it speaks for a Service. */
export interface Attachment {
  readonly compiled: CompiledRoute;
  readonly parent: GatewayParent;
}

interface GatewayPort {
  /** Undefined: no route of the Service's own namespace speaks for the port. */
  readonly own?: PlanRouting;
  /** By namespace of the clients. */
  readonly consumers?: Readonly<Record<string, PlanRouting>>;
}

interface PortInput {
  readonly root: ResolvedService;
  readonly port: ResolvedPort;
  readonly protocol: PortProtocol;
  /** What a TrafficPolicy says of the Service. */
  readonly policy: PlanRoutePolicy | undefined;
  readonly lookup: GatewayLookup;
}

/** Whether a parent means a port of the Service that it names. */
export function meansPort(
  { port, sectionName }: GatewayParent,
  of: { readonly port: number; readonly name: string },
): boolean {
  return (port ?? of.port) === of.port && (sectionName ?? of.name) === of.name;
}

/** @param attachments of the Service, the oldest route first */
export function planGatewayPort(
  attachments: readonly Attachment[],
  input: PortInput,
): GatewayPort {
  const here = attachments.filter(({ parent }) => meansPort(parent, input.port.port));
  const byNamespace = new Map<string, CompiledRoute[]>();
  for (const compiled of new Set(here.map(({ compiled }) => compiled))) {
    const { namespace } = compiled.route.meta;
    const routes = byNamespace.get(namespace) ?? [];
    routes.push(compiled);
    byNamespace.set(namespace, routes);
  }
  const planned = [...byNamespace].flatMap(([namespace, routes]) => {
    const routing = planRouting(routes, namespace, input);
    return routing === undefined ? [] : [[namespace, routing] as const];
  });
  const { namespace } = input.root.service.meta;
  const own = planned.find(([of]) => of === namespace)?.[1];
  const others = planned.filter(([of]) => of !== namespace).sort(([a], [b]) => compareText(a, b));
  return {
    ...(own === undefined ? {} : { own }),
    ...(others.length === 0 ? {} : { consumers: Object.fromEntries(others) }),
  };
}

/** Undefined: they have no effect on the port. */
function planRouting(
  routes: readonly CompiledRoute[],
  namespace: string,
  input: PortInput,
): PlanRouting | undefined {
  const tcp = routes.find(({ route }) => route.meta.kind === "TCPRoute");
  const http = carriesHttp(input.protocol)
    ? routes.filter(({ route }) => route.meta.kind !== "TCPRoute")
    : [];
  const connections = tcp === undefined ? undefined : planTcpRoute(tcp, input);
  if (http.length === 0) return connections && { rules: [], fallback: connections };
  const ranked = http.flatMap(({ route, rules }, place) =>
    rules.flatMap(({ rule, matches }, index) =>
      matches.map((match, nth) => ({
        rank: [...match.rank, place, index, nth],
        planned: planRule(route, rule, match, input),
      }))
    )
  );
  ranked.sort((a, b) => compareRanks(a.rank, b.rank));
  // A connection that carries no requests goes where it would go without rules.
  const own = ownRoute(input.root, input.port);
  const isOwn = namespace === input.root.service.meta.namespace;
  const fallback = connections ??
    (isOwn ? own : { ...own, id: `${own.id}/consumers/${namespace}` });
  return {
    rules: withoutRepeats(ranked.map(({ planned }) => planned)),
    fallback: { ...fallback, answer: { kind: "no-rule" } },
  };
}

/** Of rules that ask for the same the first counts. */
function withoutRepeats(rules: readonly PlanRule[]): readonly PlanRule[] {
  const byConditions = new Map<string, PlanRule>();
  for (const rule of rules) {
    const { path, methods, headers, queries } = rule.match;
    const key = JSON.stringify([path, methods, headers, queries]);
    if (!byConditions.has(key)) byConditions.set(key, rule);
  }
  return [...byConditions.values()];
}

function planTcpRoute({ route, rules }: CompiledRoute, input: PortInput): PlanRoute {
  const rule = rules.at(0)?.rule;
  return {
    id: `${input.port.group}/${route.meta.kind}/${keyOfMeta(route.meta)}`,
    split: refOf(route.meta),
    position: positionOf(route.meta, []),
    backends: rule === undefined ? [] : gatewayBackends(route, rule, input.root, input.lookup),
    keepsShares: true,
  };
}

function planRule(
  route: GatewayRoute,
  rule: GatewayRule,
  match: CompiledGatewayMatch,
  input: PortInput,
): PlanRule {
  const { meta } = route;
  const { redirect } = rule.filters;
  const isRefused = rule.unsupported !== undefined || !canReplacePrefix(rule, match);
  const policy = isRefused ? input.policy : planPolicy(route, rule, match, input);
  const path = redirect?.path ?? null;
  return {
    match: match.plan,
    route: {
      id: `${input.port.group}/${meta.kind}/${keyOfMeta(meta)}/${match.id}`,
      split: refOf(meta),
      position: positionOf(meta, rule.at),
      backends: isRefused || redirect !== undefined
        ? []
        : gatewayBackends(route, rule, input.root, input.lookup),
      keepsShares: true,
      ...(isRefused || redirect === undefined ? {} : {
        answer: { ...redirect, kind: "redirect", path: pathChange(path, match) },
      }),
    },
    ...(policy === undefined ? {} : { policy }),
  };
}

/** A prefix can be replaced only where one is matched. */
export function canReplacePrefix({ filters }: GatewayRule, match: CompiledGatewayMatch): boolean {
  const { redirect, rewrite } = filters;
  const replaces = [redirect?.path, rewrite?.path].some((path) => path?.kind === "prefix");
  return !replaces || match.prefix !== null;
}

function pathChange(
  change: { readonly kind: "full" | "prefix"; readonly value: string } | null,
  { prefix }: CompiledGatewayMatch,
): PlanPathChange | null {
  if (change === null) return null;
  const { kind, value } = change;
  return kind === "full" ? { kind, value } : { kind, prefix: prefix ?? "/", value };
}

/** The sections of the rule, in place of those that a TrafficPolicy has for the Service. */
function planPolicy(
  route: GatewayRoute,
  rule: GatewayRule,
  match: CompiledGatewayMatch,
  input: PortInput,
): PlanRoutePolicy | undefined {
  const { headers, mirror } = rule.filters;
  const host = headers?.request.set.find(({ name }) => name === "host")?.value.toLowerCase();
  const rewrite = rule.filters.rewrite ?? { host: null, path: null };
  const changed = {
    host: host ?? rewrite.host,
    path: pathChange(rewrite.path, match),
  };
  const sections: Omit<PlanRoutePolicy, "sources"> = {
    ...(headers === undefined ? {} : { headers: withoutHost(headers) }),
    ...(changed.host === null && changed.path === null ? {} : { rewrite: changed }),
    ...planTimes(rule),
    ...planMirror(route, mirror, input),
  };
  const names = Object.keys(sections);
  if (names.length === 0) return input.policy;
  const source: PlanPolicySource = {
    policy: refOf(route.meta),
    target: `${route.meta.kind} ${keyOfMeta(route.meta)}#${match.id}`,
    position: positionOf(route.meta, rule.at),
  };
  return {
    ...input.policy,
    ...sections,
    sources: {
      ...input.policy?.sources,
      ...Object.fromEntries(names.map((name) => [name, source])),
    },
  };
}

type Headers = NonNullable<PlanRoutePolicy["headers"]>;

/** The host is no header that is added: it is rewritten. */
function withoutHost({ request, response }: Headers): Headers {
  const isNotHost = ({ name }: { readonly name: string }) => name !== "host";
  const set = request.set.filter(isNotHost);
  return { request: { ...request, set, add: request.add.filter(isNotHost) }, response };
}

function planTimes(
  { requestMs, backendRequestMs, retry }: GatewayRule,
): Pick<PlanRoutePolicy, "timeouts" | "retry"> {
  const perTry = backendRequestMs === undefined || backendRequestMs === 0
    ? null
    : Math.min(backendRequestMs, POLICY_DURATION_MS_MAX);
  const isTried = perTry !== null || (retry !== undefined && retry.attempts > 0);
  return {
    ...(requestMs === undefined ? {} : {
      timeouts: { requestMs: Math.min(requestMs, POLICY_DURATION_MS_MAX), idleMs: null },
    }),
    ...(isTried ? { retry: planRetry(retry, perTry) } : {}),
  };
}

/** What went wrong before an answer is tried again whatever was asked for: the rule names no methods. */
function planRetry(retry: GatewayRule["retry"], perTryTimeoutMs: number | null): Retry {
  return {
    attempts: retry?.attempts ?? 0,
    conditions: retry === undefined ? [] : ["connect-failure", "reset", "timeout"],
    statuses: retry?.codes ?? [],
    methods: retry === undefined ? [] : [...METHODS].sort(),
    perTryTimeoutMs,
    budgetPercent: 20,
    backoffMs: Math.min(Math.max(retry?.backoffMs ?? 1, 1), POLICY_DURATION_MS_MAX),
  };
}

function planMirror(
  route: GatewayRoute,
  mirror: GatewayRule["filters"]["mirror"],
  { root, lookup }: PortInput,
): { readonly mirror?: PlanMirror } {
  if (mirror === undefined) return {};
  const { namespace, service, group, state } = planObject(route, mirror, 1, root, lookup);
  // What it comes to is said beside the route's other references.
  return state === "ready"
    ? { mirror: { namespace, service, group, percent: mirror.percent } }
    : {};
}
