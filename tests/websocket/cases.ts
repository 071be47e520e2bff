/**
 * What a WebSocket must be able to do through a proxy, after the cases of the Autobahn test suite: a tester that makes every
 * frame itself, and the `ws` package that sends back what it gets. Each case is run with either of them as the client.
 */
import assert from "node:assert/strict";
import { BINARY, CLOSE, closePayload, CONTINUATION, PING, PONG, TEXT } from "./frame.ts";
import type { Subject } from "./subject.ts";
import { assertBytes, concat, type Tester } from "./tester.ts";

export interface WebSocketCase {
  readonly name: string;
  /** permessage-deflate is agreed on. */
  readonly isCompressed?: boolean;
  /** A closing handshake follows, unless the case has come to an end of its own. */
  run(tester: Tester, subject: Subject): Promise<void>;
}

const MEBIBYTE = 1_048_576;

/** Bytes of which no stretch is repeated soon. */
export function pattern(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0, x = 1; i < length; i++) {
    x = Math.imul(x, 1_103_515_245) + 12_345 | 0;
    bytes[i] = x >>> 16;
  }
  return bytes;
}

function letters(length: number): string {
  return "abcdefghijklmnopqrstuvwxyz".repeat(Math.ceil(length / 26)).slice(0, length);
}

/** The subject fails the connection with this code, and the proxy lets both ends know. */
async function expectFailure(tester: Tester, subject: Subject, code: number): Promise<void> {
  await tester.expectClose(code);
  assert.equal((await subject.closed()).code, 1006);
}

const SIZES = [0, 1, 125, 126, 127, 128, 4_096, 65_535, 65_536, 300_000];

const FRAMING: readonly WebSocketCase[] = [
  ...SIZES.map((size): WebSocketCase => ({
    name: `a text and a binary message of ${size} bytes`,
    async run(tester) {
      await tester.send(TEXT, letters(size));
      await tester.expect(TEXT, letters(size));
      await tester.send(BINARY, pattern(size));
      await tester.expect(BINARY, pattern(size));
    },
  })),
  {
    name: "a message that comes byte by byte",
    async run(tester) {
      await tester.sendCut(tester.frame(BINARY, pattern(300)), 1);
      await tester.expect(BINARY, pattern(300));
    },
  },
  {
    name: "a hundred messages in one piece",
    async run(tester) {
      const texts = Array.from({ length: 100 }, (_, i) => `message ${i}`);
      const encoder = new TextEncoder();
      const frames = texts.map((text) => tester.frame(TEXT, encoder.encode(text)));
      await tester.sendBytes(concat(frames));
      for (const text of texts) await tester.expect(TEXT, text);
    },
  },
  {
    name: "a thousand messages, cut at random bytes",
    async run(tester) {
      const messages = Array.from(
        { length: 1_000 },
        () => pattern(tester.random.below(700)),
      );
      const frames = messages.map((message) => tester.frame(BINARY, message));
      const sending = tester.sendCut(concat(frames), 5_000, true);
      for (const message of messages) await tester.expect(BINARY, message);
      await sending;
    },
  },
  ...[1, 2, 4, 7].map((rsv): WebSocketCase => ({
    name: `reserved bits ${rsv} that nobody agreed on fail the connection`,
    async run(tester, subject) {
      await tester.send(TEXT, "before");
      await tester.expect(TEXT, "before");
      await tester.send(TEXT, "x", { rsv });
      await expectFailure(tester, subject, 1002);
    },
  })),
  ...[3, 7, 11, 15].map((opcode): WebSocketCase => ({
    name: `opcode ${opcode} fails the connection`,
    async run(tester, subject) {
      await tester.send(opcode, "x");
      await expectFailure(tester, subject, 1002);
    },
  })),
];

const PINGS: readonly WebSocketCase[] = [
  ...[0, 5, 125].map((size): WebSocketCase => ({
    name: `a ping of ${size} bytes is answered with the same`,
    async run(tester) {
      await tester.send(PING, pattern(size));
      await tester.expect(PONG, pattern(size));
    },
  })),
  {
    name: "a ping of 126 bytes fails the connection",
    async run(tester, subject) {
      await tester.send(PING, pattern(126));
      await expectFailure(tester, subject, 1002);
    },
  },
  {
    name: "a ping in two frames fails the connection",
    async run(tester, subject) {
      await tester.send(PING, "half", { fin: false });
      await expectFailure(tester, subject, 1002);
    },
  },
  {
    name: "a pong that nobody asked for, and a ping after it, byte by byte",
    async run(tester) {
      const encoder = new TextEncoder();
      const both = [tester.frame(PONG, encoder.encode("unasked")), tester.frame(PING, pattern(40))];
      await tester.sendCut(concat(both), 1);
      await tester.expect(PONG, pattern(40));
    },
  },
  {
    name: "ten pings at once are answered in order",
    async run(tester) {
      const pings = Array.from({ length: 10 }, (_, i) => tester.frame(PING, pattern(i)));
      await tester.sendBytes(concat(pings));
      for (let i = 0; i < 10; i++) await tester.expect(PONG, pattern(i));
    },
  },
  {
    name: "pings from the subject between its messages",
    async run(tester, subject) {
      for (let i = 0; i < 5; i++) {
        subject.socket.ping(`${i}`);
        await tester.expect(PING, `${i}`);
        await tester.send(PONG, `${i}`);
        await tester.send(TEXT, `after ${i}`);
        await tester.expect(TEXT, `after ${i}`);
      }
      assert.deepEqual(subject.pongs, ["0", "1", "2", "3", "4"]);
    },
  },
];

