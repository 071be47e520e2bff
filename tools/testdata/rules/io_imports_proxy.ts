// path: proxy/io/epoll.ts
// expect: weft/imports
import type { ProxyConfig } from "../config.ts";
export type Config = ProxyConfig;
