/**
 * The arena's parts: constant texts that go into heads, and buffers, ordinary ones and some for bulk and for large heads, that are lent to
 * connections while they hold bytes. Both are named by offset, so that one gathered write takes them from where they are.
 */
import { assert } from "../../base/assert.ts";
import {
  BUFFER_BYTES,
  BUFFER_COUNT,
  GATHER_PIECES_MAX,
  HEAD_BUFFER_BYTES,
  LARGE_BUFFER_BYTES,
  LARGE_BUFFER_COUNT,
  PASSING_HEAD_BUFFERS,
  PEER_TEXTS_MAX,
  REQUEST_HEAD_BUFFERS,
} from "../limits.ts";
import { HEADER_TEXT_BYTES_MAX, NAME_LENGTH_MAX, PATH_TEXT_MAX } from "../../base/limits.ts";

export const NO_BUFFER = -1;

/** A part of the arena. */
export interface ArenaSlice {
  readonly offset: number;
  readonly length: number;
}

/** Slices of the arena that one gathered write sends without copying (writev). */
export class GatherList {
  readonly offsets = new Int32Array(GATHER_PIECES_MAX);
  readonly lengths = new Int32Array(GATHER_PIECES_MAX);
  count = 0;
  /** Sum of the lengths. */
  bytes = 0;

  clear(): void {
    this.count = 0;
    this.bytes = 0;
  }

  add(offset: number, length: number): void {
    if (length === 0) return;
    this.offsets[this.count] = offset;
    this.lengths[this.count] = length;
    this.count++;
    this.bytes += length;
  }

  addText({ offset, length }: ArenaSlice): void {
    this.add(offset, length);
  }

  /** All slices of `bytes`, without the first `skip` bytes, as bytes of their own. */
  join(bytes: Uint8Array, skip: number): Uint8Array {
    const text = new Uint8Array(this.bytes);
    let at = 0;
    for (let i = 0; i < this.count; i++) {
      text.set(bytes.subarray(this.offsets[i], this.offsets[i] + this.lengths[i]), at);
      at += this.lengths[i];
    }
    return text.subarray(skip);
  }
}

/** Constant texts come first in the arena; this is room enough for all of them and for the peers' texts. */
const TEXT_BYTES = 64 * 1024;
const PEER_BYTES = 256;
/** The lines that a policy adds to one head: its own, and a cookie. */
const ROOM_BYTES = HEADER_TEXT_BYTES_MAX + 512;
/** A host and a path that a route puts in place of a request's. */
const REWRITE_BYTES = NAME_LENGTH_MAX + PATH_TEXT_MAX;

/** Where ordinary buffers end and others begin: for bulk, for heads of requests, for heads that pass, and for scratch. */
const LARGE_START = TEXT_BYTES + BUFFER_BYTES * BUFFER_COUNT;
const REQUEST_HEADS_START = LARGE_START + LARGE_BUFFER_BYTES * LARGE_BUFFER_COUNT;
const PASSING_HEADS_START = REQUEST_HEADS_START + HEAD_BUFFER_BYTES * REQUEST_HEAD_BUFFERS;
const SCRATCH_START = PASSING_HEADS_START + HEAD_BUFFER_BYTES * PASSING_HEAD_BUFFERS;

/** Areas for the head that is being received and the one that is composed. They are lent to no connection, and are untouched until used. */
export const RECEIVED_AREA = SCRATCH_START;
export const COMPOSED_AREA = SCRATCH_START + HEAD_BUFFER_BYTES;

export const ARENA_BYTES = SCRATCH_START + 2 * HEAD_BUFFER_BYTES;

/** Whether this is an ordinary buffer, or none. */
export function isOrdinary(offset: number): boolean {
  return offset < LARGE_START;
}

/** Whether this is a buffer for a large head. */
export function isHeadBuffer(offset: number): boolean {
  return offset >= REQUEST_HEADS_START;
}

/** Bytes that a buffer holds. */
export function bufferBytes(offset: number): number {
  if (isOrdinary(offset)) return BUFFER_BYTES;
  return isHeadBuffer(offset) ? HEAD_BUFFER_BYTES : LARGE_BUFFER_BYTES;
}

/** Buffers of one size, in a row. The last one given back is lent first. */
class Shelf {
  readonly #free: number[] = [];
  readonly #start: number;
  readonly #bytes: number;
  readonly #end: number;
  /** Buffers from here on were never lent, so their memory was never touched. */
  #untouched: number;

  constructor(start: number, bytes: number, end: number) {
    this.#start = this.#untouched = start;
    this.#bytes = bytes;
    this.#end = end;
  }

