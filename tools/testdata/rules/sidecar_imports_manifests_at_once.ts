// path: sidecar/plan_files.ts
// expect: weft/imports
import { compileInput } from "./compile_input.ts";
export const read = compileInput;
