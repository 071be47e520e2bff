/**
 * compile: from a Snapshot to a Plan and Findings. The one entry for controller, admission, sidecar, dry-run and
 * tests. Pure: no clock, no I/O, no randomness; the same set of resources in any order gives the same bytes.
 */
import type { Finding } from "../../base/finding.ts";
import { parseIp } from "../../base/ip.ts";
import type { Snapshot, TrafficSplit } from "../../schemas/resources.ts";
import { type Plan, PLAN_VERSION, type PlanEndpoint, type PlanService } from "../plan.ts";
import { hashPlan } from "../plan_codec.ts";
import type { ServiceLookup } from "./backends.ts";
import { planAliases, resolveAliases } from "./aliases.ts";
import { type Catalog, catalogOf, keyOf } from "./catalog.ts";
import { checkBackends } from "./check_backends.ts";
import { checkPolicies } from "./check_policies.ts";
import { checkGroupsUsed, checkTcpMatches } from "./check_reach.ts";
import { checkShadowed } from "./check_shadow.ts";
import { checkUnmatched } from "./check_unmatched.ts";
import { checkWorkloads } from "./check_workloads.ts";
import { resolveServices } from "./endpoints.ts";
import { Findings, positionOf } from "./findings.ts";
import { compareText } from "./order.ts";
import { planEndpointPolicies, type PlanPolicyInput } from "./plan_policies.ts";
import { resolvePolicies } from "./policies.ts";
import { planPorts, type RootRouting } from "./ports.ts";
import { resolveRoots, type RootSplits } from "./roots.ts";
import { type CompiledGroup, compileGroups } from "./route_groups.ts";
import { rootRules } from "./rules.ts";
import { planTargets, reportIgnoredTargets } from "./targets.ts";

export interface CompileOptions {
  /** The cluster's DNS domain; default `cluster.local`. */
  readonly clusterDomain?: string;
  /** Default true: traffic targets are not enforced. */
  readonly permissive?: boolean;
}

interface Compilation {
  readonly plan: Plan;
  /** By file, line and column. The plan is usable whatever they say. */
  readonly findings: readonly Finding[];
}

/** Never throws: whatever is wrong with the resources is a Finding. */
export function compile(snapshot: Snapshot, options: CompileOptions = {}): Compilation {
  const permissive = options.permissive ?? true;
  const clusterDomain = options.clusterDomain?.toLowerCase() ?? "cluster.local";
  const findings = new Findings();
  const catalog = catalogOf(snapshot);
  const groups = compileGroups(catalog, findings);
  const own = resolveServices(catalog, findings);
  const lookup = { services: resolveAliases(catalog, clusterDomain, own), clusterDomain };
  const routings = routeRoots(catalog, groups, lookup, findings);
  checkGroupsUsed(catalog, findings);
  checkWorkloads({ snapshot, permissive, findings });
  const policies = resolvePolicies({ catalog, groups, findings });
  checkPolicies({ catalog, services: lookup.services, routings: routings.values(), findings });
  const targetInput = { catalog, groups, findings };
  if (permissive) reportIgnoredTargets(targetInput);

  const policyInput = { policies, lookup, findings };
  const aliases = planAliases(catalog, clusterDomain, (key) => routings.has(key), findings);
  const elsewhere = new Set(aliases.map(({ namespace, name }) => keyOf(namespace, name)));
  const services = planServices(lookup, routings, policyInput)
    .filter(({ namespace, name }) => !elsewhere.has(keyOf(namespace, name)));
  const endpointPolicies = planEndpointPolicies(policyInput);
  const content: Omit<Plan, "hash"> = {
    version: PLAN_VERSION,
    clusterDomain,
    permissive,
    services,
    groups: endpointGroups(lookup, services),
    targets: permissive ? [] : planTargets(targetInput),
    ...(aliases.length === 0 ? {} : { aliases }),
    ...(endpointPolicies === undefined ? {} : { endpointPolicies }),
  };
  return { plan: { ...content, hash: hashPlan(content) }, findings: findings.sorted() };
}

/** What the splits of each root come to, by `namespace/name` of the root. */
function routeRoots(
  catalog: Catalog,
  groups: ReadonlyMap<string, CompiledGroup>,
  lookup: ServiceLookup,
  findings: Findings,
): ReadonlyMap<string, RootRouting> {
  const { services, clusterDomain } = lookup;
  const roots = resolveRoots(catalog, services, clusterDomain, findings);
  const rootKeys = new Set(roots.keys());
  const routings = new Map<string, RootRouting>();
  for (const [key, splits] of roots) {
    const { root, matching, plain } = splits;
    const rules = rootRules(matching, { catalog, groups, clusterDomain, findings });
    const routing = { rules, plain: plain[0] };
    routings.set(key, routing);
    checkTcpMatches(splits, findings);
    checkShadowed(root, routing, findings);
    checkUnmatched({ root, routing, lookup, findings });
    const used = new Set([routing.plain, ...rules.map(({ split }) => split)]);
    for (const split of splitsThatCount(splits)) {
      checkBackends({ split, root, lookup, rootKeys, isUsed: used.has(split), findings });
    }
  }
  return routings;
}

/** A plain split that lost has no effect, so what is wrong with its backends has none either. */
function splitsThatCount({ matching, plain }: RootSplits): TrafficSplit[] {
  return [...matching, ...plain.slice(0, 1)];
}

function planServices(
  lookup: ServiceLookup,
  routings: ReadonlyMap<string, RootRouting>,
  policyInput: PlanPolicyInput,
): PlanService[] {
  return [...lookup.services].map(([key, resolved]) => {
    const { meta, clusterIps } = resolved.service;
    return {
      namespace: meta.namespace,
      name: meta.name,
      clusterIps: clusterIps.filter((ip) => parseIp(ip) !== null),
      ports: planPorts(
        resolved,
        routings.get(key) ?? { rules: [], plain: undefined },
        lookup,
        policyInput,
      ),
      podHosts: resolved.podHosts,
      position: positionOf(meta, []),
    };
  });
}

/** The endpoints of every Service port, and an empty group for every name that leads nowhere. */
function endpointGroups(
  { services }: ServiceLookup,
  planned: readonly PlanService[],
): Record<string, readonly PlanEndpoint[]> {
  const groups = new Map<string, readonly PlanEndpoint[]>();
  for (const { ports } of services.values()) {
    for (const { group, endpoints } of ports) groups.set(group, endpoints);
  }
  for (const { ports } of planned) {
    for (const { rules, fallback } of ports) {
      for (const { backends } of [fallback, ...rules.map(({ route }) => route)]) {
        for (const { group } of backends) {
          if (!groups.has(group)) groups.set(group, []);
        }
      }
    }
  }
  return Object.fromEntries([...groups].sort(([a], [b]) => compareText(a, b)));
}
