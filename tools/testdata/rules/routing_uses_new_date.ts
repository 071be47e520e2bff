// path: routing/compile/order.ts
// expect: weft/pure
export const today = () => new Date().getTime();