const FRAGMENTS: readonly WebSocketCase[] = [
  {
    name: "a message in two frames",
    async run(tester) {
      await tester.send(TEXT, "frag", { fin: false });
      await tester.send(CONTINUATION, "ment");
      await tester.expect(TEXT, "fragment");
    },
  },
  {
    name: "a message in frames of which some are empty, with pings between them",
    async run(tester) {
      await tester.send(TEXT, "", { fin: false });
      await tester.send(PING, "one");
      await tester.expect(PONG, "one");
      await tester.send(CONTINUATION, "all", { fin: false });
      await tester.send(CONTINUATION, "", { fin: false });
      await tester.send(PING, "two");
      await tester.expect(PONG, "two");
      await tester.send(CONTINUATION, "");
      await tester.expect(TEXT, "all");
    },
  },
  {
    name: "frames and a ping between them, all of it byte by byte",
    async run(tester) {
      const encoder = new TextEncoder();
      const frames = [
        tester.frame(TEXT, encoder.encode("frag"), { fin: false }),
        tester.frame(PING, encoder.encode("between")),
        tester.frame(CONTINUATION, encoder.encode("ment")),
      ];
      await tester.sendCut(concat(frames), 1);
      await tester.expect(PONG, "between");
      await tester.expect(TEXT, "fragment");
    },
  },
  {
    name: "the subject's own frames stay the frames that they are",
    async run(tester, subject) {
      for (const [text, fin] of [["to", false], ["get", false], ["her", true]] as const) {
        subject.socket.send(text, { fin });
      }
      assert.equal(await tester.expect(TEXT, "together"), 3);
    },
  },
  {
    name: "a continuation of nothing fails the connection",
    async run(tester, subject) {
      await tester.send(CONTINUATION, "x");
      await expectFailure(tester, subject, 1002);
    },
  },
  {
    name: "a message within a message fails the connection",
    async run(tester, subject) {
      await tester.send(TEXT, "first", { fin: false });
      await tester.send(TEXT, "second");
      await expectFailure(tester, subject, 1002);
    },
  },
];

/** Hello, the ends of every range of code points, and some that are no characters. */
const VALID_TEXTS = [
  "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!",
  "\u03ba\u1f79\u03c3\u03bc\u03b5",
  "\0\x7f\u0080\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}",
  "\ufeff\ufffe\u{1f98a}",
];

const INVALID_TEXTS: Readonly<Record<string, readonly number[]>> = {
  "a continuation byte alone": [0x80],
  "a lead byte alone": [0x41, 0xe2],
  "a sequence cut short": [0xf0, 0x9f, 0xa6],
  "an overlong slash": [0xc0, 0xaf],
  "an overlong slash of four bytes": [0xf0, 0x80, 0x80, 0xaf],
  "a surrogate": [0xed, 0xa0, 0x80],
  "a code point past the last": [0xf4, 0x90, 0x80, 0x80],
  "bytes that no text has": [0xfe, 0xff],
};

const TEXTS: readonly WebSocketCase[] = [
  {
    name: "UTF-8 in one frame, cut at every byte into two, and a frame for each byte",
    async run(tester) {
      for (const text of VALID_TEXTS) {
        await tester.send(TEXT, text);
        await tester.expect(TEXT, text);
        const bytes = new TextEncoder().encode(text);
        for (let cut = 0; cut <= bytes.length; cut++) {
          await tester.send(TEXT, bytes.subarray(0, cut), { fin: false });
          await tester.send(CONTINUATION, bytes.subarray(cut));
          await tester.expect(TEXT, bytes);
        }
        for (let i = 0; i < bytes.length; i++) {
          const fin = i === bytes.length - 1;
          await tester.send(i === 0 ? TEXT : CONTINUATION, bytes.subarray(i, i + 1), { fin });
        }
        await tester.expect(TEXT, bytes);
      }
    },
  },
  ...Object.entries(INVALID_TEXTS).map(([what, bytes]): WebSocketCase => ({
    name: `text that is not UTF-8 fails the connection: ${what}`,
    async run(tester, subject) {
      await tester.send(TEXT, "good", { fin: false });
      await tester.send(CONTINUATION, Uint8Array.from(bytes));
      await expectFailure(tester, subject, 1007);
    },
  })),
];

const GOOD_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
const BAD_CODES = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535];

