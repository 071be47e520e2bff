// path: sidecar/plan_source.ts
// expect: weft/imports
const { parse } = await import("yaml");
export const read = parse;
