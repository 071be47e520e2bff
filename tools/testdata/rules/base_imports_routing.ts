// path: base/clock.ts
// expect: weft/imports
import { decide } from "../routing/table/decide.ts";
export const clock = decide;
