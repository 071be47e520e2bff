// Tests of values.ts: what each kind of value takes, and that what it refuses ends in a usage failure.
import assert from "node:assert/strict";
import { CommandFailure, EXIT } from "./exit.ts";
import {
  askedText,
  parseAsked,
  parseByteLimit,
  parseGraceMs,
  parseHeader,
  parseHeaders,
  parseHostPort,
  parseRequestLine,
  parseSender,
  parseShare,
  parseTimeLimitMs,
  parseWhole,
} from "./values.ts";

function refuses(parse: (text: string) => unknown, texts: string[]): void {
  for (const text of texts) {
    assert.throws(
      () => parse(text),
      (error) => error instanceof CommandFailure && error.exitCode === EXIT.usage,
      `"${text}" was taken`,
    );
  }
}

const DURATIONS = { "250ms": 250, "30s": 30_000, "1.5m": 90_000, "1m30s": 90_000, "2h": 7_200_000 };
const NO_DURATIONS = ["", "30", "0", "-1s", "1d", "0.1ms", "1e3s", "1000h", " 1s", "None", "off"];
const ZEROS = ["none", "0s", "0ms", "0.0s", "0h0m"];

Deno.test("each kind of duration takes units and refuses what a timer cannot hold", () => {
  for (const parse of [parseTimeLimitMs, parseGraceMs]) {
    for (const [text, milliseconds] of Object.entries(DURATIONS)) {
      assert.equal(parse(text), milliseconds, text);
    }
    refuses(parse, NO_DURATIONS);
  }
});

Deno.test("none and 0s are the same: no limit, or no time", () => {
  for (const text of ZEROS) {
    assert.equal(parseTimeLimitMs(text), Infinity, text);
    assert.equal(parseGraceMs(text), 0, text);
  }
});

Deno.test("parseByteLimit takes binary units and none", () => {
  assert.deepEqual(["0", "500", "64KiB", "10MiB", "none"].map(parseByteLimit), [
    0,
    500,
    65_536,
    10_485_760,
    Infinity,
  ]);
  refuses(parseByteLimit, ["", "1MB", "-1", "1.5MiB", "10000000000", "NONE"]);
});

Deno.test("parseHostPort takes addresses, localhost and every address", () => {
  assert.deepEqual(parseHostPort("127.0.0.1:15001"), { address: "127.0.0.1", port: 15001 });
  assert.deepEqual(parseHostPort("[::1]:80"), { address: "::1", port: 80 });
  assert.deepEqual(parseHostPort("LOCALHOST:0"), { address: "127.0.0.1", port: 0 });
  assert.deepEqual(parseHostPort(":15003"), { address: "0.0.0.0", port: 15003 });
  refuses(parseHostPort, ["", "15001", "a:b", "127.0.0.1:65536", "::1:80", "[x]:1", "a:1:2"]);
});

Deno.test("parseHeader splits at the first colon and refuses what could forge a header", () => {
  assert.deepEqual(parseHeader("User-Agent:  a: b "), ["User-Agent", "a: b"]);
  assert.deepEqual(parseHeader("x-empty:"), ["x-empty", ""]);
  refuses(parseHeader, ["", "novalue", ": x", "a b: c", "a: b\r\nc: d"]);
});

Deno.test("parseSender: a namespace alone has the service account that Kubernetes gives", () => {
  assert.deepEqual(parseSender("curl"), { namespace: "curl", identity: "curl/default" });
  assert.deepEqual(parseSender("app/web"), { namespace: "app", identity: "app/web" });
  refuses(parseSender, ["", "App", "a/b/c", "a/", "/b"]);
});

Deno.test("parseRequestLine adds a missing http://, as curl does", () => {
  assert.deepEqual(parseRequestLine("GET", "web.app:80/x?y"), {
    method: "GET",
    url: "http://web.app:80/x?y",
  });
  assert.throws(() => parseRequestLine("G T", "http://a/"), CommandFailure);
  refuses((url) => parseRequestLine("GET", url), ["", "http://", "/path", "ftp://a/", "a b"]);
});

Deno.test("parseAsked: METHOD URL, a URL alone, a connection; CONNECT takes no path, a connection no method", () => {
  assert.deepEqual(parseAsked(" GET  web.app "), { method: "GET", url: "http://web.app" });
  assert.deepEqual(parseAsked("http://web.app/"), { method: "GET", url: "http://web.app/" });
  assert.deepEqual(parseAsked("TCP db:5432"), { method: "TCP", url: "tcp://db:5432" });
  for (const text of ["CONNECT db:5432", "CONNECT http://db:5432/"]) {
    const asked = parseAsked(text);
    assert.deepEqual(asked, { method: "CONNECT", url: "http://db:5432" });
    assert.equal(askedText(asked), "CONNECT db:5432");
  }
  assert.equal(askedText(parseAsked("tcp://db:5432/")), "tcp://db:5432");
  const wrong = ["", "GET", "web.app", "GET a b", "GET tcp://db:1", "tcp://db", "tcp://db:1/a"];
  refuses(parseAsked, [...wrong, "CONNECT db:1/a", "CONNECT https://db:1"]);
});

Deno.test("parseHeaders refuses what would not count", () => {
  const asked = (text: string, ...headers: string[]) => parseHeaders(headers, parseAsked(text));
  assert.deepEqual(asked("GET http://a/", "Host: b", "x: y"), [["Host", "b"], ["x", "y"]]);
  assert.deepEqual(asked("CONNECT a:1", "x: y"), [["x", "y"]]);
  assert.throws(() => asked("tcp://a:1", "x: y"), /has no headers/);
  for (const text of ["CONNECT a:1", "GET https://a/"]) {
    assert.throws(() => asked(text, "HOST: b"), /Host has no say in where .* goes/);
  }
});

Deno.test("parseShare takes 0 to 1", () => {
  assert.deepEqual(["0", "0.01", "1", "1.0"].map(parseShare), [0, 0.01, 1, 1]);
  refuses(parseShare, ["", "-0.1", "1.1", "1%", ".5", "x"]);
});

Deno.test("parseWhole keeps to its bounds", () => {
  assert.equal(parseWhole("20", 1, 20), 20);
  refuses((text) => parseWhole(text, 1, 20), ["", "0", "21", "1.5", "-1", "1e1", "x"]);
});
