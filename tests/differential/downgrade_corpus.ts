/**
 * Requests of HTTP/2 that mean one thing as frames and another once they are written as HTTP/1.1: what a proxy that
 * translates has to refuse, since no server behind it can.
 */
import type { HeaderField } from "../simulation/hpack.ts";

/** What the origin may see of a case; null: nothing. */
interface Meant {
  readonly method: string;
  readonly target: string;
  readonly body: string;
}

export interface DowngradeCase {
  readonly name: string;
  readonly fields: readonly HeaderField[];
  /** Null: the head ends the request. */
  readonly data: string | null;
  /** Null: the data ends it. */
  readonly trailers: readonly HeaderField[] | null;
  /** How Weft reads it. */
  readonly meant: Meant | null;
}

/** What hides in bodies and values: a server that takes it for a request answers it. */
const HIDDEN = "GET /hidden HTTP/1.1\r\nHost: app\r\n\r\n";
const CHUNKED_HIDDEN = `0\r\n\r\n${HIDDEN}`;

const PSEUDO: readonly HeaderField[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/case"],
  [":authority", "app"],
];
const WITHOUT_BODY: Meant = { method: "POST", target: "/case", body: "" };

function withField(name: string, value: string): HeaderField[] {
  return PSEUDO.map(([one, was]) => [one, one === name ? value : was] as const);
}

function without(name: string): HeaderField[] {
  return PSEUDO.filter(([one]) => one !== name);
}

function bare(name: string, fields: readonly HeaderField[], meant: Meant | null): DowngradeCase {
  return { name, fields, data: null, trailers: null, meant };
}

function withData(
  name: string,
  more: readonly HeaderField[],
  data: string,
  isTaken = false,
): DowngradeCase {
  const meant = isTaken ? { method: "POST", target: "/case", body: data } : null;
  return { name, fields: [...PSEUDO, ...more], data, trailers: null, meant };
}

function refused(name: string, fields: readonly HeaderField[]): DowngradeCase {
  return bare(name, fields, null);
}

const LENGTHS = [
  "4",
  "6",
  "+5",
  "-5",
  "5,5",
  "5, 5",
  "0x5",
  "",
  "5 ",
  " 5",
  "18446744073709551621",
];
const CODINGS = ["chunked", "identity", "Chunked", " chunked", "xchunked", "chunked, identity"];
const HOP_BY_HOP: readonly HeaderField[] = [
  ["connection", "close"],
  ["connection", "transfer-encoding"],
  ["connection", "content-length"],
  ["keep-alive", "timeout=5"],
  ["proxy-connection", "keep-alive"],
  ["upgrade", "h2c"],
  ["te", "gzip"],
  ["te", "trailers, chunked"],
];
const VALUES = [
  `y\r\n\r\n${HIDDEN}`,
  "y\r\ntransfer-encoding: chunked",
  "y\ntransfer-encoding: chunked",
  "y\rz",
  "y\r\n",
  "\r\ny",
  "y\0z",
];
const NAMES = [
  "x\r\ntransfer-encoding: chunked\r\ny",
  "transfer-encoding: chunked\r\nx",
  "x: y",
  "x:",
  "x y",
  "x\t",
  " x",
  "x\0",
  "",
  "X",
  "Transfer-Encoding",
  "content-length ",
  "x\xe9",
];
const METHODS = [
  `GET /hidden HTTP/1.1\r\nHost: app\r\n\r\nPOST`,
  "GET /hidden",
  "",
  " POST",
  "PO\tST",
  "PO:ST",
  "POST\r\n",
];
const PATHS = [
  `/case HTTP/1.1\r\nHost: app\r\n\r\n${HIDDEN}`,
  "/case HTTP/1.1",
  "/a b",
  "/case\r\n",
  "/case\t",
  "/case\0",
  "/case#x",
  ...Array.from('"<>\\^`{|}', (mark) => `/case${mark}`),
  "/\x7f",
  "/\xe9",
  "",
  "case",
  "http://evil/case",
  "*",
];
const AUTHORITIES = [
  `app\r\n\r\n${HIDDEN}`,
  "app\r\nx: y",
  "app/evil",
  "evil@app",
  "app evil",
  "app\t",
  "app,evil",
  "app?x",
  "app#x",
  "app\\evil",
  "",
];
const SCHEMES = ["", "http ", "ht tp", "http://evil/?", "http\r\nx: y", "1http"];

