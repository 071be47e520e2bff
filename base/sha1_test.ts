import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { sha1 } from "./sha1.ts";

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

Deno.test("sha1 of the examples of FIPS 180", () => {
  const text = new TextEncoder();
  assert.equal(hexOf(sha1(text.encode("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
  assert.equal(
    hexOf(sha1(text.encode("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
    "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
  );
});

Deno.test("sha1 agrees with node:crypto at every length around a block, and at random", () => {
  const check = (bytes: Uint8Array) =>
    assert.equal(hexOf(sha1(bytes)), createHash("sha1").update(bytes).digest("hex"));
  for (let length = 0; length < 140; length++) check(new Uint8Array(length).fill(length));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 1_000 }), check));
});
