/** Exchanges in memory, both ends or one played by the test: windows, back-pressure, ends of streams and connections. */
import assert from "node:assert/strict";
import { CANCEL, NO_ERROR } from "../../../proxy/protocol/http2/error_code.ts";
import { PREFACE } from "../../../proxy/protocol/http2/frame.ts";
import { bytesOf } from "../../support/bytes_notation.ts";
import {
  block,
  CLIENT_START,
  CLIENT_STARTED,
  concat,
  data,
  frame,
  GET_FIELDS,
  goaway,
  headers,
  ping,
  POST_FIELDS,
  reset,
  settings,
  SETTINGS_ACK,
  windowUpdate,
} from "./frames.ts";
import type { Fields } from "./frames.ts";
import { Machine, MachinePair } from "./machine.ts";
import type { MachineOptions } from "./machine.ts";
import { NO_ROOM, NO_STREAM, NO_WINDOW, TOO_LARGE } from "../../../proxy/protocol/http2/sender.ts";

const OK: Fields = [[":status", "200"]];
const HEADER_TABLE_SIZE = 1;
const MAX_CONCURRENT_STREAMS = 3;
const INITIAL_WINDOW_SIZE = 4;
const MAX_HEADER_LIST_SIZE = 6;
const ENABLE_CONNECT_PROTOCOL = 8;

/** A server whose client has sent its preface and acknowledged the settings. */
function startedServer(options: MachineOptions = {}, ...entries: [number, number][]): Machine {
  const server = new Machine("server", options);
  server.feed(concat([PREFACE, settings(...entries), SETTINGS_ACK]));
  server.sent();
  server.takeLog();
  return server;
}

/** A client whose server has sent its settings. */
function startedClient(options: MachineOptions = {}, ...entries: [number, number][]): Machine {
  const client = new Machine("client", options);
  client.feed(concat([settings(...entries), SETTINGS_ACK]));
  client.sent();
  client.takeLog();
  return client;
}

Deno.test("A request and its answer cross with interim head, bodies and trailers, and leave nothing", () => {
  const pair = new MachinePair();
  const { client, server } = pair;
  client.takeLog();
  server.takeLog();
  assert.equal(client.request(POST_FIELDS, false), 1);
  assert.equal(client.data(1, 5), 5);
  assert.equal(client.head(1, [["X-Sum", "1"]], true), 0);
  pair.exchange();
  assert.deepEqual(server.takeLog(), [
    "request 1 POST | / | host: shop",
    "data 1 xxxxx",
    "trailers 1 x-sum: 1 END",
  ]);
  server.head(1, [[":status", "103"], ["link", "</a>"]]);
  server.head(1, [...OK, ["content-length", "3"]]);
  server.data(1, 3);
  server.head(1, [["x-end", "y"]], true);
  pair.exchange();
  assert.deepEqual(client.takeLog(), [
    "response 1 103 | link: </a>",
    "response 1 200 | content-length: 3",
    "data 1 xxx",
    "trailers 1 x-end: y END",
  ]);
  assert.deepEqual([client.connection.streamCount, server.connection.streamCount], [0, 0]);
  assert.equal(server.head(1, OK), NO_STREAM);
});

Deno.test("A server begins with its settings, and asks for the preface before anything else", () => {
  const server = new Machine("server", { streamWindowBytes: 4096, takesConnectProtocol: true });
  assert.deepEqual(server.sent(), [
    "SETTINGS 3=256 8=1 4=4096 6=93440",
    "WINDOW_UPDATE 0 +983041",
  ]);
  assert.ok(server.connection.settingsSentMs > 0);
  server.feed(concat([CLIENT_START, SETTINGS_ACK]));
  assert.equal(server.connection.settingsSentMs, 0);
  for (const bytes of ["GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nXX"]) {
    const other = new Machine("server");
    other.feed(bytesOf(bytes));
    assert.deepEqual(other.log, ["error PROTOCOL_ERROR: no HTTP/2 preface"]);
  }
  const early = new Machine("server");
  early.feed(concat([PREFACE, ping("abcdefgh")]));
  assert.deepEqual(early.log, ["error PROTOCOL_ERROR: SETTINGS come first"]);
});

