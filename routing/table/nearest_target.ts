/** Of the traffic targets that do not allow a call, the one that would have to change least, and what of it does not hold. */
import { firstFailure } from "../match/match.ts";
import type { PlanTarget } from "../plan.ts";
import type { RequestHead } from "../request.ts";
import { type NearestTarget, positionText, refText } from "./explanation.ts";

/** `namespace/serviceaccount` each, and where the called one listens. */
interface Call {
  readonly caller: string;
  readonly destination: string;
  readonly port: number;
}

/** How far a target came: the clauses in the order in which they are looked at. */
const CLAUSES = ["destination", "source", "port", "rules", "path", "method", "header"];

/**
 * @param calls one for each account and port that the request could go to
 * @param head null for a whole connection
 */
export function nearestTarget(
  targets: readonly PlanTarget[],
  calls: readonly Call[],
  head: RequestHead | null,
): NearestTarget | null {
  let nearest: NearestTarget | null = null;
  for (const call of calls) {
    for (const target of targets) {
      for (const failure of failuresOf(target, call, head)) {
        if (nearest === null || rankOf(failure) > rankOf(nearest)) nearest = failure;
      }
    }
  }
  return nearest;
}

function rankOf({ failed }: NearestTarget): number {
  return CLAUSES.indexOf(failed.clause);
}

/** One for each of the target's rules, or one that goes before all of them; none if the target is about others. */
function failuresOf(target: PlanTarget, call: Call, head: RequestHead | null): NearestTarget[] {
  const failure = (clause: string, expected: string, seen: string | null): NearestTarget => ({
    target: refText(target.ref),
    position: positionText(target.position),
    match: null,
    failed: { clause, header: null, expected, seen },
  });
  const { sources, destination, port, http, tcpPorts } = target;
  const isFromCaller = sources.includes(call.caller);
  if (destination !== call.destination) {
    if (!isFromCaller) return [];
    return [failure("destination", destination, call.destination || null)];
  }
  if (!isFromCaller) return [failure("source", sources.join(", ") || "none", call.caller || null)];
  if (port !== null && port !== call.port) {
    return [failure("port", String(port), String(call.port))];
  }
  const failures: NearestTarget[] = [];
  if (tcpPorts !== null) failures.push(failure("port", tcpPorts.join(", "), String(call.port)));
  if (head === null && http.length > 0) {
    failures.push(failure("rules", "a TCPRoute", "only HTTPRouteGroups, and this is a connection"));
  }
  for (const match of http) {
    const failed = head === null ? null : firstFailure(match, head);
    if (failed === null) continue;
    failures.push({
      target: refText(target.ref),
      position: positionText(match.position),
      match: `${match.group.name}/${match.name}`,
      failed,
    });
  }
  return failures.length > 0 ? failures : [failure("rules", "a route", null)];
}
