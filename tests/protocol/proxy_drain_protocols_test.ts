/** Draining with every protocol at once, as after the kubelet's SIGTERM: who is told what, who may stay, and for how long. */
import assert from "node:assert/strict";
import { FramePeer } from "../http2/frame_peer.ts";
import { headerOf, RawSocket, statusOf } from "../support/raw_socket.ts";
import { ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { DRIVERS, TestProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import type { Fields } from "./http2/frames.ts";
import { GET_FIELDS, headers, ping } from "./http2/frames.ts";

const GET = "GET / HTTP/1.1\r\nHost: app\r\n\r\n";
const UPGRADE =
  "GET /chat HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCHED =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const H2_SLOW: Fields = [...GET_FIELDS.slice(0, 2), [":path", "/slow"], [":authority", "app"]];
const PING_ACK = 1;

/** New connections are taken for so long, and old ones are cut so long after the beginning. */
const TIMEOUTS = { acceptMs: 2_000, drainMs: 4_000 };

/** Says what it is sent, line by line: after an upgrade, or as it is. */
async function echo(socket: RawSocket, first: string): Promise<void> {
  await socket.send(first);
  for (;;) await socket.send(await socket.readThrough("\n"));
}

async function wantEcho(socket: RawSocket, text: string): Promise<void> {
  await socket.send(`${text}\n`);
  assert.equal(await socket.readThrough("\n"), `${text}\n`);
}

async function isRefused(port: number): Promise<boolean> {
  try {
    (await RawSocket.connect(port)).close();
    return false;
  } catch (error) {
    return error instanceof Deno.errors.ConnectionRefused;
  }
}

/** 0: on the thread of the test. */
const setups = DRIVERS.flatMap((driver) =>
  (driver === "native" ? [0, 1, 2] : [1]).map((workers) => ({ driver, workers }))
);
for (const { driver, workers } of setups) {
  const name = `drain (${driver}, workers: ${workers})`;

  // libc is opened once a thread, and stays open.
  Deno.test(`${name}: every protocol at once`, { sanitizeResources: false }, async () => {
    const proxy = await TestProxy.start(driver, { timeouts: TIMEOUTS, workers, relays: true });
    const slow = Promise.withResolvers<void>();
    let slowRequests = 0;
    await using origin = new ScriptedOrigin(async (socket) => {
      for (;;) {
        const first = await socket.readThrough("\n");
        if (!first.includes("HTTP/1.1")) return await echo(socket, first);
        await socket.readThrough("\r\n\r\n");
        if (first.includes("/chat")) return await echo(socket, SWITCHED);
        if (first.includes("/slow")) {
          slowRequests++;
          await slow.promise;
        }
        await socket.send(ok(first.split(" ")[1]));
      }
    }, { mayFail: true });
    await proxy.route(origin);

    using idle = await proxy.connect();
    await idle.send(GET);
    await idle.readResponse();
    using webSocket = await proxy.connect();
    await webSocket.send(UPGRADE);
    assert.equal(statusOf(await webSocket.readResponse()), 101);
    using relay = await RawSocket.connect(proxy.relayPort);
    await wantEcho(relay, "tcp before");
    using http2 = await FramePeer.connect(proxy);
    await http2.send(headers(1, H2_SLOW, { isEnd: true }));
    await until("the slow request", () => slowRequests, (count) => count === 1);

    const drained = proxy.proxy.drain(true);
    // Who is there is told to go elsewhere: an idle client by the end of its connection, HTTP/2 by GOAWAY.
    await http2.next(/^GOAWAY 2147483647 NO_ERROR/);
    const text = /PING (.*)/.exec(await http2.next(/^PING /))?.[1] ?? "";
    await http2.send(ping(text, PING_ACK));
    await http2.next(/^GOAWAY 1 NO_ERROR/);
    assert.equal(await idle.readRest(), "");
    // Who has not heard of the end is served once.
    using late = await proxy.connect();
    await late.send(GET);
    const answer = await late.readResponse();
    assert.equal(statusOf(answer), 200);
    assert.equal(headerOf(answer, "connection"), "close");
    assert.equal(await late.readRest(), "");
    using lateRelay = await RawSocket.connect(proxy.relayPort);
    await wantEcho(lateRelay, "tcp meanwhile");
    // A client that does not go away by itself is told, too, once it was served.
    using lateHttp2 = await FramePeer.connect(proxy);
    await lateHttp2.send(
      headers(1, [...GET_FIELDS.slice(0, 3), [":authority", "app"]], { isEnd: true }),
    );
    await lateHttp2.wantData(1, "/");
    await lateHttp2.next(/^GOAWAY/);
    // And one that asks for nothing, before its connection ends.
    using mute = await FramePeer.connect(proxy);
    await mute.next(/^GOAWAY 2147483647/);

    await until("an end of accepting", () => isRefused(proxy.port), (refused) => refused);
    assert.equal(await isRefused(proxy.relayPort), true);
    // What is under way goes on.
    slow.resolve();
    await http2.wantData(1, "/slow");
    assert.equal(await http2.socket.readRest(), "");
    await wantEcho(webSocket, "websocket afterwards");
    await wantEcho(relay, "tcp afterwards");
    // And is cut when the time is over.
    for (const socket of [webSocket, relay, lateRelay]) {
      assert.equal(await socket.readRest().catch(() => ""), "");
    }
    await drained;
  });

  Deno.test(`${name}: a stop while connections are still taken is at once`, {
    sanitizeResources: false,
  }, async () => {
    const proxy = await TestProxy.start(driver, { timeouts: { acceptMs: 3_600_000 }, workers });
    await using origin = new ScriptedOrigin(async (socket) => {
      await socket.readRest();
    }, { mayFail: true });
    await proxy.route(origin);
    using client = await proxy.connect();
    const drained = proxy.proxy.drain(true);
    await client.send(GET);
    await until("the request", () => origin.accepted, (count) => count === 1);
    await proxy.proxy.stop();
    assert.equal(await client.readRest().catch(() => ""), "");
    await drained;
  });
}
