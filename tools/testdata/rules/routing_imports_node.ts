// path: routing/match/path.ts
// expect: weft/imports
import { join } from "node:path";
export const path = join;
