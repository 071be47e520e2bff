// path: routing/table/table.ts
// expect: weft/imports
import type { Snapshot } from "../../schemas/resources.ts";
export type Table = Snapshot;
