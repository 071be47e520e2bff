/** permessage-deflate end to end: a proxy that touched a byte of it would break every message after. */
import assert from "node:assert/strict";
import { BINARY, CONTINUATION, PING, PONG, TEXT } from "./frame.ts";
import { pattern, type WebSocketCase } from "./cases.ts";
import { Deflate } from "./deflate.ts";
import { assertBytes, type Tester } from "./tester.ts";

const RSV1 = 4;
const NO_CONTEXT = /no_context_takeover/;

/** What was agreed on, seen from this end: both ends keep a context, or neither does. */
function deflateOf(tester: Tester): Deflate {
  assert.match(tester.extensions, /^permessage-deflate/);
  return new Deflate(!NO_CONTEXT.test(tester.extensions));
}

async function echo(tester: Tester, deflate: Deflate, opcode: number, message: Uint8Array) {
  await tester.send(opcode, await deflate.compress(message), { rsv: RSV1 });
  await expectCompressed(tester, deflate, opcode, message);
}

async function expectCompressed(
  tester: Tester,
  deflate: Deflate,
  opcode: number,
  message: Uint8Array,
): Promise<void> {
  const frame = await tester.next();
  assert.equal(frame.opcode, opcode);
  assert.equal(frame.rsv, RSV1);
  assert.ok(frame.fin);
  assertBytes(await deflate.decompress(frame.payload), message);
}

/** Half of it shrinks. */
function mixed(length: number): Uint8Array {
  const bytes = pattern(length);
  bytes.fill(65, 0, length >> 1);
  return bytes;
}

export const COMPRESSION_CASES: readonly WebSocketCase[] = [
  {
    name: "compressed messages of many sizes, each leaning on those before",
    isCompressed: true,
    async run(tester) {
      const deflate = deflateOf(tester);
      for (const size of [16, 64, 256, 1_024, 4_096, 8_192, 16_384, 32_768, 65_536, 131_072]) {
        for (let i = 0; i < 5; i++) await echo(tester, deflate, BINARY, mixed(size));
      }
    },
  },
  {
    name: "a compressed text in three frames, with a ping between them",
    isCompressed: true,
    async run(tester) {
      const deflate = deflateOf(tester);
      const text = new TextEncoder().encode("\u03ba\u1f79\u03c3\u03bc\u03b5".repeat(100));
      const payload = await deflate.compress(text);
      await tester.send(TEXT, payload.subarray(0, 3), { fin: false, rsv: RSV1 });
      await tester.send(CONTINUATION, payload.subarray(3, 4), { fin: false });
      await tester.send(PING, "x");
      await tester.expect(PONG, "x");
      await tester.send(CONTINUATION, payload.subarray(4));
      await expectCompressed(tester, deflate, TEXT, text);
    },
  },
  {
    name: "a compressed message of 4 MiB, cut at random bytes",
    isCompressed: true,
    async run(tester) {
      const deflate = deflateOf(tester);
      const message = mixed(4 * 1_048_576);
      const frame = tester.frame(BINARY, await deflate.compress(message), { rsv: RSV1 });
      const sending = tester.sendCut(frame, 100_000, true);
      await expectCompressed(tester, deflate, BINARY, message);
      await sending;
    },
  },
  {
    name: "a message that is not compressed among those that are",
    isCompressed: true,
    async run(tester) {
      const deflate = deflateOf(tester);
      await echo(tester, deflate, TEXT, new TextEncoder().encode("one"));
      await tester.send(TEXT, "plain");
      await expectCompressed(tester, deflate, TEXT, new TextEncoder().encode("plain"));
      await echo(tester, deflate, TEXT, new TextEncoder().encode("three"));
    },
  },
];
