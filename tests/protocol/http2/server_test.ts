/** What a server makes of every kind of frame and of every kind of request, whole, byte by byte and cut at random. */
import assert from "node:assert/strict";
import { CANCEL, NO_ERROR } from "../../../proxy/protocol/http2/error_code.ts";
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  GOAWAY,
  HAS_PRIORITY,
  HEADERS,
  PADDED,
  PING,
  PRIORITY,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from "../../../proxy/protocol/http2/frame.ts";
import { Random } from "../../../base/random.ts";
import { bytesOf } from "../../support/bytes_notation.ts";
import { cutsOf } from "../../support/cuts.ts";
import {
  block,
  CLIENT_STARTED,
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
  uint32,
  windowUpdate,
} from "./frames.ts";
import type { Fields } from "./frames.ts";
import { Machine } from "./machine.ts";

const GET = "GET | / | host: shop";
const POST = "POST | / | host: shop";

interface Case {
  readonly name: string;
  readonly send: readonly Uint8Array[];
  /** What the visitor is told, but for the settings. */
  readonly log: readonly string[];
  /** What is written, after the settings. */
  readonly sent: readonly string[];
}

/** The connection is at an end: GOAWAY and nothing else. */
function fatal(name: string, send: readonly Uint8Array[], error: string, last = 0): Case {
  const [code, debug] = error.split(": ");
  return { name, send, log: [`error ${error}`], sent: [`GOAWAY ${last} ${code} "${debug}"`] };
}

/** The stream is refused before anyone is told of it, and the connection goes on. */
function refused(name: string, fields: Fields, code = "PROTOCOL_ERROR"): Case {
  return {
    name,
    send: [headers(1, fields, { isEnd: true }), headers(3, GET_FIELDS, { isEnd: true })],
    log: [`request 3 ${GET} END`],
    sent: [`RST_STREAM 1 ${code}`],
  };
}

/** The request is taken as it is. */
function taken(name: string, fields: Fields, told: string): Case {
  return {
    name,
    send: [headers(1, fields, { isEnd: true })],
    log: [`request 1 ${told} END`],
    sent: [],
  };
}

const OPENED = headers(1, POST_FIELDS);
const OPENED_LOG = `request 1 ${POST}`;
const DONE = headers(1, GET_FIELDS, { isEnd: true });
const DONE_LOG = `request 1 ${GET} END`;
const REST = GET_FIELDS.slice(1);

function without(name: string): Fields {
  return GET_FIELDS.filter(([field]) => field !== name);
}

