import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import type { TestProxy } from "../support/test_proxy.ts";
import { routeTo, testHttp2, VERSIONS } from "./http2_cases.ts";
import type { Http2Case } from "./http2_cases.ts";
import { askAll, askNode, NodeOrigin } from "./node_peers.ts";
import type { Told, Version } from "./node_peers.ts";
import type { NodeProcess } from "./node_process.ts";

/** A case for HTTP/2 clients with endpoints of either protocol. */
function forEachEndpoint(
  name: string,
  run: (
    origin: NodeOrigin,
    proxy: TestProxy,
    node: NodeProcess,
    endpoint: Version,
  ) => Promise<void>,
): Http2Case[] {
  return VERSIONS.map((endpoint) => ({
    name: `h2 to ${endpoint}: ${name}`,
    async run(proxy: TestProxy, node: NodeProcess) {
      await using origin = await NodeOrigin.start(node, endpoint);
      await routeTo(proxy, endpoint, origin);
      await run(origin, proxy, node, endpoint);
    },
  }));
}

/** The status, and the reason where the proxy answered. */
function outcomeOf({ status, headers, error }: Told): string {
  const reason = headers["x-weft-reason"];
  return [status, ...(reason === undefined ? [] : [reason]), ...(error === "" ? [] : [error])]
    .join(" ");
}

/** Opens streams on one connection and ends each of them with CANCEL, or the connection, once it is at the endpoint. */
async function abandon(
  node: NodeProcess,
  proxy: TestProxy,
  origin: NodeOrigin,
  how: "streams" | "connection",
  path: string,
): Promise<void> {
  const before = await origin.counts();
  const count = 20;
  await node.run(
    ({ http2, state }, port, path, count) => {
      const session = http2.connect(`http://127.0.0.1:${port}`);
      session.on("error", () => {});
      const streams = Array.from({ length: count }, () => {
        const stream = session.request({ ":path": path, ":authority": "app" });
        stream.on("error", () => {});
        return stream;
      });
      state["abandoned"] = { session, streams };
    },
    proxy.port,
    path,
    count,
  );
  await until(
    "the requests",
    async () => (await origin.counts()).requests - before.requests,
    (n) => n === count,
  );
  await node.run(({ state }, how) => {
    const { session, streams } = state["abandoned"];
    if (how === "connection") return session.destroy();
    for (const stream of streams) stream.close(8);
    session.close();
  }, how);
  await until(
    "the requests to be given up",
    async () => (await origin.counts()).aborted - before.aborted,
    (n) => n === count,
  );
}