Deno.test("A client begins with the preface and refuses push", () => {
  const client = new Machine("client");
  assert.deepEqual(client.sent(), [
    "PREFACE",
    "SETTINGS 2=0 6=93440",
    "WINDOW_UPDATE 0 +983041",
  ]);
  client.feed(concat([settings(), frame(5, 4, 1, concat([new Uint8Array(4), block(GET_FIELDS)]))]));
  assert.deepEqual(client.log, ["settings", "error PROTOCOL_ERROR: push is refused"]);
});

Deno.test("A client refuses invalid answers, each on its own stream", () => {
  const ok: Fields = [[":status", "200"]];
  const cases: [string, Fields, boolean][] = [
    ["no status", [["a", "b"]], false],
    ["a status of letters", [[":status", "2x0"]], false],
    ["a status of two digits", [[":status", "99"]], false],
    ["the status twice", [...ok, ...ok], false],
    ["a pseudo-header of requests", [...ok, [":path", "/"]], false],
    ["a status after a field", [["a", "b"], ...ok], false],
    ["a switch of protocols", [[":status", "101"]], false],
    ["an interim head that ends", [[":status", "100"]], true],
    ["a header of the connection", [...ok, ["connection", "close"]], false],
    ["a length and no body", [...ok, ["content-length", "1"]], true],
    ["two lengths", [...ok, ["content-length", "1"], ["content-length", "1"]], false],
  ];
  const client = startedClient();
  for (const [why, fields, isEnd] of cases) {
    const streamId = client.request(GET_FIELDS);
    client.feed(headers(streamId, fields, { isEnd }));
    assert.deepEqual(client.takeLog(), [`reset ${streamId} PROTOCOL_ERROR by us`], why);
    assert.equal(client.sent().at(-1), `RST_STREAM ${streamId} PROTOCOL_ERROR`, why);
  }
  assert.equal(client.connection.streamCount, 0);
});

Deno.test("A client knows which answers have no body", () => {
  const client = startedClient();
  const length: Fields = [["content-length", "100"]];
  const head: Fields = [[":method", "HEAD"], ...GET_FIELDS.slice(1)];
  client.request(head);
  client.request(GET_FIELDS);
  client.request(head);
  client.request(GET_FIELDS);
  client.feed(concat([
    headers(1, [...OK, ...length], { isEnd: true }),
    headers(3, [[":status", "304"], ...length], { isEnd: true }),
    headers(5, [...OK, ...length]),
    data(5, "x"),
    data(7, "x"),
  ]));
  assert.deepEqual(client.takeLog(), [
    "response 1 200 | content-length: 100 END",
    "response 3 304 | content-length: 100 END",
    "response 5 200 | content-length: 100",
    "reset 5 PROTOCOL_ERROR by us",
    "reset 7 PROTOCOL_ERROR by us",
  ]);
});

Deno.test("A client takes nothing on streams that it has not opened, and passes over late frames", () => {
  for (const streamId of [2, 3]) {
    const client = startedClient();
    client.request(GET_FIELDS);
    client.feed(headers(streamId, OK));
    assert.deepEqual(client.log, ["error PROTOCOL_ERROR: a stream that the peer may not open"]);
  }
  const client = startedClient();
  client.request(GET_FIELDS);
  client.connection.reset(1, CANCEL);
  client.feed(concat([headers(1, OK), data(1, "x", true), headers(1, OK)]));
  assert.deepEqual(client.log, []);
  assert.equal(client.connection.isClosed, false);
});

Deno.test("A client opens as many streams as the server takes, and no more than it wants itself", () => {
  const client = startedClient({ streamsMax: 3 }, [MAX_CONCURRENT_STREAMS, 2]);
  assert.deepEqual([1, 2, 3].map(() => client.request(GET_FIELDS)), [1, 3, NO_STREAM]);
  client.feed(settings([MAX_CONCURRENT_STREAMS, 100]));
  assert.equal(client.request(GET_FIELDS), 5);
  assert.equal(client.connection.canOpen, false);
  client.feed(headers(1, OK, { isEnd: true }));
  assert.equal(client.connection.canOpen, true);
});

