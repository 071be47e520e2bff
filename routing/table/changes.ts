/** What is different between two tables, by Service: what a change costs is in proportion to it. */
import type { VersionedMap } from "../../base/versioned_map.ts";
import { keysToCompare } from "../plan_view.ts";
import type { TableService } from "./table.ts";

/** A Service that is different is in both: as it was, and as it is. */
export interface TableChanges {
  readonly gone: readonly TableService[];
  readonly come: readonly TableService[];
}

/** @param before of the table before, for the same client; none: all have come */
export function changesBetween(
  before: VersionedMap<TableService>,
  after: VersionedMap<TableService>,
): TableChanges {
  const gone: TableService[] = [];
  const come: TableService[] = [];
  for (const key of keysToCompare(before, after)) {
    const [was, is] = [before.get(key), after.get(key)];
    if (was === is) continue;
    if (was !== undefined) gone.push(was);
    if (is !== undefined) come.push(is);
  }
  return { gone, come };
}