const FRAMES: readonly Case[] = [
  { name: "a request without body", send: [DONE], log: [DONE_LOG], sent: [] },
  {
    name: "a request with a body and trailers",
    send: [
      OPENED,
      data(1, "hello "),
      data(1, "world"),
      headers(1, [["x-sum", "7"]], { isEnd: true }),
    ],
    log: [OPENED_LOG, "data 1 hello world", "trailers 1 x-sum: 7 END"],
    sent: [],
  },
  {
    name: "requests whose bodies come by turns",
    send: [OPENED, headers(3, POST_FIELDS), data(1, "a"), data(3, "b"), data(1, "c", true)],
    log: [OPENED_LOG, `request 3 ${POST}`, "data 1 a", "data 3 b", "data 1 c END"],
    sent: [],
  },
  {
    name: "padding of any length, and none",
    send: [
      OPENED,
      paddedData(1, "a", 0),
      paddedData(1, "b", 255),
      paddedData(1, "", 3),
      paddedData(1, "c", 1, true),
    ],
    log: [OPENED_LOG, "data 1 abc END"],
    sent: [],
  },
  {
    name: "an empty end",
    send: [OPENED, data(1, "a"), data(1, "", true)],
    log: [OPENED_LOG, "data 1 a END"],
    sent: [],
  },
  {
    name: "padded and prioritised headers",
    send: [frame(
      HEADERS,
      END_HEADERS | END_STREAM | PADDED | HAS_PRIORITY,
      1,
      concat([
        Uint8Array.of(2),
        uint32(0x80000007),
        Uint8Array.of(15),
        block(GET_FIELDS),
        new Uint8Array(2),
      ]),
    )],
    log: [DONE_LOG],
    sent: [],
  },
  {
    name: "a header block in pieces",
    send: [
      cutHeaders(1, GET_FIELDS, 20, true),
      cutHeaders(3, POST_FIELDS, 30, false),
      data(3, "x", true),
    ],
    log: [DONE_LOG, `request 3 ${POST}`, "data 3 x END"],
    sent: [],
  },
  {
    name: "a padded header block in pieces, some of them empty",
    send: [
      frame(
        HEADERS,
        PADDED | END_STREAM,
        1,
        concat([Uint8Array.of(3), block(GET_FIELDS), new Uint8Array(3)]),
      ),
      frame(CONTINUATION, 0, 1),
      frame(CONTINUATION, END_HEADERS, 1),
    ],
    log: [DONE_LOG],
    sent: [],
  },
  {
    name: "PING is answered with what it holds, at any time",
    send: [ping("\x01\xff345678"), OPENED, ping("abcdefgh"), data(1, "x", true)],
    log: [OPENED_LOG, "data 1 x END"],
    sent: ["PING ACK \x01\xff345678", "PING ACK abcdefgh"],
  },
  {
    name: "an answer to a PING that was never sent",
    send: [ping("abcdefgh", 1)],
    log: [],
    sent: [],
  },
  {
    name: "frames and flags of unknown types are passed over",
    send: [
      frame(0xfa, 0xff, 0, bytesOf("whatever")),
      frame(0x55, 0, 77),
      frame(HEADERS, END_HEADERS | END_STREAM | 0xc2, 1, block(GET_FIELDS)),
      frame(PING, 0xfe, 0, bytesOf("abcdefgh")),
    ],
    log: [DONE_LOG],
    sent: ["PING ACK abcdefgh"],
  },
  {
    name: "PRIORITY is ignored, on any stream",
    send: [
      frame(PRIORITY, 0, 9, concat([uint32(3), Uint8Array.of(1)])),
      DONE,
      frame(PRIORITY, 0, 1, concat([uint32(0), Uint8Array.of(1)])),
    ],
    log: [DONE_LOG],
    sent: [],
  },
  {
    name: "settings of unknown kinds are ignored, and acknowledged",
    send: [settings([0x99, 5], [1, 0], [8, 1], [3, 0]), settings()],
    log: [],
    sent: ["SETTINGS ACK", "SETTINGS ACK"],
  },
  {
    name: "the reserved bit of a stream id is ignored",
    send: [frame(HEADERS, END_HEADERS | END_STREAM, 0x80000001, block(GET_FIELDS))],
    log: [DONE_LOG],
    sent: [],
  },
  {
    name: "RST_STREAM ends a stream, once",
    send: [OPENED, reset(1, CANCEL), reset(1, CANCEL), windowUpdate(1, 5)],
    log: [OPENED_LOG, "reset 1 CANCEL by peer"],
    sent: [],
  },
  {
    name: "GOAWAY with words, and what is under way goes on",
    send: [OPENED, goaway(0, NO_ERROR, "so long"), data(1, "x", true)],
    log: [OPENED_LOG, "goaway NO_ERROR", "data 1 x END"],
    sent: [],
  },
  {
    name: "streams may leave ids out",
    send: [headers(5, GET_FIELDS, { isEnd: true }), headers(99, GET_FIELDS, { isEnd: true })],
    log: [`request 5 ${GET} END`, `request 99 ${GET} END`],
    sent: [],
  },
];

