/**
 * Field names that someone looks at, as small numbers, so that nothing compares text twice. The id of a name in the
 * static table is the index of its first entry there; ids of other names follow.
 */
import { equalsIgnoreCase } from "../../http1/lexical.ts";

export const NAME_UNKNOWN = 0;
export const NAME_AUTHORITY = 1;
export const NAME_METHOD = 2;
export const NAME_PATH = 4;
export const NAME_SCHEME = 6;
export const NAME_STATUS = 8;
export const NAME_AUTHORIZATION = 23;
export const NAME_CONTENT_LENGTH = 28;
export const NAME_CONTENT_TYPE = 31;
export const NAME_COOKIE = 32;
export const NAME_EXPECT = 35;
export const NAME_HOST = 38;
export const NAME_PROXY_AUTHORIZATION = 49;
export const NAME_SET_COOKIE = 55;
export const NAME_TRANSFER_ENCODING = 57;
/** `:protocol` (RFC 8441 4). */
export const NAME_PROTOCOL = 62;
export const NAME_CONNECTION = 63;
export const NAME_KEEP_ALIVE = 64;
export const NAME_PROXY_CONNECTION = 65;
export const NAME_UPGRADE = 66;
export const NAME_TE = 67;
export const NAME_FORWARDED_FOR = 68;
export const NAME_FORWARDED_PROTO = 69;
export const NAME_GRPC_STATUS = 70;
export const NAME_GRPC_MESSAGE = 71;
export const NAME_WEFT_REASON = 72;
export const NAME_WEBSOCKET_KEY = 73;
export const NAME_WEBSOCKET_ACCEPT = 74;

/** Names in id order from 1; `""` where the static table repeats a name. */
const NAMES: readonly string[] = [
  ...[":authority", ":method", "", ":path", "", ":scheme", "", ":status", "", "", "", "", "", ""],
  ...["accept-charset", "accept-encoding", "accept-language", "accept-ranges", "accept"],
  ...["access-control-allow-origin", "age", "allow", "authorization", "cache-control"],
  ...["content-disposition", "content-encoding", "content-language", "content-length"],
  ...["content-location", "content-range", "content-type", "cookie", "date", "etag", "expect"],
  ...["expires", "from", "host", "if-match", "if-modified-since", "if-none-match", "if-range"],
  ...["if-unmodified-since", "last-modified", "link", "location", "max-forwards"],
  ...["proxy-authenticate", "proxy-authorization", "range", "referer", "refresh", "retry-after"],
  ...["server", "set-cookie", "strict-transport-security", "transfer-encoding", "user-agent"],
  ...["vary", "via", "www-authenticate"],
  ...[":protocol", "connection", "keep-alive", "proxy-connection", "upgrade", "te"],
  ...["x-forwarded-for", "x-forwarded-proto", "grpc-status", "grpc-message", "x-weft-reason"],
  ...["sec-websocket-key", "sec-websocket-accept"],
];

const NAME_COUNT = NAMES.length + 1;

/** The text of a known name; ids of repeated entries of the static table have none. */
export function nameText(id: number): string {
  return NAMES[id - 1] ?? "";
}

/** Ids by length of the name. */
const IDS_BY_LENGTH: readonly (readonly number[])[] = (() => {
  const lengthMax = Math.max(...NAMES.map((name) => name.length));
  const lists: number[][] = Array.from({ length: lengthMax + 1 }, () => []);
  NAMES.forEach((name, index) => {
    if (name !== "") lists[name.length].push(index + 1);
  });
  return lists;
})();

/** First and last character of each name, packed: tells most names of one length apart. */
const ENDS = Int32Array.from(
  { length: NAME_COUNT },
  (_, id) => (nameText(id).charCodeAt(0) << 8) | nameText(id).charCodeAt(nameText(id).length - 1),
);

/** The id of the name from `start` to `end`, letters in any case, or `NAME_UNKNOWN`. */
export function nameIdOf(bytes: Uint8Array, start: number, end: number): number {
  const ids = IDS_BY_LENGTH[end - start];
  if (ids === undefined || ids.length === 0) return NAME_UNKNOWN;
  const ends = (lower(bytes[start]) << 8) | lower(bytes[end - 1]);
  for (let i = 0; i < ids.length; i++) {
    if (ENDS[ids[i]] === ends && equalsIgnoreCase(bytes, start, end, NAMES[ids[i] - 1])) {
      return ids[i];
    }
  }
  return NAME_UNKNOWN;
}

function lower(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte | 32 : byte;
}
