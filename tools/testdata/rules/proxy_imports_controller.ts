// path: proxy/run/start_proxy.ts
// expect: weft/imports
const hub = await import("../../controller/publish/hub.ts");
export { hub };
