/** What all machines of one thread share: the head that is being received, the one being composed, and free records. */
import { HEAD_BUFFER_BYTES } from "../../limits.ts";
import { FieldList } from "./hpack/field_list.ts";
import { Http2Request } from "./request.ts";
import { Http2Response } from "./response.ts";
import type { Stream } from "./stream.ts";

/** Scratch: what it holds is valid until the next head is received, or composed. */
export class Http2Scratch {
  readonly arena: Uint8Array;
  /** Every field of the last head or trailers, pseudo-headers too. */
  readonly received: FieldList;
  /** For owners, to compose what they send. */
  readonly composed: FieldList;
  readonly request = new Http2Request();
  readonly response = new Http2Response();
  readonly streams: Stream[] = [];

  /** Takes two areas of `arena` for good, each of `areaBytes`. */
  constructor(
    arena: Uint8Array,
    receivedOffset: number,
    composedOffset: number,
    areaBytes: number = HEAD_BUFFER_BYTES,
  ) {
    this.arena = arena;
    this.received = new FieldList(arena, receivedOffset, receivedOffset + areaBytes);
    this.composed = new FieldList(arena, composedOffset, composedOffset + areaBytes);
  }
}
