/**
 * Reads what is to be explained as a proxy would have to read it: a request goes through the parser of HTTP/1.1, so what is refused
 * there is refused here, for the same reason.
 */
import { assert } from "../../base/assert.ts";
import { type RequestHead, requestHeadOf } from "../../routing/request.ts";
import type { Asked } from "../../routing/table/explain.ts";
import { lastWordOn } from "../exchange/head_edits.ts";
import { HEAD_BYTES_DEFAULT } from "../limits.ts";
import { COMPLETE, HEAD_TOO_LARGE, INCOMPLETE, reasonOf } from "../protocol/http1/head.ts";
import { Request } from "../protocol/http1/request.ts";

/** A request as it is asked about. */
interface AskedRequest {
  /** A token. Of a connection it does not count. */
  readonly method: string;
  /**
   * `http://host[:port][/path]`; `tcp://host:port` for a whole connection, and `https:`, of which no proxy sees more than that; a
   * path, where a header names the host. Without blanks and line ends.
   */
  readonly url: string;
  /** Names are tokens, and values without line ends. A `host` among them counts in place of the URL's. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

const ABSOLUTE = /^([a-z]+):\/\/([^/?#]*)([^#]*)/i;
const TLS_PORT = 443;

/** @param place the side that takes the request */
export function readAsked(
  asked: AskedRequest,
  place: "outbound" | "inbound" = "outbound",
  headBytesMax: number = HEAD_BYTES_DEFAULT,
): Asked {
  const [, scheme = "", authority = "", target = asked.url] = ABSOLUTE.exec(asked.url) ?? [];
  // A client keeps user and password to itself.
  const host = authority.replace(/^[^@]*@/, "");
  const isTls = scheme.toLowerCase() === "https";
  if (isTls || scheme.toLowerCase() === "tcp") {
    const head = connectionTo(isTls && !/:\d+$/.test(host) ? `${host}:${TLS_PORT}` : host);
    return { head, isWhole: true, unrouted: null };
  }
  const request = new Request();
  const bytes = new TextEncoder().encode(headOf(asked, host, target));
  const result = request.parse(bytes, 0, bytes.length);
  assert(result !== INCOMPLETE, "The head is whole");
  if (result !== COMPLETE) {
    return { head: requestHeadOf(asked), isWhole: false, unrouted: reasonOf(result) };
  }
  const isTooLarge = request.end > headBytesMax;
  const unrouted = isTooLarge ? reasonOf(HEAD_TOO_LARGE) : lastWordOn(request, place)?.reason;
  return { head: request.routed, isWhole: false, unrouted: unrouted ?? null };
}

function connectionTo(authority: string): RequestHead {
  const head = requestHeadOf({ method: "TCP", url: `tcp://${authority}` });
  head.pathEnd = head.pathStart;
  head.queryEnd = head.queryStart;
  return head;
}

/** As a client sends it: with a scheme to the proxy that it has chosen; with a host of its own to that. */
function headOf({ method, headers }: AskedRequest, host: string, target: string): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  const namesHost = headers.some(([name]) => name.toLowerCase() === "host");
  if (!namesHost) lines.unshift(`host: ${host}\r\n`);
  const origin = target.startsWith("/") ? target : `/${target}`;
  const form = method === "CONNECT" ? host : namesHost ? origin : `http://${host}${target}`;
  return `${method} ${form} HTTP/1.1\r\n${lines.join("")}\r\n`;
}
