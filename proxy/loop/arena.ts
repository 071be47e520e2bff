/**
 * The arena's parts: constant texts that go into heads, and buffers, ordinary and some large ones, that are lent to connections while
 * they hold bytes. Both are named by offset, so that one gathered write takes them from where they are.
 */
import { assert } from "../../base/assert.ts";
import {
  BUFFER_BYTES,
  BUFFER_COUNT,
  GATHER_PIECES_MAX,
  LARGE_BUFFER_BYTES,
  LARGE_BUFFER_COUNT,
} from "../limits.ts";
import { HEADER_TEXT_BYTES_MAX } from "../../base/limits.ts";

export const NO_BUFFER = -1;

/** A piece of the arena. */
export interface Piece {
  readonly offset: number;
  readonly length: number;
}

/** Pieces of the arena that one gathered write sends without copying (writev). */
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

  addText(piece: Piece): void {
    this.add(piece.offset, piece.length);
  }

  /** All pieces of `bytes`, without the first `skip` bytes, as bytes of their own. */
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
/** Texts of this many peers are kept; a sidecar has one or two. */
const PEERS_MAX = 128;
const PEER_BYTES = 256;
/** The lines that a policy adds to one head: its own, and a cookie. */
const ROOM_BYTES = HEADER_TEXT_BYTES_MAX + 512;

/** Where ordinary buffers end and large ones begin. */
const LARGE_START = TEXT_BYTES + BUFFER_BYTES * BUFFER_COUNT;

export const ARENA_BYTES = LARGE_START + LARGE_BUFFER_BYTES * LARGE_BUFFER_COUNT;

export class BufferPool {
  readonly #free: number[] = [];
  readonly #freeLarge: number[] = [];
  #keptCount = 0;
  /** Buffers above it were never lent, so their memory was never touched. */
  #untouched = TEXT_BYTES;
  #untouchedLarge = LARGE_START;
  /** Buffers given back so far: while it stands still, who got none before gets none now. */
  givenCount = 0;

  /** Offset of a buffer of `BUFFER_BYTES`, or `NO_BUFFER`. The last one given back is lent first. */
  take(): number {
    const offset = this.#free.pop();
    if (offset !== undefined) return offset;
    if (this.#untouched >= LARGE_START) return NO_BUFFER;
    this.#untouched += BUFFER_BYTES;
    return this.#untouched - BUFFER_BYTES;
  }

  /** As `take`, a buffer of `LARGE_BUFFER_BYTES`. */
  takeLarge(): number {
    const offset = this.#freeLarge.pop();
    if (offset !== undefined) return offset;
    if (this.#untouchedLarge >= ARENA_BYTES) return NO_BUFFER;
    this.#untouchedLarge += LARGE_BUFFER_BYTES;
    return this.#untouchedLarge - LARGE_BUFFER_BYTES;
  }

  /** A buffer that is never given back, and not counted as lent: scratch space of the event loop. */
  takeForGood(): number {
    const offset = this.take();
    assert(offset !== NO_BUFFER, "Scratch space is taken while there is plenty");
    this.#keptCount++;
    return offset;
  }

  give(offset: number): void {
    if (offset >= LARGE_START) this.#freeLarge.push(offset);
    else this.#free.push(offset);
    this.givenCount++;
  }

  /** Buffers out on loan: for metrics, and for tests that nothing leaks. */
  get lentCount(): number {
    const ordinary = (this.#untouched - TEXT_BYTES) / BUFFER_BYTES - this.#free.length;
    const large = (this.#untouchedLarge - LARGE_START) / LARGE_BUFFER_BYTES;
    return ordinary - this.#keptCount + large - this.#freeLarge.length;
  }
}

/** Forwarding headers for one client address. */
export interface PeerTexts {
  /** `x-forwarded-for` and `x-forwarded-proto`, and the empty line. */
  readonly all: Piece;
  /** `x-forwarded-for` only. */
  readonly forwardedFor: Piece;
  /** `x-forwarded-proto` only. */
  readonly forwardedProto: Piece;
  /** `, ADDRESS` and the line's end: goes after an `x-forwarded-for` that the client sent. */
  readonly appended: Piece;
}

/** Writes texts into the arena once, so that they can be sent from there ever after. */
export class Texts {
  readonly #arena: Uint8Array;
  #used = 0;
  readonly #peersStart: number;
  readonly #peers = new Map<string, PeerTexts>();

  readonly slash: Piece;
  readonly asterisk: Piece;
  readonly versionLine: Piece;
  readonly version: Piece;
  readonly lineEnd: Piece;
  readonly host: Piece;
  readonly emptyHost: Piece;
  readonly forwardedFor: Piece;
  readonly close: Piece;
  readonly keepAlive: Piece;
  readonly upgrade: Piece;
  readonly chunked: Piece;
  readonly te: Piece;
  /** A whole answer to CONNECT. */
  readonly established: Piece;
  /** Where lines are written that are added to the head in the making, and to no other. */
  readonly room: number;

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
    assert(this.#used + PEERS_MAX * PEER_BYTES <= this.room, "Texts outgrow their room");
  }

  /**
   * Texts that name a client, and whether it came by TLS; with an empty address they name none. Valid until the turn ends: with
   * many clients their room is used again.
   */
  peer(address: string, isSecure = false): PeerTexts {
    const key = isSecure ? `${address} by TLS` : address;
    const known = this.#peers.get(key);
    if (known !== undefined) return known;
    if (this.#peers.size === PEERS_MAX) this.#peers.clear();
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

  #add(text: string): Piece {
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
