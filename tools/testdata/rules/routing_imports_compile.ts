// path: routing/table/table.ts
// expect: weft/imports
import { compile } from "../compile/compile.ts";
export const table = compile;
