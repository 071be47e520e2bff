/**
 * The routing core for those outside this repository's roles, browsers among them: everything here
 * is pure and synchronous and needs no Deno, Node or npm import. Compiling manifests is
 * `compile/`'s and not part of it.
 */
export * from "./plan.ts";
export * from "./request.ts";
export {
  checkPattern,
  compareSpecificity,
  isCatchAll,
  isSubsumedBy,
  PathPattern,
  PatternError,
  specificity,
} from "./match/pattern.ts";
export type { PatternCheck, PatternErrorCode, Specificity, Subsumption } from "./match/pattern.ts";
export { EndpointCursors } from "./table/balance.ts";
export { decide, decideConnection, Decision } from "./table/decide.ts";
export { explain } from "./table/explain.ts";
export type * from "./table/explanation.ts";
export { SplitState } from "./table/split.ts";
export { buildTable, PlanError, REFUSAL_STATUS } from "./table/table.ts";
export type * from "./table/table.ts";
