/** Explains the server's side of access: what becomes of a request that reached the sidecar of the workload it is for. */
import { REFUSALS } from "../../base/refusals.ts";
import type { Plan } from "../plan.ts";
import { headText, type RequestHead } from "../request.ts";
import { CallerAccess } from "./caller_access.ts";
import { explainGuard } from "./explain_access.ts";
import type { AccessExplanation, CallExplanation } from "./explanation.ts";

/** Who calls whom: `namespace/serviceaccount` each, and where the application listens. */
interface Call {
  readonly caller: string;
  readonly destination: string;
  readonly port: number;
}

export function explainCall(plan: Plan, call: Call, head: RequestHead): CallExplanation {
  const access = plan.permissive ? null : new CallerAccess(plan, call.destination, call.port);
  const refusal = access?.refusalOf(call.caller, head) ?? null;
  const reason = refusal !== null && call.caller === "" ? "identity-missing" : refusal;
  return {
    planHash: plan.hash,
    ...call,
    request: {
      method: headText(head, head.methodStart, head.methodEnd),
      authority: headText(head, head.authorityStart, head.authorityEnd),
      path: headText(head, head.pathStart, head.pathEnd),
    },
    access: accessOf(access, call, head),
    outcome: reason === null ? "forward" : "refuse",
    reason,
    status: refusal === null ? 0 : REFUSALS[refusal].status,
  };
}

/** What the targets say, whatever else is against the request. */
function accessOf(
  access: CallerAccess | null,
  { caller, port }: Call,
  head: RequestHead,
): AccessExplanation {
  if (access === null) return { isEnforced: false, isAllowed: true, guards: [] };
  const profile = access.profileOf(caller);
  if (profile === null) return { isEnforced: true, isAllowed: false, guards: [] };
  const guard = explainGuard(profile, [`application:${port}`], head);
  return { isEnforced: true, isAllowed: guard.isAllowed, guards: [guard] };
}
