/**
 * Heads as HTTP/1.1 sends them: slices of the arena in the order in which one gathered write sends them, without copying; and the answers
 * that the proxy itself makes.
 */
import type { ArenaSlice, GatherList, PeerTexts, Texts } from "../loop/arena.ts";
import type { Head } from "../protocol/http1/head.ts";
import type { Request } from "../protocol/http1/request.ts";
import { hasContent, type Response } from "../protocol/http1/response.ts";
import type { Refusal } from "../../base/refusals.ts";
import { latin1 } from "../protocol/http1/lexical.ts";

const QUESTION = 63;

/** Adds the lines from `from` to the empty line, without it and without dropped headers, and then the added ones. */
function addLines(list: GatherList, head: Head, from: number): void {
  let at = from;
  for (let i = 0; i < head.droppedCount; i++) {
    const index = head.dropped[i];
    list.add(at, head.headers[4 * index] - at);
    at = head.lineEnd(index);
  }
  list.add(at, head.headersEnd - at);
  list.add(head.addedStart, head.addedEnd - head.addedStart);
}

/**
 * The head that goes upstream: origin form, HTTP/1.1, the target's authority as Host (RFC 9112 3.2.2), no
 * hop-by-hop headers, and the client named in `x-forwarded-for`. False: too many headers are dropped.
 */
export function gatherRequest(
  list: GatherList,
  bytes: Uint8Array,
  request: Request,
  texts: Texts,
  peer: PeerTexts,
): boolean {
  list.clear();
  const isUpgrade = request.wantsUpgrade(bytes);
  if (!isUpgrade && !request.dropUpgrades(bytes)) return false;
  let forwardedFor = request.forwardedForHeader;
  if (forwardedFor >= 0 && !request.drop(forwardedFor)) return false;
  if (isEmpty(request, forwardedFor)) forwardedFor = -1;
  if (request.isAbsolute || request.minorVersion !== 1) {
    if (!rewriteRequestLine(list, bytes, request, texts)) return false;
  } else addLines(list, request, request.start);
  if (isUpgrade) list.addText(texts.upgrade);
  // A tunnel has no trailers, and some servers take no second word beside `upgrade`.
  else if (request.takesTrailers) list.addText(texts.te);
  if (forwardedFor < 0 && request.forwardedProtoHeader < 0) {
    list.addText(peer.all);
    return true;
  }
  if (forwardedFor < 0) list.addText(peer.forwardedFor);
  else {
    list.addText(texts.forwardedFor);
    const start = request.headers[4 * forwardedFor + 2];
    list.add(start, request.headers[4 * forwardedFor + 3] - start);
    list.addText(peer.appended);
  }
  if (request.forwardedProtoHeader < 0) list.addText(peer.forwardedProto);
  list.addText(texts.lineEnd);
  return true;
}

function rewriteRequestLine(
  list: GatherList,
  bytes: Uint8Array,
  request: Request,
  texts: Texts,
): boolean {
  const routed = request.routed;
  list.add(routed.methodStart, routed.methodEnd + 1 - routed.methodStart);
  if (request.isServerWide) list.addText(texts.asterisk);
  else if (request.pathTextStart < request.pathTextEnd) {
    list.add(request.pathTextStart, request.pathTextEnd - request.pathTextStart);
  } else if (request.originStart === request.originEnd || bytes[request.originStart] === QUESTION) {
    list.addText(texts.slash);
  }
  list.add(request.originStart, request.originEnd - request.originStart);
  list.addText(texts.versionLine);
  if (request.isAbsolute && !hasSameHost(bytes, request)) {
    if (request.hostHeader >= 0 && !request.drop(request.hostHeader)) return false;
    list.addText(texts.host);
    list.add(routed.authorityStart, routed.authorityEnd - routed.authorityStart);
    list.addText(texts.lineEnd);
  } else if (request.hostHeader < 0) list.addText(texts.emptyHost);
  addLines(list, request, request.headersStart);
  return true;
}

function hasSameHost(bytes: Uint8Array, request: Request): boolean {
  if (request.hostHeader < 0) return false;
  const { authorityStart, authorityEnd } = request.routed;
  const hostStart = request.headers[4 * request.hostHeader + 2];
  const length = authorityEnd - authorityStart;
  if (request.headers[4 * request.hostHeader + 3] - hostStart !== length) return false;
  for (let i = 0; i < length; i++) {
    if (bytes[hostStart + i] !== bytes[authorityStart + i]) return false;
  }
  return true;
}

/**
 * The head that goes to the client. `connection` is the line that says what becomes of the connection;
 * `isChunked`: the body is framed here, and the head has to say so.
 */
export function gatherResponse(
  list: GatherList,
  response: Response,
  texts: Texts,
  connection: ArenaSlice | null,
  isChunked = false,
): void {
  list.clear();
  if (response.minorVersion !== 1) {
    list.addText(texts.version);
    addLines(list, response, response.start + texts.version.length);
  } else addLines(list, response, response.start);
  if (isChunked) list.addText(texts.chunked);
  if (connection !== null) list.addText(connection);
  list.addText(texts.lineEnd);
}

/** Whether a header is there, but says nothing. */
function isEmpty(head: Head, index: number): boolean {
  return index >= 0 && head.headers[4 * index + 2] === head.headers[4 * index + 3];
}

const PHRASES: Readonly<Record<number, string>> = {
  200: "OK",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  508: "Loop Detected",
};

/** What the body of a refusal says; empty where its status has none. */
function refusalBody({ status, text }: Refusal): string {
  // 205 has a body as far as framing goes, and it must be empty (RFC 9110 15.3.6).
  return hasContent(status, false) && status !== 205 ? `weft: ${text}\n` : "";
}

/** A whole HTTP/1.1 answer. @param isHead the request was HEAD @param isClosing the connection ends with it */
export function renderAnswer(refusal: Refusal, isHead: boolean, isClosing: boolean): string {
  const { status, reason, headers } = refusal;
  const body = refusalBody(refusal);
  const lines = [
    `HTTP/1.1 ${status} ${PHRASES[status] ?? "Error"}`,
    ...(body === "" ? [] : ["content-type: text/plain"]),
    ...(hasContent(status, false) ? [`content-length: ${body.length}`] : []),
    `x-weft-reason: ${reason}`,
    ...(isClosing ? ["connection: close"] : []),
  ];
  const more = headers === null ? "" : latin1(headers, 0, headers.length);
  return `${lines.join("\r\n")}\r\n${more}\r\n${isHead ? "" : body}`;
}
