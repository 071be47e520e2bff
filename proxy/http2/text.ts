/**
 * Heads from HTTP/2 to HTTP/1.1 and back. An exchange knows a head as HTTP/1.1 text, whatever brought it (RFC 9113 8.2 and 8.3).
 * Sending it again and sending it on by either protocol is one thing then.
 */
import { METHODS } from "../../routing/request.ts";
import type { Head } from "../protocol/http1/head.ts";
import { COLON, CR, HTAB, latin1, LF, SP } from "../protocol/http1/lexical.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Response } from "../protocol/http1/response.ts";
import { mayTrail } from "../protocol/http1/trailers.ts";
import { isSecret } from "../protocol/http2/hpack/encoder.ts";
import { NEVER_INDEXED } from "../protocol/http2/hpack/field_list.ts";
import type { FieldList } from "../protocol/http2/hpack/field_list.ts";
import {
  NAME_AUTHORITY,
  NAME_CONNECTION,
  NAME_FORWARDED_FOR,
  NAME_FORWARDED_PROTO,
  NAME_HOST,
  NAME_KEEP_ALIVE,
  NAME_METHOD,
  NAME_PATH,
  NAME_PROTOCOL,
  NAME_PROXY_CONNECTION,
  NAME_SCHEME,
  NAME_STATUS,
  NAME_TE,
  NAME_TRANSFER_ENCODING,
  NAME_UPGRADE,
  NAME_WEBSOCKET_ACCEPT,
  NAME_WEBSOCKET_KEY,
  nameIdOf,
} from "../protocol/http2/hpack/names.ts";
import type { Http2Request } from "../protocol/http2/request.ts";
import type { Http2Response } from "../protocol/http2/response.ts";
import type { Message } from "../protocol/http2/message.ts";
import { WEBSOCKET } from "../protocol/websocket/handshake.ts";
import { writeAscii } from "../loop/arena.ts";
import type { RequestSource } from "../exchange/sides.ts";

/** Entries of HPACK's static table (RFC 7541 appendix A). */
const STATIC_GET = 2;
const STATIC_POST = 3;
const STATIC_ROOT_PATH = 4;
const STATIC_SCHEME_HTTP = 6;
const STATIC_STATUS_200 = 8;

const QUESTION = 63;
const GET = METHODS.indexOf("GET") + 1;
const POST = METHODS.indexOf("POST") + 1;

/** What a line takes beyond its name and value. */
const LINE_BYTES = 4;
/** The longest texts that are written besides: a version and the lines that ask for WebSocket. */
const FIXED_BYTES = 128;

/** The most bytes that a head with these fields takes as HTTP/1.1. */
export function textBytesMax({ textBytes, count }: FieldList): number {
  return textBytes + count * LINE_BYTES + 2 * FIXED_BYTES;
}

/**
 * Writes a request as HTTP/1.1 from `at`; returns where it ends, or -1 where it would pass `limit`. `hasBody`: without
 * a Content-Length it is chunked. With a `webSocketKey` an extended CONNECT becomes the GET that HTTP/1.1 asks for WebSocket by
 * (RFC 8441 5.1).
 */
export function requestText(
  request: Http2Request,
  hasBody: boolean,
  webSocketKey: string,
  bytes: Uint8Array,
  at: number,
  limit: number,
): number {
  const { routed } = request;
  const line = routed.methodEnd - routed.methodStart + request.originEnd - request.originStart +
    routed.authorityEnd - routed.authorityStart;
  if (at + line + FIXED_BYTES > limit) return -1;
  if (request.isExtendedConnect) at += writeAscii(bytes, at, "GET");
  else at = copy(bytes, at, routed.methodStart, routed.methodEnd);
  at += writeAscii(bytes, at, " ");
  at = request.isConnect && !request.isExtendedConnect
    ? copy(bytes, at, routed.authorityStart, routed.authorityEnd)
    : copy(bytes, at, request.originStart, request.originEnd);
  at += writeAscii(bytes, at, " HTTP/1.1\r\n");
  at = linesOf(request, bytes, at, limit - FIXED_BYTES);
  if (at < 0) return -1;
  if (hasBody && request.contentLength < 0) {
    at += writeAscii(bytes, at, "transfer-encoding: chunked\r\n");
  }
  if (webSocketKey !== "") {
    at += writeAscii(bytes, at, "connection: upgrade\r\nupgrade: websocket\r\n");
    at += writeAscii(bytes, at, `sec-websocket-key: ${webSocketKey}\r\n`);
  }
  return at + writeAscii(bytes, at, "\r\n");
}

/**
 * Writes an answer as HTTP/1.1 from `at`; returns where it ends, or -1 where it would pass `limit`. With a `webSocketAccept` it
 * is the 101 that HTTP/1.1 opens a WebSocket with, where HTTP/2 says 200 (RFC 8441 5).
 */
