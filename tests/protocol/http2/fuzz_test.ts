/**
 * Any bytes, and frames that are nearly right. Invariants: the machine never throws and never writes outside of its areas;
 * it takes all but `PREFACE.length` bytes; what it writes are whole frames that another decoder reads; a visitor is told of
 * a stream in the order that `visitor.ts` promises; and how bytes are cut changes nothing.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Random } from "../../../base/random.ts";
import { CANCEL } from "../../../proxy/protocol/http2/error_code.ts";
import { PREFACE } from "../../../proxy/protocol/http2/frame.ts";
import { cutsOf } from "../../support/cuts.ts";
import {
  block,
  concat,
  cutHeaders,
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
  windowUpdate,
} from "./frames.ts";
import type { Bytes, Fields } from "./frames.ts";
import { Machine, MachinePair } from "./machine.ts";
import { NO_STREAM } from "../../../proxy/protocol/http2/sender.ts";

const STREAM_IDS = fc.constantFrom(0, 1, 1, 1, 3, 3, 5, 7, 2, 0x7fffffff);
const OK: Fields = [[":status", "200"]];
const FIELDS: fc.Arbitrary<Fields> = fc.constantFrom<Fields>(
  GET_FIELDS,
  POST_FIELDS,
  OK,
  [[":status", "100"]],
  [["x-trailer", "1"]],
  [...POST_FIELDS, ["content-length", "3"]],
  [...GET_FIELDS, ["connection", "close"]],
  [...GET_FIELDS, ["cookie", "a"], ["cookie", "b"]],
);
const SIZES = fc.constantFrom(0, 1, 100, 65_535, 0x7fffffff, 0x80000000);

const FRAME: fc.Arbitrary<Bytes> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(STREAM_IDS, FIELDS, fc.boolean()).map(([id, fields, isEnd]) =>
      headers(id, fields, { isEnd })
    ),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(STREAM_IDS, fc.constantFrom("", "a", "abc", "x".repeat(300)), fc.boolean())
      .map(([id, text, isEnd]) => data(id, text, isEnd)),
  },
  fc.tuple(STREAM_IDS, FIELDS, fc.boolean()).map(([id, fields, isEnd]) =>
    cutHeaders(id, fields, 9, isEnd)
  ),
  fc.tuple(STREAM_IDS, fc.nat(20), fc.boolean()).map(([id, padding, isEnd]) =>
    paddedData(id, "p", padding, isEnd)
  ),
  fc.tuple(STREAM_IDS, fc.nat(15)).map(([id, code]) => reset(id, code)),
  fc.tuple(STREAM_IDS, SIZES).map(([id, size]) => windowUpdate(id, size)),
  fc.tuple(fc.nat(9), SIZES).map(([id, value]) => settings([id, value])),
  fc.constantFrom(SETTINGS_ACK, settings(), ping("12345678"), ping("weft\0\0\0\0", 1)),
  fc.tuple(STREAM_IDS, fc.nat(13)).map(([id, code]) => goaway(id, code, "debug")),
  fc.tuple(fc.nat(12), fc.nat(255), STREAM_IDS, fc.uint8Array({ maxLength: 20 })).map((
    [type, flags, id, payload],
  ) => frame(type, flags, id, payload)),
  fc.uint8Array({ maxLength: 30 }).map((payload) =>
    frame(1, 4, 1, concat([block(GET_FIELDS), payload]))
  ),
);

/** Frames one after another; one byte of them may be wrong. */
const FRAMES = fc.tuple(
  fc.array(FRAME, { maxLength: 25 }),
  fc.option(fc.tuple(fc.nat(), fc.nat(255)), { freq: 2 }),
).map(([frames, change]) => {
  const bytes = concat(frames);
  if (change !== null && bytes.length > 0) bytes[change[0] % bytes.length] = change[1];
  return bytes;
});

/** Checks the order in which a visitor is told of each stream. */
function checkOrder(log: readonly string[], isServer: boolean): void {
  const stages = new Map<number, string>();
  for (const line of log) {
    const [, name, id] = /^(too large|\w+) ?(\d*)/.exec(line) ?? [];
    const isEnd = line.endsWith(" END");
    const streamId = Number(id);
    const stage = stages.get(streamId);
    switch (name) {
      case "request":
      case "too large":
        assert.ok(isServer && stage === undefined, line);
        stages.set(streamId, isEnd ? "ended" : "body");
        break;
      case "response":
        assert.ok(!isServer && stage === undefined, line);
        if (!line.startsWith(`response ${id} 1`)) stages.set(streamId, isEnd ? "ended" : "body");
        break;
      case "data":
        assert.equal(stage, "body", line);
        if (isEnd) stages.set(streamId, "ended");
        break;
      case "trailers":
        assert.equal(stage, "body", line);
        stages.set(streamId, "ended");
        break;
      case "reset":
        assert.ok(stage !== "reset" && (!isServer || stage !== undefined), line);
        stages.set(streamId, "reset");
        break;
      case "window":
        assert.notEqual(stage, "reset", line);
    }
  }
}

