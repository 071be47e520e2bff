// path: routing/mod.ts
// expect: weft/imports
export { compile } from "./compile/compile.ts";
