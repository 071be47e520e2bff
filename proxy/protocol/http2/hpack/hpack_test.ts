/** Decoder and encoder against RFC 7541 appendix C, against each other, and against what must be refused. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  addFields,
  fieldListForTest,
  hex,
  renderFields,
  toHex,
} from "../../../../tests/protocol/http2/field_text.ts";
import { Decoder } from "./decoder.ts";
import { Encoder } from "./encoder.ts";
import { NEVER_INDEXED, STATIC_AREA_BYTES } from "./field_list.ts";

const LIST_BYTES_MAX = 15_360;

/** One block and what it holds, and the size of the dynamic table after it. */
type Example = readonly [block: string, fields: readonly string[], tableBytes: number];

function checkExamples(examples: readonly Example[], tableBytesMax = 4096): void {
  const decoder = new Decoder(tableBytesMax, LIST_BYTES_MAX);
  const list = fieldListForTest();
  for (const [block, fields, tableBytes] of examples) {
    const bytes = hex(block);
    assert.ok(decoder.decode(bytes, 0, bytes.length, list), block);
    assert.deepEqual(renderFields(list), fields);
    assert.equal(decoder.tableBytes, tableBytes, block);
  }
}

Deno.test("Decoder reads the single fields of RFC 7541 C.2", () => {
  checkExamples([[
    "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
    ["custom-key: custom-header"],
    55,
  ]]);
  checkExamples([["040c 2f73 616d 706c 652f 7061 7468", [":path: /sample/path"], 0]]);
  checkExamples([["1008 7061 7373 776f 7264 0673 6563 7265 74", ["!password: secret"], 0]]);
  checkExamples([["82", [":method: GET"], 0]]);
});