/** One machine through all of the bytes; what it was told, and what it wrote but for windows, which go by the cuts. */
function play(role: "client" | "server", bytes: Bytes, ends: readonly number[]): string[] {
  const machine = new Machine(role, { outputBytes: 4_096, streamWindowBytes: 1_000 });
  const told: string[] = [];
  const tell = (out: Bytes) => told.push(...machine.teller.tell(out));
  if (role === "client") { for (let i = 0; i < 3; i++) machine.request(POST_FIELDS, i === 0); }
  machine.onEvent = (name, streamId) => {
    if (name === "request") machine.head(streamId, OK);
    if (name === "request" && streamId === 5) machine.connection.reset(streamId, CANCEL);
    if (name === "reset") assert.equal(machine.data(streamId, 5), NO_STREAM);
  };
  machine.feed(bytes, ends, tell);
  tell(machine.takeOutput());
  checkOrder(machine.log, role === "server");
  assert.ok(
    told.every((line) => !/^(HEADERS|CONTINUATION) \d+ invalid$/.test(line)),
    told.join("\n"),
  );
  const frames = told.filter((line) => !line.startsWith("WINDOW_UPDATE"));
  return [...machine.log, "wrote", ...frames];
}

for (const role of ["server", "client"] as const) {
  const start = role === "server" ? concat([PREFACE, settings()]) : settings();

  Deno.test(`A ${role} survives frames that are nearly right, however they are cut`, () => {
    fc.assert(
      fc.property(FRAMES, fc.nat(), (frames, seed) => {
        const bytes = concat([start, frames]);
        const [whole, ...others] = cutsOf(bytes.length, new Random(seed, "fuzz"), 2);
        const expected = play(role, bytes, whole.ends);
        for (const cuts of others) assert.deepEqual(play(role, bytes, cuts.ends), expected);
      }),
      { numRuns: 250 },
    );
  });

  Deno.test(`A ${role} survives bytes of any kind`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        play(role, concat([start, bytes]), [start.length, start.length + bytes.length]);
        play(role, Uint8Array.from(bytes), [bytes.length]);
      }),
      { numRuns: 300 },
    );
  });
}

Deno.test("Two machines bring any exchanges to their end, whatever the windows", () => {
  const exchange = fc.record({
    up: fc.nat(5_000),
    down: fc.nat(5_000),
    hasTrailers: fc.boolean(),
    resets: fc.constantFrom("", "", "", "client", "server"),
  });
  const window = fc.constantFrom(1_000, 16_384, 65_535);
  fc.assert(
    fc.property(fc.array(exchange, { maxLength: 8 }), window, window, (exchanges, up, down) => {
      const pair = new MachinePair(
        { streamWindowBytes: down, connectionWindowBytes: 65_535, outputBytes: 20_000 },
        { streamWindowBytes: up, connectionWindowBytes: 65_535, outputBytes: 20_000 },
      );
      const { client, server } = pair;
      /** What is left to send on each stream. */
      const left = { client: new Map<number, number>(), server: new Map<number, number>() };
      const ids = exchanges.map(({ up: length }) => {
        const streamId = client.request(POST_FIELDS, false);
        left.client.set(streamId, length);
        return streamId;
      });
      const step = (machine: Machine, rest: Map<number, number>, trailers: boolean): void => {
        for (const [streamId, length] of rest) {
          const count = machine.data(streamId, length, !trailers);
          if (count === NO_STREAM) rest.delete(streamId);
          if (count < 0) continue;
          rest.set(streamId, length - count);
          if (count < length) continue;
          if (!trailers || machine.head(streamId, [["t", "u"]], true) !== -1) rest.delete(streamId);
        }
      };
      server.onEvent = (name, streamId, isEnd) => {
        const index = ids.indexOf(streamId);
        if (name === "request") server.head(streamId, OK);
        if (isEnd) left.server.set(streamId, exchanges[index].down);
        if (isEnd && exchanges[index].resets === "server") {
          server.connection.reset(streamId, CANCEL);
        }
      };
      client.onEvent = (name, streamId) => {
        const resets = exchanges[ids.indexOf(streamId)]?.resets === "client";
        if (name === "data" && resets) client.connection.reset(streamId, CANCEL);
      };
      for (let round = 0; round < 500; round++) {
        step(client, left.client, exchanges.length % 2 === 0);
        step(server, left.server, exchanges.length % 2 === 1);
        pair.exchange();
      }
      assert.deepEqual([client.connection.isClosed, server.connection.isClosed], [false, false]);
      assert.deepEqual([left.client.size, left.server.size], [0, 0]);
      assert.deepEqual([client.connection.streamCount, server.connection.streamCount], [0, 0]);
    }),
    { numRuns: 25 },
  );
});
