// path: proxy/run/start_proxy.ts
// expect: weft/imports
export { compile } from "../../routing/compile/compile.ts";
