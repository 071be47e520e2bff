/**
 * What requests, answers and trailers have in common: which fields may stand in a message (RFC 9113 8.2), and how its regular
 * fields are handed on, apart from the pseudo-headers.
 */
import { CONTENT_LENGTH_MAX } from "../../limits.ts";
import { equalsIgnoreCase } from "../http1/lexical.ts";
import { MALFORMED } from "./hpack/field_list.ts";
import type { FieldList } from "./hpack/field_list.ts";
import {
  NAME_AUTHORITY,
  NAME_CONNECTION,
  NAME_CONTENT_LENGTH,
  NAME_KEEP_ALIVE,
  NAME_PROTOCOL,
  NAME_PROXY_CONNECTION,
  NAME_STATUS,
  NAME_TE,
  NAME_TRANSFER_ENCODING,
  NAME_UPGRADE,
} from "./hpack/names.ts";
import { HEADERS_MAX } from "../../../routing/limits.ts";

/** What reading a message came to. */
export const VALID = 0;
/** A stream error of type PROTOCOL_ERROR (RFC 9113 8.1.1). */
export const MALFORMED_MESSAGE = 1;
/** Valid as far as is known, but with more than is taken. */
export const TOO_LARGE_MESSAGE = 2;

/** Whether the name is a pseudo-header's. */
export function isPseudo(name: number): boolean {
  return (name >= NAME_AUTHORITY && name <= NAME_STATUS) || name === NAME_PROTOCOL;
}

/** Whether a regular field may stand in any message: well-formed, and not about the connection (RFC 9113 8.2.2). */
export function mayStand(list: FieldList, index: number): boolean {
  if ((list.flags[index] & MALFORMED) !== 0) return false;
  switch (list.names[index]) {
    case NAME_CONNECTION:
    case NAME_KEEP_ALIVE:
    case NAME_PROXY_CONNECTION:
    case NAME_TRANSFER_ENCODING:
    case NAME_UPGRADE:
      return false;
    case NAME_TE: {
      const slot = 4 * index;
      return equalsIgnoreCase(
        list.bytes,
        list.offsets[slot + 2],
        list.offsets[slot + 3],
        "trailers",
      );
    }
    default:
      return true;
  }
}

/** Whether the list can be trailers: regular fields only (RFC 9113 8.1), none of which says how long the body was. */
export function areTrailers(list: FieldList): boolean {
  for (let index = 0; index < list.count; index++) {
    const name = list.names[index];
    if (isPseudo(name) || name === NAME_CONTENT_LENGTH || !mayStand(list, index)) return false;
  }
  return true;
}

/** A length in digits; -1 where it is none, or more than can be counted. */
function lengthOf(bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return -1;
  let length = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at] - 48;
    if (digit < 0 || digit > 9) return -1;
    length = 10 * length + digit;
    if (length > CONTENT_LENGTH_MAX) return -1;
  }
  return length;
}

/** The regular fields of a message, in the order in which they came. */
export class Message {
  /** Four numbers a header: name start, name end, value start, value end; into the arena. */
  readonly headers: Int32Array;
  /** Id of each header's name (`hpack/names.ts`). */
  readonly names = new Uint8Array(HEADERS_MAX);
  /** `NEVER_INDEXED` where a header must not be indexed further on. */
  readonly flags = new Uint8Array(HEADERS_MAX);
  headerCount = 0;
  /** -1: not said. */
  contentLength = -1;

  constructor(headers: Int32Array = new Int32Array(4 * HEADERS_MAX)) {
    this.headers = headers;
  }

  /** Adds header `index` of the list, under another name's offsets where `nameStart` is given. */
  protected take(list: FieldList, index: number): boolean {
    if (this.headerCount === HEADERS_MAX) return false;
    const from = 4 * index;
    const to = 4 * this.headerCount;
    this.headers[to] = list.offsets[from];
    this.headers[to + 1] = list.offsets[from + 1];
    this.headers[to + 2] = list.offsets[from + 2];
    this.headers[to + 3] = list.offsets[from + 3];
    this.names[this.headerCount] = list.names[index];
    this.flags[this.headerCount] = list.flags[index];
    this.headerCount++;
    return true;
  }

  /** Notes a Content-Length. False: it is malformed, or the second one, which a next hop could take for the first. */
  protected noteLength(list: FieldList, index: number): boolean {
    if (this.contentLength >= 0) return false;
    const slot = 4 * index;
    this.contentLength = lengthOf(list.bytes, list.offsets[slot + 2], list.offsets[slot + 3]);
    return this.contentLength >= 0;
  }
}