export function responseText(
  response: Http2Response,
  webSocketAccept: string,
  bytes: Uint8Array,
  at: number,
  limit: number,
): number {
  if (at + FIXED_BYTES > limit) return -1;
  const status = webSocketAccept === "" ? response.status : 101;
  at += writeAscii(bytes, at, `HTTP/1.1 ${status} \r\n`);
  at = linesOf(response, bytes, at, limit - FIXED_BYTES);
  if (at < 0) return -1;
  if (webSocketAccept !== "") {
    at += writeAscii(bytes, at, "upgrade: websocket\r\n");
    at += writeAscii(bytes, at, `sec-websocket-accept: ${webSocketAccept}\r\n`);
  }
  return at + writeAscii(bytes, at, "\r\n");
}

/** See `Inbox.neverIndexed`. */
export function neverIndexedOf(bytes: Uint8Array, message: Message): ReadonlySet<string> | null {
  let names: Set<string> | null = null;
  const { headers } = message;
  for (let index = 0; index < message.headerCount; index++) {
    if ((message.flags[index] & NEVER_INDEXED) === 0 || isSecret(message.names[index])) continue;
    names ??= new Set();
    names.add(latin1(bytes, headers[4 * index], headers[4 * index + 1]));
  }
  return names;
}

function linesOf(message: Message, bytes: Uint8Array, at: number, limit: number): number {
  const { headers } = message;
  for (let slot = 0; slot < 4 * message.headerCount; slot += 4) {
    // Only HTTP/1.1 has them, so they are ours to write.
    const name = message.names[slot >> 2];
    if (name === NAME_WEBSOCKET_KEY || name === NAME_WEBSOCKET_ACCEPT) continue;
    const length = headers[slot + 1] - headers[slot] + headers[slot + 3] - headers[slot + 2];
    if (at + length + LINE_BYTES > limit) return -1;
    at = writeLine(bytes, at, headers, slot);
  }
  return at;
}

/**
 * Writes received trailers as lines from `at`; returns where they end, or -1 where they would pass `limit`. Those that may not
 * trail are left out (RFC 9110 6.5.1).
 */
export function fieldLines(
  fields: FieldList,
  bytes: Uint8Array,
  at: number,
  limit: number,
): number {
  for (let slot = 0; slot < 4 * fields.count; slot += 4) {
    const { offsets } = fields;
    if (!mayTrail(bytes, offsets[slot], offsets[slot + 1])) continue;
    const length = offsets[slot + 1] - offsets[slot] + offsets[slot + 3] - offsets[slot + 2];
    if (at + length + LINE_BYTES > limit) return -1;
    at = writeLine(bytes, at, offsets, slot);
  }
  return at;
}

function writeLine(bytes: Uint8Array, at: number, offsets: Int32Array, slot: number): number {
  at = copy(bytes, at, offsets[slot], offsets[slot + 1]);
  at += writeAscii(bytes, at, ": ");
  at = copy(bytes, at, offsets[slot + 2], offsets[slot + 3]);
  return at + writeAscii(bytes, at, "\r\n");
}

/** Reads trailers: lines of HTTP/1.1, of which none is left that HTTP/2 does not allow (RFC 9113 8.1, 8.2.2). */
export function fieldsOfTrailers(
  bytes: Uint8Array,
  start: number,
  end: number,
  fields: FieldList,
): void {
  fields.clear();
  addLines(bytes, start, end, fields);
}

/** Adds lines of HTTP/1.1 that are well-formed. False: they are more than fits. */
export function addLines(
  bytes: Uint8Array,
  start: number,
  end: number,
  fields: FieldList,
): boolean {
  for (let at = start; at < end; at = lineAfter(bytes, at)) {
    if (!addLine(bytes, at, nameOfLine(bytes, at), fields)) return false;
  }
  return true;
}

function lineAfter(bytes: Uint8Array, at: number): number {
  return bytes.indexOf(LF, at) + 1;
}

function nameOfLine(bytes: Uint8Array, at: number): number {
  return nameIdOf(bytes, at, bytes.indexOf(COLON, at));
}

function addLine(bytes: Uint8Array, at: number, name: number, fields: FieldList): boolean {
  const nameEnd = bytes.indexOf(COLON, at);
  let start = nameEnd + 1;
  let end = bytes.indexOf(CR, start);
  while (start < end && isBlank(bytes[start])) start++;
  while (start < end && isBlank(bytes[end - 1])) end--;
  return fields.add(at, nameEnd, start, end, name);
}

function isBlank(byte: number): boolean {
  return byte === SP || byte === HTAB;
}

/**
 * Composes the fields of a request for HTTP/2. False: it has more than fits. `isWebSocket`: the GET with an Upgrade becomes an
 * extended CONNECT (RFC 8441 5.1).
 */
