/** What a valid answer is (RFC 9113 8.3.2), and what relaying sees of it. */
import { MALFORMED } from "./hpack/field_list.ts";
import type { FieldList } from "./hpack/field_list.ts";
import { NAME_CONTENT_LENGTH, NAME_STATUS } from "./hpack/names.ts";
import {
  isPseudo,
  MALFORMED_MESSAGE,
  mayStand,
  Message,
  TOO_LARGE_MESSAGE,
  VALID,
} from "./message.ts";

const SWITCHING_PROTOCOLS = 101;
const NO_CONTENT = 204;
const NOT_MODIFIED = 304;

/** An answer; all offsets are into the arena, and hold until the next head is received. */
export class Http2Response extends Message {
  status = 0;

  /** An interim answer: another one follows on the stream. */
  get isInterim(): boolean {
    return this.status < 200;
  }

  /** Whether an answer like this can have a body, unless the request was HEAD. */
  get hasBody(): boolean {
    return this.status !== NO_CONTENT && this.status !== NOT_MODIFIED && !this.isInterim;
  }

  /** Reads a list: `VALID`, `MALFORMED_MESSAGE` or `TOO_LARGE_MESSAGE`. */
  read(list: FieldList): number {
    this.headerCount = 0;
    this.contentLength = -1;
    if (list.count === 0 || list.names[0] !== NAME_STATUS) return MALFORMED_MESSAGE;
    this.status = statusIn(list, 0);
    // There is no switching of protocols in HTTP/2 (RFC 9113 8.6).
    if (this.status < 0 || this.status === SWITCHING_PROTOCOLS) return MALFORMED_MESSAGE;
    for (let index = 1; index < list.count; index++) {
      const name = list.names[index];
      if (isPseudo(name) || !mayStand(list, index)) return MALFORMED_MESSAGE;
      if (name === NAME_CONTENT_LENGTH && !this.noteLength(list, index)) return MALFORMED_MESSAGE;
      if (!this.take(list, index)) return TOO_LARGE_MESSAGE;
    }
    return VALID;
  }
}

/** The status in field `index`, 100 to 999; -1 where it is none. */
export function statusIn(list: FieldList, index: number): number {
  const start = list.offsets[4 * index + 2];
  if (list.offsets[4 * index + 3] - start !== 3 || (list.flags[index] & MALFORMED) !== 0) return -1;
  const { bytes } = list;
  let status = 0;
  for (let at = start; at < start + 3; at++) {
    const digit = bytes[at] - 48;
    if (digit < 0 || digit > 9) return -1;
    status = 10 * status + digit;
  }
  return status < 100 ? -1 : status;
}
