// path: routing/table/decide.ts
// expect: nothing
export const rule = { process: 1, crypto: 2 };
export const sum = rule.process + rule.crypto;
export const day = Date.parse("2024-01-01T00:00:00Z");