const REQUESTS: readonly (readonly string[])[] = [
  [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"],
  [
    ":method: GET",
    ":scheme: http",
    ":path: /",
    ":authority: www.example.com",
    "cache-control: no-cache",
  ],
  [
    ":method: GET",
    ":scheme: https",
    ":path: /index.html",
    ":authority: www.example.com",
    "custom-key: custom-value",
  ],
];

Deno.test("Decoder reads the requests of RFC 7541 C.3 and C.4", () => {
  checkExamples([
    ["8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", REQUESTS[0], 57],
    ["8286 84be 5808 6e6f 2d63 6163 6865", REQUESTS[1], 110],
    [
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
      REQUESTS[2],
      164,
    ],
  ]);
  checkExamples([
    ["8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", REQUESTS[0], 57],
    ["8286 84be 5886 a8eb 1064 9cbf", REQUESTS[1], 110],
    ["8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", REQUESTS[2], 164],
  ]);
});

const RESPONSES: readonly (readonly string[])[] = [
  [
    ":status: 302",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:21 GMT",
    "location: https://www.example.com",
  ],
  [
    ":status: 307",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:21 GMT",
    "location: https://www.example.com",
  ],
  [
    ":status: 200",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:22 GMT",
    "location: https://www.example.com",
    "content-encoding: gzip",
    "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
  ],
];

Deno.test("Decoder reads the responses of RFC 7541 C.5 and C.6, evicting at 256 bytes", () => {
  checkExamples(
    [
      [
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a" +
        "3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        RESPONSES[0],
        222,
      ],
      ["4803 3330 37c1 c0bf", RESPONSES[1], 222],
      [
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04" +
        "677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49" +
        "553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
        RESPONSES[2],
        215,
      ],
    ],
    256,
  );
  checkExamples(
    [
      [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e" +
        "919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        RESPONSES[0],
        222,
      ],
      ["4883 640e ffc1 c0bf", RESPONSES[1], 222],
      [
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7" +
        "821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed" +
        "4ee5 b106 3d50 07",
        RESPONSES[2],
        215,
      ],
    ],
    256,
  );
});

Deno.test("Decoder reads a table size in several bytes (RFC 7541 C.1.2) and forgets what no longer fits", () => {
  checkExamples([
    ["400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", [
      "custom-key: custom-header",
    ], 55],
    ["3f9a0a be", ["custom-key: custom-header"], 55],
    ["20 3f9a0a 82", [":method: GET"], 0],
  ]);
});

Deno.test("A table that is full to the last byte keeps its entries, and one byte more evicts", () => {
  const entries = [literal(0x40, "first", "1"), literal(0x40, "second", "22")];
  for (const [room, expected] of [[78, "first: 1"], [77, null]] as const) {
    const decoder = new Decoder(room, LIST_BYTES_MAX);
    const list = fieldListForTest();
    for (const entry of entries) assert.ok(decoder.decode(entry, 0, entry.length, list));
    assert.equal(decoder.decode(hex("bf"), 0, 1, list), expected !== null);
    if (expected !== null) assert.deepEqual(renderFields(list), [expected]);
  }
});

Deno.test("Decoder refuses what is no header block", () => {
  const refused: readonly (readonly [string, string])[] = [
    ["80", "index 0"],
    ["be", "an index into an empty dynamic table"],
    ["ff00", "an index beyond the tables"],
    ["7f00 0161", "a name index beyond the tables"],
    ["ff", "an integer cut off"],
    ["ffffffff7f", "an integer cut off after its fourth byte"],
    ["ffffffffff01", "an integer of more than 28 bits"],
    ["3fe21f", "a table larger than was allowed: 4097"],
    ["82 20", "a table size after a field"],
    ["40", "a literal without name"],
    ["4001", "a name cut off"],
    ["400161", "a literal without value"],
    ["4001610261", "a value cut off"],
    ["400161 ff ffffff7f", "a length beyond the block"],
    ["0082 ffff 00", "a Huffman string padded with more than seven bits"],
    ["0081 fe 00", "padding that is not of ones"],
    ["0084 ffff fffc 00", "the end-of-string symbol"],
    ["0085 ffff ffff ff 00", "the end-of-string symbol and padding"],
  ];
  for (const [block, why] of refused) {
    const bytes = hex(block);
    const decoder = new Decoder(4096, LIST_BYTES_MAX);
    assert.equal(decoder.decode(bytes, 0, bytes.length, fieldListForTest()), false, why);
  }
});

Deno.test("Decoder takes an empty block, an empty value and Huffman strings of no bytes", () => {
  checkExamples([
    ["", [], 0],
    ["0001 6100", ["a: "], 0],
    ["0001 6180", ["a: "], 0],
    ["20", [], 0],
  ]);
});

Deno.test("Decoder marks fields that no field may be, wherever they come from", () => {
  const marked: readonly (readonly [string, string])[] = [
    ["", "v"],
    ["Upper", "v"],
    ["a b", "v"],
    ["a:b", "v"],
    [":unknown", "v"],
    ["a\0", "v"],
    ["caf\xe9", "v"],
    ["a", "x\ry"],
    ["a", "x\ny"],
    ["a", "x\0y"],
    ["a", "x\x7fy"],
    ["a", " v"],
    ["a", "v "],
    ["a", "\tv"],
    ["a", "v\t"],
  ];
  const decoder = new Decoder(4096, LIST_BYTES_MAX);
  const list = fieldListForTest();
  for (const [name, value] of marked) {
    const block = literal(0x40, name, value);
    assert.ok(decoder.decode(block, 0, block.length, list));
    assert.deepEqual(renderFields(list), [`?${name}: ${value}`]);
    const again = hex("be");
    assert.ok(decoder.decode(again, 0, 1, list));
    assert.deepEqual(renderFields(list), [`?${name}: ${value}`], "from the table");
    const named = hex("0f2f 0176");
    assert.ok(decoder.decode(named, 0, named.length, list));
    const isNameWrong = value === "v";
    assert.deepEqual(renderFields(list), [`${isNameWrong ? "?" : ""}${name}: v`], "by its name");
  }
  const block = literal(0, "a", "caf\xe9\tx y");
  assert.ok(decoder.decode(block, 0, block.length, list));
  assert.deepEqual(renderFields(list), ["a: caf\xe9\tx y"]);
});

/** A literal with its name and value as they are, each shorter than 127 bytes. */
function literal(type: number, name: string, value: string): Uint8Array {
  const codes = (text: string) => Array.from(text, (character) => character.charCodeAt(0));
  return Uint8Array.from([type, name.length, ...codes(name), value.length, ...codes(value)]);
}

Deno.test("Decoder gives up a list that is too large, and keeps its table right", () => {
  const decoder = new Decoder(4096, 100);
  const list = fieldListForTest();
  const parts = [literal(0x40, "first", "1"), hex("82")];
  for (let i = 0; i < 10; i++) parts.push(literal(0x40, "name", `value-${i}`));
  parts.push(literal(0x40, "last", "9"));
  const block = concat(parts);
  assert.ok(decoder.decode(block, 0, block.length, list));
  assert.ok(list.isTooLarge);
  const next = hex("be bf c9");
  assert.ok(decoder.decode(next, 0, next.length, list));
  assert.ok(!list.isTooLarge);
  assert.deepEqual(renderFields(list), ["last: 9", "name: value-9", "first: 1"]);
});

Deno.test("Decoder gives up a list with more fields than are taken", () => {
  const decoder = new Decoder(4096, 1e6);
  const list = fieldListForTest();
  const block = new Uint8Array(1_100).fill(0x82);
  assert.ok(decoder.decode(block, 0, block.length, list));
  assert.ok(list.isTooLarge && list.count === 0);
});

Deno.test("Decoder passes over a field larger than its area; added, it empties the table", () => {
  for (const isLong of ["name", "value"]) {
    for (const type of [0x00, 0x40]) {
      const decoder = new Decoder(1024, 1e6);
      const list = fieldListForTest(STATIC_AREA_BYTES + 2000);
      const first = literal(0x40, "a", "b");
      assert.ok(decoder.decode(first, 0, first.length, list));
      const long = [...hex("7f a10f"), ...new Uint8Array(2080).fill(97)];
      const short = [1, 98];
      const block = Uint8Array.from([
        0x82,
        type,
        ...(isLong === "name" ? [...long, ...short] : [...short, ...long]),
        0x83,
      ]);
      assert.ok(decoder.decode(block, 0, block.length, list));
      assert.ok(list.isTooLarge);
      assert.equal(decoder.tableBytes, type === 0 ? 34 : 0);
    }
  }
});

Deno.test("Decoder finds room for a field of the table that comes late in an area that is full", () => {
  const decoder = new Decoder(1024, 1e6);
  const list = fieldListForTest(STATIC_AREA_BYTES + 2000);
  const filler = Uint8Array.from([0, 1, 97, ...hex("7fd90d"), ...new Uint8Array(1880).fill(98)]);
  const kept = literal(0x40, "kept", "x".repeat(120));
  const block = concat([filler, kept]);
  assert.ok(decoder.decode(block, 0, block.length, list));
  assert.ok(list.isTooLarge);
  assert.ok(decoder.decode(hex("be"), 0, 1, list));
  assert.deepEqual(renderFields(list), [`kept: ${"x".repeat(120)}`]);
});

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

type Fields = readonly (readonly [string, string])[];

/** Encodes and decodes, checks that nothing is written beyond the bound, and returns the block's length. */
function roundTrip(encoder: Encoder, decoder: Decoder, fields: Fields): number {
  const list = fieldListForTest();
  addFields(list, fields);
  const bound = encoder.bound(list);
  const out = new Uint8Array(bound + 32).fill(0xa5);
  const end = encoder.encode(list, out, 16);
  assert.ok(end - 16 <= bound);
  assert.ok(out.every((byte, at) => (at >= 16 && at < end) || byte === 0xa5), "in its area");
  const decoded = fieldListForTest();
  assert.ok(decoder.decode(out, 16, end, decoded));
  const expected = fields.map(([name, value]) => `${name.toLowerCase()}: ${value}`);
  assert.deepEqual(renderFields(decoded).map((field) => field.replace(/^!/, "")), expected);
  assert.equal(encoder.tableBytes, decoder.tableBytes);
  return end - 16;
}

Deno.test("Encoder sends a request that repeats as indexes", () => {
  const encoder = new Encoder();
  const decoder = new Decoder(4096, LIST_BYTES_MAX);
  const fields: Fields = [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/api/items"],
    [":authority", "shop.example"],
    ["User-Agent", "probe/1.0"],
    ["accept", "*/*"],
    ["x-tenant", "blue"],
  ];
  const lengths = [1, 2, 3].map(() => roundTrip(encoder, decoder, fields));
  assert.ok(lengths[0] > 40);
  assert.equal(lengths[2], 7);
});

Deno.test("Encoder keeps values that never repeat out of the table", () => {
  const encoder = new Encoder();
  const decoder = new Decoder(4096, LIST_BYTES_MAX);
  for (let i = 0; i < 50; i++) roundTrip(encoder, decoder, [["x-request-id", `id-${i * 7919}`]]);
  assert.equal(encoder.tableBytes, 0);
});

Deno.test("Encoder never indexes secrets, nor what came marked as never to be indexed", () => {
  const encoder = new Encoder();
  const list = fieldListForTest();
  addFields(list, [
    ["Authorization", "Bearer x"],
    ["cookie", "a=b"],
    ["set-cookie", "c=d"],
    ["proxy-authorization", "e"],
    ["x-plain", "f"],
    ["x-marked", "g"],
  ]);
  list.flags[5] = NEVER_INDEXED;
  const out = new Uint8Array(1024);
  const decoded = fieldListForTest();
  const decoder = new Decoder(4096, LIST_BYTES_MAX);
  for (let i = 0; i < 3; i++) {
    const end = encoder.encode(list, out, 0);
    assert.ok(decoder.decode(out, 0, end, decoded));
    assert.deepEqual(renderFields(decoded), [
      "!authorization: Bearer x",
      "!cookie: a=b",
      "!set-cookie: c=d",
      "!proxy-authorization: e",
      "x-plain: f",
      "!x-marked: g",
    ]);
  }
  assert.equal(decoder.tableBytes, "x-plain".length + 1 + 32);
});

Deno.test("Encoder tells of the smallest and the last table size, once", () => {
  const encoder = new Encoder();
  const decoder = new Decoder(4096, LIST_BYTES_MAX);
  const fields: Fields = [["x-a", "1"], ["x-b", "2"]];
  roundTrip(encoder, decoder, fields);
  roundTrip(encoder, decoder, fields);
  assert.ok(encoder.tableBytes > 0);
  encoder.limitTable(0);
  encoder.limitTable(100);
  assert.equal(encoder.tableBytes, 0);
  const list = fieldListForTest();
  addFields(list, [[":method", "GET"]]);
  const out = new Uint8Array(64);
  const end = encoder.encode(list, out, 0);
  assert.equal(toHex(out.subarray(0, end)), "203f4582");
  assert.ok(decoder.decode(out, 0, end, fieldListForTest()));
  assert.equal(toHex(out.subarray(0, encoder.encode(list, out, 0))), "82");
  encoder.limitTable(65_536);
  assert.equal(toHex(out.subarray(0, encoder.encode(list, out, 0))), "3fe11f82");
});

const NAMES = fc.oneof(
  fc.constantFrom(":path", "accept", "Content-Type", "x-a", "x-b", "user-agent", "te", "cookie"),
  fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/),
);
const VALUES = fc.oneof(
  fc.constantFrom("", "gzip, deflate", "a", "text/html", "1234567890"),
  fc.stringMatching(/^([!-~\xa0-\xff]([ -~\x80-\xff]{0,40}[!-~\xa0-\xff])?)?$/),
  fc.integer({ min: 0, max: 3000 }).map((length) => "v".repeat(length)),
);

