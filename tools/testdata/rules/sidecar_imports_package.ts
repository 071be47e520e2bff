// path: sidecar/plan_files.ts
// expect: weft/imports
const { parse } = await import("yaml");
export const read = parse;
