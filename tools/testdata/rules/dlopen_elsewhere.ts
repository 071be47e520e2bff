// path: proxy/io/epoll.ts
// expect: weft/ffi
export const libc = Deno.dlopen("libc.so.6", {});
