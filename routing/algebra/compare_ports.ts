/**
 * Two versions of one port: which requests, or connections, get another answer, each kind of them with a shortest one. Answers are
 * alike where the same backends get the same shares and the same is done with the requests on their way; rules may differ.
 */
import { sameConditions } from "../match/match.ts";
import {
  carriesHttp,
  type PlanAnswer,
  type PlanEndpointPolicy,
  type PlanPort,
  type PlanRoute,
  type PlanRoutePolicy,
  type PlanRule,
} from "../plan.ts";
import { keepSmallest } from "./rule_facts.ts";
import { type RequestCell, RequestSpace, type SpaceOptions } from "./request_space.ts";
import type { Witness } from "./witness.ts";

/** What a port does with some requests. */
export interface PortAnswer {
  /** Null: no rule takes them. */
  readonly rule: PlanRule | null;
  readonly route: PlanRoute;
  readonly shares: readonly AnswerShare[];
  readonly policy: PlanRoutePolicy | null;
}

/** Of the requests, from 0 to 1; those of weight 0 and those that can take none are left out. */
interface AnswerShare {
  /** `namespace/service`; `the proxy: 404` where that answers by itself. */
  readonly backend: string;
  readonly share: number;
}

/** Requests that get another answer. */
export interface PortChange {
  /** Null: a connection; or there was none, or too many, to find one. */
  readonly witness: Witness | null;
  readonly before: PortAnswer;
  readonly after: PortAnswer;
}

export interface PortComparison {
  readonly changes: readonly PortChange[];
  /** Rules of the new version that nothing comes to, and that were alive, or were not there. */
  readonly deadRules: readonly PlanRule[];
  /** False: other requests may change too. */
  readonly isComplete: boolean;
}

interface CompareOptions extends SpaceOptions {
  /** Backends that have no endpoints get their share all the same: the input says nothing of endpoints. */
  readonly ignoresEndpoints: boolean;
}

/** Both speak HTTP, or both do not. */
export function comparePorts(
  before: PlanPort,
  after: PlanPort,
  options: CompareOptions,
): PortComparison {
  const answers = [answersOf(before, options), answersOf(after, options)] as const;
  const [own, others] = [answers[0].at(-1), answers[1].at(-1)];
  if (own === undefined || others === undefined) throw new RangeError("A port has a fallback");
  if (!carriesHttp(before.protocol)) {
    const changes = isAlike(own, others) ? [] : [{ witness: null, before: own, after: others }];
    return { changes, deadRules: [], isComplete: true };
  }
  const matches = [before, after].map(({ rules }) => rules.map(({ match }) => match));
  const isSameOrder = sameConditions(matches[0], matches[1]);
  if (isSameOrder && answers[0].every((answer, i) => isAlike(answer, answers[1][i]))) {
    return { changes: [], deadRules: [], isComplete: true };
  }
  const alive = [new Set<number>(), new Set<number>()];
  const best = new Map<string, RequestCell>();
  const isComplete = new RequestSpace(matches, options).walk((cell) => {
    cell.firsts.forEach((first, side) => alive[side].add(first));
    const [some, other] = cell.firsts.map((first, side) => answers[side].at(first));
    if (some === undefined || other === undefined || isAlike(some, other)) return;
    keepSmallest(best, cell.firsts.join(), cell);
  });
  const cells = [...best.values()].sort((some, other) => some.size - other.size);
  const changes = cells.map((cell) => ({
    witness: cell.witness(),
    before: answers[0].at(cell.firsts[0]) ?? own,
    after: answers[1].at(cell.firsts[1]) ?? others,
  }));
  const dead = [before, after].map(({ rules }, side) =>
    isComplete ? rules.filter((_, index) => !alive[side].has(index)) : []
  );
  const known = new Set(dead[0].map(ruleName));
  return { changes, deadRules: dead[1].filter((rule) => !known.has(ruleName(rule))), isComplete };
}

/** `namespace/group#match`. */
export function ruleName({ match: { group, name } }: PlanRule): string {
  return `${group.namespace}/${group.name}#${name}`;
}

/** By rule; the last is the answer where no rule counts, which `-1` means too. */
function answersOf(port: PlanPort, options: CompareOptions): PortAnswer[] {
  const rules = port.rules.map((rule) =>
    answerOf(rule, rule.route, rule.policy ?? port.policy ?? null, options)
  );
  return [...rules, answerOf(null, port.fallback, port.policy ?? null, options)];
}

function answerOf(
  rule: PlanRule | null,
  route: PlanRoute,
  policy: PlanRoutePolicy | null,
  { ignoresEndpoints }: CompareOptions,
): PortAnswer {
  const weights = new Map<string, number>();
  const { answer, keepsShares } = route;
  if (answer !== undefined) {
    const shares = [{ backend: answerText(answer), share: 1 }];
    return { rule, route, shares, policy };
  }
  for (const { namespace, service, weight, state } of route.backends) {
    const isUsable = state === "ready" || (ignoresEndpoints && state === "no-endpoints");
    if (weight === 0 || (!isUsable && keepsShares !== true)) continue;
    const refused = `the proxy: ${state === "no-endpoints" ? 503 : 500}`;
    const backend = isUsable ? `${namespace}/${service}` : refused;
    weights.set(backend, (weights.get(backend) ?? 0) + weight);
  }
  if (weights.size === 0 && keepsShares === true) weights.set("the proxy: 500", 1);
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  const shares = [...weights].map(([backend, weight]) => ({ backend, share: weight / total }));
  return { rule, route, shares, policy };
}

function answerText(answer: PlanAnswer): string {
  if (answer.kind === "no-rule") return "the proxy: 404";
  const { status, scheme, host, port, path } = answer;
  const target = [scheme, host, port, path === null ? null : path.value]
    .filter((part) => part !== null).join(" ");
  return `the proxy: ${status} to ${target}`;
}

/** What is done with headers on the way to some backend alone. */
function headersOf({ route, policy }: PortAnswer): string {
  const headers = route.backends.filter(({ weight }) => weight > 0)
    .map(({ namespace, service, headers = policy?.headers }) => [namespace, service, headers]);
  return route.backends.some(({ headers }) => headers !== undefined) ? JSON.stringify(headers) : "";
}

/** Division of equal fractions gives equal numbers. */
function isAlike(some: PortAnswer, other: PortAnswer): boolean {
  if (some.shares.length !== other.shares.length) return false;
  if (headersOf(some) !== headersOf(other)) return false;
  const shares = new Map(other.shares.map(({ backend, share }) => [backend, share]));
  return some.shares.every(({ backend, share }) => shares.get(backend) === share) &&
    changedSections(some.policy, other.policy).length === 0;
}

type AnyPolicy = PlanRoutePolicy | PlanEndpointPolicy;

/** Names of the sections that ask for something else. */
export function changedSections(some: AnyPolicy | null, other: AnyPolicy | null): string[] {
  const { sources: _some, ...before } = some ?? { sources: {} };
  const { sources: _other, ...after } = other ?? { sources: {} };
  const [old, now] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((section) => JSON.stringify(old.get(section)) !== JSON.stringify(now.get(section)))
    .sort();
}
