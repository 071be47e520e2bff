/**
 * RequestCopy: a request as far as it has come, for a mirror: its head as it goes out, and its body up to a bound. It takes
 * bytes as they pass and holds nobody up; where it goes is for others to know.
 */
import { headText } from "../protocol/http1/head_text.ts";
import { writeAscii } from "../loop/arena.ts";
import { MIRROR_BODY_BYTES_MAX } from "../limits.ts";
import { Body } from "../protocol/http1/body.ts";
import type { Request } from "../protocol/http1/request.ts";

/** Tells a copy from what it was copied from; all else is the same, the host too. */
const MARK = "x-weft-mirror: 1\r\n";
/** The empty line that ends a head. */
const LINE_END_BYTES = 2;

export class RequestCopy {
  /** As HTTP/1.1, with the changes of its policy. */
  readonly head: Uint8Array;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  constructor(bytes: Uint8Array, request: Request) {
    this.head = headOf(bytes, request);
  }

  /** Takes more of the body. False: it is more than is held of a copy. */
  add(bytes: Uint8Array, from: number, to: number): boolean {
    this.#bytes += to - from;
    if (this.#bytes > MIRROR_BODY_BYTES_MAX) return false;
    if (to > from) this.#pieces.push(bytes.slice(from, to));
    return true;
  }

  /** The body comes once more, from its beginning. */
  restart(): void {
    this.#pieces = [];
    this.#bytes = 0;
  }

  /** The whole body as plain data. `isChunked`: what was taken is in chunks. */
  body(isChunked: boolean): Uint8Array {
    const whole = new Uint8Array(this.#bytes);
    let at = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    if (!isChunked) return whole;
    const body = new Body();
    body.startChunked();
    return whole.subarray(0, body.unchunk(whole, 0, whole.length));
  }
}

function headOf(bytes: Uint8Array, request: Request): Uint8Array {
  const own = headText(bytes, request);
  const added = bytes.subarray(request.addedStart, request.addedEnd);
  const head = new Uint8Array(own.length + added.length + MARK.length);
  const ownEnd = own.length - LINE_END_BYTES;
  head.set(own.subarray(0, ownEnd));
  head.set(added, ownEnd);
  writeAscii(head, ownEnd + added.length, MARK);
  head.set(own.subarray(ownEnd), head.length - LINE_END_BYTES);
  return head;
}
