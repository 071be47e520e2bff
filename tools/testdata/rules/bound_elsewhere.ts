// path: proxy/loop/timers.ts
// expect: weft/limits
export const WAITING_MAX = 16 * 1024;
