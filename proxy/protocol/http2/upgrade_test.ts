import assert from "node:assert/strict";
import { bytesOf, textOf } from "../../../tests/support/bytes_notation.ts";
import { Request } from "../http1/request.ts";
import { asksForHttp2, upgradeSettingsOf } from "./upgrade.ts";

const HEAD =
  "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" +
  "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";

function parsed(text: string): { readonly bytes: Uint8Array; readonly request: Request } {
  const bytes = bytesOf(text);
  const request = new Request();
  assert.equal(request.parse(bytes, 0, bytes.length), 1, text);
  return { bytes, request };
}

function asks(text: string): boolean {
  const { bytes, request } = parsed(text);
  return asksForHttp2(bytes, request, bytes.length);
}

Deno.test("a request asks for HTTP/2 by all three headers", () => {
  assert.ok(asks(HEAD));
  assert.ok(asks(HEAD.replace("h2c", "H2C")));
  assert.ok(asks(HEAD.replace("GET", "HEAD").replace("Host", "Content-Length: 0\r\nHost")));
});

Deno.test("a request that asks in any other way is served as it is", () => {
  const others: readonly (readonly [string | RegExp, string])[] = [
    ["Upgrade, HTTP2-Settings", "Upgrade"],
    ["Upgrade, HTTP2-Settings", "HTTP2-Settings"],
    ["Upgrade, HTTP2-Settings", "Upgrade, HTTP2-Settings, close"],
    ["Upgrade: h2c", "Upgrade: h2c, websocket"],
    ["Upgrade: h2c", "Upgrade: h2"],
    ["Upgrade: h2c", "Upgrade: h2c\r\nUpgrade: h2c"],
    [/HTTP2-Settings: .*\r\n/, ""],
    [/(HTTP2-Settings: .*\r\n)/, "$1$1"],
    ["HTTP/1.1", "HTTP/1.0"],
    ["Host", "Content-Length: 1\r\nHost"],
    ["Host", "Transfer-Encoding: chunked\r\nHost"],
    ["GET /", "CONNECT a:1"],
  ];
  for (const [from, to] of others) assert.ok(!asks(HEAD.replace(from, to)), to);
  // Another request, or what could be taken for one.
  assert.ok(!asks(`${HEAD}GET / HTTP/1.1\r\n\r\n`));
  assert.ok(!asks(`${HEAD}PRI`));
});

Deno.test("settings are decoded, and refused where no client may send them", () => {
  const settingsOf = (value: string) => {
    const { bytes, request } = parsed(HEAD.replace("AAMAAABkAAQAAP__", value));
    return upgradeSettingsOf(bytes, request);
  };
  const payload = settingsOf("AAMAAABkAAQAAP__");
  assert.equal(payload && textOf(payload), "\0\x03\0\0\0d\0\x04\0\0\xff\xff");
  assert.equal(settingsOf("")?.length, 0);
  assert.equal(settingsOf("AAMAAABk".repeat(32))?.length, 192);
  const wrong = [
    ...["AAMAAABk=", "AAMAAAB", "AAMAAABkAAM", "AAMAAAB/", "AAMA AABk", "AAMAAABk".repeat(33)],
    // ENABLE_PUSH 2, INITIAL_WINDOW_SIZE 2^31, MAX_FRAME_SIZE 1.
    ...["AAIAAAAC", "AASAAAAA", "AAUAAAAB"],
  ];
  for (const value of wrong) assert.equal(settingsOf(value), null, value);
});

Deno.test("what asks for HTTP/2 goes no further", () => {
  const { request } = parsed(HEAD.replace(", HTTP2-Settings", ""));
  assert.deepEqual([...request.dropped.subarray(0, request.droppedCount)], [1, 3]);
});
