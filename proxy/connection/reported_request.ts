/** ReportedRequest: what the access log and taps say of a request that its answer does not. Made only where requests are reported. */
import { latin1 } from "../protocol/http1/lexical.ts";
import { traceIdOf } from "./trace_context.ts";
import type { Request } from "../protocol/http1/request.ts";

export class ReportedRequest {
  readonly peer: string;
  /** `HTTP/1.1`, `HTTP/2`, `TCP`; empty, as the following are, where the head could not be read. */
  protocol = "";
  method = "";
  authority = "";
  path = "";
  /** Of the bodies, as their heads declare them; of a relayed connection, as they were counted. Null: not known. */
  requestBytes: number | null = null;
  responseBytes: number | null = null;
  /** Endpoints that were tried. */
  attempts = 0;
  /** Empty where the request belongs to no trace. */
  trace = "";

  constructor(peer: string) {
    this.peer = peer;
  }

  /**
   * @param request null: its head could not be read
   * @param traceLine that it was given
   */
  static of(
    bytes: Uint8Array,
    request: Request | null,
    peer: string,
    isHttp2: boolean,
    traceLine: string,
  ): ReportedRequest {
    const reported = new ReportedRequest(peer);
    if (request === null) return reported;
    const { methodStart, methodEnd, authorityStart, authorityEnd } = request.routed;
    reported.protocol = isHttp2 ? "HTTP/2" : `HTTP/1.${request.minorVersion}`;
    reported.method = latin1(bytes, methodStart, methodEnd);
    reported.authority = latin1(bytes, authorityStart, authorityEnd);
    reported.path = latin1(bytes, request.originStart, request.originEnd);
    reported.trace = traceIdOf(bytes, request, traceLine);
    if (request.contentLength >= 0) reported.requestBytes = request.contentLength;
    // Without a length and without chunks an HTTP/1 request has no body (RFC 9112 6.3).
    else if (!isHttp2 && !request.isChunked) reported.requestBytes = 0;
    return reported;
  }
}
