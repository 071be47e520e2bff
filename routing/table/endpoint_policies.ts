/** What policies say of the endpoints of a group. */
import type { PlanEndpointPolicy } from "../plan.ts";
import { type PlanView, policyOf } from "../plan_view.ts";

/**
 * What counts for a backend; null: nothing. A section that its own Service lacks is that of the Service that was asked for.
 * @param root the group of the port that was asked for
 */
export function backendPolicy(
  plan: PlanView,
  group: string,
  root: string,
): PlanEndpointPolicy | null {
  const own = policyOf(plan, group);
  const asked = policyOf(plan, root);
  if (own === undefined || asked === undefined) return own ?? asked ?? null;
  return { ...asked, ...own, sources: { ...asked.sources, ...own.sources } };
}
