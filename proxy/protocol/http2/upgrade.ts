/**
 * `Upgrade: h2c` (RFC 7540 3.2), which RFC 9113 has given up and clients still send: whether a request of HTTP/1.1 asks for it, and with
 * what settings. An Upgrade may be ignored; so it is, wherever two servers could disagree about where the request ends, and the
 * request is served as what it also is.
 */
import { equalsIgnoreCase } from "../http1/lexical.ts";
import type { Request } from "../http1/request.ts";
import { NO_ERROR } from "./error_code.ts";
import { readUint32 } from "./frame.ts";
import { SETTINGS_ENTRIES_MAX } from "./limits.ts";
import { PeerSettings, SETTING_BYTES } from "./settings.ts";

/**
 * Whether the request asks for HTTP/2, and may have it. `end` is up to where the client has sent: nothing may follow the head,
 * neither a body nor another request (RFC 7540 3.2 has the client wait for the 101).
 */
export function asksForHttp2(bytes: Uint8Array, request: Request, end: number): boolean {
  if (!request.saysUpgrade || !request.saysHttp2Settings || request.upgradeCount !== 1) {
    return false;
  }
  if (request.minorVersion === 0 || !request.isPersistent || request.isConnect) return false;
  if (request.isChunked || request.contentLength > 0 || request.end !== end) return false;
  const slot = 4 * request.upgradeHeader;
  const { headers } = request;
  return equalsIgnoreCase(bytes, headers[slot + 2], headers[slot + 3], "h2c") &&
    request.countOf(bytes, "http2-settings") === 1;
}

/** The payload of SETTINGS that the request's `HTTP2-Settings` stands for; null: it is malformed, or no client may say so. */
export function upgradeSettingsOf(
  bytes: Uint8Array,
  request: Request,
): Uint8Array<ArrayBuffer> | null {
  const text = request.valueOf(bytes, "http2-settings");
  // Six bytes a setting are eight characters, so that there is never any padding.
  if (!/^(?:[\w-]{8})*$/.test(text) || text.length > 8 * SETTINGS_ENTRIES_MAX) return null;
  const decoded = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const payload = Uint8Array.from(decoded, (character) => character.charCodeAt(0));
  const settings = new PeerSettings();
  for (let at = 0; at < payload.length; at += SETTING_BYTES) {
    const id = (payload[at] << 8) | payload[at + 1];
    if (settings.apply("client", id, readUint32(payload, at + 2)) !== NO_ERROR) return null;
  }
  return payload;
}
