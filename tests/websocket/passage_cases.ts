/**
 * What a WebSocket must be able to do through a proxy that reads none of its frames: bytes that no peer would send, half-closes,
 * connections cut. A test makes every byte at either end.
 */
import assert from "node:assert/strict";
import { BINARY, PING_FRAME, TEXT } from "./frame.ts";
import { assertBytes, type Tester, type TesterRole } from "./tester.ts";

export interface PassageCase {
  readonly name: string;
  /** Sent in one piece with the request, and with the answer. */
  readonly early?: Readonly<Record<TesterRole, Uint8Array<ArrayBuffer>>>;
  /** `isToldOfCuts`: the proxy can tell this end that the other was cut off, and not ended. */
  run(client: Tester, server: Tester, isToldOfCuts: (end: Tester) => boolean): Promise<void>;
}

/** Bytes of which no stretch is repeated soon. */
function pattern(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0, x = 1; i < length; i++) {
    x = Math.imul(x, 1_103_515_245) + 12_345 | 0;
    bytes[i] = x >>> 16;
  }
  return bytes;
}

/** Both ways at once: what comes is what was sent. */
async function exchange(client: Tester, server: Tester, up: Uint8Array, down: Uint8Array) {
  const sending = [client.sendCut(up, 9_000), server.sendCut(down, 9_000)];
  const [atServer, atClient] = await Promise.all([
    server.nextBytes(up.length),
    client.nextBytes(down.length),
    ...sending,
  ]);
  assertBytes(atServer, up);
  assertBytes(atClient, down);
}

export const PASSAGE_CASES: readonly PassageCase[] = [
  {
    name: "frames that come in one piece with the handshake",
    early: { client: pattern(3_000), server: pattern(70_000) },
    async run(client, server) {
      assertBytes(await server.nextBytes(3_000), pattern(3_000));
      assertBytes(await client.nextBytes(70_000), pattern(70_000));
    },
  },
  {
    name: "masks are passed on as they are, both those that must be and those that must not",
    async run(client, server) {
      for (const [from, to] of [[client, server], [server, client]] as const) {
        const frame = from.frame(BINARY, pattern(500));
        await from.sendBytes(frame);
        assertBytes(await to.nextBytes(frame.length), frame);
      }
      // Against RFC 6455: each end as the other role would. Not a proxy's to mend.
      const unmasked = server.frame(TEXT, pattern(50));
      await client.sendBytes(unmasked);
      assertBytes(await server.nextBytes(unmasked.length), unmasked);
      const masked = client.frame(TEXT, pattern(50));
      await server.sendBytes(masked);
      assertBytes(await client.nextBytes(masked.length), masked);
    },
  },
  {
    name: "bytes that are no frames, both ways at once, cut at random",
    async run(client, server) {
      await exchange(client, server, pattern(4_000_000), pattern(3_000_000).reverse());
    },
  },
  {
    name: "half-close by the client: what the server says then still comes",
    async run(client, server) {
      await client.sendBytes(client.frame(PING_FRAME, pattern(4)));
      await client.endSending();
      const { bytes, ending } = await server.rest();
      assert.equal(ending, "end");
      assert.ok(bytes.length > 0);
      const frame = server.frame(BINARY, pattern(200_000));
      const sending = server.sendCut(frame, 30_000);
      assertBytes(await client.nextBytes(frame.length), frame);
      await sending;
      await server.endSending();
      await client.expectEnd();
    },
  },
  {
    name: "half-close by the server: what the client says then still comes",
    async run(client, server) {
      await server.endSending();
      await client.expectEnd();
      const frame = client.frame(BINARY, pattern(200_000));
      const sending = client.sendCut(frame, 30_000);
      assertBytes(await server.nextBytes(frame.length), frame);
      await sending;
      await client.endSending();
      await server.expectEnd();
    },
  },
  ...(["client", "server"] as const).map((who): PassageCase => ({
    name:
      `the ${who} is cut off within a frame: so is the other end, which cannot take it for an end`,
    async run(client, server, isToldOfCuts) {
      const [gone, left] = who === "client" ? [client, server] : [server, client];
      const frame = gone.frame(BINARY, pattern(100_000));
      await gone.sendBytes(frame.subarray(0, 50_000));
      await left.nextBytes(50_000);
      gone.reset();
      const { bytes, ending } = await left.rest();
      assert.equal(bytes.length, 0);
      if (isToldOfCuts(left)) assert.equal(ending, "reset");
      left.destroy();
    },
  })),
];
