// path: proxy/tls/config.ts
// expect: weft/imports
import tls from "node:tls";

export const VERSIONS = [tls.DEFAULT_MIN_VERSION];
