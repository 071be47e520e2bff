/** What clients of HTTP/2 send that they must not, and what has to become of it (RFC 9113 5 to 8 and 10.5). */
import { concatenate } from "./exchange.ts";
import { encodeLiterals, integer } from "./hpack.ts";
import type { HeaderField } from "./hpack.ts";
import { frames } from "./http2_frames.ts";

export interface Hostility {
  readonly name: string;
  /** The connection has to end; else only the stream, or nothing. */
  readonly isFatal: boolean;
  /** `id`: the next stream that the client may open. */
  bytes(id: number): Uint8Array;
}

const OPEN = frames.END_HEADERS;
const WHOLE = frames.END_HEADERS | frames.END_STREAM;

/** A request that must reach no endpoint. */
const POISON: readonly HeaderField[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/t/0?q=0"],
  [":authority", "svc0.sim:80"],
  ["x-token", "poison"],
];

function poison(id: number, fields: readonly HeaderField[], flags = WHOLE): Uint8Array {
  return frames.frame(frames.HEADERS, flags, id, encodeLiterals(fields));
}

function without(name: string): HeaderField[] {
  return POISON.filter(([one]) => one !== name);
}

function withValue(name: string, value: string): HeaderField[] {
  return POISON.map(([one, was]) => [one, one === name ? value : was] as const);
}

function repeat(count: number, make: (index: number) => Uint8Array): Uint8Array {
  return concatenate(Array.from({ length: count }, (_, index) => make(index)));
}

function fatal(name: string, bytes: (id: number) => Uint8Array): Hostility {
  return { name, isFatal: true, bytes };
}

function malformed(name: string, fields: readonly HeaderField[]): Hostility {
  return { name, isFatal: false, bytes: (id) => poison(id, fields) };
}

const zeros = (length: number) => new Uint8Array(length);

