// path: proxy/io/libc.ts
// expect: nothing
export const libc = Deno.dlopen("libc.so.6", {});
