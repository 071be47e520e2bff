/**
 * Two sets of traffic targets: which callers may send to whom what they could not, and the other way round, each with a shortest
 * request. Only what a caller may send counts, not which target says so.
 */
import type { MatchConditions, Plan, PlanTarget } from "../plan.ts";
import { keepSmallest } from "./rule_facts.ts";
import { type RequestCell, RequestSpace } from "./request_space.ts";
import type { Witness } from "./witness.ts";

/** What one identity may send to another, or may no longer. */
export interface AccessChange {
  /** `namespace/serviceaccount`. */
  readonly source: string;
  readonly destination: string;
  /** Null: every port, but for those that other changes name. */
  readonly port: number | null;
  readonly change: "opened" | "closed";
  /** `connection`: any TCP, and so any request. */
  readonly what: "connection" | "requests";
  /** Of requests, a shortest one; its host stands for any that the destination is behind. */
  readonly witness: Witness | null;
  /** The targets that allow it, of the side that does. */
  readonly targets: readonly PlanTarget[];
}

export interface AccessComparison {
  readonly changes: readonly AccessChange[];
  /** False: other calls may change too. */
  readonly isComplete: boolean;
}

/** Both plans enforce their targets. */
export function compareAccess(before: Plan, after: Plan): AccessComparison {
  const sides = [groupByCall(before.targets), groupByCall(after.targets)];
  const calls = [...new Set(sides.flatMap((side) => [...side.keys()]))].sort();
  const changes: AccessChange[] = [];
  let isComplete = true;
  for (const call of calls) {
    const targets = sides.map((side) => side.get(call) ?? []);
    if (JSON.stringify(targets.map(askedOf)[0]) === JSON.stringify(askedOf(targets[1]))) continue;
    const [source, destination] = call.split(" ");
    for (const port of portsOf(targets.flat())) {
      const compared = comparePort(targets.map((side) => allowedOn(side, port)));
      changes.push(...compared.changes.map((each) => ({ source, destination, port, ...each })));
      isComplete &&= compared.isComplete;
    }
  }
  return { changes, isComplete };
}

function groupByCall(targets: readonly PlanTarget[]): Map<string, PlanTarget[]> {
  const calls = new Map<string, PlanTarget[]>();
  for (const target of targets) {
    for (const source of target.sources) {
      const key = `${source} ${target.destination}`;
      const known = calls.get(key);
      if (known === undefined) calls.set(key, [target]);
      else known.push(target);
    }
  }
  return calls;
}

/** Without names and places, which say nothing of what is allowed. */
function askedOf(targets: readonly PlanTarget[]) {
  return targets.map(({ port, http, tcpPorts }) => ({
    port,
    tcpPorts,
    http: http.map(({ path, methods, headers }) => ({ path, methods, headers })),
  }));
}

/** Those that some target treats apart, and null for all others. */
function portsOf(targets: readonly PlanTarget[]): (number | null)[] {
  const named = targets.flatMap(({ port, tcpPorts }) => [port, ...tcpPorts ?? []])
    .filter((port) => port !== null);
  return [null, ...[...new Set(named)].sort((some, other) => some - other)];
}

interface Allowed {
  /** Those that allow any connection. */
  readonly tcp: readonly PlanTarget[];
  readonly matches: readonly MatchConditions[];
  /** By match. */
  readonly targets: readonly PlanTarget[];
}

function allowedOn(targets: readonly PlanTarget[], port: number | null): Allowed {
  const counting = targets.filter((target) => target.port === null || target.port === port);
  const tcp = counting.filter(({ tcpPorts }) =>
    tcpPorts !== null && (tcpPorts.length === 0 || (port !== null && tcpPorts.includes(port)))
  );
  return {
    tcp,
    matches: counting.flatMap(({ http }) => http),
    targets: counting.flatMap((target) => target.http.map(() => target)),
  };
}

type PortAccessChange = Pick<AccessChange, "change" | "what" | "witness" | "targets">;

function comparePort(
  [before, after]: readonly Allowed[],
): { readonly changes: readonly PortAccessChange[]; readonly isComplete: boolean } {
  const connection = (change: AccessChange["change"], { tcp }: Allowed): PortAccessChange => ({
    change,
    what: "connection",
    witness: null,
    targets: tcp,
  });
  // A connection carries any request.
  if (before.tcp.length > 0 && after.tcp.length > 0) return { changes: [], isComplete: true };
  if (after.tcp.length > 0) return { changes: [connection("opened", after)], isComplete: true };
  if (before.tcp.length > 0) return { changes: [connection("closed", before)], isComplete: true };
  const best = new Map<AccessChange["change"], RequestCell>();
  const space = new RequestSpace([before.matches, after.matches], { authorities: ["the.host:80"] });
  const isComplete = space.walk((cell) => {
    const [was, is] = cell.firsts.map((first) => first !== -1);
    if (was !== is) keepSmallest(best, is ? "opened" : "closed", cell);
  });
  const changes = [...best].map(([change, cell]): PortAccessChange => {
    const [side, first] = change === "opened" ? [after, cell.firsts[1]] : [before, cell.firsts[0]];
    return { change, what: "requests", witness: cell.witness(), targets: [side.targets[first]] };
  });
  return { changes, isComplete };
}