const CLOSING: readonly WebSocketCase[] = [
  ...GOOD_CODES.map((code): WebSocketCase => ({
    name: `close ${code} is heard and answered`,
    async run(tester, subject) {
      await tester.send(CLOSE, closePayload(code, "a reason"));
      await tester.expectClose(code);
      assert.deepEqual(await subject.closed(), { code, reason: "a reason" });
    },
  })),
  ...BAD_CODES.map((code): WebSocketCase => ({
    name: `close ${code} fails the connection`,
    async run(tester, subject) {
      await tester.send(CLOSE, closePayload(code));
      await expectFailure(tester, subject, 1002);
    },
  })),
  {
    name: "a close begun by the subject, with the longest reason",
    async run(tester, subject) {
      const reason = "\u00e9".repeat(61) + "!";
      subject.socket.close(4_321, reason);
      const frame = await tester.next();
      assert.equal(frame.opcode, CLOSE);
      assertBytes(frame.payload, closePayload(4_321, reason));
      await tester.send(CLOSE, frame.payload);
      await tester.endSending();
      await tester.expectEnd();
      assert.deepEqual(await subject.closed(), { code: 4_321, reason });
    },
  },
  {
    name: "a close without a code",
    async run(tester, subject) {
      await tester.send(CLOSE, "");
      await tester.expectClose(null);
      assert.equal((await subject.closed()).code, 1005);
    },
  },
  {
    name: "a close of one byte fails the connection",
    async run(tester, subject) {
      await tester.send(CLOSE, pattern(1));
      await expectFailure(tester, subject, 1002);
    },
  },
  {
    name: "a close of 126 bytes fails the connection",
    async run(tester, subject) {
      await tester.send(CLOSE, closePayload(1000, letters(124)));
      await expectFailure(tester, subject, 1002);
    },
  },
  {
    name: "a reason that is not UTF-8 fails the connection",
    async run(tester, subject) {
      await tester.send(CLOSE, Uint8Array.of(3, 232, 0xce, 0xba, 0xe1));
      await expectFailure(tester, subject, 1007);
    },
  },
  {
    name: "what comes after a close is not answered",
    async run(tester, subject) {
      const frames = [
        tester.frame(TEXT, new TextEncoder().encode("before")),
        tester.frame(CLOSE, closePayload(1000)),
        tester.frame(TEXT, new TextEncoder().encode("after")),
        tester.frame(PING, pattern(3)),
      ];
      await tester.sendBytes(concat(frames));
      await tester.expect(TEXT, "before");
      await tester.expectClose(1000);
      assert.equal((await subject.closed()).code, 1000);
    },
  },
  {
    name: "an end without a close, after a message",
    async run(tester, subject) {
      await tester.send(TEXT, "last");
      await tester.expect(TEXT, "last");
      await tester.endSending();
      assert.equal((await subject.closed()).code, 1006);
    },
  },
  {
    name: "an end within a frame",
    async run(tester, subject) {
      const frame = tester.frame(BINARY, pattern(70_000));
      await tester.sendBytes(frame.subarray(0, 40_000));
      await tester.endSending();
      assert.equal((await subject.closed()).code, 1006);
    },
  },
  {
    name: "the subject goes away without a close",
    async run(tester, subject) {
      await tester.send(TEXT, "hello");
      await tester.expect(TEXT, "hello");
      subject.socket.terminate();
      assert.equal((await tester.rest()).bytes.length, 0);
      await tester.endSending();
    },
  },
];

const LARGE: readonly WebSocketCase[] = [
  {
    name: "16 MiB in one frame",
    async run(tester) {
      const message = pattern(16 * MEBIBYTE);
      const sending = tester.send(BINARY, message);
      await tester.expect(BINARY, message);
      await sending;
    },
  },
  {
    name: "16 MiB in frames of 64 KiB, cut at random bytes",
    async run(tester) {
      const message = pattern(16 * MEBIBYTE);
      const frames: Uint8Array[] = [];
      for (let at = 0; at < message.length; at += 65_536) {
        const fin = at + 65_536 >= message.length;
        const opcode = at === 0 ? BINARY : CONTINUATION;
        frames.push(tester.frame(opcode, message.subarray(at, at + 65_536), { fin }));
      }
      const sending = tester.sendCut(concat(frames), 100_000, true);
      await tester.expect(BINARY, message);
      await sending;
    },
  },
  {
    name: "4 MiB both ways at once, in messages of 10 000 bytes",
    async run(tester, subject) {
      const message = pattern(10_000);
      const count = 420;
      const sending = (async () => {
        for (let i = 0; i < count; i++) await tester.send(BINARY, message);
      })();
      const own = new TextEncoder().encode(letters(10_000));
      for (let i = 0; i < count; i++) subject.socket.send(own, { binary: false });
      let texts = 0;
      for (let i = 0; i < 2 * count; i++) {
        const { opcode, payload } = await tester.next();
        if (opcode === TEXT) texts++;
        assertBytes(payload, opcode === TEXT ? own : message);
      }
      assert.equal(texts, count);
      await sending;
    },
  },
];

export const CASES: readonly WebSocketCase[] = [
  ...FRAMING,
  ...PINGS,
  ...FRAGMENTS,
  ...TEXTS,
  ...CLOSING,
  ...LARGE,
];
