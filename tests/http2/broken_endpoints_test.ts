/**
 * Ports declared HTTP/2 behind which something else listens, or HTTP/2 that breaks: an answer at once, from another endpoint where
 * there is one, and nothing left of it.
 */
import assert from "node:assert/strict";
import { type Opening, OPENINGS } from "../simulation/http2_openings.ts";
import { applyMesh } from "../policy/mesh.ts";
import { outcomeOf } from "../policy/client.ts";
import {
  data,
  type Fields,
  GET_FIELDS,
  goaway,
  headers,
  POST_FIELDS,
  settings,
} from "../protocol/http2/frames.ts";
import { type RawSocket, ShortMessage } from "../support/raw_socket.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { DRIVERS, type ProxyCase, TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import { soon } from "../support/until.ts";
import { FramePeer } from "./frame_peer.ts";

const GET: Fields = [...GET_FIELDS.slice(0, 3), [":authority", "app"]];
const CALL: Fields = [
  ...POST_FIELDS.slice(0, 3),
  [":authority", "app"],
  ["content-type", "application/grpc"],
];
const POST_TEXT = "POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 4\r\n\r\nbody";
const FOR_EVER_MS = 3_600_000;

/** What the endpoint does once it has said its first bytes. */
const AFTERWARDS: Readonly<Record<string, (socket: RawSocket) => Promise<unknown>>> = {
  "and stays": (socket) => socket.readRest(),
  "and ends its direction": async (socket) => {
    await socket.endSending();
    await socket.readRest();
  },
  "and closes": () => Promise.resolve(),
};

/** An endpoint that begins so with every connection. */
function opening({ bytes }: Opening, after = "and stays"): ScriptedOrigin {
  return new ScriptedOrigin(async (socket) => {
    if (bytes.length > 0) await socket.send(Uint8Array.from(bytes));
    await AFTERWARDS[after](socket);
  }, { mayFail: true });
}

/** An endpoint of HTTP/2 that answers every request with 200. */
function sound(): ScriptedOrigin {
  return new ScriptedOrigin(async (socket) => {
    const peer = await FramePeer.accept(socket, false);
    for (;;) {
      const id = Number((await peer.next(/^HEADERS /)).split(" ")[1]);
      await peer.send(headers(id, [[":status", "200"]], { isEnd: true }));
    }
  }, { mayFail: true });
}

/** An endpoint of HTTP/2 that does so once the first request has come. */
function breaking(act: (peer: FramePeer) => Promise<unknown>): ScriptedOrigin {
  return new ScriptedOrigin(async (socket) => {
    const peer = await FramePeer.accept(socket, false);
    await peer.next(/^HEADERS 1 /);
    await act(peer);
  }, { mayFail: true });
}

async function askByHttp1(proxy: TestProxy): Promise<string> {
  using client = await proxy.connect();
  await client.send(POST_TEXT);
  return outcomeOf(await client.readResponse());
}

/** The head that answers a request on stream 1. */
async function askByHttp2(proxy: TestProxy, fields: Fields): Promise<string> {
  using client = await FramePeer.connect(proxy);
  await client.send(headers(1, fields), data(1, "\0\0\0\0\0", true));
  return await client.next(/^HEADERS 1 /);
}

function silences(isTelling: boolean): readonly (readonly [Opening, string])[] {
  return OPENINGS.flatMap((one) =>
    Object.keys(AFTERWARDS)
      .filter((after) => (one.isTelling || after !== "and stays") === isTelling)
      .map((after) => [one, after] as const)
  );
}

/** Cases of first bytes that no HTTP/2 begins with. */
function begins(isTelling: boolean, expected: RegExp): readonly ProxyCase[] {
  return silences(isTelling).map(([one, after]) => ({
    name: `an endpoint that begins with ${one.name} ${after}: ${expected.source}, UNAVAILABLE`,
    async run(proxy) {
      await using origin = opening(one, after);
      await proxy.routeHttp2(origin);
      assert.match(await askByHttp1(proxy), expected);
      assert.match(await askByHttp2(proxy, GET), expected);
      assert.match(await askByHttp2(proxy, CALL), /END :status: 200, .*grpc-status: 14/);
    },
  }));
}

const TAKING_OVER: readonly ProxyCase[] = OPENINGS.filter(({ isTelling, mayBeAsked }) =>
  isTelling && mayBeAsked !== true
).map((one) => ({
  name: `an endpoint that begins with ${one.name}: every request goes to the other one`,
  async run(proxy) {
    await using bad = opening(one);
    await using good = sound();
    await proxy.routeHttp2(bad, good);
    for (let i = 0; i < 3; i++) {
      assert.equal(await askByHttp1(proxy), "200 ");
      assert.match(await askByHttp2(proxy, CALL), /:status: 200$/);
    }
    assert.ok(bad.accepted > 0 && good.accepted > 0);
  },
}));

