// path: cli/commands/up.ts
// expect: weft/ffi
export const open = Deno["dlopen"];
