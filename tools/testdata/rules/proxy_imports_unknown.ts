// path: proxy/run/start_proxy.ts
// expect: weft/imports
const name = "../schemas/resources.ts";
export const lazy = () => import(name);
