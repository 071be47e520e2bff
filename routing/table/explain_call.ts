/** Explains the server's side of access: what becomes of a request that reached the sidecar of the workload it is for. */
import { REFUSALS } from "../../base/refusals.ts";
import type { PlanView } from "../plan_view.ts";
import { headText, type RequestHead } from "../request.ts";
import { CallerAccess } from "./caller_access.ts";
import { explainGuard } from "./explain_access.ts";
import type { AccessExplanation, CallExplanation } from "./explanation.ts";
import type { Asked } from "./explain.ts";
import { nearestTarget } from "./nearest_target.ts";

/** Who calls whom: `namespace/serviceaccount` each, and where the application listens. */
interface Call {
  readonly caller: string;
  readonly destination: string;
  readonly port: number;
}

export function explainCall(
  plan: PlanView,
  call: Call,
  { head, isWhole, unrouted }: Asked,
): CallExplanation {
  const request = isWhole ? null : head;
  const access = plan.permissive ? null : new CallerAccess(plan, call.destination, call.port);
  const refusal = access?.refusalOf(call.caller, request) ?? null;
  const denied = refusal !== null && call.caller === "" ? "identity-missing" : refusal;
  const reason = unrouted ?? denied;
  return {
    planHash: plan.hash,
    ...call,
    request: {
      method: headText(head, head.methodStart, head.methodEnd),
      authority: headText(head, head.authorityStart, head.authorityEnd),
      path: headText(head, head.pathStart, head.pathEnd),
    },
    access: accessOf(plan, access, call, request),
    outcome: reason === null ? "forward" : "refuse",
    reason,
    status: reason === null || isWhole ? 0 : REFUSALS[reason].status,
  };
}

/** What the targets say, whatever else is against the request. */
function accessOf(
  { targets }: PlanView,
  access: CallerAccess | null,
  call: Call,
  head: RequestHead | null,
): AccessExplanation {
  if (access === null) return { isEnforced: false, isAllowed: true, guards: [] };
  const profile = access.profileOf(call.caller);
  const guards = profile === null
    ? []
    : [explainGuard(profile, [`application:${call.port}`], head)];
  const isAllowed = guards.some((guard) => guard.isAllowed);
  const nearest = isAllowed ? null : nearestTarget(targets, [call], head);
  return { isEnforced: true, isAllowed, guards, ...(nearest === null ? {} : { nearest }) };
}
