/** HPACK and the HTTP/2 machines, against the decoder and the frames of the simulation, which share no line with them. */
import assert from "node:assert/strict";
import type { Random } from "../../base/random.ts";
import { Decoder } from "../../proxy/protocol/http2/hpack/decoder.ts";
import { Encoder } from "../../proxy/protocol/http2/hpack/encoder.ts";
import type { FieldList } from "../../proxy/protocol/http2/hpack/field_list.ts";
import { CODE_LENGTHS, CODES } from "../../proxy/protocol/http2/hpack/huffman_code.ts";
import { addFields, fieldListForTest } from "../protocol/http2/field_text.ts";
import { Machine } from "../protocol/http2/machine.ts";
import { concatenate } from "../simulation/exchange.ts";
import { encodeLiterals, HpackDecoder, HpackError, integer } from "../simulation/hpack.ts";
import type { HeaderField } from "../simulation/hpack.ts";
import { FrameCutter, frames } from "../simulation/http2_frames.ts";
import { HOSTILITIES } from "../simulation/http2_hostility.ts";
import { randomCuts } from "../support/cuts.ts";
import type { Target } from "./fuzz.ts";
import { pick } from "./generate.ts";

const NAMES = [":method", ":path", ":status", "cookie", "x", "x-a", "set-cookie", "te", "Host", ""];
const VALUES = ["GET", "/", "200", "a", "trailers", "", "é", "x".repeat(200), "x".repeat(5_000)];
const TABLE_BYTES = 4_096;
const LIST_BYTES = 16_000;

function field(random: Random): HeaderField {
  return [pick(random, NAMES), random.below(3) > 0 ? pick(random, VALUES) : `${random.below(50)}`];
}

// Blocks, each with its length in two bytes before it.

function blocksOf(bytes: Uint8Array): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const length = bytes[at] * 256 + bytes[at + 1];
    blocks.push(bytes.slice(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return blocks;
}

function joinBlocks(blocks: readonly Uint8Array[]): Uint8Array {
  return concatenate(
    blocks.flatMap((block) => [Uint8Array.of(block.length >> 8, block.length), block]),
  );
}

function text(random: Random, value: string): number[] {
  const codes = Array.from(new TextEncoder().encode(value));
  if (random.below(3) > 0) return [...integer(codes.length, 0, 7), ...codes];
  const bits = codes.map((code) => CODES[code].toString(2).padStart(CODE_LENGTHS[code], "0"))
    .join("");
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, random.below(20) === 0 ? "0" : "1");
  const coded = padded.match(/.{8}/g)?.map((byte) => parseInt(byte, 2)) ?? [];
  return [...integer(coded.length, 0x80, 7), ...coded];
}

function instruction(random: Random): number[] {
  const [name, value] = field(random);
  const index = random.below(3) > 0 ? random.below(62) : 60 + random.below(20);
  const known = random.below(2) === 0;
  const literal = (first: number, bits: number) => [
    ...integer(known ? index : 0, first, bits),
    ...(known && index > 0 ? [] : text(random, name)),
    ...text(random, value),
  ];
  switch (random.below(8)) {
    case 0:
    case 1:
      return integer(index, 0x80, 7);
    case 2:
    case 3:
      return literal(0x40, 6);
    case 4:
      return literal(0x00, 4);
    case 5:
      return literal(0x10, 4);
    case 6:
      return integer(random.below(5_000), 0x20, 5);
    default:
      return [random.below(256)];
  }
}

function namesAndValues(list: FieldList): HeaderField[] {
  const decode = (start: number, end: number) =>
    String.fromCharCode(...list.bytes.subarray(start, end));
  return Array.from({ length: list.count }, (_, i) => {
    const [nameStart, nameEnd, start, end] = list.offsets.subarray(4 * i, 4 * i + 4);
    return [decode(nameStart, nameEnd), decode(start, end)] as const;
  });
}

function decodeReference(decoder: HpackDecoder, block: Uint8Array): HeaderField[] | null {
  try {
    return decoder.decode(block);
  } catch (error) {
    if (error instanceof HpackError) return null;
    throw error;
  }
}

const hpackDecode: Target = {
  name: "hpack-decode",
  invariant: "Blocks of one connection are taken, and understood, exactly as by the reference",
  generate: (random) =>
    joinBlocks(Array.from({ length: 1 + random.below(6) }, () =>
      Uint8Array.from(
        Array.from({ length: random.below(8) }, () => instruction(random)).flat(),
      ))),
  check(bytes) {
    const decoder = new Decoder(TABLE_BYTES, LIST_BYTES);
    const reference = new HpackDecoder();
    const list = fieldListForTest(65_536);
    for (const block of blocksOf(bytes)) {
      const isTaken = decoder.decode(block, 0, block.length, list);
      const fields = decodeReference(reference, block);
      assert.equal(isTaken, fields !== null, `Reference: ${JSON.stringify(fields)}`);
      if (fields === null) return;
      const size = fields.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
      assert.equal(list.isTooLarge, size > LIST_BYTES);
      if (!list.isTooLarge) assert.deepEqual(namesAndValues(list), fields);
    }
  },
};

