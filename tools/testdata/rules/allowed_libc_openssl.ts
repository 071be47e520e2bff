// path: proxy/io/libc_openssl.ts
// expect: nothing
export function textAt(pointer: Deno.PointerObject): string {
  return Deno.UnsafePointerView.getCString(pointer);
}
