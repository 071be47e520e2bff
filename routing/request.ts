/**
 * RequestHead: what routing sees of a request. It is a view into the bytes that came off the wire, filled by
 * a protocol machine and reused, so that deciding allocates nothing.
 */
import { HEADERS_MAX } from "./limits.ts";

/** Methods that rules can name (HTTPRouteGroup's enum), in id order from 1. Any other method has id 0. */
export const METHODS = [
  "GET",
  "HEAD",
  "PUT",
  "POST",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
] as const;

/** Id of a method that no rule can name; matched only by rules for every method. */
export const METHOD_OTHER = 0;
export const METHOD_COUNT = METHODS.length + 1;

/** Id of the method that asks for a connection. */
export const CONNECT = METHODS.indexOf("CONNECT") + 1;

/** The port that a request means which names none, and whose Service has several (RFC 9110 4.2.1). */
export const DEFAULT_PORT = 80;

/** As many headers as nearly all requests have; a table for more is made when it is needed. */
export const HEADERS_EXPECTED = 128;

const EMPTY = new Uint8Array(0);

/** All offsets are into `bytes`; ends are exclusive. */
export class RequestHead {
  bytes: Uint8Array = EMPTY;
  /** Index into `METHODS` plus one, or `METHOD_OTHER`. */
  method = METHOD_OTHER;
  methodStart = 0;
  methodEnd = 0;
  /** The path as sent, without the query. */
  pathStart = 0;
  pathEnd = 0;
  /** What follows the path after its `?`, as sent. */
  queryStart = 0;
  queryEnd = 0;
  /** `host` or `host:port`, as sent: the target's authority if it has one, else the Host header. */
  authorityStart = 0;
  authorityEnd = 0;
  headerCount = 0;
  /** Four numbers a header: name start, name end, value start, value end (without outer whitespace). */
  headers: Int32Array;

  constructor(headersExpected: number = HEADERS_EXPECTED) {
    this.headers = new Int32Array(4 * headersExpected);
  }
}

const decoder = new TextDecoder();

/** The text at `bytes[start, end)`; what is not UTF-8 shows as U+FFFD. Not for the hot path. */
export function headText(head: RequestHead, start: number, end: number): string {
  return decoder.decode(head.bytes.subarray(start, end));
}

const encoder = new TextEncoder();

/**
 * Builds a head from text, for explain, dry-run and tests. Not for the hot path.
 * `url` is absolute (`http://host:port/path?query`), or a path with `host` among the headers.
 */
export function requestHeadOf(
  request: { method: string; url: string; headers?: readonly (readonly [string, string])[] },
): RequestHead {
  const absolute = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)([^#]*)/.exec(request.url);
  const target = absolute === null ? request.url.split("#")[0] : (absolute[2] ?? "");
  const slashed = target.startsWith("?") || target === "" ? `/${target}` : target;
  const [path, ...rest] = slashed.split("?");
  let authority = absolute?.[1]?.replace(/^[^@]*@/, "");
  const headers = request.headers ?? [];
  if (authority === undefined) {
    authority = headers.find(([name]) => name.toLowerCase() === "host")?.[1] ?? "";
  }
  // The wire carries exactly one Host; a proxy replaces it by the target's authority (RFC 9112 3.2.2).
  const sent = absolute === null
    ? headers
    : [["host", authority] as const, ...headers.filter(([name]) => name.toLowerCase() !== "host")];

  const parts: Uint8Array[] = [];
  let length = 0;
  const append = (text: string): [number, number] => {
    const bytes = encoder.encode(text);
    parts.push(bytes);
    const start = length;
    length += bytes.length;
    return [start, length];
  };
  const head = new RequestHead(Math.min(sent.length, HEADERS_MAX));
  head.method = METHODS.indexOf(request.method as typeof METHODS[number]) + 1;
  [head.methodStart, head.methodEnd] = append(request.method);
  [head.pathStart, head.pathEnd] = append(path);
  [head.queryStart, head.queryEnd] = append(rest.join("?"));
  [head.authorityStart, head.authorityEnd] = append(authority);
  head.headerCount = Math.min(sent.length, HEADERS_MAX);
  for (let i = 0; i < head.headerCount; i++) {
    const [name, value] = sent[i];
    [head.headers[4 * i], head.headers[4 * i + 1]] = append(name);
    [head.headers[4 * i + 2], head.headers[4 * i + 3]] = append(value.trim());
  }
  head.bytes = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    head.bytes.set(part, offset);
    offset += part.length;
  }
  return head;
}
