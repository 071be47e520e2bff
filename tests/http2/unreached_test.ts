/** gRPC through the sidecars of both sides, where the application behind an endpoint is gone. */
import assert from "node:assert/strict";
import { closedPort } from "../support/free_port.ts";
import { TestPod } from "../support/test_pod.ts";
import { startClient, startServer } from "./grpc_peers.ts";
import type { Called } from "./grpc_peers.ts";
import { testHttp2 } from "./http2_cases.ts";
import type { NodeProcess } from "./node_process.ts";
import { until } from "../support/until.ts";

const UNAVAILABLE = 14;

function call(node: NodeProcess): Promise<Called> {
  return node.run(({ state }) => state["unary"]("Echo", "hello"));
}

testHttp2("gRPC to applications that are gone", [
  {
    name: "a call goes to another endpoint, and the one that is gone is passed over",
    async run(proxy, node) {
      const { driver } = proxy.proxy;
      const server = await node.run(startServer, "server");
      await using dying = await TestPod.start(driver, closedPort());
      await using living = await TestPod.start(driver, { port: server });
      await proxy.routeHttp2(dying, living);
      await node.run(startClient, proxy.port, "app");
      for (let i = 0; i < 6; i++) {
        const told = await call(node);
        assert.deepEqual([told.code, told.text], [0, "hello"]);
        assert.equal(told.head["x-weft-unreached"], undefined);
      }
      const asked = () => Promise.resolve([dying.asked.length, living.asked.length]);
      // A slow machine may take longer than it is passed over.
      await until("all", asked, ([gone, there]) => (gone === 1 || gone === 2) && there === 6);
      await node.run(({ state }) => {
        state["client"].close();
        state["server"].server.forceShutdown();
      });
    },
  },
  {
    name: "where all are gone it is UNAVAILABLE, and nothing in it is for proxies",
    async run(proxy, node) {
      const { driver } = proxy.proxy;
      await using one = await TestPod.start(driver, closedPort());
      await using other = await TestPod.start(driver, closedPort());
      await proxy.routeHttp2(one, other);
      await node.run(startClient, proxy.port, "app");
      const told = await call(node);
      assert.equal(told.code, UNAVAILABLE);
      assert.equal(told.trailers["x-weft-reason"], "upstream-refused");
      assert.equal(told.trailers["x-weft-unreached"], undefined);
      const asked = () => Promise.resolve([one.asked.length, other.asked.length]);
      await until("each once", asked, (counts) => counts.join() === "1,1");
      await node.run(({ state }) => state["client"].close());
    },
  },
], { packages: ["@grpc/grpc-js"] });
