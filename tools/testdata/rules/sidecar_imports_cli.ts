// path: sidecar/sidecar.ts
// expect: weft/imports
import { run } from "../cli/run.ts";
export const start = run;
