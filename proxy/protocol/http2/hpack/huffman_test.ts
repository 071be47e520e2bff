import assert from "node:assert/strict";
import fc from "fast-check";
import { hex, toHex } from "../../../../tests/protocol/http2/field_text.ts";
import { bytesOf } from "../../../../tests/support/bytes_notation.ts";
import {
  HUFFMAN_INVALID,
  HUFFMAN_TOO_LONG,
  huffmanDecode,
  huffmanEncode,
  huffmanLength,
} from "./huffman.ts";
import { CODE_LENGTHS, CODES } from "./huffman_code.ts";

const SAME = Uint8Array.from({ length: 256 }, (_, byte) => byte);

function encode(text: Uint8Array): Uint8Array {
  const out = new Uint8Array(4 * text.length + 1);
  const end = huffmanEncode(text, 0, text.length, SAME, out, 0);
  assert.equal(end, huffmanLength(text, 0, text.length, SAME));
  return out.subarray(0, end);
}

function decode(coded: Uint8Array, room = 4096): Uint8Array | number {
  const out = new Uint8Array(room);
  const end = huffmanDecode(coded, 0, coded.length, out, 0, room);
  return end < 0 ? end : out.subarray(0, end);
}

Deno.test("The code is complete: its lengths fill the tree exactly", () => {
  const sum = CODE_LENGTHS.reduce((total, length) => total + 2 ** -length, 0);
  assert.equal(sum, 1);
});

Deno.test("Codes are those of RFC 7541 appendix B, at each length's first and last symbol", () => {
  const codes: readonly (readonly [number, number])[] = [
    [0x30, 0x0],
    [0x74, 0x9],
    [0x20, 0x14],
    [0x75, 0x2d],
    [0x3a, 0x5c],
    [0x7a, 0x7b],
    [0x26, 0xf8],
    [0x5a, 0xfd],
    [0x21, 0x3f8],
    [0x3f, 0x3fc],
    [0x27, 0x7fa],
    [0x7c, 0x7fc],
    [0x23, 0xffa],
    [0x3e, 0xffb],
    [0x00, 0x1ff8],
    [0x7e, 0x1ffd],
    [0x5e, 0x3ffc],
    [0x7d, 0x3ffd],
    [0x3c, 0x7ffc],
    [0x7b, 0x7ffe],
    [0x5c, 0x7fff0],
    [0xd0, 0x7fff2],
    [0x80, 0xfffe6],
    [0xe2, 0xfffed],
    [0x99, 0x1fffdc],
    [0xe6, 0x1fffe8],
    [0x81, 0x3fffd2],
    [0xe9, 0x3fffeb],
    [0x01, 0x7fffd8],
    [0xef, 0x7ffff4],
    [0x09, 0xffffea],
    [0xed, 0xfffff5],
    [0xc7, 0x1ffffec],
    [0xeb, 0x1ffffef],
    [0xc0, 0x3ffffe0],
    [0xff, 0x3ffffee],
    [0xcb, 0x7ffffde],
    [0xfe, 0x7fffff0],
    [0x02, 0xfffffe2],
    [0xf9, 0xffffffe],
    [0x0a, 0x3ffffffc],
    [0x100, 0x3fffffff],
  ];
  for (const [symbol, code] of codes) {
    assert.equal(CODES[symbol].toString(16), code.toString(16), `symbol ${symbol}`);
  }
});

Deno.test("Strings of RFC 7541 C.4 and C.6 are coded as there", () => {
  const strings: readonly (readonly [string, string])[] = [
    ["www.example.com", "f1e3c2e5f23a6ba0ab90f4ff"],
    ["no-cache", "a8eb10649cbf"],
    ["custom-key", "25a849e95ba97d7f"],
    ["custom-value", "25a849e95bb8e8b4bf"],
    ["302", "6402"],
    ["private", "aec3771a4b"],
    ["Mon, 21 Oct 2013 20:13:21 GMT", "d07abe941054d444a8200595040b8166e082a62d1bff"],
    ["https://www.example.com", "9d29ad171863c78f0b97c8e9ae82ae43d3"],
    ["307", "640eff"],
    ["gzip", "9bd9ab"],
  ];
  for (const [text, coded] of strings) {
    assert.equal(toHex(encode(bytesOf(text))), coded);
    assert.deepEqual(decode(hex(coded)), bytesOf(text));
  }
});

Deno.test("Every byte, and any bytes, come back as they were", () => {
  assert.deepEqual(decode(encode(SAME)), SAME);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (text) => {
      assert.deepEqual(Uint8Array.from(decode(encode(text)) as Uint8Array), text);
    }),
    { numRuns: 300 },
  );
});

Deno.test("Any bytes are either refused or are exactly what their text is coded as", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (coded) => {
      const text = decode(coded);
      if (typeof text !== "number") assert.equal(toHex(encode(text)), toHex(coded));
      else assert.equal(text, HUFFMAN_INVALID);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("Padding is one to seven bits, all ones (RFC 7541 5.2)", () => {
  assert.deepEqual(decode(hex("")), bytesOf(""));
  assert.deepEqual(decode(hex("07")), bytesOf("0"));
  for (
    const [coded, why] of [
      ["00", "zeros"],
      ["06", "a zero among them"],
      ["ff", "eight ones"],
      ["07ff", "eleven ones"],
      ["3fffffff", "the end-of-string symbol, whole"],
    ]
  ) assert.equal(decode(hex(coded)), HUFFMAN_INVALID, why);
});

Deno.test("Text that has no room is refused before it is written", () => {
  assert.equal(decode(encode(bytesOf("abc")), 2), HUFFMAN_TOO_LONG);
  assert.deepEqual(decode(encode(bytesOf("abc")), 3), bytesOf("abc"));
});