const hpackEncode: Target = {
  name: "hpack-encode",
  invariant: "What is encoded is decoded to the same by the reference, whatever table it allows",
  generate: (random) => {
    const lists = Array.from({ length: 1 + random.below(20) }, () => ({
      table: random.below(5) === 0 ? random.below(5_000) : -1,
      fields: Array.from({ length: random.below(10) }, () => field(random)),
    }));
    return new TextEncoder().encode(JSON.stringify(lists));
  },
  check(bytes) {
    const encoder = new Encoder();
    const reference = new HpackDecoder();
    const out = new Uint8Array(200_000);
    for (const { table, fields } of listsOf(bytes)) {
      if (table >= 0) {
        encoder.limitTable(table);
        reference.limit(table);
      }
      const list = fieldListForTest(120_000);
      addFields(list, fields);
      const bound = encoder.bound(list);
      const end = encoder.encode(list, out, 0);
      assert.ok(end <= bound, `${end} bytes, where ${bound} were asked for`);
      if (end === 0) continue;
      const expected = fields.map(([name, value]) => [name.toLowerCase(), value]);
      assert.deepEqual(reference.decode(out.slice(0, end)), expected);
    }
  },
};

interface List {
  readonly table: number;
  readonly fields: readonly HeaderField[];
}

/** What is left of it after shrinking may be no list any more. */
function listsOf(bytes: Uint8Array): readonly List[] {
  try {
    const lists: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const isList = (list: unknown): list is List =>
      typeof list === "object" && list !== null && "table" in list && "fields" in list &&
      Array.isArray(list.fields) &&
      list.fields.every((one: unknown) =>
        Array.isArray(one) && one.length === 2 && one.every((part) => /^[\0-\xff]*$/.test(part))
      );
    return Array.isArray(lists) ? lists.filter(isList) : [];
  } catch {
    return [];
  }
}

// Machines.

const HEADS: readonly (readonly HeaderField[])[] = [
  [[":method", "GET"], [":scheme", "http"], [":path", "/"], [":authority", "a"]],
  [[":method", "POST"], [":scheme", "http"], [":path", "/"], [":authority", "a"]],
  [[":status", "200"]],
  [[":status", "100"]],
  [["x", "y"]],
  [[":status", "200"], ["content-length", "3"]],
];

function oneFrame(random: Random): Uint8Array {
  const id = pick(random, [0, 1, 1, 1, 3, 3, 5, 7, 2, 2 ** 31 - 1]);
  const isEnd = random.below(3) === 0 ? frames.END_STREAM : 0;
  const size = pick(random, [0, 1, 100, 65_535, 2 ** 31 - 1, 2 ** 31]);
  const payload = Uint8Array.from({ length: random.below(30) }, () => random.below(256));
  switch (random.below(10)) {
    case 0:
    case 1:
    case 2: {
      const flags = isEnd | (random.below(5) > 0 ? frames.END_HEADERS : 0);
      return frames.frame(frames.HEADERS, flags, id, encodeLiterals(pick(random, HEADS)));
    }
    case 3:
    case 4:
      return frames.frame(frames.DATA, isEnd, id, payload);
    case 5:
      return frames.settings([[1 + random.below(8), size]]);
    case 6:
      return frames.windowUpdate(id, size);
    case 7:
      return random.below(3) > 0 ? frames.reset(id, random.below(15)) : frames.goaway(id, 0);
    case 8:
      return frames.frame(random.below(12), random.below(256), id, payload);
    default:
      return pick(random, HOSTILITIES).bytes(1 + 2 * random.below(4)).subarray(0, 20_000);
  }
}

/** Plays bytes to a machine; what its visitor was told, and the frames that it wrote but for windows. */
function play(role: "client" | "server", bytes: Uint8Array, ends: readonly number[]): string[] {
  const machine = new Machine(role, { outputBytes: 4_096, streamWindowBytes: 1_000 });
  const cutter = new FrameCutter();
  const hpack = new HpackDecoder();
  const written: string[] = [];
  let block: Uint8Array[] = [];
  let preface = role === "client" ? frames.PREFACE.length : 0;
  const read = (out: Uint8Array) => {
    const skip = Math.min(preface, out.length);
    preface -= skip;
    for (const { type, flags, id, payload } of cutter.cut(out.slice(skip))) {
      const isHead = type === frames.HEADERS || type === frames.CONTINUATION;
      if (isHead) block.push(payload);
      if (isHead && (flags & frames.END_HEADERS) !== 0) {
        written.push(`head ${id} ${JSON.stringify(hpack.decode(concatenate(block)))}`);
        block = [];
      } else if (type !== frames.WINDOW_UPDATE) written.push(`${type} ${flags} ${id} ${payload}`);
    }
  };
  if (role === "client") {
    for (let i = 0; i < 3; i++) machine.request(HEADS[1], i === 0);
  } else {
    machine.onEvent = (name, id) => {
      if (name === "request") machine.head(id, [[":status", "200"]]);
    };
  }
  machine.feed(bytes, ends, read);
  read(machine.takeOutput());
  return [...machine.log, "wrote", ...written];
}

function machineTarget(role: "client" | "server"): Target {
  const start = role === "server" ? [frames.PREFACE, frames.settings([])] : [frames.settings([])];
  return {
    name: `http2-${role}`,
    invariant:
      "Never throws, writes only whole frames that the reference reads, the same for any cuts",
    generate(random) {
      const parts = Array.from({ length: random.below(20) }, () => oneFrame(random));
      const bytes = concatenate(random.below(10) > 0 ? [...start, ...parts] : parts);
      for (let i = random.below(3); i > 0 && bytes.length > 0; i--) {
        bytes[random.below(bytes.length)] = random.below(256);
      }
      return bytes;
    },
    check(bytes, random) {
      const whole = play(role, bytes, [bytes.length]);
      for (let i = 0; i < 2; i++) {
        const cuts = randomCuts(bytes.length, random);
        assert.deepEqual(play(role, bytes, cuts.ends), whole, cuts.name);
      }
    },
  };
}

export const HTTP2_TARGETS: readonly Target[] = [
  hpackDecode,
  hpackEncode,
  machineTarget("server"),
  machineTarget("client"),
];
