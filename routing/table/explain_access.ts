/** Explains access: which traffic target allows a request, and by which of its rules. */
import { firstFailure } from "../match/match.ts";
import type { PlanBackend, PlanMatch, PlanTarget } from "../plan.ts";
import { groupOf } from "../plan_view.ts";
import type { RequestHead } from "../request.ts";
import { type AccessProfile, targetPortOf } from "./access.ts";
import { positionText, refText } from "./explanation.ts";
import type { AccessExplanation, GuardExplanation } from "./explanation.ts";
import { nearestTarget } from "./nearest_target.ts";
import type { Table, TableBackend, TableRoute } from "./table.ts";

/** Which endpoints of the backend the request may go to; `head` is null for a whole connection. */
export function explainAccess(
  table: Table,
  { guarded, plan }: TableBackend,
  head: RequestHead | null,
): AccessExplanation {
  if (guarded === null) return { isEnforced: false, isAllowed: true, guards: [] };
  const guards = guarded.profiles.map((profile) => {
    const endpoints = guarded.endpointsOf(profile);
    return explainGuard(profile, endpoints.map((endpoint) => endpoint.key), head);
  });
  const isAllowed = guards.some((guard) => guard.isAllowed);
  const nearest = isAllowed ? {} : nearestOf(table, [plan], head);
  return { isEnforced: true, isAllowed, guards, ...nearest };
}

/** The same where no target lets the client reach any backend of the route. */
export function explainNoAccess(
  table: Table,
  { plan }: TableRoute,
  head: RequestHead | null,
): AccessExplanation {
  const nearest = nearestOf(table, plan.backends, head);
  return { isEnforced: true, isAllowed: false, guards: [], ...nearest };
}

function nearestOf(
  { plan, client }: Table,
  backends: readonly PlanBackend[],
  head: RequestHead | null,
): Pick<AccessExplanation, "nearest"> {
  const calls = backends
    .flatMap(({ group }) => groupOf(plan, group))
    .map((endpoint) => ({
      caller: client.identity,
      destination: endpoint.identity,
      port: targetPortOf(endpoint),
    }));
  const nearest = nearestTarget(plan.targets, calls, head);
  return nearest === null ? {} : { nearest };
}

/** What one profile has to say of the request. */
export function explainGuard(
  profile: AccessProfile,
  endpoints: readonly string[],
  head: RequestHead | null,
): GuardExplanation {
  const allowing = allowingRule(profile, head);
  return {
    endpoints,
    targets: profile.targets.map((target) => refText(target.ref)),
    isAllowed: allowing !== null,
    allowedBy: allowing === null ? null : refText(allowing.target.ref),
    match: allowing === null || allowing.match === null
      ? null
      : `${allowing.match.group.name}/${allowing.match.name}`,
    position: allowing === null ? null : positionText(allowing.target.position),
  };
}

/**
 * The first target that allows the request, and the HTTP rule it does so by; null for a TCP rule.
 */
function allowingRule(
  profile: AccessProfile,
  head: RequestHead | null,
): { readonly target: PlanTarget; readonly match: PlanMatch | null } | null {
  if (profile.tcpTarget !== null) return { target: profile.tcpTarget, match: null };
  for (const target of profile.targets) {
    const match = head === null
      ? undefined
      : target.http.find((it) => firstFailure(it, head) === null);
    if (match !== undefined) return { target, match };
  }
  return null;
}
