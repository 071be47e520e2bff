/**
 * Two plans: which requests go elsewhere, which names and ports come and go, which rules die, and who may call whom that could not.
 * Where endpoints are and how many there are does not count: they come and go with every rollout.
 */
import {
  carriesHttp,
  type Plan,
  type PlanPort,
  type PlanRule,
  type PlanService,
  portFor,
} from "../plan.ts";
import { type AccessComparison, compareAccess } from "./compare_access.ts";
import { compareEdge, type EdgeComparison } from "./compare_edge.ts";
import { changedSections, comparePorts, type PortComparison } from "./compare_ports.ts";
import { examineRules } from "./rule_facts.ts";
import type { SpaceOptions } from "./request_space.ts";
import { authoritiesOf } from "./service_names.ts";

/** One port of a Service of which something changes. */
export interface PortDifference extends PortComparison {
  /** `namespace/service`. */
  readonly service: string;
  readonly port: number;
  /** `service.namespace:port`, or without the port where clients leave it out. */
  readonly host: string;
  /** Of clients of this namespace alone, which has routes of its own; left out: of all others. */
  readonly consumers?: string;
  /** Null: it is not there. */
  readonly before: PlanPort | null;
  readonly after: PlanPort | null;
}

/** A name that leads elsewhere: an ExternalName Service. */
export interface AliasDifference {
  readonly service: string;
  /** Null: it is none. */
  readonly before: string | null;
  readonly after: string | null;
}

/** How the endpoints of a Service port are treated, and whose they are. */
export interface EndpointDifference {
  /** `namespace/service:port`. */
  readonly group: string;
  /** Names of the policy's sections that ask for something else. */
  readonly policies: readonly string[];
  /** Whom traffic targets know them as, `namespace/serviceaccount`; null: that is as it was, or not known. */
  readonly identities:
    | { readonly before: readonly string[]; readonly after: readonly string[] }
    | null;
}

export interface PlanComparison {
  readonly ports: readonly PortDifference[];
  readonly endpoints: readonly EndpointDifference[];
  readonly aliases: readonly AliasDifference[];
  readonly access: AccessComparison;
  readonly edge: EdgeComparison;
  /** False: more may change than was found. */
  readonly isComplete: boolean;
  /** Neither plan has endpoints, or one has none: then all backends count as if they had. */
  readonly ignoresEndpoints: boolean;
}

export function comparePlans(before: Plan, after: Plan): PlanComparison {
  const ignoresEndpoints = !hasEndpoints(before) || !hasEndpoints(after);
  const ports = pairsOf(portsByName(before), portsByName(after)).flatMap(([was, is]) => {
    const consumers = new Set(
      [was, is].flatMap((each) => Object.keys(each?.port.consumers ?? {})),
    );
    const ofAll = comparePair(was, is, ignoresEndpoints);
    return [
      ...(ofAll === null ? [] : [ofAll]),
      ...[...consumers].sort().flatMap((namespace) => {
        const [before, after] = [was, is].map((each) => seenFrom(each, namespace));
        const difference = comparePair(before, after, ignoresEndpoints);
        return difference === null ? [] : [{ ...difference, consumers: namespace }];
      }),
    ];
  });
  const access = compareAccess(before, after);
  const edge = compareEdge(before, after);
  return {
    ports: ports.filter(isDifferent),
    endpoints: compareEndpoints(before, after),
    aliases: compareAliases(before, after),
    access,
    edge,
    isComplete: access.isComplete && edge.isComplete && ports.every(({ isComplete }) => isComplete),
    ignoresEndpoints,
  };
}

function hasEndpoints({ groups }: Plan): boolean {
  return Object.values(groups).some((endpoints) => endpoints.length > 0);
}

interface NamedPort {
  readonly service: PlanService;
  readonly port: PlanPort;
  readonly clusterDomain: string;
}

function seenFrom(named: NamedPort | null, namespace: string): NamedPort | null {
  return named === null ? null : { ...named, port: portFor(named.port, namespace) };
}

function portsByName({ services, clusterDomain }: Plan): Map<string, NamedPort> {
  return new Map(services.flatMap((service) =>
    service.ports.map((port) => [
      `${service.namespace}/${service.name}:${port.port}`,
      { service, port, clusterDomain },
    ])
  ));
}

/** What has the same key on both sides, or on one, by key. */
function pairsOf<Value>(
  before: ReadonlyMap<string, Value>,
  after: ReadonlyMap<string, Value>,
): (readonly [Value | null, Value | null])[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])].sort();
  return keys.map((key) => [before.get(key) ?? null, after.get(key) ?? null]);
}

function comparePair(
  was: NamedPort | null,
  is: NamedPort | null,
  ignoresEndpoints: boolean,
): PortDifference | null {
  const one = is ?? was;
  if (one === null) return null;
  const { service, port, clusterDomain } = one;
  const authorities = authoritiesOf(service, port.port, clusterDomain);
  const [before, after] = [was?.port ?? null, is?.port ?? null];
  const named = {
    service: `${service.namespace}/${service.name}`,
    port: port.port,
    host: authorities[0],
    before,
    after,
  };
  const isComparable = before !== null && after !== null &&
    carriesHttp(before.protocol) === carriesHttp(after.protocol);
  const compared = isComparable ? comparePorts(before, after, { authorities, ignoresEndpoints }) : {
    changes: [],
    deadRules: after === null ? [] : deadRules(after, { authorities }),
    isComplete: true,
  };
  return { ...named, ...compared };
}

function isDifferent({ before, after, changes, deadRules, isComplete }: PortDifference): boolean {
  if (before === null || after === null) return true;
  return carriesHttp(before.protocol) !== carriesHttp(after.protocol) || changes.length > 0 ||
    deadRules.length > 0 || !isComplete;
}

/** Of a port that is new; certain, so that a rule that may be alive is not among them. */
function deadRules({ rules }: PlanPort, options: SpaceOptions): PlanRule[] {
  const { taken, isComplete } = examineRules(rules.map(({ match }) => match), options);
  return isComplete ? rules.filter((_, index) => taken[index] === null) : [];
}

function compareAliases(before: Plan, after: Plan): AliasDifference[] {
  const hosts = ({ aliases = [] }: Plan) =>
    new Map(
      aliases.map((
        { namespace, name, host },
      ) => [`${namespace}/${name}`, { namespace, name, host }]),
    );
  return pairsOf(hosts(before), hosts(after)).flatMap(([was, is]) => {
    const one = is ?? was;
    if (one === null || was?.host === is?.host) return [];
    const service = `${one.namespace}/${one.name}`;
    return [{ service, before: was?.host ?? null, after: is?.host ?? null }];
  });
}

/** Of ports that are on both sides; what becomes of one that comes or goes is said of it. */
function compareEndpoints(before: Plan, after: Plan): EndpointDifference[] {
  const kept = portsByName(after);
  return [...portsByName(before).keys()].filter((group) => kept.has(group)).flatMap((group) => {
    const [was, is] = [before, after].map(({ endpointPolicies = {} }) =>
      endpointPolicies[group] ?? null
    );
    const policies = changedSections(was, is);
    const [old, now] = [before, after].map((plan) => identitiesOf(plan, group));
    const isKnown = old.length > 0 && now.length > 0;
    const identities = isKnown && old.join() !== now.join() ? { before: old, after: now } : null;
    return policies.length === 0 && identities === null ? [] : [{ group, policies, identities }];
  });
}

function identitiesOf({ groups }: Plan, group: string): string[] {
  const identities = (groups[group] ?? []).map(({ identity }) => identity);
  return [...new Set(identities)].filter((identity) => identity !== "").sort();
}
