// path: proxy/proxy_test.ts
// expect: nothing
import { createServer } from "node:net";
import WebSocket from "ws";
import { origin } from "../tests/support/origin.ts";
export { createServer, origin, WebSocket };
