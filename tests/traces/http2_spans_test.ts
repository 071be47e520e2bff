/** Spans and records of HTTP/2 and gRPC, with peers in Node, on both drivers. */
import assert from "node:assert/strict";
import { startClient, startServer } from "../http2/grpc_peers.ts";
import type { Called } from "../http2/grpc_peers.ts";
import { NodePackages } from "../http2/node_packages.ts";
import { askNode, NodeOrigin } from "../http2/node_peers.ts";
import type { RequestReport, Version } from "../http2/node_peers.ts";
import { HAS_NODE, NodeProcess } from "../http2/node_process.ts";
import { DRIVERS, planOf } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { Collector } from "./collector.ts";
import { TracedProxy } from "./traced_proxy.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const PARENT_ID = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE_ID}-${PARENT_ID}-01`;

for (const driver of DRIVERS) {
  Deno.test({
    name: `spans (${driver}): HTTP/2 and HTTP/1.1 on either side${HAS_NODE ? "" : ": needs Node"}`,
    ignore: !HAS_NODE,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using folder = await NodePackages.install([]);
      await using node = new NodeProcess(folder.path);
      await using collector = new Collector();
      for (const [from, to] of [["h2", "h2"], ["h2", "h1"], ["h1", "h2"]] as const) {
        await using origin = await NodeOrigin.start(node, to);
        await using traced = await TracedProxy.start({
          driver,
          spans: { url: collector.url },
          application: origin.port,
        });
        await traced.routeThroughInbound(to === "h2" ? "http2" : "http");
        const headers = { "traceparent": TRACEPARENT, "b3": `${TRACE_ID}-${PARENT_ID}-1` };
        const admin = `http://127.0.0.1:${traced.proxy.admin?.port}`;
        const filter = "path=/report&authority=app&header=b3&service=default/app&limit=1";
        const tap = await fetch(`${admin}/tap?${filter}`);
        const told = await askNode(node, from, traced.port, { path: "/report?a=b", headers });
        const report: RequestReport = JSON.parse(told.text);
        const spans = await collector.take(2);
        const client = spans.find(({ kind }) => kind === "client") ?? assert.fail();
        const server = spans.find(({ kind }) => kind === "server") ?? assert.fail();
        assert.deepEqual([client.traceId, client.parentId], [TRACE_ID, PARENT_ID]);
        assert.deepEqual([server.traceId, server.parentId], [TRACE_ID, client.spanId]);
        assert.equal(report.headers["traceparent"], `00-${TRACE_ID}-${server.spanId}-01`);
        assert.equal(report.headers["b3"], `${TRACE_ID}-${server.spanId}-1-${client.spanId}`);
        const tapped = JSON.parse(await tap.text());
        assert.deepEqual([tapped.protocol, tapped.status, tapped.headers], [
          from === "h2" ? "HTTP/2" : "HTTP/1.1",
          200,
          { "b3": headers.b3 },
        ]);
        const version = (each: Version) => each === "h2" ? "2" : "1.1";
        assert.equal(client.attributes["network.protocol.version"], version(from));
        assert.equal(server.attributes["network.protocol.version"], version(to));
        assert.equal(client.attributes["url.path"], "/report");
        assert.equal(client.attributes["server.address"], "app");
        assert.equal(client.attributes["http.response.status_code"], 200);
      }
    },
  });

  Deno.test({
    name: `spans and records (${driver}): gRPC${HAS_NODE ? "" : ": needs Node"}`,
    ignore: !HAS_NODE,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using folder = await NodePackages.install(["@grpc/grpc-js"]);
      await using node = new NodeProcess(folder.path);
      await using collector = new Collector();
      const port = await node.run(startServer, "server");
      await using traced = await TracedProxy.start({
        driver,
        spans: { url: collector.url },
        application: port,
      });
      await traced.routeThroughInbound("grpc");
      await node.run(startClient, traced.port, "app");
      const call = (path: string, text: string): Promise<Called> =>
        node.run(
          ({ state }, path, text, traceparent) => {
            const metadata = new state["grpc"].Metadata();
            metadata.set("traceparent", traceparent);
            return state["unary"](path, text, metadata);
          },
          path,
          text,
          TRACEPARENT,
        );
      /** What the client's span and the outbound record say of the last call. */
      const outcome = async (spanCount: number) => {
        const spans = await collector.take(spanCount);
        const client = spans.find(({ kind }) => kind === "client") ?? assert.fail();
        assert.deepEqual([client.traceId, client.parentId], [TRACE_ID, PARENT_ID]);
        for (const { kind, parentId, attributes, isError } of spans) {
          if (kind === "client") continue;
          assert.equal(parentId, client.spanId);
          // What was not found is the caller's error.
          if (attributes["rpc.grpc.status_code"] === 5) assert.ok(!isError);
        }
        const record = traced.records.findLast(({ listener }) => listener === 0);
        const { protocol, method, path, status, grpcStatus, reason } = record ?? assert.fail();
        assert.deepEqual([protocol, method, path], [
          "HTTP/2",
          "POST",
          client.attributes["url.path"],
        ]);
        assert.equal(client.attributes["rpc.grpc.status_code"], grpcStatus ?? undefined);
        return { status, grpcStatus, reason, error: client.attributes["error.type"] ?? "" };
      };
      await call("Echo", "hello");
      assert.deepEqual(await outcome(2), { status: 200, grpcStatus: 0, reason: "", error: "" });
      for (const code of [5, 13]) {
        await call("Fail", String(code));
        assert.deepEqual(await outcome(2), {
          status: 200,
          grpcStatus: code,
          reason: "",
          error: String(code),
        });
      }
      await node.run(({ state }, traceparent) => {
        const metadata = new state["grpc"].Metadata();
        metadata.set("traceparent", traceparent);
        state["unary"]("Hang", "", metadata);
      }, TRACEPARENT);
      await until(
        "the call",
        () => node.run(({ state }) => state["server"].counts.hanging as number),
        (hanging) => hanging === 1,
      );
      await node.run(({ state }) => void state["call"].cancel());
      assert.deepEqual(await outcome(2), {
        status: 0,
        grpcStatus: null,
        reason: "client-gone",
        error: "client-gone",
      });
      await traced.proxy.apply(planOf([], "grpc"));
      await call("Echo", "unknown");
      assert.deepEqual(await outcome(1), {
        status: 503,
        grpcStatus: 14,
        reason: "no-endpoints",
        error: "no-endpoints",
      });
      await node.run(({ state }) => {
        state["client"].close();
        state["server"].server.forceShutdown();
      });
    },
  });
}
