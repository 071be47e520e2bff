/**
 * PlanView: what tables are made of: a whole plan, or what is held of one, which goes from version to version at the cost of what is
 * different. Groups and policies are asked for by id, Services by `namespace/name`.
 */
import { VersionedMap } from "../base/versioned_map.ts";
import type { Plan, PlanEndpoint, PlanEndpointPolicy, PlanService } from "./plan.ts";

export type ById<Value> = Readonly<Record<string, Value>> | VersionedMap<Value>;

export type PlanView = Omit<Plan, "services" | "groups" | "endpointPolicies"> & {
  /** A version has as changed also each Service of which something that it leads to is different: endpoints, policies, targets. */
  readonly services: readonly PlanService[] | VersionedMap<PlanService>;
  readonly groups: ById<readonly PlanEndpoint[]>;
  readonly endpointPolicies?: ById<PlanEndpointPolicy> | undefined;
};

const NO_ENDPOINTS: readonly PlanEndpoint[] = [];

/** Undefined: there is none. */
function valueOf<Value>(values: ById<Value>, id: string): Value | undefined {
  if (values instanceof VersionedMap) return values.get(id);
  return Object.hasOwn(values, id) ? values[id] : undefined;
}

export function hasGroup({ groups }: Pick<PlanView, "groups">, id: string): boolean {
  return valueOf(groups, id) !== undefined;
}

/** Where the plan has no such group, always the same empty list. */
export function groupOf({ groups }: Pick<PlanView, "groups">, id: string): readonly PlanEndpoint[] {
  return valueOf(groups, id) ?? NO_ENDPOINTS;
}

/** What policies say of a group as such; undefined: nothing. */
export function policyOf(
  { endpointPolicies }: Pick<PlanView, "endpointPolicies">,
  id: string,
): PlanEndpointPolicy | undefined {
  return endpointPolicies === undefined ? undefined : valueOf(endpointPolicies, id);
}

/** The Services of a plan by `namespace/name`, in the plan's order where it has one. */
export function servicesOf(
  { services }: Pick<PlanView, "services">,
): VersionedMap<PlanService> | ReadonlyMap<string, PlanService> {
  if (services instanceof VersionedMap) return services;
  return new Map(services.map((each) => [`${each.namespace}/${each.name}`, each]));
}

/** Of maps: what may be different, which is all that either has unless one was made of the other. */
export function keysToCompare(
  before: { keys(): Iterable<string> },
  after: { keys(): Iterable<string> },
): Iterable<string> {
  if (before instanceof VersionedMap && after instanceof VersionedMap) {
    if (before === after) return [];
    const changed = after.changedSince(before);
    if (changed !== null) return changed.keys();
  }
  return new Set([...before.keys(), ...after.keys()]);
}
