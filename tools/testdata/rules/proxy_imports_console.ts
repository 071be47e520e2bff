// path: proxy/run/start_proxy.ts
// expect: weft/imports
import { CommandFailure } from "../../console/exit.ts";
export const failure = CommandFailure;
