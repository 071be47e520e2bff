import { HTTP1_UPGRADE } from "./carriers.ts";
import { HTTP2_CARRIERS } from "./http2_carriers.ts";
import { testWebSocket } from "./websocket.ts";

for (const carrier of [HTTP1_UPGRADE, ...HTTP2_CARRIERS]) testWebSocket(carrier);
