// path: plugins/first.ts
// expect: weft/imports
import { assert } from "../base/assert.ts";
export const first = assert;
