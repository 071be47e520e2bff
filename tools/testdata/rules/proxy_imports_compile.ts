// path: proxy/proxy.ts
// expect: weft/imports
export { compile } from "../routing/compile/compile.ts";
