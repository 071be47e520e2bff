// path: routing/compile/compile.ts
// expect: weft/imports
import { parseResources } from "../../schemas/parse.ts";
export const compile = parseResources;