  take(): number {
    const offset = this.#free.pop();
    if (offset !== undefined) return offset;
    if (this.#untouched >= this.#end) return NO_BUFFER;
    this.#untouched += this.#bytes;
    return this.#untouched - this.#bytes;
  }

  give(offset: number): void {
    this.#free.push(offset);
  }

  get lentCount(): number {
    return (this.#untouched - this.#start) / this.#bytes - this.#free.length;
  }
}

export class BufferPool {
  readonly #ordinary = new Shelf(TEXT_BYTES, BUFFER_BYTES, LARGE_START);
  readonly #large = new Shelf(LARGE_START, LARGE_BUFFER_BYTES, REQUEST_HEADS_START);
  readonly #requestHeads = new Shelf(REQUEST_HEADS_START, HEAD_BUFFER_BYTES, PASSING_HEADS_START);
  readonly #passingHeads = new Shelf(PASSING_HEADS_START, HEAD_BUFFER_BYTES, SCRATCH_START);
  /** Buffers given back so far: while it stands still, who got none before gets none now. */
  givenCount = 0;

  /** Offset of a buffer of `BUFFER_BYTES`, or `NO_BUFFER`. */
  take(): number {
    return this.#ordinary.take();
  }

  /** As `take`, a buffer of `LARGE_BUFFER_BYTES`. */
  takeLarge(): number {
    return this.#large.take();
  }

  /** As `take`, for the head of a request of `bytes`, which is kept as long as it may have to be sent again. */
  takeForRequest(bytes: number): number {
    return bytes <= BUFFER_BYTES ? this.take() : this.#requestHeads.take();
  }

  /** As `take`, for a head of `bytes` that is passed on at once. */
  takeForPassing(bytes: number): number {
    return bytes <= BUFFER_BYTES ? this.take() : this.#passingHeads.take();
  }

  give(offset: number): void {
    if (offset < LARGE_START) this.#ordinary.give(offset);
    else this.#shelfOf(offset).give(offset);
    this.givenCount++;
  }

  #shelfOf(offset: number): Shelf {
    if (offset < REQUEST_HEADS_START) return this.#large;
    return offset < PASSING_HEADS_START ? this.#requestHeads : this.#passingHeads;
  }

  /** Buffers out on loan: for metrics, and for tests that nothing leaks. */
  get lentCount(): number {
    return this.#ordinary.lentCount + this.#large.lentCount + this.#requestHeads.lentCount +
      this.#passingHeads.lentCount;
  }
}

/** Forwarding headers for one client address. */
export interface PeerTexts {
  /** `x-forwarded-for` and `x-forwarded-proto`, and the empty line. */
  readonly all: ArenaSlice;
  /** `x-forwarded-for` only. */
  readonly forwardedFor: ArenaSlice;
  /** `x-forwarded-proto` only. */
  readonly forwardedProto: ArenaSlice;
  /** `, ADDRESS` and the line's end: goes after an `x-forwarded-for` that the client sent. */
  readonly appended: ArenaSlice;
}

/** Writes texts into the arena once, so that they can be sent from there ever after. */
export class Texts {
  readonly #arena: Uint8Array;
  #used = 0;
  readonly #peersStart: number;
  readonly #peers = new Map<string, PeerTexts>();

  readonly slash: ArenaSlice;
  readonly asterisk: ArenaSlice;
  readonly versionLine: ArenaSlice;
  readonly version: ArenaSlice;
  readonly lineEnd: ArenaSlice;
  readonly host: ArenaSlice;
  readonly emptyHost: ArenaSlice;
  readonly forwardedFor: ArenaSlice;
  readonly close: ArenaSlice;
  readonly keepAlive: ArenaSlice;
  readonly upgrade: ArenaSlice;
  readonly chunked: ArenaSlice;
  readonly te: ArenaSlice;
  /** A whole answer to CONNECT. */
  readonly established: ArenaSlice;
  /** Where lines are written that are added to the head in the making, and to no other. */
  readonly room: number;
  /** The same for a part of its target. */
  readonly rewriteRoom: number;

  constructor(arena: Uint8Array) {
    this.#arena = arena;
    this.slash = this.#add("/");
    this.asterisk = this.#add("*");
    this.versionLine = this.#add(" HTTP/1.1\r\n");
    this.version = this.#add("HTTP/1.1");
    this.lineEnd = this.#add("\r\n");
    this.host = this.#add("host: ");
    this.emptyHost = this.#add("host:\r\n");
    this.forwardedFor = this.#add("x-forwarded-for: ");
    this.close = this.#add("connection: close\r\n");
    this.keepAlive = this.#add("connection: keep-alive\r\n");
    this.upgrade = this.#add("connection: upgrade\r\n");
    this.chunked = this.#add("transfer-encoding: chunked\r\n");
    this.te = this.#add("te: trailers\r\nconnection: te\r\n");
    this.established = this.#add("HTTP/1.1 200 OK\r\n\r\n");
    this.#peersStart = this.#used;
    this.room = TEXT_BYTES - ROOM_BYTES;
    this.rewriteRoom = this.room - REWRITE_BYTES;
    assert(
      this.#used + PEER_TEXTS_MAX * PEER_BYTES <= this.rewriteRoom,
      "Texts outgrow their room",
    );
  }

  /**
   * Texts that name a client, and whether it came by TLS; with an empty address they name none. Valid until the turn ends: with
   * many clients their room is used again.
   */
  peer(address: string, isSecure = false): PeerTexts {
    const key = isSecure ? `${address} by TLS` : address;
    const known = this.#peers.get(key);
    if (known !== undefined) return known;
    if (this.#peers.size === PEER_TEXTS_MAX) this.#peers.clear();
    this.#used = this.#peersStart + this.#peers.size * PEER_BYTES;
    const isNamed = address !== "";
    const appended = this.#add(isNamed ? `, ${address}\r\n` : "\r\n");
    const forwardedFor = this.#add(isNamed ? `x-forwarded-for: ${address}\r\n` : "");
    const forwardedProto = this.#add(`x-forwarded-proto: ${isSecure ? "https" : "http"}\r\n`);
    const end = this.#add("\r\n");
    const length = forwardedFor.length + forwardedProto.length + end.length;
    const all = { offset: forwardedFor.offset, length };
    const texts = { all, forwardedFor, forwardedProto, appended };
    this.#peers.set(key, texts);
    return texts;
  }

  #add(text: string): ArenaSlice {
    const offset = this.#used;
    this.#used += writeAscii(this.#arena, offset, text);
    return { offset, length: text.length };
  }
}

/** Writes ASCII text at `offset`; returns its length. */
export function writeAscii(bytes: Uint8Array, offset: number, text: string): number {
  for (let i = 0; i < text.length; i++) bytes[offset + i] = text.charCodeAt(i);
  return text.length;
}