const CONNECTION_ERRORS: readonly Case[] = [
  fatal(
    "a frame larger than is taken",
    [frame(DATA, 0, 1, new Uint8Array(16_385))],
    "FRAME_SIZE_ERROR: frame too large",
  ),
  fatal("DATA on stream 0", [data(0, "x")], "PROTOCOL_ERROR: no stream where one must be"),
  fatal("DATA on an idle stream", [data(1, "x")], "PROTOCOL_ERROR: DATA on an idle stream"),
  fatal("DATA on a stream of the server", [data(2, "x")], "PROTOCOL_ERROR: DATA on an idle stream"),
  fatal(
    "HEADERS on stream 0",
    [headers(0, GET_FIELDS)],
    "PROTOCOL_ERROR: no stream where one must be",
  ),
  fatal(
    "HEADERS on an even stream",
    [headers(2, GET_FIELDS)],
    "PROTOCOL_ERROR: a stream that the peer may not open",
  ),
  fatal(
    "HEADERS too short for their padding",
    [frame(HEADERS, PADDED | END_HEADERS, 1)],
    "FRAME_SIZE_ERROR: frame of a wrong size",
  ),
  fatal("HEADERS too short for their priority", [
    frame(HEADERS, HAS_PRIORITY | END_HEADERS, 1, new Uint8Array(4)),
  ], "FRAME_SIZE_ERROR: frame of a wrong size"),
  fatal("HEADERS with more padding than frame", [
    frame(HEADERS, PADDED | END_HEADERS, 1, Uint8Array.of(3, 0x82, 0)),
  ], "PROTOCOL_ERROR: padding without end"),
  fatal(
    "an invalid header block",
    [frame(HEADERS, END_HEADERS, 1, Uint8Array.of(0xbe))],
    "COMPRESSION_ERROR: invalid header block",
  ),
  fatal(
    "PRIORITY on stream 0",
    [frame(PRIORITY, 0, 0, new Uint8Array(5))],
    "PROTOCOL_ERROR: no stream where one must be",
  ),
  fatal(
    "PRIORITY of a wrong size",
    [frame(PRIORITY, 0, 1, new Uint8Array(4))],
    "FRAME_SIZE_ERROR: frame of a wrong size",
  ),
  fatal(
    "RST_STREAM on stream 0",
    [reset(0, CANCEL)],
    "PROTOCOL_ERROR: no stream where one must be",
  ),
  fatal(
    "RST_STREAM on an idle stream",
    [reset(1, CANCEL)],
    "PROTOCOL_ERROR: RST_STREAM on an idle stream",
  ),
  fatal(
    "RST_STREAM of a wrong size",
    [frame(RST_STREAM, 0, 1, new Uint8Array(5))],
    "FRAME_SIZE_ERROR: frame of a wrong size",
  ),
  fatal(
    "SETTINGS on a stream",
    [frame(SETTINGS, 0, 1)],
    "PROTOCOL_ERROR: a stream where none may be",
  ),
  fatal(
    "SETTINGS of a wrong size",
    [frame(SETTINGS, 0, 0, new Uint8Array(5))],
    "FRAME_SIZE_ERROR: frame of a wrong size",
  ),
  fatal(
    "an acknowledgement with settings",
    [frame(SETTINGS, 1, 0, new Uint8Array(6))],
    "FRAME_SIZE_ERROR: frame of a wrong size",
  ),
  fatal("ENABLE_PUSH that is no flag", [settings([2, 2])], "PROTOCOL_ERROR: invalid setting"),
  fatal(
    "an initial window too large",
    [settings([4, 0x80000000])],
    "FLOW_CONTROL_ERROR: invalid setting",
  ),
  fatal("a frame size too small", [settings([5, 16_383])], "PROTOCOL_ERROR: invalid setting"),
  fatal("a frame size too large", [settings([5, 0x1000000])], "PROTOCOL_ERROR: invalid setting"),
  fatal("extended CONNECT that is no flag", [settings([8, 2])], "PROTOCOL_ERROR: invalid setting"),
  fatal(
    "more settings than are taken",
    [settings(...new Array(33).fill([3, 1]))],
    "ENHANCE_YOUR_CALM: too many settings",
  ),
  fatal("PUSH_PROMISE", [
    frame(PUSH_PROMISE, END_HEADERS, 1, concat([uint32(2), block(GET_FIELDS)])),
  ], "PROTOCOL_ERROR: push is refused"),
  fatal(
    "PING on a stream",
    [frame(PING, 0, 1, new Uint8Array(8))],
    "PROTOCOL_ERROR: a stream where none may be",
  ),
  fatal(
    "PING of a wrong size",
    [frame(PING, 0, 0, new Uint8Array(7))],
    "FRAME_SIZE_ERROR: frame of a wrong size",
  ),
  fatal(
    "GOAWAY on a stream",
    [frame(GOAWAY, 0, 1, new Uint8Array(8))],
    "PROTOCOL_ERROR: a stream where none may be",
  ),
  fatal(
    "GOAWAY of a wrong size",
    [frame(GOAWAY, 0, 0, new Uint8Array(7))],
    "FRAME_SIZE_ERROR: frame of a wrong size",
  ),
  fatal(
    "WINDOW_UPDATE of a wrong size",
    [frame(WINDOW_UPDATE, 0, 0, new Uint8Array(3))],
    "FRAME_SIZE_ERROR: frame of a wrong size",
  ),
  fatal(
    "WINDOW_UPDATE of nothing",
    [windowUpdate(0, 0)],
    "PROTOCOL_ERROR: WINDOW_UPDATE of nothing",
  ),
  fatal(
    "WINDOW_UPDATE beyond all bounds",
    [windowUpdate(0, 0x7fffffff)],
    "FLOW_CONTROL_ERROR: WINDOW_UPDATE too large",
  ),
  fatal(
    "WINDOW_UPDATE on an idle stream",
    [windowUpdate(1, 5)],
    "PROTOCOL_ERROR: WINDOW_UPDATE on an idle stream",
  ),
  fatal(
    "CONTINUATION of nothing",
    [frame(CONTINUATION, END_HEADERS, 1)],
    "PROTOCOL_ERROR: CONTINUATION of nothing",
  ),
  fatal(
    "a header block interrupted by DATA",
    [headers(1, GET_FIELDS, { flags: 0 }), data(1, "x")],
    "PROTOCOL_ERROR: a header block is not to be interrupted",
  ),
  fatal("a header block interrupted by PING", [
    headers(1, GET_FIELDS, { flags: 0 }),
    ping("abcdefgh"),
  ], "PROTOCOL_ERROR: a header block is not to be interrupted"),
  fatal("a header block interrupted by an unknown frame", [
    headers(1, GET_FIELDS, { flags: 0 }),
    frame(0x99, 0, 1),
  ], "PROTOCOL_ERROR: a header block is not to be interrupted"),
  fatal("CONTINUATION on another stream", [
    headers(1, GET_FIELDS, { flags: 0 }),
    frame(CONTINUATION, END_HEADERS, 3),
  ], "PROTOCOL_ERROR: a header block is not to be interrupted"),
  fatal("more CONTINUATIONs than are taken", [
    headers(1, GET_FIELDS, { flags: 0 }),
    ...new Array(17).fill(frame(CONTINUATION, 0, 1)),
  ], "ENHANCE_YOUR_CALM: too many CONTINUATIONs"),
  fatal("a header block larger than is taken", [
    frame(HEADERS, 0, 1, new Uint8Array(16_384).fill(0x82)),
    ...new Array(7).fill(frame(CONTINUATION, 0, 1, new Uint8Array(16_384).fill(0x82))),
    frame(CONTINUATION, END_HEADERS, 1, Uint8Array.of(0x82)),
  ], "ENHANCE_YOUR_CALM: header block too large"),
];

