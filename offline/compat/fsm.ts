/**
 * FSM 1.x (flomesh-io/fsm f1b55bd8, Pipy 23ca70c9). Outbound rules: pkg/catalog/outbound_traffic_policies.go, order: Less in
 * pkg/sidecar/v1/providers/pipy/repo/policy.go, matching: codebase/modules/outbound-http-routing.js. Not run: read.
 */
import { compile } from "../../routing/compile/compile.ts";
import { overlapOf } from "../../routing/algebra/rule_facts.ts";
import {
  carriesHttp,
  type PlanMatch,
  type PlanPort,
  type PlanRoute,
  type PlanRule,
} from "../../routing/plan.ts";
import type {
  HttpRouteGroup,
  Snapshot,
  TrafficSplit,
  TrafficTarget,
} from "../../schemas/resources.ts";
import {
  changePorts,
  egressRemarks,
  fallbacksOf,
  ingressRemarks,
  mergedSplit,
  type MeshProfile,
  type MeshRemark,
  NOTHING,
  portKey,
  positionOfSplit,
  rootOf,
  splitsByRoot,
} from "./mesh_profile.ts";

/** What `*`, and no list, stand for. */
const METHODS_OF_ANY = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
const ANY_PATH = ".*";
/** Of each backend where nothing says otherwise. */
const EVEN_WEIGHT = 100;

export const FSM: MeshProfile = {
  name: "FSM",
  readsTargets: true,
  noRuleStatus: 403,

  read(snapshot) {
    const trafficSplits = [...splitsByRoot(snapshot).values()].flatMap((splits) => {
      const [first, ...others] = splits.filter(({ matches }) => matches === undefined);
      const matched = splits.filter(({ matches }) => matches !== undefined);
      // Those without matches are one.
      return first === undefined ? matched : [...matched, mergedSplit([first, ...others])];
    }).map((split) => {
      const isAllZero = split.backends.every(({ weight }) => weight === 0);
      if (!isAllZero) return split;
      return {
        ...split,
        backends: split.backends.map((each) => ({ ...each, weight: EVEN_WEIGHT })),
      };
    });
    return {
      ...snapshot,
      trafficSplits,
      httpRouteGroups: snapshot.httpRouteGroups.map(readGroup),
      tcpRoutes: snapshot.tcpRoutes.map((route) => ({ ...route, ports: [] })),
      trafficTargets: snapshot.trafficTargets.flatMap(readTarget),
    };
  },

  change(plan, snapshot) {
    const groups = [...splitsByRoot(snapshot).values()];
    const merged = fallbacksOf(snapshot, groups.map((splits) => mergedSplit(splits)));
    const even = fallbacksOf(
      snapshot,
      groups.map((splits) => mergedSplit(splits, () => EVEN_WEIGHT)),
    );
    const layers = layersOf(snapshot, groups);
    const roots = new Set(snapshot.trafficSplits.map(rootOf));
    const unselected = new Set(
      snapshot.services.filter(({ selector }) => Object.keys(selector ?? {}).length === 0)
        .map(({ meta }) => `${meta.namespace}/${meta.name}`),
    );
    const changed = changePorts(plan, (port, service) => {
      const key = portKey(service, port);
      const root = `${service.namespace}/${service.name}`;
      if (!roots.has(root)) return port;
      if (unselected.has(root)) {
        return { ...port, rules: [], fallback: { ...port.fallback, ...NOTHING } };
      }
      if (!carriesHttp(port.protocol)) {
        return { ...port, fallback: merged.get(key) ?? port.fallback };
      }
      const own = layers.flatMap((layer) => layer.get(key) ?? []);
      const rules = own.flatMap(({ rules }) => rules).map(searched).sort(byPath);
      const fallback = own.find(({ fallback }) => fallback.split !== null)?.fallback;
      return withFallback({ ...port, rules }, fallback ?? even.get(key) ?? port.fallback);
    });
    const targets = changed.targets.map((target) => ({
      ...target,
      http: target.http.map(searchedMatch),
    }));
    return { ...changed, targets };
  },

  remarks(plan, snapshot) {
    return [
      ...queryRemarks(plan.services.flatMap(({ ports }) => ports)),
      ...failoverRemarks(snapshot),
      ...namespaceRemarks(snapshot),
      ...startRemarks(snapshot),
      ...egressRemarks(snapshot, "FSM"),
      ...ingressRemarks(snapshot, "FSM"),
      {
        code: "status-codes",
        text:
          "What no rule takes is answered 403 by FSM, and 404 where a rule has no endpoint; here " +
          "the Service's own endpoints take it, or it is answered 503",
        position: null,
      },
    ];
  },
};

/** The name of a header is compared as written with names in lower case. */
function readGroup(group: HttpRouteGroup): HttpRouteGroup {
  const matches = group.matches.filter(({ headers }) =>
    headers.every(({ name }) => name === name.toLowerCase())
  );
  return { ...group, matches };
}

/** A rule without `matches` makes no route, and a target for another namespace does not count. */
function readTarget(target: TrafficTarget): TrafficTarget[] {
  if (target.destination.namespace !== target.meta.namespace) return [];
  const rules = target.rules.filter(({ kind, matches }) =>
    kind !== "HTTPRouteGroup" || matches !== undefined
  );
  return rules.length === 0 ? [] : [{ ...target, rules }];
}

function searched(rule: PlanRule): PlanRule {
  return { ...rule, match: searchedMatch(rule.match) };
}

