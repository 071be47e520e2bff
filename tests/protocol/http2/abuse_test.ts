/** What a peer may do, but not without end: every budget is spent by abuse, and is not by honest work of any amount. */
import assert from "node:assert/strict";
import { CANCEL } from "../../../proxy/protocol/http2/error_code.ts";
import { ACK, PREFACE, PRIORITY } from "../../../proxy/protocol/http2/frame.ts";
import { Decoder } from "../../../proxy/protocol/http2/hpack/decoder.ts";
import { fieldListForTest } from "./field_text.ts";
import {
  block,
  concat,
  data,
  frame,
  GET_FIELDS,
  goaway,
  headers,
  paddedData,
  ping,
  POST_FIELDS,
  reset,
  settings,
  SETTINGS_ACK,
  uint32,
  windowUpdate,
} from "./frames.ts";
import type { Bytes, Fields } from "./frames.ts";
import { Machine } from "./machine.ts";

const OK: Fields = [[":status", "200"]];
/** Far more than any budget holds. */
const MANY = 5_000;

function startedServer(...entries: [number, number][]): Machine {
  const server = new Machine("server");
  server.feed(concat([PREFACE, settings(...entries), SETTINGS_ACK]));
  server.sent();
  server.takeLog();
  return server;
}

/** Feeds `step(0)`, `step(1)` and so on, each `gapMs` after the last; returns how many were taken. */
function flood(server: Machine, step: (i: number) => Bytes, gapMs = 0): number {
  for (let i = 0; i < MANY; i++) {
    server.feed(step(i));
    server.takeOutput();
    server.nowMs += gapMs;
    if (server.connection.isClosed) return i;
  }
  return MANY;
}

interface Abuse {
  readonly name: string;
  readonly debug: string;
  /** What may be done at once; more is abuse. */
  readonly burst: number;
  /** What may be done for ever, a second. */
  readonly perSecond: number;
  /** Before the flood. */
  readonly begin?: (server: Machine) => void;
  readonly step: (i: number) => Bytes;
}

/** Frames that carry nothing on a stream that the proxy has ended. */
const LATE: readonly (readonly [name: string, step: () => Bytes])[] = [
  ["empty DATA", () => data(1, "")],
  ["ends", () => data(1, "", true)],
  ["padding", () => paddedData(1, "", 200)],
  ["trailers", () => headers(1, [["x", "y"]], { isEnd: true })],
  ["RST_STREAMs", () => reset(1, CANCEL)],
];

/** As a request is answered that no endpoint takes. */
function refuseOne(server: Machine): void {
  server.feed(headers(1, POST_FIELDS));
  server.head(1, OK, true);
  server.connection.reset(1, 0);
}

function openAll(server: Machine): void {
  for (let i = 0; i < 256; i++) server.feed(headers(2 * i + 1, POST_FIELDS));
  server.takeOutput();
}

const ABUSES: readonly Abuse[] = [
  {
    name: "requests that are reset at once",
    debug: "too many resets",
    burst: 600,
    perSecond: 20,
    step: (i) =>
      concat([headers(2 * i + 1, GET_FIELDS, { isEnd: true }), reset(2 * i + 1, CANCEL)]),
  },
  {
    name: "requests that are not valid",
    debug: "too many invalid streams",
    burst: 200,
    perSecond: 10,
    step: (i) => headers(2 * i + 1, [["connection", "close"]], { isEnd: true }),
  },
  {
    name: "requests that are valid until their end",
    debug: "too many invalid streams",
    burst: 200,
    perSecond: 10,
    step: (i) => concat([headers(2 * i + 1, POST_FIELDS), windowUpdate(2 * i + 1, 0)]),
  },
  {
    name: "settings",
    debug: "too many SETTINGS",
    burst: 39, // One has been spent by the start.
    perSecond: 1,
    step: () => settings(),
  },
  {
    name: "PINGs",
    debug: "too many PINGs",
    burst: 200,
    perSecond: 10,
    step: () => ping("abcdefgh"),
  },
  {
    name: "empty DATA",
    debug: "too many empty DATA frames",
    burst: 100,
    perSecond: 10,
    begin: (server) => server.feed(headers(1, POST_FIELDS)),
    step: () => data(1, ""),
  },
  {
    name: "WINDOW_UPDATEs",
    debug: "too many WINDOW_UPDATEs",
    burst: 1_000,
    perSecond: 100,
    step: () => windowUpdate(0, 1),
  },
  {
    name: "PRIORITY",
    debug: "too many ignored frames",
    burst: 200,
    perSecond: 10,
    step: () => frame(PRIORITY, 0, 1, concat([uint32(3), Uint8Array.of(1)])),
  },
  {
    name: "frames of unknown types",
    debug: "too many ignored frames",
    burst: 200,
    perSecond: 10,
    step: () => frame(0x77, 0, 1),
  },
  {
    name: "acknowledgements of no SETTINGS",
    debug: "too many ignored frames",
    burst: 200,
    perSecond: 10,
    step: () => SETTINGS_ACK,
  },
  {
    name: "acknowledgements of no PING",
    debug: "too many ignored frames",
    burst: 200,
    perSecond: 10,
    step: () => ping("abcdefgh", ACK),
  },
  {
    name: "GOAWAYs",
    debug: "too many ignored frames",
    burst: 200,
    perSecond: 10,
    step: () => goaway(0, 0),
  },
  {
    name: "requests above the limit of streams",
    debug: "too many resets",
    burst: 600,
    perSecond: 20,
    begin: openAll,
    step: (i) => headers(2 * (256 + i) + 1, GET_FIELDS, { isEnd: true }),
  },
  ...LATE.map(([name, step]) => ({
    name: `${name} on a stream that was reset`,
    debug: "too many frames on streams that are over",
    burst: 1_000,
    perSecond: 10,
    begin: refuseOne,
    step,
  })),
  {
    name: "RST_STREAMs of a stream that has ended",
    debug: "too many frames on streams that are over",
    burst: 1_000,
    perSecond: 10,
    begin(server) {
      server.feed(headers(1, GET_FIELDS, { isEnd: true }));
      server.head(1, OK, true);
    },
    step: () => reset(1, CANCEL),
  },
  {
    name: "requests after the last GOAWAY",
    debug: "too many frames on streams that are over",
    burst: 1_000,
    perSecond: 10,
    begin(server) {
      server.feed(headers(1, POST_FIELDS));
      server.connection.drain();
      server.connection.finishDrain();
    },
    step: (i) => headers(2 * i + 3, GET_FIELDS, { isEnd: true }),
  },
];