const CASES: readonly Http2Case[] = [
  ...forEachEndpoint("clients that give up free the endpoint", async (origin, proxy, node) => {
    for (const path of ["/wait", "/begin"]) {
      await abandon(node, proxy, origin, "streams", path);
      await abandon(node, proxy, origin, "connection", path);
    }
    assert.equal(outcomeOf(await askNode(node, "h2", proxy.port, { path: "/report" })), "200");
  }),
  ...forEachEndpoint("an endpoint that breaks off before and after it answered", async (
    origin,
    proxy,
    node,
    endpoint,
  ) => {
    const before = await askNode(node, "h2", proxy.port, { path: "/reset" });
    assert.equal(outcomeOf(before), "502 upstream-reset");
    const after = await askNode(node, "h2", proxy.port, { path: "/reset-after" });
    assert.equal(after.status, 200);
    assert.match(after.error, /INTERNAL_ERROR/);
    assert.equal(outcomeOf(await askNode(node, "h2", proxy.port, { path: "/report" })), "200");
    const { requests } = await origin.counts();
    // The first one may be asked again where its connection was not new.
    assert.ok(requests >= 3 && requests <= 4, `${requests} requests of ${endpoint}`);
  }),
  {
    name: "h1 to h2: an endpoint that breaks off cuts the client's connection",
    async run(proxy, node) {
      await using origin = await NodeOrigin.start(node, "h2");
      await proxy.routeHttp2(origin);
      const told = await askNode(node, "h1", proxy.port, { path: "/reset-after" });
      assert.equal(told.status, 200);
      assert.match(told.error, /aborted|ECONNRESET/);
    },
  },
  {
    name: "GOAWAY of the endpoint: what is under way ends, what is new takes a new connection",
    async run(proxy, node) {
      await using origin = await NodeOrigin.start(node, "h2");
      await proxy.routeHttp2(origin);
      const waiting = askNode(node, "h2", proxy.port, { path: "/wait" });
      await until("the request", () => origin.counts(), ({ requests }) => requests === 1);
      await origin.goAway();
      await until("another connection", async () => {
        assert.equal(outcomeOf(await askNode(node, "h2", proxy.port, { path: "/" })), "200");
        return (await origin.counts()).connections;
      }, (connections) => connections === 2);
      await origin.release();
      const told = await waiting;
      assert.deepEqual([outcomeOf(told), told.text], ["200", "waited"]);
      // Node itself does not see the end of a connection that it has sent GOAWAY on.
      await proxy.untilMetric("weft_upstream_connections_open", 1);
    },
  },
  {
    name: "an endpoint that allows three streams gets three a connection",
    async run(proxy, node) {
      await using origin = await NodeOrigin.start(node, "h2", { maxConcurrentStreams: 3 });
      await proxy.routeHttp2(origin);
      // The limit is known once there has been a connection.
      assert.equal(outcomeOf(await askNode(node, "h2", proxy.port, { path: "/" })), "200");
      const asks = Array.from({ length: 20 }, () => ({ path: "/wait" }));
      const all = askAll(node, "h2", proxy.port, asks);
      await until("twenty requests", () => origin.counts(), ({ requests }) => requests === 21);
      const { mostAtOnce, connections } = await origin.counts();
      assert.equal(mostAtOnce, 3);
      assert.ok(connections >= 7, `${connections} connections`);
      await origin.release();
      for (const told of await all) assert.equal(outcomeOf(told), "200");
      // And with the limit not known yet, when many come at once.
      await using other = await NodeOrigin.start(node, "h2", { maxConcurrentStreams: 3 });
      await proxy.routeHttp2(other);
      const many = Array.from({ length: 20 }, () => ({ path: "/report", bodyBytes: 10 }));
      for (const told of await askAll(node, "h2", proxy.port, many)) {
        assert.equal(outcomeOf(told), "200");
      }
    },
  },
  {
    name: "an endpoint that has gone: the other takes over; with none, 503",
    async run(proxy, node) {
      for (const client of VERSIONS) {
        await using one = await NodeOrigin.start(node, "h2");
        const other = await NodeOrigin.start(node, "h2");
        await proxy.routeHttp2(one, other);
        const names = new Set<string>();
        for (let i = 0; i < 4; i++) {
          names.add((await askNode(node, client, proxy.port, { path: "/" })).text);
        }
        assert.equal(names.size, 2);
        await other.stop();
        for (let i = 0; i < 6; i++) {
          const told = await askNode(node, client, proxy.port, { path: "/" });
          assert.deepEqual([outcomeOf(told), told.text], ["200", one.name]);
        }
        await one.stop();
        const told = await askNode(node, client, proxy.port, { path: "/" });
        assert.equal(outcomeOf(told), "503 upstream-refused");
      }
    },
  },
  {
    name: "an endpoint that closes while nothing is under way costs no request",
    async run(proxy, node) {
      let origin = await NodeOrigin.start(node, "h2");
      await proxy.routeHttp2(origin);
      for (let i = 0; i < 5; i++) {
        const { port } = origin;
        assert.equal(outcomeOf(await askNode(node, "h2", proxy.port, { path: "/" })), "200");
        await origin.stop();
        origin = await NodeOrigin.start(node, "h2", {}, port);
      }
      await origin.stop();
    },
  },
];

testHttp2("HTTP/2 connections", CASES);
