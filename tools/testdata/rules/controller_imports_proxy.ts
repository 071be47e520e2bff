// path: controller/main.ts
// expect: weft/imports
import type { Proxy } from "../proxy/config.ts";
export type Sidecar = Proxy;
