// path: local/report.ts
// expect: weft/imports
import type { Program } from "../cli/program.ts";
export type Report = Program;
