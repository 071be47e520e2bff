// path: main.ts
// expect: nothing
export const roles = [() => import("./proxy/proxy.ts"), () => import("./controller/main.ts")];
