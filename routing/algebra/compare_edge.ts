/**
 * Two sets of Egresses and IngressBackends: what callers may send out of the mesh that they could not, who may come in that could not, and
 * the other way round. Hosts, addresses and principals are looked at by one of each kind that some rule treats apart, requests in full.
 */
import type { Position, ResourceRef } from "../../base/finding.ts";
import { IpRanges } from "../../base/ip_ranges.ts";
import { compareText } from "../../base/order.ts";
import { EDGE_CALLS_MAX } from "../limits.ts";
import type { Plan, PlanEgress, PlanEgressPort, PlanIngress, PlanMatch } from "../plan.ts";
import { fitsHost } from "../table/host_pattern.ts";
import { type EdgeAsked, type EdgeCall, edgeCalls } from "./edge_calls.ts";
import { type RequestCell, RequestSpace } from "./request_space.ts";
import { keepSmallest } from "./rule_facts.ts";
import type { Witness } from "./witness.ts";

/** What crosses the edge of the mesh now, or no longer. */
export interface EdgeChange extends EdgeCall {
  /** Out of the mesh, or into it. */
  readonly side: "egress" | "ingress";
  /** `namespace/serviceaccount` of the caller, or of the application that is called. */
  readonly account: string;
  /** Of what is called. */
  readonly port: number;
  readonly protocol: PlanEgressPort["protocol"];
  readonly change: "opened" | "closed";
  /** A shortest request; null: all that is spoken. */
  readonly witness: Witness | null;
  /** What allows it, of the side that does. */
  readonly rules: readonly EdgeRule[];
}

export interface EdgeComparison {
  readonly changes: readonly EdgeChange[];
  /** False: more may change. */
  readonly isComplete: boolean;
}

/** An Egress or an IngressBackend at one port. Null: whatever it is. */
interface EdgeRule extends EdgeAsked {
  readonly ref: ResourceRef;
  readonly position: Position | null;
  readonly http: readonly PlanMatch[] | null;
}

/** Whatever is allowed inside the mesh: with egress off, and callers from outside held to mutual TLS. */
export function compareEdge(before: Plan, after: Plan): EdgeComparison {
  const places = new Map([...placesIn(before), ...placesIn(after)]);
  const compared = [...places].sort(([a], [b]) => compareText(a, b)).map(([, place]) => {
    const [was, is] = [before, after].map((plan) => rulesAt(plan, place));
    const { changes, isComplete } = comparePort(was, is);
    return {
      isComplete,
      changes: changes.map((change) => ({ ...place, ...change })),
    };
  });
  return {
    changes: compared.flatMap(({ changes }) => changes),
    isComplete: compared.every(({ isComplete }) => isComplete),
  };
}

type Place = Pick<EdgeChange, "side" | "account" | "port" | "protocol">;

/** Of which a plan says something, each with a name of its own. */
function* placesIn({ egress = {}, ingress = {} }: Plan): Iterable<readonly [string, Place]> {
  const named = (place: Place) => [Object.values(place).join(" "), place] as const;
  for (const [account, own] of Object.entries(egress)) {
    for (const { port, protocol } of own.flatMap(({ ports }) => ports)) {
      yield named({ side: "egress", account, port, protocol });
    }
  }
  for (const [account, own] of Object.entries(ingress)) {
    for (const { port, protocol } of own) {
      yield named({ side: "ingress", account, port, protocol });
    }
  }
}

function rulesAt(
  { egress = {}, ingress = {} }: Plan,
  { side, account, port, protocol }: Place,
): EdgeRule[] {
  if (side === "ingress") {
    const own = Object.hasOwn(ingress, account) ? ingress[account] : [];
    return own.filter((each) => each.port === port && each.protocol === protocol).map(ruleIn);
  }
  const own = Object.hasOwn(egress, account) ? egress[account] : [];
  return own.filter(({ ports }) =>
    ports.some((each) =>
      each.port === port && (each.protocol === protocol || each.protocol === "tcp")
    )
  ).map(ruleOut);
}

function ruleOut({ ref, position, hosts, ranges, http }: PlanEgress): EdgeRule {
  return { ref, position, hosts, ranges, services: [], principals: null, http };
}

