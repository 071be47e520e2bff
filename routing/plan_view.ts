/**
 * PlanView: what tables are made of: a whole plan, or what is held of one, which goes from version to version at the cost of what is
 * different. Groups and policies are asked for by id.
 */
import { VersionedMap } from "../base/versioned_map.ts";
import type { Plan, PlanEndpoint, PlanEndpointPolicy } from "./plan.ts";

export type ById<Value> = Readonly<Record<string, Value>> | VersionedMap<Value>;

export type PlanView = Omit<Plan, "groups" | "endpointPolicies"> & {
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

/** Whether the value of an id may be another than before. */
export type Changed = (id: string) => boolean;

/** Null: it has to be looked at, id by id. */
export function changedBetween<Value>(
  before: ById<Value> | undefined,
  after: ById<Value> | undefined,
): Changed | null {
  if (before === after) return () => false;
  if (!(before instanceof VersionedMap) || !(after instanceof VersionedMap)) return null;
  const changed = after.changedSince(before);
  return changed === null ? null : (id) => changed.has(id);
}
