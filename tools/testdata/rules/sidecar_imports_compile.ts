// path: sidecar/plan_source.ts
// expect: weft/imports
import { compile } from "../routing/compile/compile.ts";
export const read = compile;
