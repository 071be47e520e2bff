// path: routing/compile/compile.ts
// expect: weft/imports
import { type Snapshot, parseResources } from "../../schemas/parse.ts";
export const compile = (snapshot: Snapshot) => parseResources(snapshot);