Deno.test("A server refuses streams beyond its limit, so that they may be tried again", () => {
  const server = startedServer({ streamsMax: 1 });
  server.feed(concat([headers(1, POST_FIELDS), headers(3, GET_FIELDS), data(3, "late", true)]));
  assert.deepEqual(server.takeLog(), ["request 1 POST | / | host: shop"]);
  assert.deepEqual(server.sent(), ["RST_STREAM 3 REFUSED_STREAM"]);
  server.feed(concat([reset(1, CANCEL), headers(5, GET_FIELDS, { isEnd: true })]));
  assert.deepEqual(server.takeLog(), [
    "reset 1 CANCEL by peer",
    "request 5 GET | / | host: shop END",
  ]);
});

Deno.test("Header lists beyond the limit are told of as such, and later blocks are read right", () => {
  const server = startedServer();
  const long: Fields = [...GET_FIELDS, ["x-a", "v".repeat(8_000)], ["x-b", "v".repeat(8_000)]];
  server.feed(concat([headers(1, long, { isEnd: true }), headers(3, GET_FIELDS, { isEnd: true })]));
  assert.deepEqual(server.log, ["too large 1 END", "request 3 GET | / | host: shop END"]);
  assert.equal(server.head(1, [[":status", "431"]], true), 0);
  const client = startedClient();
  client.request(GET_FIELDS);
  client.feed(headers(1, [...OK, ...long.slice(4)]));
  assert.deepEqual(client.log, ["reset 1 ENHANCE_YOUR_CALM by us"]);
});

Deno.test("Sending stops at the stream's window and goes on when it opens", () => {
  const server = startedServer({}, [INITIAL_WINDOW_SIZE, 100]);
  server.feed(headers(1, GET_FIELDS, { isEnd: true }));
  server.takeLog();
  server.head(1, OK);
  assert.equal(server.data(1, 150, true), 100);
  assert.equal(server.data(1, 50, true), NO_WINDOW);
  server.feed(windowUpdate(1, 30));
  assert.deepEqual(server.takeLog(), ["window 1"]);
  assert.equal(server.data(1, 50, true), 30);
  server.feed(settings([INITIAL_WINDOW_SIZE, 110]));
  assert.deepEqual(server.takeLog(), ["settings", "window 1"]);
  assert.equal(server.data(1, 20, true), 10);
  server.feed(settings([INITIAL_WINDOW_SIZE, 0]));
  server.feed(windowUpdate(1, 110));
  assert.deepEqual(server.takeLog(), ["settings"], "the window is still not above zero");
  server.feed(windowUpdate(1, 10));
  assert.equal(server.data(1, 10, true), 10);
  assert.equal(server.connection.streamCount, 0);
});

Deno.test("Streams that wait for the connection's window are served in their order", () => {
  const server = startedServer({}, [INITIAL_WINDOW_SIZE, 100_000]);
  for (const streamId of [1, 3, 5]) server.feed(headers(streamId, GET_FIELDS, { isEnd: true }));
  for (const streamId of [1, 3, 5]) server.head(streamId, OK);
  server.takeLog();
  let sent = 0;
  while (sent < 65_535) {
    sent += server.data(5, 65_536 - sent);
    server.takeOutput();
  }
  assert.equal(server.data(3, 10, true), NO_WINDOW);
  assert.equal(server.data(1, 10, true), NO_WINDOW);
  server.onEvent = (name, streamId) => {
    if (name === "window") server.data(streamId, 8, true);
  };
  server.feed(windowUpdate(0, 12));
  assert.deepEqual(server.takeLog(), ["window 5", "window 3"]);
  server.feed(windowUpdate(0, 100));
  assert.deepEqual(server.takeLog(), ["window 1", "window 3"], "3 has had its turn");
});

