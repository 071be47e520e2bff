import assert from "node:assert/strict";
import { headerOf, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, testThroughProxy } from "../support/test_proxy.ts";
import { skipWithoutLinux, unreachable } from "../support/unreachable.ts";

const GET = "GET / HTTP/1.1\r\nHost: app\r\n\r\n";

/** Takes requests and never answers. */
function silent(): ScriptedOrigin {
  return new ScriptedOrigin(async (socket) => {
    await socket.readRest();
  });
}

const CASES: readonly ProxyCase[] = [
  {
    name: "504: no answer begins in time",
    async run(proxy) {
      await using origin = silent();
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(GET);
      const refusal = await client.readResponse();
      assert.equal(statusOf(refusal), 504);
      assert.equal(headerOf(refusal, "x-weft-reason"), "upstream-timeout");
      await client.send(GET.replace("app", "nowhere"));
      assert.equal(statusOf(await client.readResponse()), 404);
    },
  },
  {
    name: "504: an interim answer does not count as the answer",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
        await socket.send("HTTP/1.1 102 Processing\r\n\r\n");
        await socket.readRest();
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(GET);
      assert.equal(statusOf(await client.readResponse()), 102);
      assert.equal(statusOf(await client.readResponse()), 504);
    },
  },
  {
    name: "504: no endpoint can be connected to in time",
    skip: skipWithoutLinux,
    async run(proxy) {
      await using origin = await unreachable();
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(GET);
      const refusal = await client.readResponse();
      assert.equal(statusOf(refusal), 504);
      assert.equal(headerOf(refusal, "x-weft-reason"), "upstream-connect-timeout");
    },
  },
  {
    name: "an endpoint that cannot be connected to in time is passed over",
    skip: skipWithoutLinux,
    async run(proxy) {
      await using deaf = await unreachable();
      await using origin = new ScriptedOrigin(answering(() => ok("here")));
      await proxy.route(deaf, origin);
      using client = await proxy.connect();
      for (let i = 0; i < 2; i++) {
        await client.send(GET);
        assert.equal((await client.readResponse()).body, "here");
      }
    },
  },
  {
    name: "408: a head that does not arrive in time",
    async run(proxy) {
      for (const beginning of ["G", "GET / HTTP/1.1\r\nHost: app\r\n"]) {
        using client = await proxy.connect();
        await client.send(beginning);
        const refusal = await client.readResponse();
        assert.equal(statusOf(refusal), 408);
        assert.equal(headerOf(refusal, "connection"), "close");
        assert.equal(await client.readRest(), "");
      }
    },
  },
  {
    name: "408: a body that stalls",
    async run(proxy) {
      await using origin = silent();
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send("POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 10\r\n\r\nhello");
      const refusal = await client.readResponse();
      assert.equal(statusOf(refusal), 408);
      assert.equal(await client.readRest(), "");
    },
  },
  {
    name: "an answer that stalls is cut",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
        await socket.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        await socket.readRest();
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(GET);
      assert.match(await client.readRest(), /hello$/);
    },
  },
  {
    name: "a tunnel that stalls is cut",
    async run(proxy) {
      await using origin = silent();
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send("CONNECT app:80 HTTP/1.1\r\nHost: app\r\n\r\nhello");
      assert.match(await client.readRest(), /^HTTP\/1\.1 200 /);
    },
  },
  {
    name: "an idle client is let go without a word, before and after a request",
    async run(proxy) {
      await using origin = new ScriptedOrigin(answering(() => ok("x")));
      await proxy.route(origin);
      using fresh = await proxy.connect();
      assert.equal(await fresh.readRest(), "");
      using client = await proxy.connect();
      await client.send(GET);
      await client.readResponse();
      assert.equal(await client.readRest(), "");
    },
  },
  {
    name: "empty lines after a request are not the beginning of another",
    async run(proxy) {
      await using origin = new ScriptedOrigin(answering(() => ok("x")));
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(`${GET}\r\n`);
      await client.readResponse();
      assert.equal(await client.readRest(), "");
    },
  },
  {
    name: "an idle connection to an endpoint is let go",
    async run(proxy) {
      await using origin = new ScriptedOrigin(answering(() => ok("x")));
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(GET);
      await client.readResponse();
      await proxy.untilMetric("weft_upstream_connections_open", 0);
    },
  },
  {
    name: "a client that does not take its answer is cut",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
        await socket.send("HTTP/1.1 200 OK\r\n\r\n");
        const block = new Uint8Array(65_536);
        for (;;) await socket.send(block);
      }, { mayFail: true });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(GET);
      await proxy.untilMetric("weft_connections_open", 1);
      await proxy.untilMetric("weft_connections_open", 0);
      await proxy.untilMetric("weft_upstream_connections_open", 0);
    },
  },
];

testThroughProxy("timeouts", CASES, {
  timeouts: {
    connectMs: 150,
    responseMs: 150,
    requestHeadMs: 150,
    clientIdleMs: 150,
    upstreamIdleMs: 150,
    stallMs: 150,
  },
});
