/** What can be said of one ordered list of matches: which can never be the one that counts, and what none of them takes. */
import type { MatchConditions } from "../plan.ts";
import { type RequestCell, RequestSpace, type SpaceOptions } from "./request_space.ts";
import type { Witness } from "./witness.ts";

interface RuleFacts {
  /** By match: a shortest request that it takes; null: none was found. */
  readonly taken: readonly (Witness | null)[];
  /** A shortest request that no match takes; null: none was found. */
  readonly uncovered: Witness | null;
  /** False: what was not found may be there all the same. */
  readonly isComplete: boolean;
}

/** @throws {PatternError} where a pattern is not accepted */
export function examineRules(
  matches: readonly MatchConditions[],
  options: SpaceOptions,
): RuleFacts {
  const best = new Map<number, RequestCell>();
  const isComplete = new RequestSpace([matches], options).walk((cell) => {
    keepSmallest(best, cell.firsts[0], cell);
  });
  const taken = matches.map((_, index) => best.get(index)?.witness() ?? null);
  return { taken, uncovered: best.get(-1)?.witness() ?? null, isComplete };
}

/** Whether some request satisfies both; a shortest one. */
type Overlap =
  | { readonly answer: "yes"; readonly witness: Witness }
  | { readonly answer: "no" | "undecided" };

/** @throws {PatternError} where a pattern is not accepted */
export function overlapOf(
  some: MatchConditions,
  other: MatchConditions,
  options: SpaceOptions,
): Overlap {
  const best = new Map<string, RequestCell>();
  const isComplete = new RequestSpace([[some], [other]], options).walk((cell) => {
    keepSmallest(best, cell.firsts.join(), cell);
  });
  const both = best.get("0,0");
  if (both !== undefined) return { answer: "yes", witness: both.witness() };
  return { answer: isComplete ? "no" : "undecided" };
}

/** Of the cells of one key, the one whose witness is best. */
export function keepSmallest<Key>(best: Map<Key, RequestCell>, key: Key, cell: RequestCell): void {
  const known = best.get(key);
  if (known === undefined || cell.size < known.size) best.set(key, cell);
}
