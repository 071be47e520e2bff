/** Frames of HTTP/2 for tests: built from parts, and told as text, one line a frame. */
import { errorName } from "../../../proxy/protocol/http2/error_code.ts";
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  GOAWAY,
  HEADERS,
  PADDED,
  PING,
  PREFACE,
  PRIORITY,
  readUint24,
  readUint31,
  readUint32,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from "../../../proxy/protocol/http2/frame.ts";
import { Decoder } from "../../../proxy/protocol/http2/hpack/decoder.ts";
import { bytesOf, textOf } from "../../support/bytes_notation.ts";
import { fieldListForTest, renderFields } from "./field_text.ts";

export type Bytes = Uint8Array<ArrayBuffer>;
export type Fields = readonly (readonly [string, string])[];

export function concat(parts: readonly Uint8Array[]): Bytes {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function uint32(value: number): Bytes {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = new Uint8Array(0),
): Bytes {
  const { length } = payload;
  const header = [length >>> 16, length >>> 8, length, type, flags];
  return concat([Uint8Array.from(header), uint32(streamId), payload]);
}

/** A header block of literals only, so that it means the same wherever it stands. */
export function block(fields: Fields): Bytes {
  const literals = fields.map(([name, value]) =>
    concat([Uint8Array.of(0), lengthPrefixed(name), lengthPrefixed(value)])
  );
  return concat(literals);
}

function lengthPrefixed(text: string): Bytes {
  const digits = [];
  let rest = text.length;
  if (rest < 127) digits.push(rest);
  else {
    digits.push(127);
    for (rest -= 127; rest >= 128; rest >>= 7) digits.push((rest & 127) | 128);
    digits.push(rest);
  }
  return concat([Uint8Array.from(digits), bytesOf(text)]);
}

export const GET_FIELDS: Fields = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "shop"],
];

export const POST_FIELDS: Fields = [[":method", "POST"], ...GET_FIELDS.slice(1)];

/** HEADERS in one frame. */
export function headers(
  streamId: number,
  fields: Fields,
  { isEnd = false, flags = END_HEADERS } = {},
): Bytes {
  return frame(HEADERS, flags | (isEnd ? END_STREAM : 0), streamId, block(fields));
}

/** HEADERS and CONTINUATIONs, cut after every `size` bytes of the block. */
export function cutHeaders(streamId: number, fields: Fields, size: number, isEnd: boolean): Bytes {
  const whole = block(fields);
  const frames = [];
  for (let at = 0; at < whole.length; at += size) {
    const isLast = at + size >= whole.length;
    const flags = (isLast ? END_HEADERS : 0) | (at === 0 && isEnd ? END_STREAM : 0);
    const type = at === 0 ? HEADERS : CONTINUATION;
    frames.push(frame(type, flags, streamId, whole.subarray(at, at + size)));
  }
  return concat(frames);
}

export function data(streamId: number, text: string, isEnd = false): Bytes {
  return frame(DATA, isEnd ? END_STREAM : 0, streamId, bytesOf(text));
}

export function paddedData(streamId: number, text: string, padding: number, isEnd = false): Bytes {
  const payload = concat([Uint8Array.of(padding), bytesOf(text), new Uint8Array(padding)]);
  return frame(DATA, PADDED | (isEnd ? END_STREAM : 0), streamId, payload);
}

export function settings(...entries: readonly (readonly [number, number])[]): Bytes {
  const payload = entries.map(([id, value]) => concat([Uint8Array.of(id >> 8, id), uint32(value)]));
  return frame(SETTINGS, 0, 0, concat(payload));
}

export const SETTINGS_ACK: Bytes = frame(SETTINGS, ACK, 0);

export function reset(streamId: number, code: number): Bytes {
  return frame(RST_STREAM, 0, streamId, uint32(code));
}

export function windowUpdate(streamId: number, increment: number): Bytes {
  return frame(WINDOW_UPDATE, 0, streamId, uint32(increment));
}

