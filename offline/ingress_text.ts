/** What IngressBackends of a plan let in from outside the mesh, in words: the same for every command that lists it. */
import { parseWorkloadId } from "../base/spiffe.ts";
import { describeMatch } from "../routing/match/match.ts";
import type { PlanIngress } from "../routing/plan.ts";

/** Who comes in: `192.0.2.0/24`, `Service ingress/nginx`, `ingress/nginx by TLS`, `any by TLS from 192.0.2.0/24`. */
export function comersOf({ protocol, from, principals }: PlanIngress): string[] {
  const origins = from === null
    ? [null]
    : [...from.ranges, ...from.services.map(({ service }) => `Service ${service}`)];
  if (protocol === "http") return origins.filter((origin) => origin !== null);
  const callers = principals?.map((each) => parseWorkloadId(each)?.identity ?? each) ?? ["any"];
  return callers.flatMap((caller) =>
    origins.map((origin) => `${caller} by TLS${origin === null ? "" : ` from ${origin}`}`)
  );
}

/** What they may ask. */
export function requestsLetIn({ http, serverNames }: PlanIngress): string[] {
  const to = serverNames === null ? "" : ` of ${serverNames.join(", ")}`;
  return (http?.map(describeMatch) ?? ["every request"]).map((text) => `${text}${to}`);
}
