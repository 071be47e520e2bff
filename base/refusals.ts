/**
 * Refusals: why the proxy itself answers a request, or ends a connection, in place of an endpoint. One table: what an HTTP client, a caller
 * of gRPC and a person is told of each.
 */

/** Statuses of gRPC (google.rpc.Code). */
const GRPC_UNKNOWN = 2;
const DEADLINE_EXCEEDED = 4;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
/** Callers do not try it again. */
const FAILED_PRECONDITION = 9;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;
/** Callers try again what is unavailable, so only what has not been processed may be called that. */
const UNAVAILABLE = 14;

/** HTTP status, status of gRPC, and one line for people, by the reason that `x-weft-reason` and the access log carry. */
const TABLE = {
  // The request cannot be read, or is more than is taken.
  "bad-start-line": [400, INTERNAL, "The request line is not HTTP"],
  "scheme-unsupported": [
    400,
    INTERNAL,
    "The target is an https URL, which takes TLS from the client itself: through CONNECT, or to the host",
  ],
  "bad-header": [400, INTERNAL, "A header line is malformed"],
  "bad-host": [400, INTERNAL, "The Host header is missing, repeated or malformed"],
  "bad-content-length": [400, INTERNAL, "The Content-Length is malformed or contradicts another"],
  "bad-transfer-encoding": [400, INTERNAL, "The Transfer-Encoding is malformed or repeated"],
  "ambiguous-framing": [400, INTERNAL, "Content-Length and Transfer-Encoding exclude each other"],
  "version-unsupported": [505, GRPC_UNKNOWN, "The HTTP version is not supported here"],
  "transfer-coding-unsupported": [
    501,
    GRPC_UNKNOWN,
    "The only transfer coding supported is chunked",
  ],
  "expectation-unsupported": [417, GRPC_UNKNOWN, "The only expectation supported is 100-continue"],
  "too-many-headers": [431, RESOURCE_EXHAUSTED, "The request has too many headers"],
  "head-too-large": [431, RESOURCE_EXHAUSTED, "The request head is too large"],
  "target-too-long": [414, GRPC_UNKNOWN, "The request target is too long"],
  "bad-chunk": [400, INTERNAL, "The chunked body is malformed"],
  "body-too-large": [413, RESOURCE_EXHAUSTED, "The request body is larger than this proxy takes"],
  "request-timeout": [408, DEADLINE_EXCEEDED, "The request did not arrive in time"],
  "bad-http2-settings": [400, INTERNAL, "The HTTP2-Settings are malformed"],
  "no-buffer": [503, UNAVAILABLE, "The proxy is out of buffers"],
  // The request leads nowhere.
  "host-invalid": [400, INTERNAL, "The host is not a name or address with an optional port"],
  "host-unknown": [404, UNIMPLEMENTED, "No Service of the mesh has this host name"],
  "alias-outside": [
    403,
    PERMISSION_DENIED,
    "The host is another name (ExternalName) of one outside the mesh, which has no address or may not be called",
  ],
  "no-rule": [404, UNIMPLEMENTED, "No rule of the Service's routes takes this request"],
  "route-invalid": [
    500,
    GRPC_UNKNOWN,
    "The route names a backend that is not there or may not be named, or asks for what is not done",
  ],
  "redirected": [302, GRPC_UNKNOWN, "The route sends the client elsewhere"],
  "port-unknown": [404, UNIMPLEMENTED, "The Service does not have this port"],
  "not-http": [502, UNAVAILABLE, "The port does not speak HTTP"],
  "no-endpoints": [503, UNAVAILABLE, "No backend of the matching route has an endpoint"],
  "no-address": [503, UNAVAILABLE, "The endpoints of the backend have no address"],
  "no-healthy-endpoint": [503, UNAVAILABLE, "Every endpoint of the backend has failed too often"],
  "egress-off": [
    403,
    PERMISSION_DENIED,
    "The destination is not of the mesh, egress is off, and no Egress allows the call",
  ],
  "loop": [
    508,
    FAILED_PRECONDITION,
    "The request goes in a circle, or its destination is this proxy itself",
  ],
  "max-forwards": [200, GRPC_UNKNOWN, "The request asked to go no further (Max-Forwards)"],
  // The caller may not.
  "path-ambiguous": [
    400,
    INTERNAL,
    "Traffic targets, an Egress or an IngressBackend judge the path, which has dot segments: the server may read another one",
  ],
  "access-denied": [403, PERMISSION_DENIED, "No traffic target allows this request"],
  "mtls-required": [
    403,
    PERMISSION_DENIED,
    "Callers must come by mutual TLS, through a sidecar of the mesh, and no IngressBackend lets this one in",
  ],
  "identity-missing": [
    403,
    PERMISSION_DENIED,
    "Traffic targets are enforced, and the caller showed no certificate with an identity",
  ],
  "identity-ambiguous": [
    403,
    PERMISSION_DENIED,
    "The caller's certificate has several URIs, so it is ambiguous",
  ],
  "identity-malformed": [
    403,
    PERMISSION_DENIED,
    "The URI in the caller's certificate is not the SPIFFE id of a service account",
  ],
  "identity-foreign": [403, PERMISSION_DENIED, "The caller's identity is of another trust domain"],
  // A traffic policy has it so.
  "rate-limited": [
    429,
    RESOURCE_EXHAUSTED,
    "A traffic policy limits how many requests may be sent",
  ],
  "fault-abort": [503, UNAVAILABLE, "A traffic policy answers in place of the endpoint"],
  "request-limit": [503, UNAVAILABLE, "As many requests are under way as a traffic policy allows"],
  "connection-limit": [503, UNAVAILABLE, "As many connections are open as a traffic policy allows"],
  "pending-limit": [
    503,
    UNAVAILABLE,
    "As many requests wait for a connection as a traffic policy allows",
  ],
  "pending-timeout": [503, UNAVAILABLE, "No connection came free in time"],
  "deadline-exceeded": [
    504,
    DEADLINE_EXCEEDED,
    "The answer did not come within the time that its caller or a traffic policy allows",
  ],
  // The endpoint failed.
  "upstream-refused": [503, UNAVAILABLE, "No endpoint accepted a connection"],
  "upstream-tls-failed": [503, UNAVAILABLE, "No TLS connection to the endpoint could be made"],
  "upstream-connect-timeout": [504, UNAVAILABLE, "No endpoint accepted a connection in time"],
  "upstream-protocol": [502, UNAVAILABLE, "The endpoint does not speak HTTP/2, as its port says"],
  "upstream-reset": [502, UNAVAILABLE, "The endpoint closed the connection before it answered"],
  "upstream-invalid": [502, INTERNAL, "The endpoint's answer is not valid HTTP"],
  "upstream-head-too-large": [
    502,
    RESOURCE_EXHAUSTED,
    "The head of the endpoint's answer is larger than this proxy takes",
  ],
  "upstream-timeout": [504, DEADLINE_EXCEEDED, "The endpoint did not answer in time"],
  "answer-head-too-large": [
    502,
    RESOURCE_EXHAUSTED,
    "The head of the answer is larger than the client takes",
  ],
  // The two sides' protocols do not meet.
  "protocol-unsupported": [
    501,
    GRPC_UNKNOWN,
    "The only protocol supported in CONNECT is websocket",
  ],
  "websocket-unsupported": [
    501,
    GRPC_UNKNOWN,
    "The endpoint speaks HTTP/2 and takes no WebSocket over it",
  ],
  "bad-websocket-key": [400, INTERNAL, "The Sec-WebSocket-Key is missing, repeated or malformed"],
} as const satisfies Record<string, readonly [status: number, grpcStatus: number, text: string]>;

