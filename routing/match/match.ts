/**
 * What a match of an HTTPRouteGroup asks of a request. To add a condition: its field in `MatchConditions`, its file, and its
 * line in `CONDITIONS`; the type checker then names what is missing: the field's check, and what makes it from a manifest.
 */
import type { MatchConditions, PlanMatch } from "../plan.ts";
import type { RequestHead } from "../request.ts";
import type {
  Condition,
  FailedClause,
  IndexedCondition,
  ParsedMatch,
  Rank,
  SlotIndex,
} from "./condition.ts";
import { HEADER } from "./header.ts";
import { METHOD } from "./method.ts";
import { PATH } from "./path.ts";
import { QUERY } from "./query.ts";
import { joinIndexes } from "./joined_index.ts";

/** The path and the method of a request are looked up by `MatchIndex` itself. */
type Conditions =
  & Readonly<Record<"path" | "methods", Condition>>
  & Readonly<Record<Exclude<keyof MatchConditions, "path" | "methods">, IndexedCondition>>;

/** In the order in which explanations name the one that fails. */
const CONDITIONS: Conditions = {
  path: PATH,
  methods: METHOD,
  headers: HEADER,
  queries: QUERY,
};

const { path: _path, methods: _methods, ...INDEXED } = CONDITIONS;
const ALL: readonly Condition[] = Object.values(CONDITIONS);
const BESIDE_PATH = ALL.filter((condition) => condition !== PATH);
const BY_PRECEDENCE = [...ALL].sort((some, other) => some.precedence - other.precedence);

/** True if both lists match the same requests in the same order, wherever they were written. */
export function sameConditions(
  some: readonly MatchConditions[],
  others: readonly MatchConditions[],
): boolean {
  return some.length === others.length &&
    some.every((match, i) => ALL.every((condition) => condition.equal(match, others[i])));
}

/** A text that is the same for matches that ask the same; `isCatchAll` as in `ParsedMatch`. */
export function conditionsText({ plan, isCatchAll }: ParsedMatch): string {
  const { group: _group, name: _name, position: _position, ...asked } = plan;
  return JSON.stringify(isCatchAll ? { ...asked, path: null } : asked);
}

/** True if every request satisfies the match. */
export function takesEveryRequest({ plan, isCatchAll }: ParsedMatch): boolean {
  return isCatchAll && BESIDE_PATH.every((condition) => condition.isAbsent(plan));
}

/** True if what satisfies `narrow` satisfies all of `wide` but perhaps its path. */
export function coversBesidePath(wide: ParsedMatch, narrow: ParsedMatch): boolean {
  return BESIDE_PATH.every((condition) => condition.covers(wide, narrow));
}

/** The place of a match among others: those whose path takes every request come last, whatever else they ask. */
export function rankOf(match: ParsedMatch): Rank {
  const rank = BY_PRECEDENCE.flatMap((condition) => condition.rank(match));
  return [Number(match.isCatchAll), ...rank];
}

/** The first condition that the request does not satisfy; null if it satisfies all. */
export function firstFailure(match: MatchConditions, head: RequestHead): FailedClause | null {
  for (const condition of ALL) {
    const failed = condition.explain(match, head);
    if (failed !== null) return failed;
  }
  return null;
}

/** `GET|PUT /test with user-agent: Android`: methods, path pattern, and what else it asks. */
export function describeMatch(match: MatchConditions): string {
  const { path, methods, ...others } = CONDITIONS;
  return [methods, path, ...Object.values(others)]
    .map((condition) => condition.describe(match))
    .filter((text) => text !== "")
    .join(" ");
}

/** What of a list of matches is looked up in a request beside its path and method. */
export function indexConditions(matches: readonly PlanMatch[]): SlotIndex {
  return joinIndexes(Object.values(INDEXED).map((condition) => condition.index(matches)));
}
