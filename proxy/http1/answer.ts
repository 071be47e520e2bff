/** The answers that the proxy makes itself: the one place where reasons become words. */

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

/** One line for people; the reason code itself goes into `x-weft-reason`. */
const EXPLANATIONS: Readonly<Record<string, string>> = {
  "bad-start-line":
    "The request line is not HTTP, or its target has characters to be percent-encoded",
  "bad-header": "A header line is malformed",
  "bad-host": "The Host header is missing, repeated or malformed",
  "bad-content-length": "The Content-Length is malformed or contradicts another",
  "bad-transfer-encoding": "The Transfer-Encoding is malformed or repeated",
  "bad-chunk": "The chunked body is malformed",
  "body-too-large": "The request body is larger than this proxy takes",
  "ambiguous-framing": "Content-Length and Transfer-Encoding exclude each other",
  "version-unsupported": "The HTTP version is not supported here",
  "transfer-coding-unsupported": "The only transfer coding supported is chunked",
  "too-many-headers": "The request has too many headers",
  "answer-head-too-large": "The head of the answer is larger than the client takes",
  "head-too-large": "The request head is too large",
  "target-too-long": "The request target is too long",
  "client-ended": "The client ended the connection while a traffic policy held its request back",
  "expectation-unsupported": "The only expectation supported is 100-continue",
  "request-timeout": "The request did not arrive in time",
  "host-invalid": "The host is not a name or address with an optional port",
  "host-unknown": "No Service of the mesh has this host name",
  "alias-outside":
    "The host is another name (ExternalName) of one outside the mesh, which has no address or may not be called",
  "port-unknown": "The Service does not have this port",
  "not-http": "The port does not speak HTTP",
  "no-endpoints": "No backend of the matching route has an endpoint",
  "no-buffer": "The proxy is out of buffers",
  "protocol-unsupported": "The only protocol supported in CONNECT is websocket",
  "websocket-unsupported": "The endpoint speaks HTTP/2 and takes no WebSocket over it",
  "bad-http2-settings": "The HTTP2-Settings are malformed",
  "bad-websocket-key": "The Sec-WebSocket-Key is missing, repeated or malformed",
  "no-address": "The endpoints of the backend have no address",
  "egress-off": "The destination is not of the mesh, and only the mesh may be called",
  "loop": "The request goes in a circle, or its destination is this proxy itself",
  "max-forwards": "The request asked to go no further (Max-Forwards)",
  "path-ambiguous":
    "Traffic targets judge the path, which has dot segments: the application may read another one",
  "access-denied": "No traffic target allows this request",
  "identity-missing":
    "Traffic targets are enforced, and the caller showed no certificate with an identity",
  "identity-ambiguous": "The caller's certificate has several URIs, so it identifies nobody",
  "identity-malformed":
    "The URI in the caller's certificate is not the SPIFFE id of a service account",
  "identity-foreign": "The caller's identity is of another trust domain",
  "rate-limited": "A traffic policy limits how many requests may be sent",
  "fault-abort": "A traffic policy answers in place of the endpoint",
  "request-limit": "As many requests are under way as a traffic policy allows",
  "connection-limit": "As many connections are open as a traffic policy allows",
  "pending-limit": "As many requests wait for a connection as a traffic policy allows",
  "pending-timeout": "No connection came free in time",
  "deadline-exceeded": "The answer did not come within the time that a traffic policy allows",
  "no-healthy-endpoint": "Every endpoint of the backend has failed too often",
  "upstream-refused": "No endpoint accepted a connection",
  "upstream-tls-failed": "No TLS connection to the endpoint could be made",
  "upstream-connect-timeout": "No endpoint accepted a connection in time",
  "upstream-reset": "The endpoint closed the connection before it answered",
  "upstream-invalid": "The endpoint's answer is not valid HTTP",
  "upstream-timeout": "The endpoint did not answer in time",
};

/** A reason code in words. */
export function explainReason(reason: string): string {
  return EXPLANATIONS[reason] ?? reason;
}

export interface Answer {
  readonly status: number;
  readonly reason: string;
  /** The request was HEAD: its answer has no body. */
  readonly isHead: boolean;
  readonly isClosing: boolean;
  /** More header lines, each with its end. */
  readonly headers?: string;
}

/** A whole HTTP/1.1 answer. */
export function renderAnswer(answer: Answer): string {
  const body = `weft: ${explainReason(answer.reason)}\n`;
  const head = [
    `HTTP/1.1 ${answer.status} ${PHRASES[answer.status] ?? "Error"}`,
    "content-type: text/plain",
    `content-length: ${body.length}`,
    `x-weft-reason: ${answer.reason}`,
    ...(answer.isClosing ? ["connection: close"] : []),
  ].join("\r\n");
  return `${head}\r\n${answer.headers ?? ""}\r\n${answer.isHead ? "" : body}`;
}