export function downgradeCorpus(): DowngradeCase[] {
  const some = { method: "POST", target: "/case", body: "hello" };
  return [
    bare("a request", PSEUDO, WITHOUT_BODY),
    withData("a body", [], "hello", true),
    withData("a body and its length", [["content-length", "5"]], "hello", true),
    withData("two equal lengths", [["content-length", "5"], ["content-length", "5"]], "hello"),
    withData("two lengths", [["content-length", "5"], ["content-length", "6"]], "hello"),
    ...LENGTHS.map((length) =>
      withData(`content-length: ${length}`, [["content-length", length]], "hello")
    ),
    // The head is a whole request by itself; what comes after it resets the stream, and goes nowhere.
    {
      name: "a length of nothing, and a request",
      fields: [...PSEUDO, ["content-length", "0"]],
      data: HIDDEN,
      trailers: null,
      meant: WITHOUT_BODY,
    },
    bare("a length of nothing", [...PSEUDO, ["content-length", "0"]], WITHOUT_BODY),
    refused("a length, and no body", [...PSEUDO, ["content-length", "5"]]),
    ...CODINGS.map((coding) =>
      withData(`transfer-encoding: ${coding}`, [["transfer-encoding", coding]], CHUNKED_HIDDEN)
    ),
    withData(
      "a coding and a length",
      [["transfer-encoding", "chunked"], ["content-length", `${CHUNKED_HIDDEN.length}`]],
      CHUNKED_HIDDEN,
    ),
    withData("a body that looks like chunks", [], CHUNKED_HIDDEN, true),
    ...HOP_BY_HOP.map(([name, value]) => refused(`${name}: ${value}`, [...PSEUDO, [name, value]])),
    bare("te: trailers", [...PSEUDO, ["te", "trailers"]], WITHOUT_BODY),
    ...VALUES.map((value) => refused(`x: ${value}`, [...PSEUDO, ["x", value]])),
    ...VALUES.map((value) =>
      refused(`cookie: ${value}`, [...PSEUDO, ["cookie", "a"], ["cookie", value]])
    ),
    ...NAMES.map((name) => refused(`a name ${name}`, [...PSEUDO, [name, "y"]])),
    ...METHODS.map((value) => refused(`:method ${value}`, withField(":method", value))),
    ...PATHS.map((value) => refused(`:path ${value}`, withField(":path", value))),
    ...AUTHORITIES.map((value) => refused(`:authority ${value}`, withField(":authority", value))),
    ...SCHEMES.map((value) => refused(`:scheme ${value}`, withField(":scheme", value))),
    ...PSEUDO.map(([name, value]) => refused(`${name} twice`, [...PSEUDO, [name, value]])),
    ...PSEUDO.map(([name, value]) =>
      refused(`${name} behind a header`, [...without(name), ["x", "y"], [name, value]])
    ),
    ...[":method", ":scheme", ":path", ":authority"].map((name) =>
      refused(`no ${name}`, without(name))
    ),
    refused(":status in a request", [[":status", "200"], ...PSEUDO]),
    refused("an unknown pseudo-header", [...PSEUDO, [":x", "y"]]),
    refused(":protocol without CONNECT", [...PSEUDO, [":protocol", "websocket"]]),
    refused("CONNECT with a path", withField(":method", "CONNECT")),
    bare("host alone", [...without(":authority"), ["host", "app"]], WITHOUT_BODY),
    bare("host as :authority", [...PSEUDO, ["host", "app"]], WITHOUT_BODY),
    refused("another host", [...PSEUDO, ["host", "evil"]]),
    refused("two hosts", [...PSEUDO, ["host", "app"], ["host", "evil"]]),
    refused("a host with a line end", [...without(":authority"), ["host", "app\r\nx: y"]]),
    {
      name: "trailers",
      fields: PSEUDO,
      data: "hello",
      trailers: [["x", "y"]],
      meant: some,
    },
    ...([[":path", "/hidden"], ["X", "y"], ["x", "y\r\nz: 1"], ["connection", "close"]] as const)
      .map(
        (field): DowngradeCase => ({
          name: `a trailer ${field[0]}: ${field[1]}`,
          fields: PSEUDO,
          data: "hello",
          trailers: [field],
          meant: null,
        }),
      ),
  ];
}