export function ping(text: string, flags = 0): Bytes {
  return frame(PING, flags, 0, bytesOf(text));
}

export function goaway(lastStreamId: number, code: number, debug = ""): Bytes {
  return frame(GOAWAY, 0, 0, concat([uint32(lastStreamId), uint32(code), bytesOf(debug)]));
}

/** What a client sends before anything else. */
export const CLIENT_START: Bytes = concat([PREFACE, settings()]);
/** The same, and the server's settings acknowledged. */
export const CLIENT_STARTED: Bytes = concat([CLIENT_START, SETTINGS_ACK]);

/** Tells frames as text; header blocks are decoded, so one of these goes with one machine. */
export class FrameTeller {
  readonly #decoder = new Decoder(4096, 1e6);
  readonly #list = fieldListForTest(65_536);
  #block: Bytes = new Uint8Array(0);
  #rest: Bytes = new Uint8Array(0);

  /** One line for each whole frame; what is left over counts as the beginning of the next. */
  tell(bytes: Uint8Array): string[] {
    const all = concat([this.#rest, bytes]);
    const lines: string[] = [];
    let at = textOf(all.subarray(0, PREFACE.length)) === textOf(PREFACE) ? PREFACE.length : 0;
    if (at > 0) lines.push("PREFACE");
    while (all.length - at >= 9 && all.length - at >= 9 + readUint24(all, at)) {
      const end = at + 9 + readUint24(all, at);
      lines.push(this.#tellFrame(all.subarray(at, end)));
      at = end;
    }
    this.#rest = all.slice(at);
    return lines;
  }

  #tellFrame(bytes: Bytes): string {
    const [type, flags] = [bytes[3], bytes[4]];
    const streamId = readUint31(bytes, 5);
    const payload = bytes.subarray(9);
    const isEnd = (flags & END_STREAM) !== 0 ? " END" : "";
    switch (type) {
      case DATA: {
        const text = payload.length > 80 ? `${payload.length} bytes` : textOf(payload);
        return `DATA ${streamId} "${text}"${isEnd}`;
      }
      case HEADERS:
      case CONTINUATION: {
        this.#block = concat([type === HEADERS ? new Uint8Array(0) : this.#block, payload]);
        const name = type === HEADERS ? "HEADERS" : "CONTINUATION";
        if ((flags & END_HEADERS) === 0) return `${name} ${streamId}${isEnd} ...`;
        if (!this.#decoder.decode(this.#block, 0, this.#block.length, this.#list)) {
          return `${name} ${streamId} invalid`;
        }
        const fields = renderFields(this.#list).join(", ");
        return `${name} ${streamId}${isEnd} ${fields.length > 200 ? fields.length : fields}`;
      }
      case PRIORITY:
        return `PRIORITY ${streamId}`;
      case RST_STREAM:
        return `RST_STREAM ${streamId} ${errorName(readUint32(payload, 0))}`;
      case SETTINGS: {
        if ((flags & ACK) !== 0) return "SETTINGS ACK";
        const entries = Array.from({ length: payload.length / 6 }, (_, i) => {
          const entry = payload.subarray(6 * i);
          return ` ${(entry[0] << 8) | entry[1]}=${readUint32(entry, 2)}`;
        });
        return `SETTINGS${entries.join("")}`;
      }
      case PING:
        return `PING${(flags & ACK) !== 0 ? " ACK" : ""} ${textOf(payload)}`;
      case GOAWAY: {
        const debug = textOf(payload.subarray(8));
        const name = errorName(readUint32(payload, 4));
        return `GOAWAY ${readUint31(payload, 0)} ${name}${debug === "" ? "" : ` "${debug}"`}`;
      }
      case WINDOW_UPDATE:
        return `WINDOW_UPDATE ${streamId} +${readUint32(payload, 0)}`;
      default:
        return `type ${type} ${streamId}`;
    }
  }
}
