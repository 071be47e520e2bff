/**
 * Condition: one thing that a match of an HTTPRouteGroup can ask of a request, such as its path. This file owns the
 * contract; each condition is a file beside it, and `match.ts` lists them.
 */
import type { MatchConditions, PlanMatch } from "../plan.ts";
import type { RequestHead } from "../request.ts";
import type { PathPattern } from "./pattern.ts";

/** A match as compile compares it with others. */
export interface ParsedMatch {
  readonly plan: PlanMatch;
  /** Null: any path. */
  readonly path: PathPattern | null;
  /** The path takes every request, as if it were not there. */
  readonly isCatchAll: boolean;
}

/** Ordered element by element, the smaller first. */
export type Rank = readonly (number | string)[];

/** Where a request does not satisfy a match. */
export interface FailedClause {
  /** `path`, `method`, `header` or `query`. */
  readonly clause: string;
  /** The name of a header, in lower case, or of a query parameter; null for a path or a method. */
  readonly header: string | null;
  /** The pattern, or the methods with a comma between. */
  readonly expected: string;
  /** What the request has; null if it lacks the header, or the parameter. */
  readonly seen: string | null;
}

export interface Condition {
  /** True if both matches ask the same, by their texts. */
  equal(some: MatchConditions, other: MatchConditions): boolean;

  /** True if the match leaves this condition out, so that every request satisfies it. */
  isAbsent(match: MatchConditions): boolean;

  /** True if what satisfies `narrow` surely satisfies `wide`. False says nothing: only texts are looked at. */
  covers(wide: ParsedMatch, narrow: ParsedMatch): boolean;

  /** Rules are tried in the order of their conditions' ranks; those of the smallest precedence come first. */
  readonly precedence: number;
  /** The smaller, the earlier a rule with this match is tried. */
  rank(match: ParsedMatch): Rank;

  /** What the request lacks, worked out without an index; null if it satisfies the match. */
  explain(match: MatchConditions, head: RequestHead): FailedClause | null;

  /** For a person, in a few words; empty if nothing need be said. */
  describe(match: MatchConditions): string;
}

/** A condition that is looked up in a request beside its path and method, which `MatchIndex` knows by itself. */
export interface IndexedCondition extends Condition {
  /** @throws {PatternError} where a pattern is not accepted */
  index(matches: readonly PlanMatch[]): SlotIndex;
}

/** That pattern `pattern` of slot `slot` must match. */
export interface SlotCondition {
  readonly slot: number;
  readonly pattern: number;
}

/** All that a list of matches asks by one condition, sorted into slots: for headers, one a name. */
export interface SlotIndex {
  /** Slots are numbered from 0. */
  readonly slotCount: number;
  /** Changes when the answers given out by `scan` lose their meaning. */
  readonly generation: number;
  /** What one of the matches asks. */
  conditionsOf(match: PlanMatch): SlotCondition[];
  /** Takes up a request; `scan` then answers for it. */
  locate(head: RequestHead): void;
  /** A number that stands for all that the request has in the slot. */
  scan(slot: number, head: RequestHead): number;
  /** True if an answer of `scan` for the condition's slot satisfies it. */
  holds(condition: SlotCondition, answer: number): boolean;
}
