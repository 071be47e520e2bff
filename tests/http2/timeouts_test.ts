/** Peers of HTTP/2 that keep others waiting: nothing waits for them without end. */
import assert from "node:assert/strict";
import { INITIAL_WINDOW_SIZE } from "../../proxy/protocol/http2/settings.ts";
import {
  CLIENT_START,
  data,
  GET_FIELDS,
  headers,
  POST_FIELDS,
  settings,
} from "../protocol/http2/frames.ts";
import type { Fields } from "../protocol/http2/frames.ts";
import { headerOf, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { DRIVERS, TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import { FramePeer } from "./frame_peer.ts";

const GET: Fields = [...GET_FIELDS.slice(0, 3), [":authority", "app"]];
const POST: Fields = [...POST_FIELDS.slice(0, 3), [":authority", "app"]];

testThroughProxy("HTTP/2 settings", [{
  name: "a client that does not acknowledge them in time is sent away, with what it asked for",
  async run(proxy) {
    await using origin = new ScriptedOrigin(async (socket) => {
      await socket.readRequest();
      await socket.readRest();
    });
    await proxy.route(origin);
    const client = new FramePeer(await proxy.connect());
    await client.send(CLIENT_START, headers(1, GET, { isEnd: true }));
    assert.equal(
      await client.next(/^GOAWAY/),
      'GOAWAY 1 SETTINGS_TIMEOUT "SETTINGS unacknowledged"',
    );
    assert.equal(await client.socket.readRest(), "");
    // One that does may take all the time that requests have.
    using other = await FramePeer.connect(proxy);
    await other.send(headers(1, GET, { isEnd: true }));
    assert.match(await other.next(/^HEADERS 1/), /:status: 504.*upstream-timeout/);
  },
}], { timeouts: { requestHeadMs: 200, responseMs: 600 } });

testThroughProxy("HTTP/2 settings of endpoints", [{
  name: "an endpoint that does not acknowledge them in time is given up: 502",
  async run(proxy) {
    await using origin = new ScriptedOrigin(async (socket) => {
      const peer = new FramePeer(socket);
      await peer.send(settings());
      await peer.next(/^HEADERS 1 /);
      await peer.next(/^GOAWAY 0 SETTINGS_TIMEOUT/);
      await socket.readRest();
    });
    await proxy.routeHttp2(origin);
    using client = await proxy.connect();
    await client.send("POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 0\r\n\r\n");
    const refusal = await client.readResponse();
    assert.equal(statusOf(refusal), 502);
    assert.equal(headerOf(refusal, "x-weft-reason"), "upstream-reset");
  },
}], { timeouts: { connectMs: 200 } });

testThroughProxy("HTTP/2 windows", [
  {
    name: "a client that opens none for an answer gets no more than its head",
    async run(proxy) {
      const length = 200_000;
      await using whole = new ScriptedOrigin(answering(() => ok("x".repeat(length))));
      await using short = new ScriptedOrigin(answering(() => ok("short")));
      for (const origin of [whole, short]) {
        await proxy.route(origin);
        using client = await FramePeer.connect(proxy);
        await client.send(settings([INITIAL_WINDOW_SIZE, 0]), headers(1, GET, { isEnd: true }));
        await client.next(/^HEADERS 1 :status: 200/);
        assert.equal(await client.next(/^RST_STREAM 1/), "RST_STREAM 1 INTERNAL_ERROR");
      }
    },
  },
  {
    name: "an endpoint that opens none for a request: 504",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        const peer = new FramePeer(socket);
        await peer.send(settings([INITIAL_WINDOW_SIZE, 0]));
        await peer.next(/^HEADERS 1 /);
        await peer.next(/^RST_STREAM 1 CANCEL$/);
        await socket.readRest();
      }, { mayFail: true });
      await proxy.routeHttp2(origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, POST), data(1, "some", true));
      assert.match(await client.next(/^HEADERS 1/), /:status: 504.*upstream-timeout/);
    },
  },
], { timeouts: { stallMs: 300 } });

for (const driver of DRIVERS) {
  Deno.test(`HTTP/2 drain (${driver}): a client that does not answer the PING gets no new streams`, async () => {
    const proxy = await TestProxy.start(driver);
    const release = Promise.withResolvers<void>();
    await using origin = new ScriptedOrigin(async (socket) => {
      await socket.readRequest();
      await release.promise;
      await socket.send(ok("late"));
      await socket.readRest();
    });
    await proxy.route(origin);
    using client = await FramePeer.connect(proxy);
    await client.send(headers(1, GET, { isEnd: true }));
    await client.next(/^SETTINGS ACK/);
    const drained = proxy.proxy.drain();
    await client.next(/^GOAWAY 2147483647 NO_ERROR/);
    await client.next(/^PING /);
    await client.next(/^GOAWAY 1 NO_ERROR/);
    await client.send(headers(3, GET, { isEnd: true }));
    release.resolve();
    await client.wantData(1, "late");
    client.wantNone(/^HEADERS 3/);
    assert.equal(await client.socket.readRest(), "");
    await drained;
  });
}