export const HOSTILITIES: readonly Hostility[] = [
  // Frames that must not be sent so.
  fatal("DATA on stream 0", () => frames.frame(frames.DATA, 0, 0, zeros(5))),
  fatal("DATA on an idle stream", (id) => frames.frame(frames.DATA, 0, id + 10, zeros(5))),
  fatal("HEADERS on stream 0", () => poison(0, POISON)),
  fatal("HEADERS on an even stream", (id) => poison(id + 1, POISON)),
  fatal(
    "HEADERS padded too much",
    (id) => frames.frame(frames.HEADERS, WHOLE | frames.PADDED, id, Uint8Array.of(200, 0x82)),
  ),
  fatal("RST_STREAM on an idle stream", (id) => frames.reset(id + 10, frames.CANCEL)),
  fatal(
    "RST_STREAM of 3 bytes",
    (id) =>
      concatenate([
        poison(id, withValue("x-token", "garbage"), OPEN),
        frames.frame(frames.RST_STREAM, 0, id, zeros(3)),
      ]),
  ),
  fatal("WINDOW_UPDATE of nothing", () => frames.windowUpdate(0, 0)),
  fatal("WINDOW_UPDATE on an idle stream", (id) => frames.windowUpdate(id + 10, 1)),
  fatal("WINDOW_UPDATE of 3 bytes", () => frames.frame(frames.WINDOW_UPDATE, 0, 0, zeros(3))),
  fatal("a window over 2^31 - 1", () => repeat(2, () => frames.windowUpdate(0, frames.ID_MAX))),
  fatal("SETTINGS of 5 bytes", () => frames.frame(frames.SETTINGS, 0, 0, zeros(5))),
  fatal("SETTINGS of a stream", (id) => frames.frame(frames.SETTINGS, 0, id, zeros(6))),
  fatal(
    "an acknowledgement with settings",
    () => frames.frame(frames.SETTINGS, frames.ACK, 0, zeros(6)),
  ),
  fatal("SETTINGS_ENABLE_PUSH 2", () => frames.settings([[frames.SETTING_PUSH, 2]])),
  fatal("an initial window of 2^31", () => frames.settings([[frames.SETTING_WINDOW, 2 ** 31]])),
  fatal("frames of 1 byte", () => frames.settings([[frames.SETTING_FRAME, 1]])),
  fatal("PING of 7 bytes", () => frames.frame(frames.PING, 0, 0, zeros(7))),
  fatal("PING of a stream", (id) => frames.frame(frames.PING, 0, id, zeros(8))),
  fatal("GOAWAY of a stream", (id) => frames.frame(frames.GOAWAY, 0, id, zeros(8))),
  fatal("PUSH_PROMISE", (id) => frames.frame(frames.PUSH_PROMISE, OPEN, id, zeros(4))),
  fatal("CONTINUATION of nothing", (id) => frames.frame(frames.CONTINUATION, OPEN, id, zeros(1))),
  fatal(
    "a PING within a header block",
    (id) => concatenate([poison(id, POISON, 0), frames.frame(frames.PING, 0, 0, zeros(8))]),
  ),
  fatal(
    "another stream within a header block",
    (id) => concatenate([poison(id, POISON, 0), poison(id + 2, POISON)]),
  ),
  fatal("a frame over the limit", () => frames.frame(frames.DATA, 0, 1, zeros(16_385))),
  fatal(
    "a frame of 16 MB",
    () => concatenate([Uint8Array.of(255, 255, 255, 0, 0), frames.uint32(1)]),
  ),

  // HPACK.
  fatal(
    "a field of no table",
    (id) => frames.frame(frames.HEADERS, WHOLE, id, Uint8Array.from(integer(200, 0x80, 7))),
  ),
  fatal("field 0", (id) => frames.frame(frames.HEADERS, WHOLE, id, Uint8Array.of(0x80))),
  fatal(
    "a text that is cut",
    (id) => frames.frame(frames.HEADERS, WHOLE, id, Uint8Array.of(0, 50, 97)),
  ),
  fatal(
    "an integer without end",
    (id) => frames.frame(frames.HEADERS, WHOLE, id, new Uint8Array(12).fill(255)),
  ),
  fatal(
    "a table over the limit",
    (id) => frames.frame(frames.HEADERS, WHOLE, id, Uint8Array.from(integer(1e6, 0x20, 5))),
  ),
  fatal(
    "a Huffman code of nothing",
    (id) => frames.frame(frames.HEADERS, WHOLE, id, Uint8Array.of(0, 0x84, 255, 255, 255, 255, 0)),
  ),

  // Floods.
  fatal("CONTINUATION without end", (id) =>
    concatenate([
      poison(id, POISON, 0),
      repeat(40, () => frames.frame(frames.CONTINUATION, 0, id, Uint8Array.of(0x82))),
    ])),
  fatal("a header block over all limits", (id) =>
    concatenate([
      poison(id, POISON, 0),
      repeat(
        9,
        () => frames.frame(frames.CONTINUATION, 0, id, encodeLiterals([["x", "x".repeat(16_000)]])),
      ),
    ])),
  fatal("rapid reset", (id) =>
    repeat(1_000, (index) =>
      concatenate([
        poison(id + 2 * index, withValue("x-token", "garbage"), OPEN),
        frames.reset(id + 2 * index, frames.CANCEL),
      ]))),
  fatal(
    "streams that are reset for mistakes",
    (id) => repeat(600, (index) => poison(id + 2 * index, without(":path"))),
  ),
  fatal("a flood of PING", () => repeat(1_000, () => frames.frame(frames.PING, 0, 0, zeros(8)))),
  fatal("a flood of SETTINGS", () => repeat(200, () => frames.settings([]))),
  fatal(
    "a flood of PRIORITY",
    () => repeat(1_000, () => frames.frame(frames.PRIORITY, 0, 1, zeros(5))),
  ),
  fatal("a flood of empty DATA", (id) =>
    concatenate([
      poison(id, withValue("x-token", "garbage"), OPEN),
      repeat(1_500, () => frames.frame(frames.DATA, 0, id)),
    ])),
  fatal("a flood of empty DATA on a stream that is over", (id) =>
    concatenate([
      poison(id, without(":path")),
      repeat(1_500, () => frames.frame(frames.DATA, 0, id)),
    ])),
  fatal("a flood of trailers on a stream that is over", (id) =>
    concatenate([
      poison(id, without(":path")),
      repeat(1_500, () => poison(id, [["x", "y"]])),
    ])),
  fatal(
    "a flood of acknowledgements",
    () => repeat(500, () => frames.frame(frames.SETTINGS, frames.ACK, 0)),
  ),
  fatal("a flood of WINDOW_UPDATE", () => repeat(5_000, () => frames.windowUpdate(0, 1))),

  // Heads that are no requests: of these only the stream ends.
  malformed("a name in capitals", [...POISON, ["X-Token", "poison"]]),
  malformed("a Connection", [...POISON, ["connection", "x-token"]]),
  malformed("a Transfer-Encoding", [...POISON, ["transfer-encoding", "chunked"]]),
  malformed("an Upgrade", [...POISON, ["upgrade", "h2c"]]),
  malformed("TE of another thing", [...POISON, ["te", "gzip"]]),
  malformed("a pseudo-header behind others", [...without(":path"), [":path", "/t/0"]]),
  malformed("two paths", [[":path", "/t/0"], ...POISON]),
  malformed("no method", without(":method")),
  malformed("no scheme", without(":scheme")),
  malformed("no path", without(":path")),
  malformed("an empty path", withValue(":path", "")),
  malformed("a path with a space", withValue(":path", "/t/0 HTTP/1.1")),
  malformed("a path with a line end", withValue(":path", "/t/0 HTTP/1.1\r\nx: y\r\n\r\n")),
  malformed("a method with a space", withValue(":method", "GET /t/0")),
  malformed("an authority with a slash", withValue(":authority", "svc0.sim/x")),
  malformed("an unknown pseudo-header", [[":status", "200"], ...POISON]),
  malformed("a value with a line end", [...POISON, ["x", "y\r\nx-token: poison"]]),
  malformed("a value with a NUL", [...POISON, ["x", "y\0"]]),
  malformed("a name with a colon", [...POISON, ["x:y", "z"]]),
  malformed("an empty name", [...POISON, ["", "z"]]),
  malformed("two hosts", [...POISON, ["host", "svc1.sim:80"]]),
  malformed("two lengths", [...POISON, ["content-length", "0"], ["content-length", "1"]]),
  malformed("a length and no body", [...POISON, ["content-length", "1"]]),
  {
    name: "less body than its length",
    isFatal: false,
    bytes: (id) =>
      concatenate([
        poison(id, [...withValue("x-token", "garbage"), ["content-length", "9"]], OPEN),
        frames.frame(frames.DATA, frames.END_STREAM, id, zeros(5)),
      ]),
  },
  {
    name: "more body than its length",
    isFatal: false,
    bytes: (id) =>
      concatenate([
        poison(id, [...withValue("x-token", "garbage"), ["content-length", "3"]], OPEN),
        frames.frame(frames.DATA, 0, id, zeros(5)),
      ]),
  },
  {
    name: "a stream that depends on itself",
    isFatal: false,
    bytes: (id) =>
      frames.frame(
        frames.HEADERS,
        WHOLE | frames.PRIORITIZED,
        id,
        concatenate([frames.uint32(id), Uint8Array.of(0), encodeLiterals(POISON)]),
      ),
  },
  {
    name: "trailers with a pseudo-header",
    isFatal: false,
    bytes: (id) =>
      concatenate([
        poison(id, withValue("x-token", "garbage"), OPEN),
        poison(id, [[":path", "/"]]),
      ]),
  },
];
