/** What a peer may do, but not without end: every budget is spent by abuse, and is not by honest work of any amount. */
import assert from "node:assert/strict";
import { CANCEL } from "../../../proxy/protocol/http2/error_code.ts";
import { PREFACE, PRIORITY } from "../../../proxy/protocol/http2/frame.ts";
import { Decoder } from "../../../proxy/protocol/http2/hpack/decoder.ts";
import { fieldListForTest } from "./field_text.ts";
import {
  block,
  concat,
  data,
  frame,
  GET_FIELDS,
  headers,
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
  readonly first?: Bytes;
  readonly step: (i: number) => Bytes;
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
    first: headers(1, POST_FIELDS),
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
];

for (const { name, debug, burst, perSecond, first, step } of ABUSES) {
  Deno.test(`A flood of ${name} ends the connection`, () => {
    const server = startedServer();
    if (first !== undefined) server.feed(first);
    assert.equal(flood(server, step), burst);
    assert.equal(server.log.at(-1), `error ENHANCE_YOUR_CALM: ${debug}`);
    assert.equal(server.connection.streamCount, 0);
  });

  Deno.test(`A trickle of ${name} does not`, () => {
    const server = startedServer();
    if (first !== undefined) server.feed(first);
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

Deno.test("Requests beyond the limit of streams are refused for as long as they come", () => {
  const server = startedServer();
  for (let i = 0; i < MANY; i++) {
    server.feed(headers(2 * i + 1, POST_FIELDS));
    server.takeOutput();
    assert.ok(server.connection.streamCount <= 256);
  }
  assert.ok(!server.connection.isClosed);
  assert.equal(server.log.length, 256);
});