Deno.test("A peer that sends more than a window is stopped, stream by stream or at once", () => {
  const server = startedServer({ streamWindowBytes: 100, holds: true });
  server.feed(concat([headers(1, POST_FIELDS), data(1, "x".repeat(100)), data(1, "y")]));
  assert.equal(server.log.at(-1), "reset 1 FLOW_CONTROL_ERROR by us");
  const other = startedServer({ connectionWindowBytes: 65_535, holds: true });
  other.feed(concat([headers(1, POST_FIELDS), headers(3, POST_FIELDS)]));
  for (const streamId of [1, 1, 1, 1, 3]) other.feed(data(streamId, "x".repeat(16_000)));
  assert.equal(
    other.log.at(-1),
    "error FLOW_CONTROL_ERROR: more data than the connection's window",
  );
});

Deno.test("Until the peer has acknowledged a smaller window, the default one holds", () => {
  const server = new Machine("server", { streamWindowBytes: 100, holds: true });
  server.feed(concat([CLIENT_START, headers(1, POST_FIELDS), data(1, "x".repeat(9_000))]));
  server.feed(concat([SETTINGS_ACK, data(1, "", true)]));
  assert.match(server.log.at(-1) ?? "", /^data 1 x{9000} END$/);
});

Deno.test("Windows are given back half by half, with padding, and whole when a stream is gone", () => {
  const server = startedServer({
    streamWindowBytes: 1_000,
    connectionWindowBytes: 65_535,
    holds: true,
  });
  server.feed(concat([headers(1, POST_FIELDS), data(1, "x".repeat(900))]));
  server.connection.consumed(1, 499);
  assert.deepEqual(server.sent(), []);
  server.connection.consumed(1, 1);
  assert.deepEqual(server.sent(), ["WINDOW_UPDATE 1 +500"]);
  server.feed(frame(0, 8, 1, concat([Uint8Array.of(255), new Uint8Array(255)])));
  server.connection.consumed(1, 400);
  assert.deepEqual(server.sent(), ["WINDOW_UPDATE 1 +656"]);
  for (const streamId of [3, 5, 7, 9]) {
    for (let i = 0; i < 40; i++) {
      if (i === 0) server.feed(headers(streamId, POST_FIELDS));
      if (i < 4) server.feed(data(streamId, "x".repeat(250)));
    }
  }
  assert.deepEqual(server.sent(), []);
  for (const streamId of [3, 5, 7, 9]) server.connection.reset(streamId, CANCEL);
  server.feed(
    concat([headers(11, POST_FIELDS), ...new Array(30).fill(data(9, "x".repeat(1_000)))]),
  );
  const updates = server.sent().filter((line) => line.startsWith("WINDOW_UPDATE"));
  assert.deepEqual(updates, ["WINDOW_UPDATE 0 +33156"]);
});

Deno.test("DATA for a stream that its owner resets in the middle of a frame is passed over", () => {
  const server = startedServer();
  server.onEvent = (name, streamId) => {
    if (name === "data") server.connection.reset(streamId, CANCEL);
  };
  const bytes = concat([headers(1, POST_FIELDS), data(1, "abcdef"), headers(3, GET_FIELDS)]);
  server.feed(bytes, [
    bytes.length - 70,
    ...Array.from({ length: 70 }, (_, i) => bytes.length - 69 + i),
  ]);
  assert.deepEqual(server.log.filter((line) => !line.startsWith("request")).length, 1);
  assert.equal(server.log.at(-1), "request 3 GET | / | host: shop");
  assert.deepEqual(server.sent(), ["RST_STREAM 1 CANCEL"]);
});

Deno.test("A full output stops reading, and nothing that was asked for is lost", () => {
  const server = startedServer({ outputBytes: 400 });
  const pings = Array.from({ length: 100 }, (_, i) => ping(String(i).padStart(8, "0")));
  const bytes = concat(pings);
  const taken = server.receive(bytes);
  assert.ok(taken < bytes.length - PREFACE.length && server.connection.needsOutput);
  assert.equal(server.receive(bytes.subarray(taken)), 0, "it stays where it is");
  const told: string[] = server.sent();
  server.feed(bytes.subarray(taken), undefined, (out) => told.push(...server.teller.tell(out)));
  told.push(...server.sent());
  assert.deepEqual(told, pings.map((_, i) => `PING ACK ${String(i).padStart(8, "0")}`));
});

