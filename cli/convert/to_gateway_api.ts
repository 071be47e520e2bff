/**
 * Splits as HTTPRoutes and TCPRoutes. Rules of splits are tried in an order of their own, so where the order of the Gateway API is another
 * one, paths are written as patterns that are as long as their place asks for.
 */
import { PathPattern } from "../../routing/match/pattern.ts";
import {
  carriesHttp,
  type Plan,
  type PlanBackend,
  type PlanMatch,
  type PlanPort,
  type PlanRoute,
  type PlanRule,
  type PlanService,
} from "../../routing/plan.ts";
import type { Snapshot } from "../../schemas/resources.ts";
import { ROUTE_RULES_MAX, RULE_MATCHES_MAX } from "../limits.ts";
import { type Conversion, freeName, GATEWAY_API, type Replaced } from "./conversion.ts";

type Manifest = Readonly<Record<string, unknown>>;

export function toGatewayApi(plan: Plan, snapshot: Snapshot): Conversion {
  const notes: string[] = [];
  const manifests: Manifest[] = [];
  const taken = new Set(snapshot.gatewayRoutes.map(({ meta }) => `${meta.namespace}/${meta.name}`));
  const used = new Set<string>();
  for (const service of plan.services) {
    for (const port of service.ports) {
      const splits = splitsOf(port);
      if (splits.size === 0) continue;
      for (const split of splits) used.add(split);
      manifests.push(routeOf(service, port, { taken, notes }));
    }
  }
  const replaced: Replaced = new Set();
  for (const split of snapshot.trafficSplits) {
    const name = `${split.meta.namespace}/${split.meta.name}`;
    if (used.has(name)) replaced.add(split);
    else notes.push(`TrafficSplit ${name} has no effect, and is not written`);
  }
  if (snapshot.trafficTargets.length > 0) {
    notes.push(
      "TrafficTargets stay, and the HTTPRouteGroups that they name: the Gateway API has none",
    );
  }
  if (
    snapshot.trafficPolicies.some(({ targets }) => targets.some(({ kind }) => kind !== "Service"))
  ) {
    notes.push(
      "A TrafficPolicy of an HTTPRouteGroup has no effect on a route: attach it to the Service",
    );
  }
  return { manifests, replaced, notes };
}

function splitsOf({ rules, fallback }: PlanPort): Set<string> {
  const routes = [...rules.map(({ route }) => route), fallback];
  return new Set(
    routes.flatMap(({ split }) =>
      split?.kind === "TrafficSplit" ? [`${split.namespace}/${split.name}`] : []
    ),
  );
}

interface Writing {
  readonly taken: Set<string>;
  readonly notes: string[];
}

function routeOf(service: PlanService, port: PlanPort, writing: Writing): Manifest {
  const { namespace, name, ports } = service;
  const isHttp = carriesHttp(port.protocol);
  const wanted = ports.length === 1 ? name : `${name}-${port.port}`;
  const free = freeName(`${namespace}/${wanted}`, writing.taken);
  writing.taken.add(free);
  const parent = { group: "", kind: "Service", name };
  return {
    apiVersion: `${GATEWAY_API}/${isHttp ? "v1" : "v1alpha2"}`,
    kind: isHttp ? "HTTPRoute" : "TCPRoute",
    metadata: { name: free.slice(namespace.length + 1), namespace },
    spec: {
      parentRefs: [ports.length === 1 ? parent : { ...parent, port: port.port }],
      rules: isHttp ? httpRules(service, port, writing) : [backendsOf(port.fallback, port)],
    },
  };
}

function httpRules(service: PlanService, port: PlanPort, { notes }: Writing): Manifest[] {
  const place = `${service.namespace}/${service.name}:${port.port}`;
  const groups = new Map<string, { readonly route: PlanRoute; readonly matches: Manifest[] }>();
  const groupOf = port.rules.map(({ route }) => {
    const key = JSON.stringify([route.split, route.backends]);
    const group = groups.get(key) ?? { route, matches: [] };
    groups.set(key, group);
    return group;
  });
  const order = [...groups.values()];
  const paths = pathsInOrder(port.rules, groupOf.map((group) => order.indexOf(group)));
  for (const [index, { match }] of port.rules.entries()) {
    groupOf[index].matches.push(...matchesOf(match, paths[index], place, notes));
  }
  const rules = order.map(({ route, matches }) => ({
    ...(isNamed(route, order) ? { name: route.split?.name } : {}),
    matches,
    ...backendsOf(route, port),
  }));
  const isTooMuch = rules.length + 1 > ROUTE_RULES_MAX ||
    rules.some(({ matches }) => matches.length > RULE_MATCHES_MAX);
  if (isTooMuch) {
    notes.push(
      `${place}: more than ${ROUTE_RULES_MAX} rules, or ${RULE_MATCHES_MAX} matches of one: API servers refuse the route`,
    );
  }
  return [...rules, backendsOf(port.fallback, port)];
}

