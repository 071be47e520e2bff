/**
 * The part of the WebSocket handshake that only HTTP/1.1 has: a key, and the proof that the server has read it (RFC 6455 4).
 * HTTP/2 asks by `:protocol` instead (RFC 8441 5). It knows nothing of connections.
 */
import { sha1 } from "../../../base/sha1.ts";
import type { Random } from "../../../base/random.ts";

/** The upgrade token, and the `:protocol`. */
export const WEBSOCKET = "websocket";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY_BYTES = 16;
/** 16 bytes in base64: the last character before the padding carries two bits. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/** A `Sec-WebSocket-Key` for a handshake of our own. */
export function newWebSocketKey(random: Random): string {
  const bytes = Uint8Array.from({ length: KEY_BYTES }, () => random.next32());
  return btoa(String.fromCharCode(...bytes));
}

/** Whether this is a `Sec-WebSocket-Key`. */
export function isWebSocketKey(text: string): boolean {
  return KEY.test(text);
}

/** The `Sec-WebSocket-Accept` that answers a key. */
export function webSocketAcceptOf(key: string): string {
  const digest = sha1(new TextEncoder().encode(key + GUID));
  return btoa(String.fromCharCode(...digest));
}