Deno.test("RST_STREAM and WINDOW_UPDATE that find no room are written later", () => {
  const server = startedServer({ outputBytes: 400, streamWindowBytes: 1_000, holds: true });
  server.feed(concat([headers(1, POST_FIELDS), headers(3, POST_FIELDS), data(3, "x".repeat(900))]));
  while (server.connection.ping(7));
  server.connection.reset(1, CANCEL);
  server.connection.consumed(3, 900);
  assert.ok(server.connection.needsOutput);
  assert.ok(server.sent().every((line) => line.startsWith("PING")));
  server.connection.pump();
  assert.deepEqual(server.sent(), ["RST_STREAM 1 CANCEL", "WINDOW_UPDATE 3 +900"]);
  assert.ok(!server.connection.needsOutput);
});

Deno.test("RST_STREAMs that are pending for many streams are written as room comes", () => {
  const server = startedServer({ outputBytes: 200 });
  const ids = Array.from({ length: 40 }, (_, i) => 2 * i + 1);
  for (const streamId of ids) server.feed(headers(streamId, POST_FIELDS));
  for (const streamId of ids) server.connection.reset(streamId, CANCEL);
  const told: string[] = [];
  while (server.output.end > server.output.start) {
    told.push(...server.sent());
    server.connection.pump();
  }
  assert.deepEqual(told, ids.map((streamId) => `RST_STREAM ${streamId} CANCEL`));
});

Deno.test("What still comes on a stream that was reset here is passed over in silence", () => {
  const server = startedServer();
  server.feed(headers(1, POST_FIELDS));
  server.connection.reset(1, NO_ERROR);
  server.feed(concat([data(1, "on its way"), headers(1, [["t", "u"]], { isEnd: true })]));
  server.feed(concat([windowUpdate(1, 5), reset(1, CANCEL)]));
  assert.deepEqual(server.takeLog(), ["request 1 POST | / | host: shop"]);
  assert.deepEqual(server.sent(), ["RST_STREAM 1 NO_ERROR"]);
});

Deno.test("Heads and data wait for room, and say when they never will fit", () => {
  const server = startedServer({ outputBytes: 2_000 });
  server.feed(
    concat([headers(1, GET_FIELDS, { isEnd: true }), headers(3, GET_FIELDS, { isEnd: true })]),
  );
  assert.equal(server.head(1, [...OK, ["x", "v".repeat(3_000)]]), TOO_LARGE);
  assert.equal(server.head(1, [...OK, ["x", "v".repeat(1_200)]]), 0);
  assert.equal(server.head(3, [...OK, ["x", "v".repeat(1_200)]]), NO_ROOM);
  assert.equal(server.data(1, 2_000), NO_ROOM);
  server.takeOutput();
  assert.equal(server.head(3, [...OK, ["x", "v".repeat(1_200)]]), 0);
  assert.equal(server.data(99, 2_000), NO_STREAM);
  server.takeOutput();
  assert.equal(server.data(1, 5_000), 2_000 - 128 - 9);
  const picky = startedServer({}, [MAX_HEADER_LIST_SIZE, 100]);
  picky.feed(headers(1, GET_FIELDS, { isEnd: true }));
  assert.equal(picky.head(1, [...OK, ["x", "v".repeat(40)]]), TOO_LARGE);
});

Deno.test("A head that is larger than a frame goes in several", () => {
  const server = startedServer({ outputBytes: 100_000 });
  server.feed(headers(1, GET_FIELDS, { isEnd: true }));
  const { composed } = server.scratch;
  composed.clear();
  composed.addText(8, "200");
  const value = composed.writeText("v".repeat(13_000));
  const name = composed.writeText("x-long");
  for (let i = 0; i < 3; i++) composed.add(name, name + 6, value, value + 13_000 - i);
  assert.equal(server.connection.sendHead(1, composed, true), 0);
  assert.deepEqual(server.sent().map((line) => line.replace(/ \d+$/, "")), [
    "HEADERS 1 END ...",
    "CONTINUATION 1 ...",
    "CONTINUATION 1",
  ]);
});

