/**
 * gRPC: what the proxy's own answers look like to its callers. They read `grpc-status`, not the HTTP status; an answer
 * without a body is one head with everything in it ("Trailers-Only").
 */
import type { Refusal } from "../../../base/refusals.ts";
import { equalsIgnoreCase, latin1 } from "../http1/lexical.ts";
import type { FieldList } from "./hpack/field_list.ts";
import {
  NAME_CONTENT_TYPE,
  NAME_GRPC_MESSAGE,
  NAME_GRPC_STATUS,
  NAME_STATUS,
  NAME_WEFT_REASON,
} from "./hpack/names.ts";

const CONTENT_TYPE = "application/grpc";
const PLUS = 43;
const SEMICOLON = 59;

/** Static table entry `:status: 200`. */
const STATUS_200 = 8;

/** Whether a content type is gRPC's: `application/grpc`, alone or with a message format or parameters. */
export function isGrpcContentType(bytes: Uint8Array, start: number, end: number): boolean {
  const middle = start + CONTENT_TYPE.length;
  if (!equalsIgnoreCase(bytes, start, Math.min(middle, end), CONTENT_TYPE)) return false;
  // `application/grpc-web` is another protocol, over plain HTTP.
  return middle === end || bytes[middle] === PLUS || bytes[middle] === SEMICOLON;
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

/** Composes a refusal for a caller of gRPC, to be sent as the only head of the answer, with its end. */
export function composeGrpcRefusal(fields: FieldList, refusal: Refusal): void {
  fields.clear();
  fields.addStatic(STATUS_200, NAME_STATUS);
  fields.addText(NAME_CONTENT_TYPE, CONTENT_TYPE);
  addStatus(fields, refusal);
}

/** Composes the trailers that end an answer under way. */
export function composeGrpcTrailers(fields: FieldList, refusal: Refusal): void {
  fields.clear();
  addStatus(fields, refusal);
}

function addStatus(fields: FieldList, { grpcStatus, text, reason }: Refusal): void {
  fields.addText(NAME_GRPC_STATUS, String(grpcStatus));
  fields.addText(NAME_GRPC_MESSAGE, percentEncode(text));
  fields.addText(NAME_WEFT_REASON, reason);
}

/** `grpc-message` holds visible ASCII and spaces; a percent sign is encoded too. */
function percentEncode(text: string): string {
  return text.replace(
    /[^ -$&-~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}
