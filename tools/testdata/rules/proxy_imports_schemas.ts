// path: proxy/exchange/exchange.ts
// expect: weft/imports
import type { Snapshot } from "../../schemas/resources.ts";
export type Exchange = Snapshot;
