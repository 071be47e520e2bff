// path: cli/commands/demo.ts
// expect: weft/imports
import { origin } from "../../tests/support/origin.ts";
export const demo = origin;