/** Whether the rule of a split can have its name: there is one, and the name is short. */
function isNamed({ split }: PlanRoute, all: readonly { readonly route: PlanRoute }[]): boolean {
  return all.filter(({ route }) => route.split?.name === split?.name).length === 1 &&
    /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(split?.name ?? "");
}

function backendsOf({ backends }: PlanRoute, { port }: PlanPort): Manifest {
  const refs = backends.map(({ service, weight }: PlanBackend) => ({
    name: service,
    port,
    weight,
  }));
  return { backendRefs: refs };
}

/** One for each method that it names. */
function matchesOf(
  { methods, headers, group, name }: PlanMatch,
  path: PathWritten,
  place: string,
  notes: string[],
): Manifest[] {
  if (new Set(headers.map((header) => header.name)).size < headers.length) {
    notes.push(
      `${place}: match ${group.name}/${name} has two patterns for one header; a route has one for each`,
    );
  }
  const conditions = {
    ...(path === null ? {} : { path }),
    ...(headers.length === 0 ? {} : { headers: headers.map(headerOf) }),
  };
  return methods === null ? [conditions] : methods.map((method) => ({ ...conditions, method }));
}

/** A pattern of a split is searched for, one of a route is of the whole value. */
function headerOf({ name, pattern }: PlanMatch["headers"][number]): Manifest {
  const exact = literalOf(/^\^(.*)\$$/.exec(pattern)?.[1] ?? "(");
  if (exact !== null && exact !== "") return { name, value: exact };
  return { name, type: "RegularExpression", value: `.*(?:${pattern}).*` };
}

/** Null: any path. */
type PathWritten = { readonly type: string; readonly value: string } | null;

interface Ranked {
  readonly path: PathWritten;
  readonly rank: readonly number[];
}

/** Paths by rule, so that the Gateway API's order is that of the rules. @param places by rule: of its rule in the route */
function pathsInOrder(rules: readonly PlanRule[], places: readonly number[]): PathWritten[] {
  const plain = rules.map(({ match }): Ranked => {
    const path = plainPath(match.path);
    const kind = path === null ? 2 : path.type === "Exact" ? 0 : 1;
    const length = path === null ? 0 : path.value.length;
    const { methods, headers } = match;
    return { path, rank: [kind, -length, methods === null ? 1 : 0, -headers.length] };
  }).map(({ path, rank }, index) => ({ path, rank: [...rank, places[index]] }));
  const isOrdered = plain.every((each, i) => i === 0 || isBefore(plain[i - 1].rank, each.rank));
  if (isOrdered) return plain.map(({ path }) => path);
  let longest = 0;
  const padded = rules.toReversed().map(({ match: { path } }) => {
    let value = wholePattern(path);
    while (value.length <= longest) value += ".*";
    longest = value.length;
    return { type: "RegularExpression", value };
  });
  return padded.reverse();
}

function isBefore(some: readonly number[], other: readonly number[]): boolean {
  for (const [i, number] of some.entries()) if (number !== other[i]) return number < other[i];
  // Matches of one rule are tried in the order in which they are written.
  return true;
}

function plainPath(path: string | null): PathWritten {
  if (path === null || new PathPattern(path).isCatchAll()) return null;
  const exact = path.endsWith("$") ? literalOf(path.slice(0, -1)) : null;
  if (exact !== null && exact.startsWith("/") && !exact.includes("//")) {
    return { type: "Exact", value: exact };
  }
  return { type: "RegularExpression", value: wholePattern(path) };
}

/** A pattern of a split is matched from the beginning on, one of a route is of the whole path. */
function wholePattern(path: string | null): string {
  if (path === null) return ".*";
  if (path.endsWith(".*") && !path.includes("|") && !path.endsWith("\\.*")) return path;
  return /^[^|^$\\()[\]]*$/.test(path) ? `${path}.*` : `(?:${path}).*`;
}

/** The text that a pattern stands for; null: for more than one. */
function literalOf(pattern: string): string | null {
  const text = pattern.replace(/\\([\\^$.*+?()[\]{}|/-])/g, "$1");
  return /^(?:[^\\^$.*+?()[\]{}|]|\\[\\^$.*+?()[\]{}|/-])*$/.test(pattern) ? text : null;
}
