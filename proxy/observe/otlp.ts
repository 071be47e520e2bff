/**
 * Spans as OTLP's JSON (OpenTelemetry Protocol 1, section "JSON Protobuf Encoding"), under the names of the semantic
 * conventions for HTTP and RPC; what has no name there is under `weft.`. Knows no sockets and no clock.
 */
import { VERSION } from "../../base/version.ts";
import { METHODS } from "../../routing/request.ts";
import type { RetryEvent } from "../tracing/span.ts";
import type { FinishedSpan } from "./request_record.ts";

const KINDS = { server: 2, client: 3 } as const;
const STATUS_ERROR = 2;

/** Statuses of gRPC that are the server's doing: the others are what the caller asked for. */
const GRPC_SERVER_ERRORS: readonly number[] = [2, 4, 12, 13, 14, 15];

type Value = string | number;
type Attributes = Readonly<Record<string, Value | null>>;

/** The body of one request. */
export function encodeSpans(
  spans: readonly FinishedSpan[],
  resource: Readonly<Record<string, string>>,
): string {
  const scope = JSON.stringify({ name: "weft", version: VERSION });
  return `{"resourceSpans":[{"resource":{"attributes":[${encodeAttributes(resource)}]},` +
    `"scopeSpans":[{"scope":${scope},"spans":[${spans.map(encodeSpan).join(",")}]}]}]}`;
}

/** As text at once: as objects, of which one span is a hundred, a batch keeps the collector of garbage busy. */
function encodeSpan(span: FinishedSpan): string {
  const { kind, traceId, spanId, parentId, startMs, record, retries } = span;
  const error = errorOf(span);
  return `{"traceId":"${traceId}","spanId":"${spanId}",` +
    (parentId === "" ? "" : `"parentSpanId":"${parentId}",`) +
    `"name":${quoted(nameOf(span))},"kind":${KINDS[kind]},` +
    `"startTimeUnixNano":"${nanoseconds(startMs)}",` +
    `"endTimeUnixNano":"${nanoseconds(startMs + record.durationMs)}",` +
    `"attributes":[${encodeAttributes(attributesOf(span, error))}],` +
    `"events":[${retries.map(encodeRetry).join(",")}],` +
    `"status":${error === "" ? "{}" : `{"code":${STATUS_ERROR}}`}}`;
}

/** Of few names, whatever clients ask for: never a path. */
function nameOf({ record: { method, service }, kind }: FinishedSpan): string {
  const known = isKnown(method) ? method : "HTTP";
  return kind === "server" || service === "" ? known : `${known} ${service}`;
}

function attributesOf(span: FinishedSpan, error: string): Attributes {
  const { kind, record, isSecure, retries } = span;
  const { method, path, status, protocol, authority, endpoint, grpcStatus } = record;
  const server = splitAuthority(authority);
  const peer = kind === "client" ? splitAuthority(endpoint) : { address: record.peer, port: null };
  return {
    "http.request.method": isKnown(method) ? method : "_OTHER",
    "http.request.method_original": isKnown(method) ? null : method,
    "http.response.status_code": status || null,
    "http.request.resend_count": retries.length || null,
    "http.request.body.size": record.requestBytes,
    "http.response.body.size": record.responseBytes,
    "url.path": path.split("?", 1)[0] || null,
    "url.scheme": isSecure ? "https" : "http",
    "server.address": server.address,
    "server.port": server.port,
    "client.address": kind === "server" ? record.peer : null,
    "network.peer.address": peer.address,
    "network.peer.port": peer.port,
    "network.protocol.name": "http",
    "network.protocol.version": protocol.slice(protocol.indexOf("/") + 1),
    "rpc.system": grpcStatus === null ? null : "grpc",
    "rpc.grpc.status_code": grpcStatus,
    "error.type": error || null,
    "weft.source": record.source,
    "weft.service": record.service,
    "weft.route": record.rule,
    "weft.split": record.split,
    "weft.backend": record.backend,
    "weft.pod": record.pod,
    "weft.reason": record.reason,
    "weft.plan": record.plan,
  };
}

/** What went wrong: a reason code of the proxy, else the status; empty: nothing. */
function errorOf({ kind, record: { status, reason, grpcStatus } }: FinishedSpan): string {
  if (reason !== "") return reason;
  if (grpcStatus !== null && grpcStatus > 0) {
    return kind === "client" || GRPC_SERVER_ERRORS.includes(grpcStatus) ? String(grpcStatus) : "";
  }
  return status >= (kind === "client" ? 400 : 500) ? String(status) : "";
}

function encodeRetry({ timeMs, reason, endpoint }: RetryEvent): string {
  const attributes = encodeAttributes({ "weft.reason": reason, "weft.endpoint": endpoint });
  return `{"name":"weft.retry","timeUnixNano":"${nanoseconds(timeMs)}",` +
    `"attributes":[${attributes}]}`;
}

/** Without those that are null or empty. */
function encodeAttributes(attributes: Attributes): string {
  let text = "";
  for (const key in attributes) {
    const value = attributes[key];
    if (value === null || value === "") continue;
    // Whole numbers are texts in JSON, because they have 64 bits.
    const encoded = typeof value === "number"
      ? `{"intValue":"${value}"}`
      : `{"stringValue":${quoted(value)}}`;
    text += `${text === "" ? "" : ","}{"key":${quoted(key)},"value":${encoded}}`;
  }
  return text;
}

/** A text in JSON. Few have anything to escape, and to look is quicker than to call. */
function quoted(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
}

// deno-lint-ignore no-control-regex
const NEEDS_ESCAPE = /[\x00-\x1f"\\\ud800-\udfff]/;

/** `host:port`, `[address]:port` or either without the port. */
function splitAuthority(authority: string): { address: string; port: number | null } {
  const [, bracketed, host = "", port] = /^(?:\[(.*)\]|(.*?))(?::(\d+))?$/.exec(authority) ?? [];
  return { address: bracketed ?? host, port: port === undefined ? null : Number(port) };
}

function isKnown(method: string): boolean {
  return (METHODS as readonly string[]).includes(method);
}

/** Microseconds are as fine as the clock is. */
function nanoseconds(timeMs: number): string {
  return `${Math.round(timeMs * 1_000)}000`;
}
