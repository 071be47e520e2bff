/**
 * Explains the server's side of access: what becomes of a request that reached the sidecar of the workload it is for. A test
 * holds it against `CallerAccess`.
 */
import type { Plan } from "../plan.ts";
import type { RequestHead } from "../request.ts";
import { CallerAccess } from "./caller_access.ts";
import { explainGuard } from "./explain_access.ts";
import { textOf } from "./explain_match.ts";
import type { AccessExplanation, CallExplanation } from "./explanation.ts";
import { REFUSAL_STATUS } from "./table.ts";

/** Who calls whom: `namespace/serviceaccount` each, and where the application listens. */
export interface Call {
  readonly caller: string;
  readonly destination: string;
  readonly port: number;
}

export function explainCall(plan: Plan, call: Call, head: RequestHead): CallExplanation {
  const access = accessOf(plan, call, head);
  const denial = call.caller === "" ? "identity-missing" : "access-denied";
  const reason = access.isAllowed ? null : denial;
  return {
    planHash: plan.hash,
    ...call,
    request: {
      method: textOf(head, head.methodStart, head.methodEnd),
      authority: textOf(head, head.authorityStart, head.authorityEnd),
      path: textOf(head, head.pathStart, head.pathEnd),
    },
    access,
    outcome: access.isAllowed ? "forward" : "refuse",
    reason,
    status: reason === null ? 0 : REFUSAL_STATUS["access-denied"],
  };
}

function accessOf(plan: Plan, call: Call, head: RequestHead): AccessExplanation {
  const { caller, destination, port } = call;
  if (plan.permissive) return { isEnforced: false, isAllowed: true, guards: [] };
  const profile = new CallerAccess(plan, destination, port).profileOf(caller);
  if (profile === null) return { isEnforced: true, isAllowed: false, guards: [] };
  const guard = explainGuard(profile, [`application:${port}`], head);
  return { isEnforced: true, isAllowed: guard.isAllowed, guards: [guard] };
}
