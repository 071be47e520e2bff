// path: cli/commands/demo.ts
// expect: weft/imports
import fc from "fast-check";
export const demo = fc;