for (const { name, debug, burst, perSecond, begin, step } of ABUSES) {
  Deno.test(`A flood of ${name} ends the connection`, () => {
    const server = startedServer();
    begin?.(server);
    assert.equal(flood(server, step), burst);
    assert.equal(server.log.at(-1), `error ENHANCE_YOUR_CALM: ${debug}`);
    assert.equal(server.connection.streamCount, 0);
  });

  Deno.test(`A trickle of ${name} does not`, () => {
    const server = startedServer();
    begin?.(server);
    assert.equal(flood(server, step, 1_000 / perSecond), MANY);
  });
}

Deno.test("A window of a few bytes is used, but not for ever", () => {
  const server = startedServer([4, 1]);
  server.feed(headers(1, GET_FIELDS, { isEnd: true }));
  server.head(1, OK);
  let crumbs = 0;
  while (!server.connection.isClosed && crumbs < MANY) {
    if (server.data(1, 1_000) === 1) crumbs++;
    server.feed(windowUpdate(1, 1));
    server.takeOutput();
  }
  assert.equal(crumbs, 200);
  assert.equal(server.log.at(-1), "error ENHANCE_YOUR_CALM: the window is too small");
});

Deno.test("Honest work of any amount spends nothing", () => {
  const server = startedServer();
  for (let i = 0; i < MANY; i++) {
    const streamId = 2 * i + 1;
    server.feed(headers(streamId, POST_FIELDS));
    server.feed(concat([data(streamId, "x"), data(streamId, ""), ping("abcdefgh")]));
    server.feed(frame(PRIORITY, 0, streamId, new Uint8Array(5)));
    server.feed(data(streamId, "", true));
    server.head(streamId, OK);
    server.data(streamId, 2_000, i % 2 === 0);
    // Every other answer is given up when enough of it has been read.
    if (i % 2 === 1) server.feed(reset(streamId, CANCEL));
    server.feed(concat([windowUpdate(0, 2_000), windowUpdate(streamId, 2_000)]));
    server.takeOutput();
    server.nowMs += 10;
    server.takeLog();
    assert.ok(!server.connection.isClosed, `after ${i} requests`);
  }
});

Deno.test("A table that is full costs a flood of references to it next to nothing", () => {
  const decoder = new Decoder(4096, 15_360);
  const list = fieldListForTest();
  const fill = block([["x", "v".repeat(4_000)]]);
  fill[0] = 0x40;
  const bomb = concat([fill, new Uint8Array(16_000).fill(0xbe)]);
  assert.ok(decoder.decode(bomb, 0, bomb.length, list));
  assert.ok(list.isTooLarge && list.textEnd <= list.areaEnd && list.sizeBytes === 0);
});

Deno.test("Streams that are all reset at once may each end, and be reset too", () => {
  const server = startedServer();
  for (let round = 0; round < 20; round++) {
    const ids = Array.from({ length: 256 }, (_, i) => 2 * (256 * round + i) + 1);
    for (const id of ids) server.feed(headers(id, POST_FIELDS));
    for (const id of ids) server.connection.reset(id, CANCEL);
    for (const id of ids) server.feed(concat([data(id, "x"), data(id, "", true)]));
    for (const id of ids) server.feed(reset(id, CANCEL));
    server.takeOutput();
    assert.ok(!server.connection.isClosed, `in round ${round}`);
  }
});

Deno.test("Any number of requests beyond the limit is refused before SETTINGS can be known", () => {
  const server = new Machine("server");
  server.feed(concat([PREFACE, settings()]));
  for (let i = 0; i < MANY; i++) {
    server.feed(headers(2 * i + 1, POST_FIELDS));
    server.takeOutput();
    assert.ok(server.connection.streamCount <= 256);
  }
  assert.ok(!server.connection.isClosed);
});
