/** The answers that the proxy itself makes, as HTTP/1.1. */
import type { Refusal } from "../../base/refusals.ts";
import { hasContent } from "../protocol/http1/response.ts";
import { latin1 } from "../protocol/http1/lexical.ts";

const PHRASES: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  499: "Client Closed Request",
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
