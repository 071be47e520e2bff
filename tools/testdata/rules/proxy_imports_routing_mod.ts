// path: proxy/proxy.ts
// expect: weft/imports
export * from "../routing/mod.ts";
