// path: routing/table/decide.ts
// expect: weft/pure
export const os = Deno.build.os;