Deno.test("The header of a DATA frame can be written alone, its payload following from elsewhere", () => {
  const server = startedServer();
  server.feed(headers(1, GET_FIELDS, { isEnd: true }));
  server.head(1, OK);
  server.takeOutput();
  assert.equal(server.connection.frameData(1, 20_000, true, server.nowMs), 16_384);
  assert.equal(server.takeOutput().length, 9);
  assert.equal(server.connection.frameData(1, 3_616, true, server.nowMs), 3_616);
  assert.deepEqual(server.takeOutput(), Uint8Array.of(0, 0x0e, 0x20, 0, 1, 0, 0, 0, 1));
});

Deno.test("The encoder keeps to the table that the peer has room for", () => {
  const server = startedServer({}, [HEADER_TABLE_SIZE, 0]);
  const fields: Fields = [...OK, ["x-a", "1"]];
  for (const streamId of [1, 3, 5]) {
    server.feed(headers(streamId, GET_FIELDS, { isEnd: true }));
    server.head(streamId, fields, true);
  }
  const blocks = server.takeOutput();
  assert.equal(blocks[9], 0x20, "it says so first");
  assert.ok(!blocks.subarray(9).includes(0xbe));
});

Deno.test("A graceful end lets the streams that the client had begun be answered", () => {
  const server = startedServer();
  server.feed(headers(1, POST_FIELDS));
  server.connection.drain();
  assert.deepEqual(server.sent(), ["GOAWAY 2147483647 NO_ERROR", "PING weft\0\0\0\0"]);
  server.feed(headers(3, GET_FIELDS, { isEnd: true }));
  server.feed(ping("weft\0\0\0\0", 1));
  assert.deepEqual(server.sent(), ["GOAWAY 3 NO_ERROR"]);
  server.feed(concat([headers(5, POST_FIELDS), data(5, "late"), data(1, "x", true)]));
  assert.deepEqual(server.takeLog(), [
    "request 1 POST | / | host: shop",
    "request 3 GET | / | host: shop END",
    "data 1 x END",
  ]);
  assert.ok(server.connection.isDraining && !server.connection.isDrained);
  for (const streamId of [1, 3]) server.head(streamId, OK, true);
  assert.ok(server.connection.isDrained && !server.connection.isClosed);
});

Deno.test("A graceful end need not wait for a client that does not answer", () => {
  const server = startedServer();
  server.connection.drain();
  server.connection.finishDrain();
  server.connection.finishDrain();
  assert.deepEqual(server.sent().slice(2), ["GOAWAY 0 NO_ERROR"]);
  assert.ok(server.connection.isDrained);
});

Deno.test("A client's graceful end opens nothing more", () => {
  const client = startedClient();
  client.request(GET_FIELDS);
  client.connection.drain();
  assert.equal(client.sent().at(-1), "GOAWAY 0 NO_ERROR");
  assert.equal(client.request(GET_FIELDS), NO_STREAM);
  assert.ok(!client.connection.isDrained);
  client.feed(headers(1, OK, { isEnd: true }));
  assert.ok(client.connection.isDrained);
});

Deno.test("A server's GOAWAY gives back what it has not taken, and lets the rest end", () => {
  const client = startedClient();
  for (let i = 0; i < 3; i++) client.request(GET_FIELDS);
  client.feed(goaway(1, NO_ERROR));
  assert.deepEqual(client.takeLog().sort(), [
    "goaway 1 NO_ERROR",
    "reset 3 REFUSED_STREAM by peer",
    "reset 5 REFUSED_STREAM by peer",
  ]);
  assert.ok(!client.connection.canOpen && client.connection.streamCount === 1);
  client.feed(headers(1, OK, { isEnd: true }));
  assert.deepEqual(client.takeLog(), ["response 1 200 END"]);
});