export function fieldsOfRequest(
  bytes: Uint8Array,
  request: Request,
  peer: string,
  source: RequestSource,
  isWebSocket: boolean,
  fields: FieldList,
): boolean {
  const { routed, originStart, originEnd } = request;
  const { client, body } = source;
  fields.clear();
  if (isWebSocket) fields.addText(NAME_METHOD, "CONNECT");
  else if (routed.method === GET) fields.addStatic(STATIC_GET, NAME_METHOD);
  else if (routed.method === POST) fields.addStatic(STATIC_POST, NAME_METHOD);
  else fields.addKnown(NAME_METHOD, routed.methodStart, routed.methodEnd);
  fields.addStatic(STATIC_SCHEME_HTTP, NAME_SCHEME);
  fields.addKnown(NAME_AUTHORITY, routed.authorityStart, routed.authorityEnd);
  if (request.isServerWide) fields.addText(NAME_PATH, "*");
  else if (request.pathTextStart < request.pathTextEnd) {
    const path = latin1(bytes, request.pathTextStart, request.pathTextEnd);
    if (!fields.addText(NAME_PATH, path + latin1(bytes, originStart, originEnd))) return false;
  } else if (originStart === originEnd) fields.addStatic(STATIC_ROOT_PATH, NAME_PATH);
  else if (bytes[originStart] !== QUESTION) fields.addKnown(NAME_PATH, originStart, originEnd);
  // `http://host?query` has no path of its own (RFC 9113 8.3.1).
  else if (!fields.addText(NAME_PATH, `/${latin1(bytes, originStart, originEnd)}`)) return false;
  if (isWebSocket) {
    if (!fields.addText(NAME_PROTOCOL, WEBSOCKET)) return false;
    // CONNECT has no content, and need not say so (RFC 9110 9.3.6).
    if (!request.dropNamed(bytes, "content-length")) return false;
  }
  const forwardedFor = request.forwardedForHeader;
  if (forwardedFor >= 0 && !request.drop(forwardedFor)) return false;
  if (!addHeaders(bytes, request, body.neverIndexed, fields)) return false;
  if (request.takesTrailers && !fields.addText(NAME_TE, "trailers")) return false;
  const before = forwardedFor < 0
    ? ""
    : latin1(bytes, request.headers[4 * forwardedFor + 2], request.headers[4 * forwardedFor + 3]);
  const names = before === "" || peer === "" ? before + peer : `${before}, ${peer}`;
  if (names !== "" && !fields.addText(NAME_FORWARDED_FOR, names)) return false;
  return request.forwardedProtoHeader >= 0 ||
    fields.addText(NAME_FORWARDED_PROTO, client.isSecure ? "https" : "http");
}

/** Composes the fields of an answer for HTTP/2. False: it has more than fits. */
export function fieldsOfResponse(
  bytes: Uint8Array,
  response: Response,
  neverIndexed: ReadonlySet<string> | null,
  fields: FieldList,
): boolean {
  fields.clear();
  // There is no 101 in HTTP/2: a tunnel that is open says 200 (RFC 8441 5).
  if (response.status === 200 || response.status === 101) {
    fields.addStatic(STATIC_STATUS_200, NAME_STATUS);
  } else fields.addText(NAME_STATUS, String(response.status));
  return addHeaders(bytes, response, neverIndexed, fields);
}

/** Adds the headers that are passed on: not those that are about the other connection (RFC 9113 8.2.2). */
function addHeaders(
  bytes: Uint8Array,
  head: Head,
  neverIndexed: ReadonlySet<string> | null,
  fields: FieldList,
): boolean {
  let dropped = 0;
  for (let index = 0; index < head.headerCount; index++) {
    if (dropped < head.droppedCount && head.dropped[dropped] === index) {
      dropped++;
      continue;
    }
    const slot = 4 * index;
    const { headers } = head;
    const start = headers[slot];
    const end = headers[slot + 1];
    const name = nameIdOf(bytes, start, end);
    if (!isPassedOn(name)) continue;
    const isNamed = neverIndexed !== null &&
      neverIndexed.has(latin1(bytes, start, end).toLowerCase());
    const flags = isNamed ? NEVER_INDEXED : 0;
    if (!fields.add(start, end, headers[slot + 2], headers[slot + 3], name, flags)) return false;
  }
  return addLines(bytes, head.addedStart, head.addedEnd, fields);
}

function isPassedOn(name: number): boolean {
  switch (name) {
    case NAME_HOST:
    case NAME_CONNECTION:
    case NAME_KEEP_ALIVE:
    case NAME_PROXY_CONNECTION:
    case NAME_TRANSFER_ENCODING:
    case NAME_TE:
    case NAME_UPGRADE:
    case NAME_WEBSOCKET_KEY:
    case NAME_WEBSOCKET_ACCEPT:
      return false;
    default:
      return true;
  }
}

function copy(bytes: Uint8Array, at: number, start: number, end: number): number {
  bytes.copyWithin(at, start, end);
  return at + end - start;
}
