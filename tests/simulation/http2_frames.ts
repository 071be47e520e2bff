/** Frames of HTTP/2 as the simulation's peers build and take them apart. It shares nothing with the data plane. */
import { concatenate } from "./exchange.ts";

const DATA = 0;
const HEADERS = 1;
const PRIORITY = 2;
const RST_STREAM = 3;
const SETTINGS = 4;
const PUSH_PROMISE = 5;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 8;
const CONTINUATION = 9;

/** The fewest bytes of the payloads of frames that have a fixed part. */
const LENGTHS: ReadonlyMap<number, number> = new Map([
  [RST_STREAM, 4],
  [PING, 8],
  [GOAWAY, 8],
  [WINDOW_UPDATE, 4],
]);

const END_STREAM = 0x1;
const ACK = 0x1;
const END_HEADERS = 0x4;
const PADDED = 0x8;
const PRIORITIZED = 0x20;

const NO_ERROR = 0;
const INTERNAL_ERROR = 2;
const REFUSED_STREAM = 7;
const CANCEL = 8;

const SETTING_TABLE = 1;
const SETTING_PUSH = 2;
const SETTING_STREAMS = 3;
const SETTING_WINDOW = 4;
const SETTING_FRAME = 5;
const SETTING_CONNECT = 8;

const FRAME_BYTES_MAX = 16_384;
const WINDOW_DEFAULT = 65_535;
const ID_MAX = 2 ** 31 - 1;

const PREFACE = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export type Settings = readonly (readonly [id: number, value: number])[];

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Uint8Array;
}

function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

function frame(
  type: number,
  flags: number,
  id: number,
  payload: Uint8Array = new Uint8Array(),
): Uint8Array {
  const { length } = payload;
  return concatenate([
    Uint8Array.of(length >>> 16, length >>> 8, length, type, flags),
    uint32(id),
    payload,
  ]);
}

function settings(entries: Settings): Uint8Array {
  const payload = entries.map(([id, value]) => concatenate([Uint8Array.of(0, id), uint32(value)]));
  return frame(SETTINGS, 0, 0, concatenate(payload));
}

function goaway(lastId: number, code: number): Uint8Array {
  return frame(GOAWAY, 0, 0, concatenate([uint32(lastId), uint32(code)]));
}

function reset(id: number, code: number): Uint8Array {
  return frame(RST_STREAM, 0, id, uint32(code));
}

function windowUpdate(id: number, increment: number): Uint8Array {
  return frame(WINDOW_UPDATE, 0, id, uint32(increment));
}

function readUint32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
}

/** Cuts a stream of bytes into frames. */
export class FrameCutter {
  #rest: Uint8Array = new Uint8Array();

  /** The whole frames that `bytes` complete. */
  *cut(bytes: Uint8Array): Iterable<Frame> {
    this.#rest = concatenate([this.#rest, bytes]);
    for (;;) {
      const rest = this.#rest;
      if (rest.length < 9) return;
      const length = rest[0] * 65_536 + rest[1] * 256 + rest[2];
      if (rest.length < 9 + length) return;
      this.#rest = rest.subarray(9 + length);
      yield {
        type: rest[3],
        flags: rest[4],
        id: readUint32(rest, 5) & ID_MAX,
        payload: rest.subarray(9, 9 + length),
      };
    }
  }
}

/** What is left of a payload without its padding and its priority. Null: the padding is too long. */
function bodyOfFrame({ type, flags, payload }: Frame): Uint8Array | null {
  let from = 0;
  let padding = 0;
  if ((flags & PADDED) !== 0) padding = payload[from++];
  if (type === HEADERS && (flags & PRIORITIZED) !== 0) from += 5;
  return from + padding > payload.length ? null : payload.subarray(from, payload.length - padding);
}

/** Under one name, because the data plane has its own of most of them. */
export const frames = {
  DATA,
  HEADERS,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  PUSH_PROMISE,
  PING,
  GOAWAY,
  WINDOW_UPDATE,
  CONTINUATION,
  LENGTHS,
  END_STREAM,
  ACK,
  END_HEADERS,
  PADDED,
  PRIORITIZED,
  NO_ERROR,
  INTERNAL_ERROR,
  REFUSED_STREAM,
  CANCEL,
  SETTING_TABLE,
  SETTING_PUSH,
  SETTING_STREAMS,
  SETTING_WINDOW,
  SETTING_FRAME,
  SETTING_CONNECT,
  FRAME_BYTES_MAX,
  WINDOW_DEFAULT,
  ID_MAX,
  PREFACE,
  uint32,
  frame,
  settings,
  goaway,
  reset,
  windowUpdate,
  readUint32,
  bodyOfFrame,
} as const;
