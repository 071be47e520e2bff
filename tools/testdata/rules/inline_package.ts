// path: cli/commands/demo.ts
// expect: weft/imports
import { parse } from "npm:yaml@2.9.1";
export const demo = parse;
