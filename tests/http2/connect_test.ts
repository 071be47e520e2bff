/** CONNECT over HTTP/2 (RFC 9113 8.5), frame by frame. */
import assert from "node:assert/strict";
import { CONNECT_ERROR } from "../../proxy/protocol/http2/error_code.ts";
import { INITIAL_WINDOW_SIZE } from "../../proxy/protocol/http2/settings.ts";
import { data, headers, reset, settings, windowUpdate } from "../protocol/http2/frames.ts";
import type { Fields } from "../protocol/http2/frames.ts";
import type { RawSocket } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin, skipWithoutReset } from "../support/scripted_origin.ts";
import { DRIVERS, TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import type { ProxyCase } from "../support/test_proxy.ts";
import { applyMesh } from "../policy/mesh.ts";
import { FramePeer } from "./frame_peer.ts";
import type { Sending } from "./frame_peer.ts";

const CONNECT: Fields = [[":method", "CONNECT"], [":authority", "app:80"]];

/** Sends back what comes, and ends when the other side has. */
async function echo(socket: RawSocket): Promise<void> {
  while (await socket.readMore()) await socket.send(socket.takeAll());
}

const SENDINGS: readonly Sending[] = ["whole", "byte by byte"];

const CONNECTS: readonly ProxyCase[] = [
  ...SENDINGS.map((sending): ProxyCase => ({
    name: `CONNECT: bytes both ways, those sent with the request too, ${sending}`,
    async run(proxy) {
      await using origin = new ScriptedOrigin(echo);
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy, sending);
      await client.send(headers(1, CONNECT), data(1, "early\n"), data(1, "and more\n"));
      assert.equal(await client.next(/^HEADERS/), "HEADERS 1 :status: 200");
      await client.wantData(1, "early\nand more\n");
      await client.send(data(1, "\0\xff\n"));
      await client.wantData(1, "\0\xff\n");
      await client.send(data(1, "", true));
      await client.next(/^DATA 1 "" END$/);
      // The connection is there for others.
      await client.send(headers(3, CONNECT), data(3, "again", true));
      await client.wantData(3, "again");
    },
  })),
  {
    name: "CONNECT: to a server that speaks first, whatever the port is said to speak",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.send("220 ready\r\n");
        await echo(socket);
      });
      for (const route of [proxy.route, proxy.routeHttp2]) {
        await route.call(proxy, origin);
        using client = await FramePeer.connect(proxy);
        await client.send(headers(1, CONNECT));
        await client.wantData(1, "220 ready\r\n");
        await client.send(data(1, "", true));
        await client.next(/^DATA 1 .*END$/);
      }
    },
  },
  {
    name: "CONNECT: what is not of the mesh is refused, and the connection goes on",
    async run(proxy) {
      await using origin = new ScriptedOrigin(answering(({ startLine }) => ok(startLine)));
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, [[":method", "CONNECT"], [":authority", "nowhere:80"]]));
      assert.match(await client.next(/^HEADERS 1/), /:status: 404.*x-weft-reason: host-unknown/);
      await client.next(/^RST_STREAM 1 NO_ERROR$/);
      for (const [id, fields] of [[3, ["content-length", "0"]], [5, [":path", "/"]]] as const) {
        await client.send(headers(id, [...CONNECT, fields].toSorted().toReversed()));
        await client.next(new RegExp(`^RST_STREAM ${id} PROTOCOL_ERROR$`));
      }
      await client.send(headers(7, [
        [":method", "GET"],
        [":scheme", "http"],
        [":path", "/"],
        [":authority", "app"],
      ], { isEnd: true }));
      await client.next(/^HEADERS 7 :status: 200/);
    },
  },
  {
    name: "half-close: the client ends first, and the endpoint goes on",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        const all = await socket.readRest();
        await socket.send(`${all.length} bytes`);
        await socket.send(", and bye");
      });
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, CONNECT), data(1, "hello", true));
      await client.wantData(1, "5 bytes, and bye");
      await client.next(/^DATA 1 "" END$/);
      client.wantNone(/^RST_STREAM/);
    },
  },
  {
    name: "half-close: the endpoint ends first, and the client goes on",
    async run(proxy) {
      const received = Promise.withResolvers<string>();
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.send("bye");
        await socket.endSending();
        received.resolve(await socket.readRest());
      });
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, CONNECT));
      assert.equal(await client.countData(1), 3);
      await client.send(data(1, "and "), data(1, "more", true));
      assert.equal(await received.promise, "and more");
      client.wantNone(/^RST_STREAM/);
    },
  },
  {
    name: "a stream that its client resets resets the endpoint's connection",
    skip: (driver) => driver === "portable" ? "Deno.TcpConn cannot be reset" : skipWithoutReset(),
    async run(proxy) {
      const failure = Promise.withResolvers<string>();
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRest();
        failure.resolve(socket.failure);
      });
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, CONNECT), data(1, "hello"));
      await client.next(/^HEADERS 1/);
      await client.send(reset(1, CONNECT_ERROR));
      assert.equal(await failure.promise, "ConnectionReset");
    },
  },
  {
    name: "a client that goes away takes its tunnels with it",
    async run(proxy) {
      const ended = Promise.withResolvers<void>();
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRest();
        ended.resolve();
      });
      await proxy.route(origin);
      const client = await FramePeer.connect(proxy);
      await client.send(headers(1, CONNECT), data(1, "hello"));
      await client.next(/^HEADERS 1/);
      client.close();
      await ended.promise;
    },
  },
  {
    name: "trailers have no place in a tunnel, open or not",
    async run(proxy) {
      await using origin = new ScriptedOrigin(echo);
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, CONNECT));
      await client.next(/^HEADERS 1/);
      await client.send(headers(1, [["x", "y"]], { isEnd: true }));
      await client.next(/^RST_STREAM 1 PROTOCOL_ERROR$/);
      await client.send(headers(3, CONNECT), headers(3, [["x", "y"]], { isEnd: true }));
      await client.next(/^RST_STREAM 3 PROTOCOL_ERROR$/);
      await client.send(headers(5, CONNECT), data(5, "on", true));
      await client.wantData(5, "on");
    },
  },
  {
    name: "windows hold back the endpoint, and the client; nothing is lost",
    async run(proxy) {
      const bytes = 2_000_000;
      const atOrigin = Promise.withResolvers<number>();
      await using origin = new ScriptedOrigin(async (socket) => {
        const counting = socket.skip(Infinity);
        for (let sent = 0; sent < bytes; sent += 50_000) await socket.send("x".repeat(50_000));
        await socket.endSending();
        atOrigin.resolve(await counting);
      });
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      // First the client takes nothing, and then a little at a time.
      await client.send(settings([INITIAL_WINDOW_SIZE, 0]), headers(1, CONNECT));
      await client.next(/^HEADERS 1/);
      let received = 0;
      const granting = (async () => {
        while (received < bytes) {
          await client.send(windowUpdate(1, 30_000), windowUpdate(0, 30_000));
          const wanted = Math.min(30_000, bytes - received);
          for (let got = 0; got < wanted;) {
            const line = await client.next(/^DATA 1 /);
            got += Number(/"(\d+) bytes"/.exec(line)?.[1] ?? /"(.*)"/s.exec(line)?.[1].length);
          }
          received += wanted;
        }
      })();
      await granting;
      assert.equal(received, bytes);
      assert.ok(await proxy.metric("weft_buffers_lent") <= 6);
      // Each round is more than half of the window, which is worth telling of.
      const frame = "y".repeat(12_000);
      for (let round = 0; round < 5; round++) {
        await client.send(data(1, frame), data(1, frame), data(1, frame, round === 4));
        if (round < 4) await client.next(/^WINDOW_UPDATE 1 /);
      }
      assert.equal(await atOrigin.promise, 180_000);
    },
  },
];

