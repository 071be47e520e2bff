// path: sidecar/plan_files.ts
// expect: weft/imports
import { compile } from "../routing/compile/compile.ts";
export const read = compile;
