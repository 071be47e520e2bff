// path: proxy/exchange/exchange.ts
// expect: nothing
import { decide } from "../../routing/table/decide.ts";
import { assert } from "../../base/assert.ts";
export { assert, decide };
