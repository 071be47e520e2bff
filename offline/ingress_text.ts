/** An IngressBackend of a plan in words: the same for every command that lists what comes in from outside the mesh. */
import { parseWorkloadId } from "../base/spiffe.ts";
import { describeMatch } from "../routing/match/match.ts";
import type { PlanIngress } from "../routing/plan.ts";

/** Where callers come from: `192.0.2.0/24`, `Service ingress/nginx`. */
export function ingressOrigins({ from }: PlanIngress): string[] {
  if (from === null) return ["anywhere"];
  return [...from.ranges, ...from.services.map(({ service }) => `Service ${service}`)];
}

/** Who they have to be, each `namespace/serviceaccount` where that is clear. */
export function ingressCallers({ protocol, principals }: PlanIngress): string[] {
  if (protocol === "http") return ["any"];
  return principals?.map((principal) => parseWorkloadId(principal)?.identity ?? principal) ??
    ["any"];
}

/** What each may ask. */
export function ingressRequests({ http }: PlanIngress): string[] {
  return http?.map(describeMatch) ?? ["any request"];
}