export type RefusalReason = keyof typeof TABLE;

/** Why the proxy ends what it cannot answer, or can answer no more, beside the reasons above: for metrics, the access log and taps. */
export const CUTS = {
  "client-gone": "The client left, or took no more, before it had all of its answer",
  "idle-timeout":
    "An answer under way, a tunnel or a relayed connection was without a byte for too long",
  "not-redirected": "A connection came to a capturing listener by itself, not by redirection",
  "fault": "A defect of the proxy",
} as const;

/** Empty: the endpoint answered in full, or both ends of a tunnel ended it. */
export type EndReason = RefusalReason | keyof typeof CUTS | "";

export interface Refusal {
  readonly reason: RefusalReason;
  readonly status: number;
  readonly grpcStatus: number;
  /** One line of ASCII. */
  readonly text: string;
  /** More header lines of the answer, each with its end; null: none. */
  readonly headers: Uint8Array<ArrayBuffer> | null;
}

export const REFUSALS = Object.fromEntries(
  Object.entries(TABLE).map(([reason, [status, grpcStatus, text]]) => [
    reason,
    { reason, status, grpcStatus, text, headers: null },
  ]),
) as unknown as Readonly<Record<RefusalReason, Refusal>>;

/** A refusal with the status and the header lines that a policy names. */
export function refusalBy(
  reason: RefusalReason,
  status: number,
  headers: Uint8Array<ArrayBuffer> | null,
): Refusal {
  const { grpcStatus, text } = REFUSALS[reason];
  const isOwnStatus = status === REFUSALS[reason].status;
  return {
    reason,
    status,
    text,
    headers,
    grpcStatus: isOwnStatus ? grpcStatus : grpcStatusOfHttp(status),
  };
}

/** The gRPC status of an answer that says nothing of gRPC, as gRPC's own clients map it. */
export function grpcStatusOfHttp(status: number): number {
  switch (status) {
    case 400:
      return INTERNAL;
    case 401:
      return 16;
    case 403:
      return PERMISSION_DENIED;
    case 404:
      return UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return UNAVAILABLE;
    default:
      return GRPC_UNKNOWN;
  }
}