/** Patterns are looked for anywhere, and a header that is missing counts as an empty one. */
function searchedMatch(match: PlanMatch): PlanMatch {
  const { path, methods, headers } = match;
  return {
    ...match,
    path: path === null || path === ANY_PATH ? path : `.*(?:${path})`,
    methods: methods ?? METHODS_OF_ANY,
    headers: headers.filter(({ pattern }) => !takesAnything(pattern)),
  };
}

/** Whether a pattern is found in every text, and so in that of a missing header. */
function takesAnything(pattern: string): boolean {
  if (/^\^?(?:\.\*)?\$?$/.test(pattern)) return pattern !== "^$";
  if (/[\^$\\]/.test(pattern)) return false;
  try {
    return new RegExp(pattern).test("");
  } catch {
    return false;
  }
}

/** As written, without what makes it a search. */
function writtenPath({ match: { path } }: PlanRule): string {
  return path === null ? ANY_PATH : path.replace(/^\.\*\(\?:(.*)\)$/, "$1");
}

/** By the text of the pattern, `.*` last; of equal ones more headers first, then more methods. */
function byPath(some: PlanRule, other: PlanRule): number {
  const [a, b] = [writtenPath(some), writtenPath(other)];
  if (a.toLowerCase() === b.toLowerCase()) {
    return other.match.headers.length - some.match.headers.length ||
      methodCount(other) - methodCount(some);
  }
  if (a === ANY_PATH || b === ANY_PATH) return a === ANY_PATH ? 1 : -1;
  return a < b ? -1 : 1;
}

/** `*` counts as none. */
function methodCount({ match: { methods } }: PlanRule): number {
  return methods === null || methods.length === METHODS_OF_ANY.length ? 0 : methods.length;
}

/** Ports with one split of each root at a time: together, Weft's order would leave out rules that FSM comes to. */
function layersOf(
  snapshot: Snapshot,
  groups: readonly (readonly TrafficSplit[])[],
): ReadonlyMap<string, PlanPort>[] {
  const depth = Math.max(0, ...groups.map(({ length }) => length));
  return Array.from({ length: depth }, (_, index) => {
    const trafficSplits = groups.flatMap((splits) => splits.slice(index, index + 1));
    const { plan } = compile({ ...snapshot, trafficSplits });
    return new Map(
      plan.services.flatMap((service) =>
        service.ports.map((port) => [portKey(service, port), port])
      ),
    );
  });
}

/** @param otherwise takes what no rule takes, unless some rule is for any path */
function withFallback(port: PlanPort, otherwise: PlanRoute): PlanPort {
  if (port.rules.length === 0) return { ...port, fallback: otherwise };
  const takesAnyPath = port.rules.some((rule) => writtenPath(rule) === ANY_PATH);
  // A split without matches does not count then either.
  const none = { ...port.fallback, split: null, ...NOTHING };
  return { ...port, fallback: takesAnyPath ? none : otherwise };
}

function queryRemarks(ports: readonly PlanPort[]): MeshRemark[] {
  const rule = ports.flatMap(({ rules }) => rules).find((each) => writtenPath(each) !== ANY_PATH);
  if (rule === undefined) return [];
  const { group, name, position } = rule.match;
  const written = { path: writtenPath(rule), methods: null, headers: [] };
  const found = overlapOf(written, written, { authorities: ["any"] });
  const example = found.answer === "yes" ? `: GET /?${found.witness.path}` : "";
  return [{
    code: "query-searched",
    text:
      `FSM looks for the pattern of ${group.name}#${name} (${
        writtenPath(rule)
      }) in the query too, so that a request for ` +
      `another path can take that rule${example}; here the query has no say`,
    position,
  }];
}

function failoverRemarks({ trafficSplits }: Snapshot): MeshRemark[] {
  return trafficSplits.flatMap((split) => {
    const idle = split.backends.filter(({ weight }) => weight === 0);
    if (idle.length === 0 || idle.length === split.backends.length) return [];
    return [{
      code: "zero-weight-failover",
      text: `FSM sends a request again to ${
        idle.map(({ service }) => service).join(", ")
      }, of weight 0, when the ` +
        "others answer with 5xx or not at all, POSTs too; here weight 0 gets nothing",
      position: positionOfSplit(split),
    }];
  });
}

function namespaceRemarks({ trafficSplits, httpRouteGroups }: Snapshot): MeshRemark[] {
  return trafficSplits.flatMap((split) =>
    (split.matches ?? []).flatMap(({ name }) => {
      const other = httpRouteGroups.find(({ meta }) =>
        meta.name === name && meta.namespace !== split.meta.namespace
      );
      if (other === undefined) return [];
      return [{
        code: "group-of-any-namespace",
        text: `FSM looks for HTTPRouteGroup ${name} in every namespace, and there is one in ` +
          `${other.meta.namespace} too; here the split's own namespace counts`,
        position: positionOfSplit(split),
      }];
    })
  );
}

function startRemarks({ trafficSplits }: Snapshot): MeshRemark[] {
  const uneven = trafficSplits.find(({ backends }) =>
    new Set(backends.map(({ weight }) => weight).filter((weight) => weight > 0)).size > 1
  );
  if (uneven === undefined) return [];
  return [{
    code: "first-requests",
    text:
      "After each change of configuration every FSM sidecar begins with a backend that it draws, whatever the weights: of " +
      "clients that send one request each, half come to a canary of 1%; here 1% do",
    position: positionOfSplit(uneven),
  }];
}
