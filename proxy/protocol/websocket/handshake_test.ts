import assert from "node:assert/strict";
import { Random } from "../../../base/random.ts";
import { isWebSocketKey, newWebSocketKey, webSocketAcceptOf } from "./handshake.ts";

Deno.test("the example of RFC 6455 1.3", () => {
  assert.equal(webSocketAcceptOf("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

Deno.test("a new key is a key, and another each time", () => {
  const random = new Random(7, "keys");
  const keys = Array.from({ length: 100 }, () => newWebSocketKey(random));
  for (const key of keys) assert.ok(isWebSocketKey(key), key);
  assert.equal(new Set(keys).size, keys.length);
});

Deno.test("what is not 16 bytes in base64 is no key", () => {
  const wrong = [
    "",
    "dGhlIHNhbXBsZSBub25jZQ",
    "dGhlIHNhbXBsZSBub25jZR==",
    "short==",
    "é".repeat(24),
  ];
  for (const key of wrong) assert.ok(!isWebSocketKey(key), key);
  assert.ok(isWebSocketKey("dGhlIHNhbXBsZSBub25jZQ=="));
});
