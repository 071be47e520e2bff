// path: console/environment.ts
// expect: weft/imports
import type { Proxy } from "../proxy/config.ts";
export type Environment = Proxy;
