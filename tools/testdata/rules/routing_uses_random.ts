// path: routing/table/decide.ts
// expect: weft/pure
export const draw = () => Math.random();