/** Which of the account's pods, and where endpoints of a Service are, does not count: they come and go. */
function ruleIn({ ref, position, from, principals, serverNames, http }: PlanIngress): EdgeRule {
  const services = from?.services.map(({ service }) => service) ?? [];
  const ranges = from && from.ranges;
  return { ref, position, hosts: serverNames, ranges, services, principals, http };
}

type PortChange = EdgeCall & Pick<EdgeChange, "change" | "witness" | "rules">;

function comparePort(
  before: readonly EdgeRule[],
  after: readonly EdgeRule[],
): { readonly changes: readonly PortChange[]; readonly isComplete: boolean } {
  const nothing = { changes: [], isComplete: true };
  if (askedText(before) === askedText(after)) return nothing;
  const calls = edgeCalls([...before, ...after]);
  if (calls.length > EDGE_CALLS_MAX) return { changes: [], isComplete: false };
  const sides = [before, after].map((rules) => rules.map((rule) => ({ rule, fits: fitOf(rule) })));
  const known = new Map<string, ReturnType<typeof compareRules>>();
  const found = new Map<string, PortChange>();
  let isComplete = true;
  for (const call of calls) {
    const [was, is] = sides.map((rules) => rules.filter(({ fits }) => fits(call)));
    const key = [was, is].map((some) => some.map(({ rule }) => askedText([rule])).sort()).join("|");
    const compared = known.get(key) ??
      compareRules(was.map(({ rule }) => rule), is.map(({ rule }) => rule));
    known.set(key, compared);
    isComplete &&= compared.isComplete;
    for (const each of compared.changes) {
      // Of addresses, of which a range has many kinds, one stands for all.
      const place = call.place?.startsWith("Service ") === true ? call.place : "";
      const name = JSON.stringify([each.change, call.host, call.principal, place]);
      if (!found.has(name)) found.set(name, { ...call, ...each });
    }
  }
  return { changes: [...found.values()], isComplete };
}

/** Without names and places, which say nothing of what is allowed. */
function askedText(rules: readonly EdgeRule[]): string {
  return JSON.stringify(
    rules.map(({ hosts, ranges, services, principals, http }) => ({
      ...{ hosts, ranges, services, principals },
      http: http?.map(({ path, methods, headers, queries }) => ({
        path,
        methods,
        headers,
        queries,
      })),
    })),
  );
}

function fitOf({ hosts, ranges, services, principals }: EdgeRule): (call: EdgeCall) => boolean {
  const within = ranges && new IpRanges(ranges);
  return ({ host, place, principal }) =>
    (hosts === null || host === null || hosts.some((each) => fitsHost(each, host))) &&
    (within === null || place === null || within.has(place) ||
      services.some((each) => `Service ${each}` === place)) &&
    (principals === null || principal === null || principals.includes(principal));
}

type RuleChange = Pick<EdgeChange, "change" | "witness" | "rules">;

/** Of rules that fit a call, what requests they allow. */
function compareRules(
  before: readonly EdgeRule[],
  after: readonly EdgeRule[],
): { readonly changes: readonly RuleChange[]; readonly isComplete: boolean } {
  const [was, is] = [before, after].map((rules) => ({
    rules,
    isAll: rules.some(({ http }) => http === null),
    matches: rules.flatMap(({ http }) => http ?? []),
  }));
  if (was.isAll && is.isAll) return { changes: [], isComplete: true };
  const whole = (change: RuleChange["change"], rules: readonly EdgeRule[]) => ({
    changes: [{ change, witness: null, rules }],
    isComplete: true,
  });
  if (is.isAll && before.length === 0) return whole("opened", after);
  if (was.isAll && after.length === 0) return whole("closed", before);
  const best = new Map<RuleChange["change"], RequestCell>();
  const space = new RequestSpace([was.matches, is.matches], { authorities: ["the.host:80"] });
  const isComplete = space.walk((cell) => {
    const [could, can] = [was, is].map(({ isAll }, i) => isAll || cell.firsts[i] !== -1);
    if (could !== can) keepSmallest(best, can ? "opened" : "closed", cell);
  });
  const changes = [...best].map(([change, cell]) => ({
    change,
    witness: cell.witness(),
    rules: change === "opened" ? after : before,
  })).sort((a, b) => compareText(a.change, b.change));
  return { changes, isComplete };
}
