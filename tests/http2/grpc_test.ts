import assert from "node:assert/strict";
// Names of globals in Node, where the functions that use them run.
import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import { startClient, startServer } from "./grpc_peers.ts";
import type { Called } from "./grpc_peers.ts";
import type { TestProxy } from "../support/test_proxy.ts";
import { testHttp2 } from "./http2_cases.ts";
import type { Http2Case } from "./http2_cases.ts";
import type { NodeProcess } from "./node_process.ts";
import { splitPlan } from "./split_plan.ts";

/** A case with one server, and a client of the host `app`. */
function withServer(
  name: string,
  run: (node: NodeProcess, proxy: TestProxy) => Promise<void>,
  authority = "app",
): Http2Case {
  return {
    name,
    async run(proxy, node) {
      const port = await node.run(startServer, "server");
      await proxy.routeHttp2({ port });
      await node.run(startClient, proxy.port, authority);
      await run(node, proxy);
      await node.run(({ state }) => {
        state["client"].close();
        state["server"].server.forceShutdown();
      });
    },
  };
}

const OK = 0;
const CANCELLED = 1;
const DEADLINE_EXCEEDED = 4;
const UNIMPLEMENTED = 12;
const UNAVAILABLE = 14;

const CASES: readonly Http2Case[] = [
  withServer("unary: message, metadata of both ends, trailers", async (node) => {
    const told: Called = await node.run(({ state }) => {
      const metadata = new state["grpc"].Metadata();
      metadata.set("x-mine", "yes");
      return state["unary"]("Echo", "hello", metadata);
    });
    assert.deepEqual([told.code, told.text], [OK, "hello"]);
    assert.equal(told.head["x-got"], "yes");
    assert.deepEqual(told.head["x-bytes-bin"], { type: "Buffer", data: [0, 255, 7] });
    assert.equal(told.trailers["x-trailer"], "last");
  }),
  withServer("every status code, and its message", async (node) => {
    for (let code = 1; code <= 16; code++) {
      const told: Called = await node.run(
        ({ state }, code) => state["unary"]("Fail", code),
        String(code),
      );
      assert.deepEqual([told.code, told.details], [code, "as it was asked: 100 %"]);
    }
  }),
  withServer("streams: of the server, of the client, both", async (node) => {
    const got = await node.run(async ({ state }) => {
      const { client, grpc } = state;
      const same = (bytes: Uint8Array) => bytes;
      const none = new grpc.Metadata();
      const counted = await new Promise<string[]>((resolve, reject) => {
        const call = client.makeServerStreamRequest(
          "/test.Test/Count",
          same,
          same,
          Buffer.from("1000"),
          none,
          {},
        );
        const seen: string[] = [];
        call.on("data", (bytes: Uint8Array) => seen.push(bytes.toString()));
        call.on("error", reject);
        call.on("end", () => resolve(seen));
      });
      const sum = await new Promise<string>((resolve, reject) => {
        const call = client.makeClientStreamRequest(
          "/test.Test/Sum",
          same,
          same,
          none,
          {},
          (error: Error | null, answer: Uint8Array) =>
            error === null ? resolve(answer.toString()) : reject(error),
        );
        for (let i = 0; i < 1_000; i++) call.write(Buffer.from(String(i)));
        call.end();
      });
      const chat = await new Promise<string[]>((resolve, reject) => {
        const call = client.makeBidiStreamRequest("/test.Test/Chat", same, same, none, {});
        const seen: string[] = [];
        call.on("error", reject);
        call.on("data", (bytes: Uint8Array) => {
          seen.push(bytes.toString());
          // Each waits for the answer to the one before: nothing may be held back on the way.
          if (seen.length < 10) call.write(Buffer.from(String(seen.length)));
          else call.end();
        });
        call.on("end", () => resolve(seen));
        call.write(Buffer.from("0"));
      });
      return { counted, sum, chat };
    });
    assert.deepEqual(got.counted, Array.from({ length: 1_000 }, (_, i) => String(i)));
    assert.equal(got.sum, "499500");
    assert.deepEqual(got.chat, Array.from({ length: 10 }, (_, i) => `re: ${i}`));
  }),
  withServer("a message of ten megabytes, there and back", async (node) => {
    const told: Called = await node.run(({ state }) =>
      state["unary"]("Echo", new Uint8Array(10_000_000))
    );
    assert.deepEqual([told.code, told.length], [OK, 10_000_000]);
  }),
  withServer("deadline and cancellation reach the server", async (node) => {
    const late: Called = await node.run(({ state }) =>
      state["unary"]("Hang", "", undefined, { deadline: Date.now() + 100 })
    );
    assert.equal(late.code, DEADLINE_EXCEEDED);
    const given: Called = await node.run(async ({ state }) => {
      const { counts } = state["server"];
      // On a busy machine the first call may have been over before it was sent.
      const isHanging = () => counts.hanging > counts.cancelled;
      while (isHanging()) await new Promise((next) => setImmediate(next));
      const told = state["unary"]("Hang", "");
      while (!isHanging()) await new Promise((next) => setImmediate(next));
      state["call"].cancel();
      const result = await told;
      while (isHanging()) await new Promise((next) => setImmediate(next));
      return result;
    });
    assert.equal(given.code, CANCELLED);
  }),
  withServer("the server learns how much time is left", async (node) => {
    const told: Called = await node.run(({ state }) =>
      state["unary"]("Remaining", "", undefined, { deadline: Date.now() + 30_000 })
    );
    assert.equal(told.code, OK);
    assert.ok(Number(told.text) > 20_000 && Number(told.text) <= 30_000, told.text);
  }),
  withServer("a server that is gone: UNAVAILABLE, and why", async (node) => {
    const told: Called = await node.run(({ state }) => {
      state["server"].server.forceShutdown();
      return state["unary"]("Echo", "hello");
    });
    assert.equal(told.code, UNAVAILABLE);
    assert.equal(told.details, "No endpoint accepted a connection");
    assert.equal(told.trailers["x-weft-reason"], "upstream-refused");
  }),
  withServer("a host that is not known: UNIMPLEMENTED, and why", async (node) => {
    const told: Called = await node.run(({ state }) => state["unary"]("Echo", "hello"));
    assert.equal(told.code, UNIMPLEMENTED);
    assert.equal(told.trailers["x-weft-reason"], "host-unknown");
  }, "nowhere"),
  {
    name: "a split is exact over the calls of one connection",
    async run(proxy, node) {
      const stable = await node.run(startServer, "stable");
      const canary = await node.run(startServer, "canary");
      await proxy.proxy.apply(splitPlan(stable, canary));
      await node.run(startClient, proxy.port, "app");
      const names = await node.run(async ({ state }) => {
        const calls = Array.from({ length: 100 }, () => state["unary"]("Whoami", ""));
        const told: Called[] = await Promise.all(calls);
        for (const name of ["stable", "canary"]) state[name].server.forceShutdown();
        state["client"].close();
        return told.map(({ text }) => text);
      });
      assert.equal(names.filter((name) => name === "stable").length, 75);
      assert.equal(names.filter((name) => name === "canary").length, 25);
    },
  },
];

testHttp2("gRPC", CASES, { packages: ["@grpc/grpc-js"] });
