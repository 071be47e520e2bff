/** Explains the server's side of access: what becomes of a request that reached the sidecar of the workload it is for. */
import { type RefusalReason, REFUSALS } from "../../base/refusals.ts";
import type { PlanView } from "../plan_view.ts";
import { headText, type RequestHead } from "../request.ts";
import { CallerAccess } from "./caller_access.ts";
import { explainGuard } from "./explain_access.ts";
import {
  type AccessExplanation,
  type CallExplanation,
  type CallOrigin,
  type IngressExplanation,
  positionText,
  refText,
} from "./explanation.ts";
import type { Asked } from "./explain.ts";
import { IngressRules } from "./ingress_rules.ts";
import { nearestTarget } from "./nearest_target.ts";

/** Who calls whom: `namespace/serviceaccount` each, and where the application listens. */
interface Call {
  readonly caller: string;
  readonly destination: string;
  readonly port: number;
}

/** A caller from outside the mesh, and what it meets there. */
interface Outside extends CallOrigin {
  /** The address of the pod that is called; null: any that is meant. */
  readonly pod: string | null;
  /** Callers must come by mutual TLS. */
  readonly isStrict: boolean;
  readonly trustDomain: string;
}

/** @param outside null: the caller is of the mesh */
export function explainCall(
  plan: PlanView,
  asked: Call,
  { head, isWhole, unrouted }: Asked,
  outside: Outside | null = null,
): CallExplanation {
  const request = isWhole ? null : head;
  const entry = outside && entryOf(plan, asked, outside);
  // In plain, and in TLS that goes to the application, no caller shows who it is.
  const call = entry?.endsTls === false ? { ...asked, caller: "" } : asked;
  const access = plan.permissive ? null : new CallerAccess(plan, call.destination, call.port);
  const refusal = access?.refusalOf(call.caller, request) ?? null;
  const denied = refusal !== null && call.caller === "" ? "identity-missing" : refusal;
  const entered = entry && enter(entry, call, request, denied);
  const reason = unrouted ?? (entered === null ? denied : entered.refusal);
  return {
    planHash: plan.hash,
    ...call,
    request: {
      method: headText(head, head.methodStart, head.methodEnd),
      authority: headText(head, head.authorityStart, head.authorityEnd),
      path: headText(head, head.pathStart, head.pathEnd),
    },
    access: accessOf(plan, access, call, request),
    ...(entered === null ? {} : { ingress: entered.explanation }),
    outcome: reason === null ? "forward" : "refuse",
    reason,
    status: reason === null || isWhole ? 0 : REFUSALS[reason].status,
  };
}

/** How a caller from outside comes to the workload. */
interface Entry extends Outside {
  readonly rules: IngressRules;
  readonly endsTls: boolean;
}

function entryOf({ ingress = {} }: PlanView, { destination, port }: Call, outside: Outside): Entry {
  const { pod, serverName, trustDomain } = outside;
  const own = Object.hasOwn(ingress, destination) ? ingress[destination] : [];
  const rules = new IngressRules(own, trustDomain);
  const endsTls = serverName !== null && rules.tlsOf({ pod, port }, serverName) !== null;
  return { ...outside, rules, endsTls };
}

/** @param denied why targets do not let it in; null: they do */
function enter(
  { peer, serverName, pod, isStrict, rules, endsTls }: Entry,
  { caller, port }: Call,
  head: RequestHead | null,
  denied: RefusalReason | null,
): { readonly explanation: IngressExplanation; readonly refusal: RefusalReason | null } {
  const call = { pod, port, peer, identity: caller, serverName, head };
  const allowing = rules.allowing(call);
  const within = isStrict && caller === "" ? "mtls-required" : denied;
  const ambiguous = rules.isAmbiguous(call) ? "path-ambiguous" : null;
  return {
    refusal: within === null || allowing === null ? within : ambiguous,
    explanation: {
      ...{ peer, serverName, isStrict, endsTls },
      allowedBy: allowing && refText(allowing.ref),
      position: allowing && positionText(allowing.position),
    },
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
