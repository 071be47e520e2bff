/** What policies say of the endpoints of a group. */
import type { Plan, PlanEndpointPolicy } from "../plan.ts";

/** What is said of a group as such; undefined: nothing. */
export function policyOf(
  { endpointPolicies }: Plan,
  group: string,
): PlanEndpointPolicy | undefined {
  return endpointPolicies !== undefined && Object.hasOwn(endpointPolicies, group)
    ? endpointPolicies[group]
    : undefined;
}

/**
 * What counts for a backend; null: nothing. A section that its own Service lacks is that of the Service that was asked for.
 * @param root the group of the port that was asked for
 */
export function backendPolicy(
  plan: Plan,
  group: string,
  root: string,
): PlanEndpointPolicy | null {
  const own = policyOf(plan, group);
  const asked = policyOf(plan, root);
  if (own === undefined || asked === undefined) return own ?? asked ?? null;
  return { ...asked, ...own, sources: { ...asked.sources, ...own.sources } };
}
