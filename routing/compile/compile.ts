/**
 * compile: from a Snapshot to a Plan and Findings. The one entry where all resources are there at once: in the sidecar, dry-run and tests. Pure:
 * no clock, no I/O, no randomness; the same set of resources in any order gives the same bytes.
 */
import type { Finding } from "../../base/finding.ts";
import type { Snapshot } from "../../schemas/resources.ts";
import {
  type Plan,
  PLAN_VERSION,
  type PlanAlias,
  type PlanEndpoint,
  type PlanEndpointPolicy,
  type PlanService,
} from "../plan.ts";
import { hashPlan } from "../plan_codec.ts";
import { type CompileOptions, Compiler } from "./compiler.ts";
import { compareText } from "./order.ts";

interface Compilation {
  readonly plan: Plan;
  /** By file, line and column. The plan is usable whatever they say. */
  readonly findings: readonly Finding[];
}

/** Never throws: whatever is wrong with the resources is a Finding. */
export function compile(snapshot: Snapshot, options: CompileOptions = {}): Compilation {
  const compiler = new Compiler(options);
  compiler.add(snapshot);
  compiler.refresh();
  return { plan: wholePlan(compiler), findings: compiler.findings };
}

/** All parts in one. */
export function wholePlan({ parts, clusterDomain, permissive }: Compiler): Plan {
  const routes = [...parts.routes.values()];
  const services = routes.flatMap(({ service }) => service ?? []).sort(compareNames);
  const aliases: PlanAlias[] = routes.flatMap(({ alias }) => alias ?? []).sort(compareNames);
  const groups = new Map<string, readonly PlanEndpoint[]>();
  const endpointPolicies = new Map<string, PlanEndpointPolicy>();
  for (const [id, { endpoints, policy }] of parts.groups) {
    groups.set(id, endpoints);
    if (policy !== undefined) endpointPolicies.set(id, policy);
  }
  for (const id of groupsNamedBy(services)) if (!groups.has(id)) groups.set(id, []);
  const content: Omit<Plan, "hash"> = {
    version: PLAN_VERSION,
    clusterDomain,
    permissive,
    services,
    groups: sortedRecord(groups),
    targets: [...parts.access].sort(([a], [b]) => compareText(a, b)).flatMap(([, targets]) =>
      targets
    ),
    ...(aliases.length === 0 ? {} : { aliases }),
    ...(endpointPolicies.size === 0 ? {} : { endpointPolicies: sortedRecord(endpointPolicies) }),
  };
  return { ...content, hash: hashPlan(content) };
}

function compareNames(
  a: Pick<PlanService, "namespace" | "name">,
  b: Pick<PlanService, "namespace" | "name">,
): number {
  return compareText(a.namespace, b.namespace) || compareText(a.name, b.name);
}

/** Also of names that lead nowhere: their groups are empty. */
function* groupsNamedBy(services: readonly PlanService[]): Iterable<string> {
  for (const { ports } of services) {
    for (const { rules, fallback } of ports) {
      for (const { backends } of [fallback, ...rules.map(({ route }) => route)]) {
        for (const { group } of backends) yield group;
      }
    }
  }
}

function sortedRecord<T>(entries: ReadonlyMap<string, T>): Readonly<Record<string, T>> {
  return Object.fromEntries([...entries].sort(([a], [b]) => compareText(a, b)));
}
