// path: proxy/run/start_proxy.ts
// expect: weft/imports
export const start = () => new Worker(new URL("../../cli/work.ts", import.meta.url), { type: "module" });