Deno.test("An end at once says so, forgets all streams, and takes what still comes", () => {
  const server = startedServer();
  server.feed(headers(1, GET_FIELDS, { isEnd: true }));
  const owner = {};
  server.connection.setOwner(1, owner);
  assert.equal(server.connection.ownerOf(1), owner);
  const seen: unknown[] = [];
  server.connection.forEachStream((streamId, record) => seen.push(streamId, record));
  assert.deepEqual(seen, [1, owner]);
  server.connection.close(NO_ERROR, "bye");
  assert.deepEqual(server.sent(), ['GOAWAY 1 NO_ERROR "bye"']);
  assert.equal(server.connection.ownerOf(1), null);
  assert.equal(server.head(1, OK), NO_STREAM);
  server.takeLog();
  server.feed(bytesOf("anything at all, and more of it than nine bytes"));
  assert.deepEqual(server.log, []);
});

Deno.test("A PING of the owner comes back to it", () => {
  const pair = new MachinePair();
  assert.ok(pair.client.connection.ping(42));
  pair.exchange();
  assert.equal(pair.client.log.at(-1), "pong 42");
});

Deno.test("A request that was upgraded from HTTP/1.1 is stream 1", () => {
  const server = new Machine("server");
  server.connection.adoptUpgrade(settings([INITIAL_WINDOW_SIZE, 3]).subarray(9));
  server.feed(CLIENT_STARTED);
  server.sent();
  assert.equal(server.head(1, OK), 0);
  assert.equal(server.data(1, 5, true), 3);
  assert.deepEqual(server.sent(), ["HEADERS 1 :status: 200", 'DATA 1 "xxx"']);
  server.feed(concat([windowUpdate(1, 5), headers(3, GET_FIELDS)]));
  assert.deepEqual(server.takeLog().slice(1), ["window 1", "request 3 GET | / | host: shop"]);
});

Deno.test("Extended CONNECT is taken where it was offered (RFC 8441)", () => {
  const server = startedServer({ takesConnectProtocol: true });
  const fields: Fields = [
    [":method", "CONNECT"],
    [":protocol", "websocket"],
    ...GET_FIELDS.slice(1),
  ];
  server.feed(headers(1, fields));
  assert.deepEqual(server.takeLog(), ["request 1 CONNECT | / | host: shop"]);
  assert.ok(server.scratch.request.isExtendedConnect);
  server.feed(headers(3, [[":method", "GET"], [":protocol", "websocket"], ...GET_FIELDS.slice(1)]));
  assert.deepEqual(server.sent(), ["RST_STREAM 3 PROTOCOL_ERROR"]);
  const client = startedClient({}, [ENABLE_CONNECT_PROTOCOL, 1]);
  assert.ok(client.connection.peer.takesConnectProtocol);
  client.feed(settings([ENABLE_CONNECT_PROTOCOL, 0]));
  assert.deepEqual(client.log, ["error PROTOCOL_ERROR: invalid setting"]);
});

Deno.test("What routing sees of a request is what HTTP/1.1 would have shown it", () => {
  const server = startedServer();
  server.feed(headers(1, [
    [":method", "PATCH"],
    [":scheme", "http"],
    [":path", "/a/b?c=d?e"],
    [":authority", "Shop.ns:80"],
    ["expect", "100-continue"],
    ["content-length", "4"],
  ]));
  const { routed, contentLength, expectsContinue } = server.scratch.request;
  const text = (start: number, end: number) =>
    String.fromCharCode(...routed.bytes.subarray(start, end));
  assert.equal(routed.method, 9);
  assert.equal(text(routed.pathStart, routed.pathEnd), "/a/b");
  assert.equal(text(routed.queryStart, routed.queryEnd), "c=d?e");
  assert.equal(text(routed.authorityStart, routed.authorityEnd), "Shop.ns:80");
  assert.equal(text(routed.headers[0], routed.headers[3]).slice(0, 4), "host");
  assert.deepEqual([routed.headerCount, contentLength, expectsContinue], [3, 4, true]);
});
