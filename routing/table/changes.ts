/** What is different between two plans or tables, by Service: what a change costs is in proportion to it. */
import type { PlanService } from "../plan.ts";
import type { TableService } from "./table.ts";

/** A Service that is different is in both: as it was, and as it is. */
export interface TableChanges {
  readonly gone: readonly TableService[];
  readonly come: readonly TableService[];
}

/** @param before of the table before, for the same client; none: all have come */
export function changesBetween(
  before: readonly TableService[],
  after: readonly TableService[],
): TableChanges {
  const gone: TableService[] = [];
  const come: TableService[] = [];
  pairByName(before, after, ({ plan }) => plan, (was, is) => {
    if (was === is) return;
    if (was !== null) gone.push(was);
    if (is !== null) come.push(is);
  });
  return { gone, come };
}

/**
 * Walks two lists that are sorted by namespace and name. Hands over a Service of both together, and one of a single list with null.
 * If lists are not sorted, a pair may be missed, and is handed over as two.
 */
export function pairByName<Before extends { readonly plan: PlanService }, After>(
  before: readonly Before[],
  after: readonly After[],
  planOf: (each: After) => PlanService,
  onPair: (was: Before | null, is: After | null) => void,
): void {
  let at = 0;
  for (const is of after) {
    const plan = planOf(is);
    // Nearly all are the same.
    if (at < before.length && before[at].plan === plan) {
      onPair(before[at++], is);
      continue;
    }
    while (at < before.length && isBefore(before[at].plan, plan)) onPair(before[at++], null);
    if (at < before.length && isSameName(before[at].plan, plan)) onPair(before[at++], is);
    else onPair(null, is);
  }
  while (at < before.length) onPair(before[at++], null);
}

function isBefore(some: PlanService, other: PlanService): boolean {
  return some.namespace === other.namespace
    ? some.name < other.name
    : some.namespace < other.namespace;
}

function isSameName(some: PlanService, other: PlanService): boolean {
  return some.namespace === other.namespace && some.name === other.name;
}