Deno.test("Encoder and Decoder agree over any run of lists and table sizes", () => {
  const step = fc.record({
    fields: fc.array(fc.tuple(NAMES, VALUES), { maxLength: 4 }),
    limit: fc.option(fc.integer({ min: 0, max: 5000 }), { freq: 8 }),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), (steps) => {
      const encoder = new Encoder();
      const decoder = new Decoder(4096, LIST_BYTES_MAX);
      for (const { fields, limit } of steps) {
        if (limit !== null) encoder.limitTable(limit);
        roundTrip(encoder, decoder, fields);
      }
    }),
    { numRuns: 150 },
  );
});

Deno.test("Decoder never throws, and writes in its area only", () => {
  const byte = fc.oneof(
    fc.constantFrom(0x40, 0x00, 0x10, 0x82, 0xbe, 0xbf, 0x20, 0x3f, 0x7f, 0xff, 0x01, 0x61, 0x84),
    fc.integer({ min: 0, max: 255 }),
  );
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 1 }).chain(() => fc.array(byte, { maxLength: 200 })), {
        maxLength: 4,
      }),
      (blocks) => {
        const decoder = new Decoder(1024, 600);
        const list = fieldListForTest(2400);
        list.bytes.fill(0xa5, 0, 64);
        for (const block of blocks) {
          const bytes = Uint8Array.from(block);
          if (!decoder.decode(bytes, 0, bytes.length, list)) break;
          assert.ok(list.textEnd <= list.areaEnd && list.sizeBytes <= 600);
          assert.ok(decoder.tableBytes <= 1024);
          assert.ok(list.offsets.subarray(0, 4 * list.count).every((at) => at <= list.areaEnd));
        }
        assert.ok(list.bytes.subarray(0, 64).every((value) => value === 0xa5));
      },
    ),
    { numRuns: 1500 },
  );
});
