// path: proxy/run/start_proxy.ts
// expect: weft/imports
import WebSocket from "ws";
export const socket = WebSocket;
