// path: base/text.ts
// expect: weft/imports
import { parse } from "yaml";
export const text = parse;
