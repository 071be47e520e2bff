import { createHash } from "node:crypto";
import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { fnv1a32, sha256Hex } from "./hash.ts";

Deno.test("sha256Hex: the standard's examples", () => {
  equal(sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  equal(sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

Deno.test("sha256Hex: every length around the block boundaries agrees with OpenSSL", () => {
  const lengths = Array.from({ length: 200 }, (_, length) => length);
  const bytesOf = (length: number) => Uint8Array.from({ length }, (_, i) => 31 * i + length & 255);
  deepEqual(
    lengths.map((length) => sha256Hex(bytesOf(length))),
    lengths.map((length) => createHash("sha256").update(bytesOf(length)).digest("hex")),
  );
});

Deno.test("sha256Hex: any text is hashed as its UTF-8", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (text) => {
    equal(sha256Hex(text), createHash("sha256").update(text, "utf8").digest("hex"));
  }));
});

Deno.test("fnv1a32: known values", () => {
  equal(fnv1a32(""), 0x811c9dc5);
  equal(fnv1a32("a"), 0xe40c292c);
  equal(fnv1a32("foobar"), 0xbf9cf968);
});
