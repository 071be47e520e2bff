import { closedPort } from "../support/free_port.ts";
import assert from "node:assert/strict";
import { headerOf, RawSocket, ShortMessage, statusOf } from "../support/raw_socket.ts";
import {
  answering,
  ok,
  resettingOrigin,
  ScriptedOrigin,
  skipWithoutReset,
} from "../support/scripted_origin.ts";
import { type ProxyCase, testThroughProxy } from "../support/test_proxy.ts";

const GET = "GET / HTTP/1.1\r\nHost: app\r\n\r\n";

/** Wants this status, reason and body-less repetition from the proxy itself. */
async function wantRefusal(client: RawSocket, status: number, reason: string): Promise<void> {
  const refusal = await client.readResponse();
  assert.equal(`${statusOf(refusal)} ${headerOf(refusal, "x-weft-reason")}`, `${status} ${reason}`);
}

/** Cases in which an endpoint answers something that is no answer: 502. */
function invalid(name: string, answer: string, reason = "upstream-invalid"): ProxyCase {
  return {
    name: `502: ${name}`,
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
        await socket.send(answer);
        if (reason !== "upstream-reset") await socket.readRest();
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(GET);
      await wantRefusal(client, 502, reason);
      // The client's connection is as good as before.
      await client.send(GET.replace("app", "nowhere"));
      await wantRefusal(client, 404, "host-unknown");
    },
  };
}

