/**
 * gRPC: what the proxy's own answers look like to its callers. They read `grpc-status`, not the HTTP status; an answer
 * without a body is one head with everything in it ("Trailers-Only").
 */
import { equalsIgnoreCase, latin1 } from "../http1/lexical.ts";
import type { FieldList } from "./hpack/field_list.ts";
import {
  NAME_CONTENT_TYPE,
  NAME_GRPC_MESSAGE,
  NAME_GRPC_STATUS,
  NAME_STATUS,
  NAME_WEFT_REASON,
} from "./hpack/names.ts";

const GRPC_UNKNOWN = 2;
const GRPC_DEADLINE_EXCEEDED = 4;
const GRPC_PERMISSION_DENIED = 7;
const GRPC_RESOURCE_EXHAUSTED = 8;
const GRPC_FAILED_PRECONDITION = 9;
const GRPC_UNIMPLEMENTED = 12;
const GRPC_INTERNAL = 13;
const GRPC_UNAVAILABLE = 14;
const GRPC_UNAUTHENTICATED = 16;

const CONTENT_TYPE = "application/grpc";
const PLUS = 43;
const SEMICOLON = 59;

/** Static table entry `:status: 200`. */
const STATUS_200 = 8;

/**
 * Reasons for which the status alone would say too little or too much. A caller may try again what is unavailable, so only
 * what has not been processed may be called that.
 */
const BY_REASON: Readonly<Record<string, number>> = {
  "upstream-timeout": GRPC_DEADLINE_EXCEEDED,
  "request-timeout": GRPC_DEADLINE_EXCEEDED,
  "deadline-exceeded": GRPC_DEADLINE_EXCEEDED,
  // Callers try again at once what is unavailable, and a rate is not to be met with that.
  "rate-limited": GRPC_RESOURCE_EXHAUSTED,
  // The endpoint may have done its work before the connection broke.
  "upstream-reset": GRPC_UNAVAILABLE,
  "upstream-invalid": GRPC_INTERNAL,
  "too-many-headers": GRPC_RESOURCE_EXHAUSTED,
  "head-too-large": GRPC_RESOURCE_EXHAUSTED,
  "body-too-large": GRPC_RESOURCE_EXHAUSTED,
  // Sent again it would go round again, each time from every hop.
  "loop": GRPC_FAILED_PRECONDITION,
};

/** Whether a content type is gRPC's: `application/grpc`, alone or with a message format or parameters. */
export function isGrpcContentType(bytes: Uint8Array, start: number, end: number): boolean {
  const middle = start + CONTENT_TYPE.length;
  if (!equalsIgnoreCase(bytes, start, Math.min(middle, end), CONTENT_TYPE)) return false;
  // `application/grpc-web` is another protocol, over plain HTTP.
  return middle === end || bytes[middle] === PLUS || bytes[middle] === SEMICOLON;
}

/** The gRPC status of an answer that says nothing of gRPC, as gRPC's own clients map it. */
function grpcStatusOfHttp(status: number): number {
  switch (status) {
    case 400:
      return GRPC_INTERNAL;
    case 401:
      return GRPC_UNAUTHENTICATED;
    case 403:
      return GRPC_PERMISSION_DENIED;
    case 404:
      return GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return GRPC_UNAVAILABLE;
    default:
      return GRPC_UNKNOWN;
  }
}

/** The gRPC status of a refusal of the proxy's own: by its reason (`x-weft-reason`) where that says more than `status`. */
export function grpcStatusOfRefusal(status: number, reason: string): number {
  return BY_REASON[reason] ?? grpcStatusOfHttp(status);
}

/** The HTTP statuses of gRPC's, 0 to 16, as google.rpc.Code has them. */
const HTTP_STATUSES: readonly number[] = [
  200,
  499,
  500,
  400,
  504,
  404,
  409,
  403,
  429,
  400,
  409,
  400,
  501,
  500,
  503,
  500,
  401,
];

/** The HTTP status that says the same as this text of a `grpc-status`; 0: it says nothing. */
export function httpStatusOfGrpc(text: string): number {
  const code = parseGrpcStatus(text);
  if (code === null) return 0;
  // A code that is not known is UNKNOWN.
  return HTTP_STATUSES[code] ?? 500;
}

/** The number in a `grpc-status`; null: it is none. */
export function parseGrpcStatus(text: string): number | null {
  return /^\d{1,3}$/.test(text) ? Number(text) : null;
}

/** The text of `grpc-status` among these fields; empty: it is not there. */
export function grpcStatusIn({ bytes, names, offsets, count }: FieldList): string {
  for (let index = 0; index < count; index++) {
    if (names[index] !== NAME_GRPC_STATUS) continue;
    return latin1(bytes, offsets[4 * index + 2], offsets[4 * index + 3]);
  }
  return "";
}

/**
 * Composes a refusal for a caller of gRPC, to be sent as the only head of the answer, with its end. `explanation` is ASCII.
 * False: it does not fit.
 */
export function composeGrpcRefusal(
  fields: FieldList,
  status: number,
  reason: string,
  explanation: string,
): boolean {
  fields.clear();
  return fields.addStatic(STATUS_200, NAME_STATUS) &&
    fields.addText(NAME_CONTENT_TYPE, CONTENT_TYPE) &&
    fields.addText(NAME_GRPC_STATUS, String(grpcStatusOfRefusal(status, reason))) &&
    fields.addText(NAME_GRPC_MESSAGE, percentEncode(explanation)) &&
    fields.addText(NAME_WEFT_REASON, reason);
}

/** `grpc-message` holds visible ASCII and spaces; a percent sign is encoded too. */
function percentEncode(text: string): string {
  return text.replace(
    /[^ -$&-~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}
