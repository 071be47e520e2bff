/**
 * ReportedRequest: what the access log, taps and spans say of a request besides how it was routed and answered. Made only
 * if a log, a tap or a span wants it.
 */
import { equalsIgnoreCase, latin1 } from "../protocol/http1/lexical.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Response } from "../protocol/http1/response.ts";
import { grpcStatusIn, parseGrpcStatus } from "../protocol/http2/grpc.ts";
import type { FieldList } from "../protocol/http2/hpack/field_list.ts";
import type { Span } from "../tracing/span.ts";
import { parseTraceparent } from "../tracing/trace_headers.ts";
import type { ExchangeTrace } from "../tracing/tracer.ts";
import type { RequestText } from "../observe/request_text.ts";
import type { ClientFacts } from "../route/router.ts";
import type { Caller } from "../tls/caller.ts";

const NO_HEADERS = {};

/** By the minor version, which is one digit. */
const HTTP1_NAMES = Array.from({ length: 10 }, (_, minor) => `HTTP/1.${minor}`);

function copyText(text: RequestText, bytes: Uint8Array, request: Request): void {
  const { originStart, originEnd } = request;
  const { methodStart, methodEnd, authorityStart, authorityEnd } = request.routed;
  text.reserve(methodEnd - methodStart + authorityEnd - authorityStart + originEnd - originStart);
  text.methodEnd = text.copy(bytes, methodStart, methodEnd, 0);
  text.authorityEnd = text.copy(bytes, authorityStart, authorityEnd, text.methodEnd);
  text.pathEnd = text.copy(bytes, originStart, originEnd, text.authorityEnd);
}

export class ReportedRequest {
  readonly peer: string;
  readonly caller: Caller;
  /** `HTTP/1.1`, `HTTP/2`, `TCP`; empty, as the text is, where the head could not be read. */
  protocol = "";
  readonly text: RequestText;
  /** Of the bodies, as their heads declare them; of a relayed connection, as they were counted. Null: not known. */
  requestBytes: number | null = null;
  responseBytes: number | null = null;
  /** What a call by gRPC came to. Null: it is none, or it did not come to its end. */
  grpcStatus: number | null = null;
  /** Endpoints that were tried. */
  attempts = 0;
  /** Those that a tap asks for, by name in lower case. */
  headers: Readonly<Record<string, string>> = NO_HEADERS;
  /** Null where none is made. */
  span: Span | null = null;

  /** @param text empty; its own until it is told of */
  constructor({ peer, caller }: Pick<ClientFacts, "peer" | "caller">, text: RequestText) {
    this.text = text;
    this.peer = peer;
    this.caller = caller;
  }

  /** A connection that is relayed whole. @param authority what its client wanted */
  static ofConnection(client: ClientFacts, authority: string, text: RequestText): ReportedRequest {
    const reported = new ReportedRequest(client, text);
    reported.protocol = "TCP";
    text.set("TCP", authority, "", "");
    reported.requestBytes = reported.responseBytes = 0;
    return reported;
  }

  /**
   * @param request null: its head could not be read
   * @param trace null: what the request says of it, if anything
   * @param headerNames of the headers to be reported, in lower case
   * @param text empty
   */
  static of(
    bytes: Uint8Array,
    request: Request | null,
    client: ClientFacts,
    trace: ExchangeTrace | null,
    headerNames: readonly string[],
    text: RequestText,
  ): ReportedRequest {
    const reported = new ReportedRequest(client, text);
    if (request === null) return reported;
    reported.protocol = client.speaksHttp2 ? "HTTP/2" : HTTP1_NAMES[request.minorVersion];
    copyText(text, bytes, request);
    if (trace === null) text.setTrace(traceIdOf(bytes, request));
    else text.traceEnd = trace.writeTraceId(text.bytes, text.pathEnd);
    reported.span = trace?.span ?? null;
    if (headerNames.length > 0) reported.headers = headersOf(bytes, request, headerNames);
    if (request.contentLength >= 0) reported.requestBytes = request.contentLength;
    // Without a length and without chunks an HTTP/1 request has no body (RFC 9112 6.3).
    else if (!client.speaksHttp2 && !request.isChunked) reported.requestBytes = 0;
    return reported;
  }

  /** An endpoint's answer has begun. */
  answered(bytes: Uint8Array, response: Response, isHead: boolean): void {
    if (!response.hasBody(isHead)) this.responseBytes = 0;
    else this.responseBytes = response.contentLength >= 0 ? response.contentLength : null;
    // A call that fails before its first message is answered by one head, with what is a trailer else.
    this.#takeGrpcStatus(headerOf(bytes, response, "grpc-status") ?? "");
  }

  /** The trailers of an endpoint's answer. */
  takeTrailers(fields: FieldList): void {
    this.#takeGrpcStatus(grpcStatusIn(fields));
  }

  /** A call by gRPC was refused by the proxy. */
  refusedCall(grpcStatus: number): void {
    this.grpcStatus = grpcStatus;
  }

  /** A relayed connection has carried so many bytes more. */
  addBytes(isFromClient: boolean, count: number): void {
    if (isFromClient) this.requestBytes = (this.requestBytes ?? 0) + count;
    else this.responseBytes = (this.responseBytes ?? 0) + count;
  }

  #takeGrpcStatus(text: string): void {
    this.grpcStatus = parseGrpcStatus(text) ?? this.grpcStatus;
  }
}

/** Those that the request has; of several with one name the first. */
function headersOf(
  bytes: Uint8Array,
  request: Request,
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => [name, headerOf(bytes, request, name)]).filter(([, value]) =>
      value !== null
    ),
  );
}

/** By the request's own `traceparent`; empty: it has none. */
function traceIdOf(bytes: Uint8Array, request: Request): string {
  return parseTraceparent(headerOf(bytes, request, "traceparent") ?? "")?.traceId ?? "";
}

/** The value of the first header with this name (lower case); null: there is none. */
function headerOf(bytes: Uint8Array, head: Request | Response, name: string): string | null {
  const { headers, headerCount } = head;
  for (let slot = 0; slot < 4 * headerCount; slot += 4) {
    if (!equalsIgnoreCase(bytes, headers[slot], headers[slot + 1], name)) continue;
    return latin1(bytes, headers[slot + 2], headers[slot + 3]);
  }
  return null;
}