const AFTER_A_REQUEST: readonly Case[] = [
  fatal(
    "a stream id that was passed over",
    [headers(5, GET_FIELDS, { isEnd: true }), headers(3, GET_FIELDS)],
    "PROTOCOL_ERROR: a stream id that is too low",
    5,
  ),
  fatal(
    "DATA without padding's length",
    [OPENED, frame(DATA, PADDED, 1)],
    "FRAME_SIZE_ERROR: frame of a wrong size",
    1,
  ),
  fatal(
    "DATA with more padding than frame",
    [OPENED, frame(DATA, PADDED, 1, Uint8Array.of(3, 1, 1))],
    "PROTOCOL_ERROR: padding without end",
    1,
  ),
  fatal(
    "HEADERS after RST_STREAM",
    [OPENED, reset(1, CANCEL), headers(1, GET_FIELDS)],
    "STREAM_CLOSED: HEADERS on a closed stream",
    1,
  ),
].map((one) => ({
  ...one,
  log: [
    one.name.startsWith("a stream id") ? `request 5 ${GET} END` : OPENED_LOG,
    ...(one.name.startsWith("HEADERS") ? ["reset 1 CANCEL by peer"] : []),
    ...one.log,
  ],
}));

const STREAM_ERRORS: readonly Case[] = [
  {
    name: "DATA after the end",
    send: [DONE, data(1, "x")],
    log: [DONE_LOG, "reset 1 STREAM_CLOSED by us"],
    sent: ["RST_STREAM 1 STREAM_CLOSED"],
  },
  {
    name: "HEADERS after the end",
    send: [DONE, DONE],
    log: [DONE_LOG, "reset 1 STREAM_CLOSED by us"],
    sent: ["RST_STREAM 1 STREAM_CLOSED"],
  },
  {
    name: "DATA after RST_STREAM, answered once",
    send: [OPENED, reset(1, CANCEL), data(1, "x"), data(1, "y", true)],
    log: [OPENED_LOG, "reset 1 CANCEL by peer"],
    sent: ["RST_STREAM 1 STREAM_CLOSED"],
  },
  {
    name: "trailers that do not end",
    send: [OPENED, headers(1, [["a", "b"]])],
    log: [OPENED_LOG, "reset 1 PROTOCOL_ERROR by us"],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR"],
  },
  {
    name: "trailers with a pseudo-header",
    send: [OPENED, headers(1, [[":path", "/"]], { isEnd: true })],
    log: [OPENED_LOG, "reset 1 PROTOCOL_ERROR by us"],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR"],
  },
  {
    name: "trailers with a header of the connection",
    send: [OPENED, headers(1, [["connection", "close"]], { isEnd: true })],
    log: [OPENED_LOG, "reset 1 PROTOCOL_ERROR by us"],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR"],
  },
  {
    name: "WINDOW_UPDATE of nothing on a stream",
    send: [OPENED, windowUpdate(1, 0)],
    log: [OPENED_LOG, "reset 1 PROTOCOL_ERROR by us"],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR"],
  },
  {
    name: "WINDOW_UPDATE of a stream beyond all bounds",
    send: [OPENED, windowUpdate(1, 0x7fffffff)],
    log: [OPENED_LOG, "reset 1 FLOW_CONTROL_ERROR by us"],
    sent: ["RST_STREAM 1 FLOW_CONTROL_ERROR"],
  },
  {
    name: "a stream that depends on itself, by HEADERS",
    send: [
      frame(
        HEADERS,
        END_HEADERS | HAS_PRIORITY,
        1,
        concat([uint32(1), Uint8Array.of(1), block(GET_FIELDS)]),
      ),
      data(1, "late", true),
    ],
    log: [],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR"],
  },
  {
    name: "a stream that depends on itself, by PRIORITY",
    send: [OPENED, frame(PRIORITY, 0, 1, concat([uint32(1), Uint8Array.of(1)]))],
    log: [OPENED_LOG, "reset 1 PROTOCOL_ERROR by us"],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR"],
  },
  {
    name: "less body than was said",
    send: [headers(1, [...POST_FIELDS, ["content-length", "3"]]), data(1, "ab", true)],
    log: [`request 1 ${POST} | content-length: 3`, "reset 1 PROTOCOL_ERROR by us"],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR"],
  },
  {
    name: "more body than was said",
    send: [headers(1, [...POST_FIELDS, ["content-length", "3"]]), data(1, "ab"), data(1, "cd")],
    log: [`request 1 ${POST} | content-length: 3`, "data 1 ab", "reset 1 PROTOCOL_ERROR by us"],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR"],
  },
  {
    name: "less body than was said, then trailers",
    send: [
      headers(1, [...POST_FIELDS, ["content-length", "3"]]),
      data(1, "ab"),
      headers(1, [["t", "u"]], { isEnd: true }),
    ],
    log: [`request 1 ${POST} | content-length: 3`, "data 1 ab", "reset 1 PROTOCOL_ERROR by us"],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR"],
  },
  {
    name: "exactly the body that was said",
    send: [
      headers(1, [...POST_FIELDS, ["content-length", "3"]]),
      data(1, "ab"),
      data(1, "c"),
      data(1, "", true),
    ],
    log: [`request 1 ${POST} | content-length: 3`, "data 1 abc END"],
    sent: [],
  },
];

