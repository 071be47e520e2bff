// path: routing/table/decide.ts
// expect: weft/pure
export const now = () => Date.now();
