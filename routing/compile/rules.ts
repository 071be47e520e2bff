/**
 * The HTTP rules of one root: what the matches of all its splits come to, in match order, each rule once.
 * Knows nothing of ports and backends.
 */
import { formatPosition, formatRef } from "../../base/finding.ts";
import type { TrafficSplit } from "../../schemas/resources.ts";
import type { Rank } from "../match/condition.ts";
import { conditionsText, rankOf } from "../match/match.ts";
import type { Catalog } from "./catalog.ts";
import { keyOf } from "./keys.ts";
import { sharesText } from "./backends.ts";
import { type Findings, quoted, quotedList, refOf } from "./findings.ts";
import { compareRanks } from "./order.ts";
import type { CompiledMatch, GroupLookup } from "./route_groups.ts";

export interface RootRule {
  readonly split: TrafficSplit;
  readonly match: CompiledMatch;
  /** Its place: the match's, then of the older split, then as written. No two rules have the same. */
  readonly rank: Rank;
  /** `group/match`: the rule's name within its split. */
  readonly id: string;
}

interface RuleInput {
  readonly catalog: Catalog;
  readonly groups: GroupLookup;
  readonly findings: Findings;
}

/** `splits` have `matches`, and stand oldest first. */
export function rootRules(splits: readonly TrafficSplit[], input: RuleInput): RootRule[] {
  const rules = splits.flatMap((split, splitIndex) => rulesOfSplit(split, splitIndex, input));
  rules.sort((a, b) => compareRanks(a.rank, b.rank));
  return withoutRepeats(rules, input);
}

/** The group of every reference that counts; the others are reported, and match nothing. */
function rulesOfSplit(split: TrafficSplit, splitIndex: number, input: RuleInput): RootRule[] {
  const rules: RootRule[] = [];
  const seen = new Set<string>();
  for (const [groupIndex, reference] of (split.matches ?? []).entries()) {
    if (reference.kind !== "HTTPRouteGroup") {
      input.findings.add({
        code: "match-kind-unsupported",
        meta: split.meta,
        path: [...reference.at, "kind"],
        message: `A split matches by HTTPRouteGroup only, not by ${quoted(reference.kind)}`,
        hint: 'Set kind to "HTTPRouteGroup"',
      });
      continue;
    }
    const group = input.groups.get(keyOf(split.meta.namespace, reference.name));
    if (group === undefined) reportMissingGroup(split, reference, input);
    if (group === undefined || seen.has(reference.name)) continue;
    seen.add(reference.name);
    for (const match of group.matches) {
      rules.push({
        split,
        match,
        rank: [...rankOf(match), splitIndex, groupIndex, match.index],
        id: `${reference.name}/${match.id}`,
      });
    }
  }
  return rules;
}

/**
 * Of equal rules the first counts, which is the oldest split's. That a younger one sends the same shares to the
 * same Services is harmless; that it does not is a conflict.
 */
function withoutRepeats(rules: readonly RootRule[], input: RuleInput): RootRule[] {
  const byCondition = new Map<string, RootRule>();
  const sharesBySplit = new Map<TrafficSplit, string>();
  const sharesOf = (split: TrafficSplit) => {
    const shares = sharesBySplit.get(split) ?? sharesText(split, input.catalog.clusterDomain);
    sharesBySplit.set(split, shares);
    return shares;
  };
  for (const rule of rules) {
    const condition = conditionsText(rule.match);
    const winner = byCondition.get(condition);
    if (winner === undefined) byCondition.set(condition, rule);
    else if (sharesOf(winner.split) !== sharesOf(rule.split)) reportConflict(rule, winner, input);
  }
  return [...byCondition.values()];
}

function reportMissingGroup(
  split: TrafficSplit,
  reference: NonNullable<TrafficSplit["matches"]>[number],
  { catalog, findings }: RuleInput,
): void {
  const elsewhere = catalog.namespacesOfGroup(reference.name);
  const { namespace } = split.meta;
  findings.add({
    code: "route-group-missing",
    meta: split.meta,
    path: [...reference.at, "name"],
    message: `There is no HTTPRouteGroup ${quoted(reference.name)} in namespace ` +
      `${quoted(namespace)}, so this match takes nothing`,
    hint: elsewhere.length === 0
      ? "Create the group, or correct the name"
      : `A group of this name is in namespace ${quotedList(elsewhere)}; ` +
        "a split sees only those of its own",
  });
}

function reportConflict(rule: RootRule, winner: RootRule, { findings }: RuleInput): void {
  const { plan } = winner.match;
  const place = plan.position === null ? "" : ` (${formatPosition(plan.position)})`;
  findings.add({
    code: "rule-conflict",
    meta: rule.split.meta,
    path: ["spec", "matches"],
    message:
      `Match ${quoted(rule.match.plan.name)} of ${formatRef(rule.match.plan.group)} is the ` +
      `same rule as match ${quoted(plan.name)} of ${formatRef(plan.group)}${place}, which ` +
      `${formatRef(refOf(winner.split.meta))} sends elsewhere and which counts`,
    hint: "Keep the rule in one of the two splits",
  });
}
