import assert from "node:assert/strict";
import { INITIAL_WINDOW_SIZE } from "../../proxy/protocol/http2/settings.ts";
import { data, GET_FIELDS, headers, settings, windowUpdate } from "../protocol/http2/frames.ts";
import { SETTINGS_ACK } from "../protocol/http2/frames.ts";
import type { Fields } from "../protocol/http2/frames.ts";
import { PREFACE } from "../../proxy/protocol/http2/frame.ts";
import { DRIVERS, TestProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { FramePeer } from "./frame_peer.ts";
import { routeTo, testHttp2, VERSIONS } from "./http2_cases.ts";
import type { Http2Case } from "./http2_cases.ts";
import { askAll, askNode, NodeOrigin } from "./node_peers.ts";
import { HAS_NODE, NodeProcess } from "./node_process.ts";
import { NodePackages } from "./node_packages.ts";

const APP: Fields = GET_FIELDS.map((
  [name, value],
) => [name, name === ":authority" ? "app" : value]);

function get(path: string): Fields {
  return APP.map(([name, value]) => [name, name === ":path" ? path : value]);
}

const CASES: readonly Http2Case[] = [
  ...VERSIONS.map((endpoint): Http2Case => ({
    name:
      `h2 to ${endpoint}: a client that takes nothing holds back the endpoint, at two buffers a stream`,
    async run(proxy, node) {
      await using origin = await NodeOrigin.start(node, endpoint);
      await routeTo(proxy, endpoint, origin);
      using client = new FramePeer(await proxy.connect());
      await client.send(PREFACE, settings([INITIAL_WINDOW_SIZE, 0]), SETTINGS_ACK);
      const streams = [1, 3, 5, 7];
      for (const id of streams) {
        await client.send(headers(id, get("/bytes?count=2000000"), { isEnd: true }));
      }
      for (const id of streams) await client.next(new RegExp(`^HEADERS ${id} `));
      await until("the endpoint to be held back", async () => {
        const before = await proxy.metric("weft_buffers_lent");
        return [before, await proxy.metric("weft_buffers_lent")];
      }, ([one, other]) => one === other && one > 0);
      const lent = await proxy.metric("weft_buffers_lent");
      // And two for the connections themselves.
      assert.ok(lent <= 2 * streams.length + 2, `${lent} buffers`);
      // Other streams go on, and so do these once there is room.
      await client.send(windowUpdate(3, 3_000_000));
      await client.send(windowUpdate(0, 3_000_000));
      await client.next(/^DATA 3 .* END$/);
    },
  })),
  {
    name: "a request that is malformed is reset; others on its connection go on",
    async run(proxy, node) {
      await using origin = await NodeOrigin.start(node, "h1");
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      await client.send(
        headers(1, [...APP, ["connection", "close"]], { isEnd: true }),
        headers(3, [...APP, ["Upper", "case"]], { isEnd: true }),
        headers(5, [...APP, ["x", "a\r\nb: c"]], { isEnd: true }),
        headers(7, [...APP, ["content-length", "5"]]),
        data(7, "more than five", true),
        headers(9, [[":method", "GET"], [":scheme", "http"], [":path", "/"]], { isEnd: true }),
        headers(11, APP, { isEnd: true }),
      );
      await client.next(/^DATA 11 .* END$/);
      for (const id of [1, 3, 5, 7, 9]) {
        await client.next(new RegExp(`^RST_STREAM ${id} PROTOCOL_ERROR$`));
      }
      assert.ok((await origin.counts()).requests <= 2);
      client.close();
    },
  },
  {
    name: "heads that are too large: 431, and the connection goes on",
    async run(proxy, node) {
      await using origin = await NodeOrigin.start(node, "h1");
      await proxy.route(origin);
      const large = { "x-large": "v".repeat(62_000) };
      const many = Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`x-${i}`, "v"]));
      const all = await askAll(node, "h2", proxy.port, [
        { path: "/" },
        { path: "/", headers: large },
        { path: "/", headers: many },
        { path: "/report", headers: { "x-fits": "v".repeat(8_000) } },
      ]);
      assert.deepEqual(all.map(({ status, error }) => `${status}${error}`), [
        "200",
        "431",
        "431",
        "200",
      ]);
      for (const told of all.slice(1, 3)) {
        assert.match(told.headers["x-weft-reason"], /head-too-large|too-many-headers/);
      }
    },
  },
  {
    name: "an expectation that is not known: 417",
    async run(proxy, node) {
      await using origin = await NodeOrigin.start(node, "h1");
      await proxy.route(origin);
      const told = await askNode(node, "h2", proxy.port, {
        path: "/",
        headers: { expect: "more" },
      });
      assert.deepEqual(
        [told.status, told.headers["x-weft-reason"]],
        [417, "expectation-unsupported"],
      );
      assert.equal((await origin.counts()).requests, 0);
    },
  },
  {
    name: "two hundred refusals at once are all answers",
    async run(proxy, node) {
      await proxy.route();
      const asks = Array.from({ length: 200 }, () => ({ path: "/" }));
      for (const told of await askAll(node, "h2", proxy.port, asks)) {
        assert.equal(told.status, 503, told.error);
        assert.equal(told.headers["x-weft-reason"], "no-endpoints");
        assert.equal(told.length, Number(told.headers["content-length"]));
      }
    },
  },
  {
    name: "plans are swapped under load, and no request is lost",
    async run(proxy, node) {
      await using one = await NodeOrigin.start(node, "h2");
      await using other = await NodeOrigin.start(node, "h2");
      await proxy.routeHttp2(one);
      let isDone = false;
      const swapping = (async () => {
        for (let i = 0; !isDone; i++) {
          await proxy.routeHttp2(...(i % 2 === 0 ? [other] : [one]));
          await until("a request", () => proxy.metric("weft_http2_streams_total"), (n) => n > i);
        }
      })();
      for (let round = 0; round < 5; round++) {
        const asks = Array.from({ length: 200 }, () => ({ path: "/bytes?count=1000&said" }));
        const all = await askAll(node, "h2", proxy.port, asks);
        assert.deepEqual(
          all.filter(({ status, length }) => status !== 200 || length !== 1_000),
          [],
        );
      }
      isDone = true;
      await swapping;
      for (const origin of [one, other]) assert.ok((await origin.counts()).requests > 0);
    },
  },
];

