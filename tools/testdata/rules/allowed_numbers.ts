// path: proxy/loop/timers.ts
// expect: nothing
import { BUFFER_BYTES } from "../limits.ts";
const HEADER_BYTES = 9;
const TWICE_MAX = 2 * BUFFER_BYTES;
export function longest(): number {
  const LOCAL_MAX = 3;
  return LOCAL_MAX + HEADER_BYTES + TWICE_MAX;
}
