// path: proxy/proxy.ts
// expect: weft/imports
const name = "../schemas/resources.ts";
export const lazy = () => import(name);