testHttp2("HTTP/2 limits", CASES);

testHttp2("HTTP/2 timeouts", [{
  name: "an endpoint that does not answer in time: 504, and the stream is reset",
  async run(proxy, node) {
    for (const endpoint of VERSIONS) {
      await using origin = await NodeOrigin.start(node, endpoint);
      await routeTo(proxy, endpoint, origin);
      const told = await askNode(node, "h2", proxy.port, { path: "/wait" });
      assert.equal(`${told.status} ${told.headers["x-weft-reason"]}`, "504 upstream-timeout");
      await until("the endpoint to know", () => origin.counts(), ({ aborted }) => aborted === 1);
    }
  },
}], { timeouts: { responseMs: 200 } });

for (const driver of DRIVERS) {
  Deno.test({
    name: `HTTP/2 drain (${driver}): GOAWAY, what is under way ends, then the connection`,
    ignore: !HAS_NODE,
    async fn() {
      const proxy = await TestProxy.start(driver);
      await using folder = await NodePackages.install([]);
      await using node = new NodeProcess(folder.path);
      await using origin = await NodeOrigin.start(node, "h2");
      await proxy.routeHttp2(origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, get("/wait"), { isEnd: true }));
      await until("the request", () => origin.counts(), ({ requests }) => requests === 1);
      const drained = proxy.proxy.drain();
      await client.next(/^GOAWAY 2147483647 NO_ERROR/);
      await origin.release();
      await client.next(/^DATA 1 .*END$/);
      client.close();
      await drained;
    },
  });
}
