import { HTTP1_UPGRADE } from "./carriers.ts";
import { testWebSocket } from "./websocket.ts";

testWebSocket(HTTP1_UPGRADE);
