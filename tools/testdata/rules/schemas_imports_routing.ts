// path: schemas/split.ts
// expect: weft/imports
import type { Plan } from "../routing/plan.ts";
export type Split = Plan;