testThroughProxy("HTTP/2 CONNECT", CONNECTS);

for (const driver of DRIVERS) {
  Deno.test(`HTTP/2 CONNECT (${driver}): a drain lets them end, and takes no new ones`, async () => {
    const proxy = await TestProxy.start(driver);
    await using origin = new ScriptedOrigin(echo);
    await proxy.route(origin);
    using client = await FramePeer.connect(proxy);
    await client.send(headers(1, CONNECT), data(1, "before"));
    await client.wantData(1, "before");
    const drained = proxy.proxy.drain();
    await client.next(/^GOAWAY 2147483647 NO_ERROR/);
    await client.next(/^GOAWAY 1 NO_ERROR/);
    await client.send(headers(3, CONNECT), data(1, "after"));
    await client.wantData(1, "after");
    await client.send(data(1, "", true));
    await client.countData(1);
    client.wantNone(/^HEADERS 3|^RST_STREAM 1/);
    assert.equal(await client.socket.readRest(), "");
    await drained;
    assert.equal(origin.accepted, 1);
  });
}

testThroughProxy("tunnels under a policy", [{
  name: "timeouts.idle: a tunnel without a byte is cut, over HTTP/1.1 and HTTP/2",
  async run(proxy) {
    await using origin = new ScriptedOrigin(echo, { mayFail: true });
    const policies = { app: { timeouts: { idle: "200ms" } } };
    await applyMesh(proxy, { services: { app: [origin] }, policies });
    using old = await proxy.connect();
    await old.send("CONNECT app:80 HTTP/1.1\r\nHost: app:80\r\n\r\nhello");
    await old.readThrough("hello");
    await old.readRest();
    using client = await FramePeer.connect(proxy);
    await client.send(headers(1, CONNECT), data(1, "hello"));
    await client.wantData(1, "hello");
    await client.next(/^RST_STREAM 1 CONNECT_ERROR$/);
  },
}]);

testThroughProxy("HTTP/2 CONNECT, idle", [{
  name: "a tunnel without a byte is cut; one with some goes on",
  async run(proxy) {
    await using origin = new ScriptedOrigin(echo);
    await proxy.route(origin);
    using client = await FramePeer.connect(proxy);
    await client.send(headers(1, CONNECT), headers(3, CONNECT));
    await client.next(/^HEADERS 3/);
    let isCut = false;
    const cut = client.next(/^RST_STREAM 1 CONNECT_ERROR$/).then(() => isCut = true);
    while (!isCut) {
      await client.send(data(3, "."));
      await Promise.race([cut, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
    await client.send(data(3, "", true));
    await client.countData(3);
  },
}], { timeouts: { stallMs: 300 } });