/** Answers of HTTP/2 that break in the middle. */
const BREAKS: Readonly<Record<string, (peer: FramePeer) => Promise<unknown>>> = {
  "its end": () => Promise.resolve(),
  "bytes that are no frame": async (peer) => {
    await peer.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    await peer.socket.readRest();
  },
  "a frame that is too large": async (peer) => {
    await peer.send(Uint8Array.of(0, 0x40, 1, 0, 0, 0, 0, 0, 1));
    await peer.socket.readRest();
  },
  "SETTINGS that none may send": async (peer) => {
    await peer.send(settings([5, 1]));
    await peer.socket.readRest();
  },
  "a header block that cannot be decoded": async (peer) => {
    await peer.send(Uint8Array.of(0, 0, 1, 1, 4, 0, 0, 0, 1, 0x80));
    await peer.socket.readRest();
  },
};

const BREAKING: readonly ProxyCase[] = Object.entries(BREAKS).flatMap(([what, act]) => [
  {
    name: `${what} in place of the answer: 502, UNAVAILABLE, and the endpoint is asked once`,
    async run(proxy: TestProxy) {
      await using origin = breaking(act);
      await proxy.routeHttp2(origin);
      assert.equal(await askByHttp1(proxy), "502 upstream-reset");
      assert.match(await askByHttp2(proxy, GET), /:status: 502, .*upstream-reset/);
      assert.match(await askByHttp2(proxy, CALL), /END :status: 200, .*grpc-status: 14/);
      assert.equal(origin.accepted, 3);
    },
  },
  {
    name: `${what} in the middle of an answer: the client can tell`,
    async run(proxy: TestProxy) {
      await using origin = breaking(async (peer) => {
        await peer.send(headers(1, [[":status", "200"]]), data(1, "some"));
        await act(peer);
      });
      await proxy.routeHttp2(origin);
      await assert.rejects(askByHttp1(proxy), ShortMessage);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, CALL), data(1, "", true));
      await client.next(/^HEADERS 1 :status: 200/);
      assert.equal(await client.next(/^RST_STREAM 1/), "RST_STREAM 1 INTERNAL_ERROR");
    },
  },
]);

const RETRIED: readonly ProxyCase[] = OPENINGS.filter(({ isTelling, mayBeAsked }) =>
  isTelling && mayBeAsked !== true
).slice(0, 3).flatMap((one) =>
  [1, 3].map((attempts) => ({
    name:
      `an endpoint that begins with ${one.name}: retry.attempts ${attempts} is as many more at most`,
    async run(proxy: TestProxy) {
      await using origin = opening(one);
      const retry = {
        attempts,
        retryOn: ["connect-failure", "reset"],
        backoff: "1ms",
        budgetPercent: 100,
      };
      await applyMesh(proxy, {
        services: { app: [origin] },
        policies: { app: { retry } },
        portName: "http2",
      });
      assert.equal(await askByHttp1(proxy), "502 upstream-protocol");
      // Without a policy it would be three.
      assert.equal(origin.accepted, Math.max(3, 1 + attempts));
    },
  }))
);

testThroughProxy("HTTP/2 that does not begin", begins(true, /502|503/));
testThroughProxy("HTTP/2 that never begins", begins(false, /504/), {
  timeouts: { connectMs: 50 },
});
testThroughProxy("HTTP/2 that one endpoint does not speak", TAKING_OVER);
testThroughProxy("HTTP/2 that breaks", BREAKING);
testThroughProxy("HTTP/2 that does not begin, with retries", RETRIED);

for (const driver of DRIVERS) {
  const name = `HTTP/2 that does not begin (${driver}): a drain does not wait for the endpoint`;
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false }, async () => {
    for (const bytes of [goaway(0, 0), new TextEncoder().encode("SSH-2.0-OpenSSH_9.7\r\n")]) {
      const timeouts = { connectMs: FOR_EVER_MS, drainMs: FOR_EVER_MS };
      const proxy = await TestProxy.start(driver, { timeouts });
      await using origin = opening({ name: "", bytes, isTelling: true });
      await proxy.routeHttp2(origin);
      assert.equal(await askByHttp1(proxy), "502 upstream-protocol");
      await soon("the drain", proxy.proxy.drain());
    }
  });
}
