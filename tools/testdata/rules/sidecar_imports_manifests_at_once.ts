// path: sidecar/plan_source.ts
// expect: weft/imports
import { compileInput } from "./compile_input.ts";
export const read = compileInput;
