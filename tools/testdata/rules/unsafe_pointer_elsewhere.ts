// path: proxy/run/start_proxy.ts
// expect: weft/ffi
export const at = (bytes: Uint8Array<ArrayBuffer>) => Deno.UnsafePointer.of(bytes);
