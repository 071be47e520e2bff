/** Explains access: which traffic target allows a request, and by which of its rules. */
import { firstFailure } from "../match/match.ts";
import type { PlanMatch, PlanTarget } from "../plan.ts";
import type { RequestHead } from "../request.ts";
import type { AccessProfile, GuardedEndpoints } from "./access.ts";
import { positionText, refText } from "./explanation.ts";
import type { AccessExplanation, GuardExplanation } from "./explanation.ts";

/** Which endpoints the request may go to; `guarded` is null in permissive mode. */
export function explainAccess(
  guarded: GuardedEndpoints | null,
  head: RequestHead,
): AccessExplanation {
  if (guarded === null) return { isEnforced: false, isAllowed: true, guards: [] };
  const guards = guarded.profiles.map((profile) => {
    const endpoints = guarded.endpointsOf(profile);
    return explainGuard(profile, endpoints.map((endpoint) => endpoint.key), head);
  });
  return { isEnforced: true, isAllowed: guards.some((guard) => guard.isAllowed), guards };
}

/** What one profile has to say of the request. */
export function explainGuard(
  profile: AccessProfile,
  endpoints: readonly string[],
  head: RequestHead,
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
  head: RequestHead,
): { readonly target: PlanTarget; readonly match: PlanMatch | null } | null {
  if (profile.tcpTarget !== null) return { target: profile.tcpTarget, match: null };
  for (const target of profile.targets) {
    const match = target.http.find((it) => firstFailure(it, head) === null);
    if (match !== undefined) return { target, match };
  }
  return null;
}