/** Cases in which the answer ends too soon: the client must be able to tell. */
function short(name: string, head: string, body: string): ProxyCase {
  return {
    name: `cut short: ${name}`,
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
        await socket.send(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${body}`);
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(GET + GET);
      await assert.rejects(client.readResponse(), ShortMessage);
    },
  };
}

/** Cases in which the proxy refuses a request and ends the connection. */
function refused(name: string, request: string, status: number, reason: string): ProxyCase {
  return {
    name: `${status}: ${name}`,
    async run(proxy) {
      using client = await proxy.connect();
      await client.send(request);
      await wantRefusal(client, status, reason);
      assert.equal(await client.readRest(), "");
      assert.equal(client.failure, "");
    },
  };
}

const CASES: readonly ProxyCase[] = [
  {
    name: "an endpoint that refuses is passed over for one that does not",
    async run(proxy) {
      await using origin = new ScriptedOrigin(answering(({ body }) => ok(`got ${body}`)));
      await proxy.route(closedPort(), origin, closedPort());
      using client = await proxy.connect();
      for (let i = 0; i < 6; i++) {
        await client.send("POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 5\r\n\r\nhello");
        assert.equal((await client.readResponse()).body, "got hello");
      }
      assert.ok(await proxy.metric("weft_upstream_connect_failures_total") > 0);
    },
  },
  {
    name: "503: every endpoint refuses",
    async run(proxy) {
      await proxy.route(closedPort(), closedPort(), closedPort(), closedPort());
      using client = await proxy.connect();
      for (let i = 0; i < 3; i++) {
        await client.send(GET);
        await wantRefusal(client, 503, "upstream-refused");
      }
    },
  },
  {
    name: "503: there is no endpoint",
    async run(proxy) {
      await proxy.route();
      using client = await proxy.connect();
      await client.send(GET);
      await wantRefusal(client, 503, "no-endpoints");
    },
  },
  ...["", "HTTP/1.1 200 OK\r\nContent-Le"].map((answer): ProxyCase => ({
    name: `502: the endpoint resets the connection ${answer === "" ? "before" : "within"} its head`,
    skip: skipWithoutReset,
    async run(proxy) {
      await using origin = await resettingOrigin(answer);
      await proxy.route(origin);
      using client = await proxy.connect();
      for (let i = 0; i < 3; i++) {
        await client.send(GET);
        await wantRefusal(client, 502, "upstream-reset");
      }
    },
  })),
  invalid("no HTTP", "SSH-2.0-OpenSSH_9.2\r\n"),
  invalid(
    "both lengths",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
  ),
  invalid("a broken chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"),
  invalid(
    "a head without end",
    `HTTP/1.1 200 OK\r\nX: ${"y".repeat(70_000)}`,
    "upstream-head-too-large",
  ),
  invalid("an unasked upgrade", "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
  invalid("an end within the head", "HTTP/1.1 200 OK\r\nX: y\r\n", "upstream-reset"),
  invalid("an end at once", "", "upstream-reset"),
  short("Content-Length", "Content-Length: 10", "hello"),
  short("nothing of the body", "Content-Length: 10", ""),
  short("a chunk", "Transfer-Encoding: chunked", "5\r\nhel"),
  short("between chunks", "Transfer-Encoding: chunked", "5\r\nhello\r\n"),
  short("the last empty line", "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n"),
  {
    name: "cut short: a chunk that breaks after the answer has begun",
    async run(proxy) {
      const hasBegun = Promise.withResolvers<void>();
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
        await socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        await hasBegun.promise;
        await socket.send("x\r\n0\r\n\r\n");
        await socket.readRest();
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(GET);
      await client.readThrough("hello\r\n");
      hasBegun.resolve();
      assert.doesNotMatch(await client.readRest(), /0\r\n\r\n/);
    },
  },
  {
    name: "cut short: an endpoint resets the connection within its answer",
    skip: skipWithoutReset,
    async run(proxy) {
      for (
        const framing of ["Content-Length: 10", "Transfer-Encoding: chunked", "X: until-close"]
      ) {
        await using origin = await resettingOrigin(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n5\r\nhe`);
        await proxy.route(origin);
        using client = await proxy.connect();
        await client.send(GET);
        await assert.rejects(client.readResponse(), ShortMessage);
      }
    },
  },
  {
    name:
      "cut short: an answer that ends with its connection ends for an HTTP/1.0 client with a reset",
    skip: (driver) => driver === "portable" ? "Deno.TcpConn cannot be reset" : skipWithoutReset(),
    async run(proxy) {
      await using origin = await resettingOrigin("HTTP/1.1 200 OK\r\n\r\nhello");
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send("GET / HTTP/1.0\r\nHost: app\r\n\r\n");
      await client.readRest();
      assert.equal(client.failure, "ConnectionReset");
    },
  },
  {
    name: "unasked bytes after an answer are no answer to the next request",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket, connection) => {
        while (await socket.readRequest() !== null) {
          await socket.send(connection === 0 ? ok("one") + ok("two") : ok("three"));
        }
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(GET);
      assert.equal((await client.readResponse()).body, "one");
      await client.send(GET);
      assert.equal((await client.readResponse()).body, "three");
    },
  },
  refused(
    "the target is too long",
    `GET /${"a".repeat(13_000)} HTTP/1.1\r\nHost: app\r\n\r\n`,
    414,
    "target-too-long",
  ),
  refused("the target has no end", `GET /${"a".repeat(20_000)}`, 414, "target-too-long"),
  refused(
    "the head is too large",
    `GET / HTTP/1.1\r\nHost: app\r\nX: ${"y".repeat(70_000)}\r\n\r\n`,
    431,
    "head-too-large",
  ),
  refused(
    "too many headers",
    `GET / HTTP/1.1\r\nHost: app\r\n${"x: y\r\n".repeat(1_001)}\r\n`,
    431,
    "too-many-headers",
  ),
  refused(
    "the body is too large, by its length",
    `POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 100001\r\n\r\n${"x".repeat(50_000)}`,
    413,
    "body-too-large",
  ),
  {
    name: "413: the body is too large, as it comes",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRest();
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send("POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n");
      await client.send(`8000\r\n${"x".repeat(0x8000)}\r\n`.repeat(3)).catch(() => {});
      await client.send(`8000\r\n${"x".repeat(0x8000)}\r\n`).catch(() => {});
      await wantRefusal(client, 413, "body-too-large");
    },
  },
  {
    name: "the largest body that is taken",
    async run(proxy) {
      await using origin = new ScriptedOrigin(answering(({ body }) => ok(`${body.length}`)));
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send("POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 100000\r\n\r\n");
      await client.send("x".repeat(100_000));
      assert.equal((await client.readResponse()).body, "100000");
    },
  },
  refused(
    "HTTP/3 on a TCP connection",
    GET.replace("HTTP/1.1", "HTTP/3.0"),
    505,
    "version-unsupported",
  ),
  refused("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", 400, "bad-start-line"),
  refused(
    "an unknown coding",
    GET.replace("\r\n\r\n", "\r\nTransfer-Encoding: gzip\r\n\r\n"),
    501,
    "transfer-coding-unsupported",
  ),
];

testThroughProxy("failures", CASES, { bodyBytesMax: 100_000 });