const REQUESTS: readonly Case[] = [
  taken("every part of a request", [
    [":method", "PURGE"],
    [":path", "/a?b=c"],
    [":authority", "shop:8080"],
    [":scheme", "https"],
    ["te", "trailers"],
    ["x-plain", ""],
  ], "PURGE | /a?b=c | host: shop:8080 | te: trailers | x-plain: "),
  taken(
    "host in place of :authority",
    [...without(":authority"), ["a", "1"], ["host", "shop"]],
    "GET | / | a: 1 | host: shop",
  ),
  taken(
    "host beside the same :authority",
    [...GET_FIELDS, ["host", "SHOP"], ["a", "1"]],
    `${GET} | a: 1`,
  ),
  taken("OPTIONS of the whole server", [
    [":method", "OPTIONS"],
    [":scheme", "http"],
    [":path", "*"],
    [":authority", "shop"],
  ], "OPTIONS | * | host: shop"),
  taken(
    "CONNECT",
    [[":method", "CONNECT"], [":authority", "shop:443"]],
    "CONNECT |  | host: shop:443",
  ),
  taken("cookies that come one by one", [...GET_FIELDS, ["cookie", "a=1"], ["x", "y"], [
    "cookie",
    "b=2",
  ], ["cookie", "c=3"]], `${GET} | cookie: a=1; b=2; c=3 | x: y`),
  taken(
    "two cookies",
    [...GET_FIELDS, ["cookie", "a=1"], ["cookie", "b=2"]],
    `${GET} | cookie: a=1; b=2`,
  ),
  taken("one cookie", [...GET_FIELDS, ["cookie", "a=1; b=2"]], `${GET} | cookie: a=1; b=2`),
  refused("a name in capitals", [...GET_FIELDS, ["X-Upper", "1"]]),
  refused("an empty name", [...GET_FIELDS, ["", "1"]]),
  refused("a line break in a value", [...GET_FIELDS, ["x", "a\r\nb: c"]]),
  refused("a value that begins with a space", [...GET_FIELDS, ["x", " a"]]),
  refused("an unknown pseudo-header", [...GET_FIELDS, [":test", "1"]]),
  refused("a pseudo-header of answers", [...GET_FIELDS, [":status", "200"]]),
  refused("a pseudo-header after others", [...REST, ["x", "y"], [":method", "GET"]]),
  refused(":method twice", [[":method", "GET"], ...GET_FIELDS]),
  refused(":scheme twice", [...GET_FIELDS, [":scheme", "http"]]),
  refused(":path twice", [...GET_FIELDS, [":path", "/"]]),
  refused(":authority twice", [...GET_FIELDS, [":authority", "shop"]]),
  refused("no :method", without(":method")),
  refused("no :scheme", without(":scheme")),
  refused("no :path", without(":path")),
  refused("neither :authority nor host", without(":authority")),
  refused("an empty :authority and no host", [...without(":authority"), [":authority", ""]]),
  refused("an empty :method", [[":method", ""], ...REST]),
  refused("a :method with a space", [[":method", "GET /x"], ...REST]),
  refused("an empty :path", [...without(":path"), [":path", ""]]),
  refused("a :path without slash", [...without(":path"), [":path", "a"]]),
  refused("a :path with a space", [...without(":path"), [":path", "/a HTTP/1.1"]]),
  refused("a :path with a fragment", [...without(":path"), [":path", "/a#b"]]),
  refused("an asterisk for GET", [...without(":path"), [":path", "*"]]),
  refused("a :scheme that is none", [...without(":scheme"), [":scheme", "ht tp"]]),
  refused("an empty :scheme", [...without(":scheme"), [":scheme", ""]]),
  refused("an :authority with user information", [...without(":authority"), [
    ":authority",
    "u@shop",
  ]]),
  refused("an :authority with a path", [...without(":authority"), [":authority", "shop/x"]]),
  refused("another host than :authority", [...GET_FIELDS, ["host", "bank"]]),
  refused("host twice", [...without(":authority"), ["host", "shop"], ["host", "bank"]]),
  refused("CONNECT with a path", [[":method", "CONNECT"], [":authority", "shop:443"], [
    ":path",
    "/",
  ]]),
  refused("CONNECT with a scheme", [[":method", "CONNECT"], [":authority", "shop:443"], [
    ":scheme",
    "http",
  ]]),
  refused("CONNECT without port", [[":method", "CONNECT"], [":authority", "shop"]]),
  refused("extended CONNECT where it is not taken", [[":method", "CONNECT"], [
    ":protocol",
    "websocket",
  ], ...REST]),
  refused("connection", [...GET_FIELDS, ["connection", "close"]]),
  refused("keep-alive", [...GET_FIELDS, ["keep-alive", "1"]]),
  refused("proxy-connection", [...GET_FIELDS, ["proxy-connection", "close"]]),
  refused("transfer-encoding", [...GET_FIELDS, ["transfer-encoding", "chunked"]]),
  refused("upgrade", [...GET_FIELDS, ["upgrade", "websocket"]]),
  refused("te that is more than trailers", [...GET_FIELDS, ["te", "trailers, deflate"]]),
  refused("a content-length that is none", [...GET_FIELDS, ["content-length", "1x"]]),
  refused("an empty content-length", [...GET_FIELDS, ["content-length", ""]]),
  refused("a content-length beyond counting", [...GET_FIELDS, [
    "content-length",
    "9007199254740992",
  ]]),
  refused("content-length twice", [...GET_FIELDS, ["content-length", "0"], [
    "content-length",
    "0",
  ]]),
  refused("a content-length and no body", [...GET_FIELDS, ["content-length", "1"]]),
];

const random = new Random(7, "cuts");

for (
  const one of [...FRAMES, ...CONNECTION_ERRORS, ...AFTER_A_REQUEST, ...STREAM_ERRORS, ...REQUESTS]
) {
  Deno.test(`Server: ${one.name}`, () => {
    const bytes = concat([CLIENT_STARTED, ...one.send]);
    for (const cuts of cutsOf(bytes.length, random, 3)) {
      const server = new Machine("server");
      server.feed(bytes, cuts.ends);
      const log = server.takeLog().filter((line) => line !== "settings");
      assert.deepEqual(log, one.log, cuts.name);
      const [own, window, ack, ...sent] = server.sent();
      assert.deepEqual([own, window, ack], [
        "SETTINGS 3=256 6=93440",
        "WINDOW_UPDATE 0 +983041",
        "SETTINGS ACK",
      ]);
      assert.deepEqual(sent, one.sent, cuts.name);
      assert.equal(server.connection.isClosed, one.sent.some((line) => line.startsWith("GOAWAY")));
    }
  });
}
