import assert from "node:assert/strict";
import { headerOf, RawSocket, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, testThroughProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";

const GET = "GET / HTTP/1.1\r\nHost: app\r\n\r\n";
const MEGABYTE = 1_048_576;

/** Sends `megabytes` of body after `head`, and counts in `sent` what the socket has taken. */
async function sendLarge(
  socket: RawSocket,
  head: string,
  megabytes: number,
  sent: { bytes: number } = { bytes: 0 },
): Promise<void> {
  await socket.send(head);
  const block = new Uint8Array(65_536).fill(120);
  for (; sent.bytes < megabytes * MEGABYTE; sent.bytes += block.length) await socket.send(block);
}

/** Waits until a count stops growing: the sender that counts is held back. */
async function untilStill(what: string, look: () => number): Promise<number> {
  let before = -1;
  let rounds = 0;
  return await until(what, look, (now) => {
    rounds = now === before ? rounds + 1 : 0;
    before = now;
    return now > 0 && rounds > 20;
  });
}

/**
 * The timers of connections that Linux has, as two digits each: 02 asks in time whether the peer is still there.
 * @param field of `/proc/net/tcp`: 1 for the address of this end, 2 for that of the other
 */
async function timersOf(field: 1 | 2, port: number): Promise<string[]> {
  const rows = (await Deno.readTextFile("/proc/net/tcp")).trim().split("\n").slice(1)
    .map((line) => line.trim().split(/\s+/));
  const ending = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return rows.filter((row) => row[field].endsWith(ending) && row[3] === "01")
    .map((row) => row[5].slice(0, 2));
}

const CASES: readonly ProxyCase[] = [
  {
    name: "a peer that is gone without a word is found out, on either side",
    skip: () => Deno.build.os === "linux" ? "" : "/proc/net/tcp tells of Linux's timers",
    async run(proxy) {
      await using origin = new ScriptedOrigin(answering(() => ok("here")));
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(GET);
      assert.equal((await client.readResponse()).body, "here");
      const timers = async () => [
        ...await timersOf(1, proxy.port),
        ...await timersOf(2, origin.port),
      ];
      await until("both to be asked", timers, (all) => all.join() === "02,02");
    },
  },
  {
    name: "slow reader: the endpoint is held back, and two buffers are all that is held",
    async run(proxy) {
      // Several times what V8 lets garbage grow to before it collects, in the test's isolate and the worker's.
      const megabytes = 400;
      const sent = { bytes: 0 };
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
        const head = `HTTP/1.1 200 OK\r\nContent-Length: ${megabytes * MEGABYTE}\r\n\r\n`;
        await sendLarge(socket, head, megabytes, sent);
        await socket.readRest();
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      const before = Deno.memoryUsage().rss;
      await client.send(GET);
      const held = await untilStill("the endpoint to be held back", () => sent.bytes);
      assert.ok(held < megabytes * MEGABYTE, `${held} bytes were taken from the endpoint`);
      assert.ok(await proxy.metric("weft_buffers_lent") <= 2);
      await client.readThrough("\r\n\r\n");
      assert.equal(await client.skip(megabytes * MEGABYTE), megabytes * MEGABYTE);
      const growth = (Deno.memoryUsage().rss - before) / MEGABYTE;
      assert.ok(growth < megabytes / 2, `Memory grew by ${growth} MB`);
    },
  },
  {
    name: "slow reader: an endpoint that closes after its answer does not cut it short",
    async run(proxy) {
      const megabytes = 12;
      for (const framing of [`Content-Length: ${megabytes * MEGABYTE}`, "X: until-close"]) {
        await using origin = new ScriptedOrigin(async (socket) => {
          await socket.readRequest();
          await sendLarge(socket, `HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`, megabytes);
        });
        await proxy.route(origin);
        using client = await proxy.connect();
        // As HTTP/1.0: with no chunks in between.
        await client.send(GET.replace("HTTP/1.1", "HTTP/1.0"));
        await client.readThrough("\r\n\r\n");
        let count = 0;
        // Small bites, so that the proxy's writes to this client are cut everywhere.
        while (count < megabytes * MEGABYTE) {
          const bite = await client.skip(1);
          assert.ok(bite > 0, `The answer ended after ${count} bytes`);
          count += bite;
        }
        assert.equal(count, megabytes * MEGABYTE);
      }
    },
  },
  {
    name: "large upload: the client is held back by a slow endpoint, and all of it arrives",
    async run(proxy) {
      const megabytes = 50;
      const reads = Promise.withResolvers<void>();
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readThrough("\r\n\r\n");
        await reads.promise;
        const count = await socket.skip(megabytes * MEGABYTE);
        await socket.send(ok(`${count}`));
        await socket.readRest();
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      const sent = { bytes: 0 };
      const head = `POST / HTTP/1.1\r\nHost: app\r\nContent-Length: ${
        megabytes * MEGABYTE
      }\r\n\r\n`;
      const sending = sendLarge(client, head, megabytes, sent);
      const held = await untilStill("the client to be held back", () => sent.bytes);
      assert.ok(held < megabytes * MEGABYTE, `${held} bytes were taken from the client`);
      assert.ok(await proxy.metric("weft_buffers_lent") <= 2);
      reads.resolve();
      await sending;
      assert.equal((await client.readResponse()).body, `${megabytes * MEGABYTE}`);
    },
  },
  {
    name: "large upload: begun before the endpoint is connected",
    async run(proxy) {
      for (let i = 0; i < 10; i++) {
        await using origin = new ScriptedOrigin(answering(({ body }) => ok(`${body.length}`)));
        await proxy.route(origin);
        using client = await proxy.connect();
        const body = "x".repeat(300_000);
        const head = `POST / HTTP/1.1\r\nHost: app\r\nContent-Length: ${body.length}\r\n\r\n`;
        await client.send(head + body);
        assert.equal((await client.readResponse()).body, "300000");
      }
    },
  },
  {
    name: "slow writer: a request byte by byte",
    async run(proxy) {
      await using origin = new ScriptedOrigin(
        answering(({ startLine, body }) => ok(startLine + body)),
      );
      await proxy.route(origin);
      using client = await proxy.connect();
      for (const byte of "POST /slow HTTP/1.1\r\nHost: app\r\nContent-Length: 5\r\n\r\nhello") {
        await client.send(byte);
      }
      assert.equal((await client.readResponse()).body, "POST /slow HTTP/1.1hello");
      assert.equal(origin.accepted, 1);
    },
  },
  {
    name: "an endpoint that closes pooled connections as they are used: GET is sent again, once",
    async run(proxy) {
      const requests: string[] = [];
      const asks = { together: 4, arrived: Promise.withResolvers<void>() };
      await using origin = new ScriptedOrigin(async (socket, connection) => {
        for (let i = 0;; i++) {
          const request = await socket.readRequest();
          if (request === null) return;
          requests.push(request.startLine);
          // The first connections answer one request each, together, and drop the second.
          if (connection < asks.together && i === 1) return;
          if (i === 0 && connection + 1 === asks.together) asks.arrived.resolve();
          if (connection < asks.together) await asks.arrived.promise;
          await socket.send(ok(`${connection}`));
        }
      });
      await proxy.route(origin);
      using group = new DisposableStack();
      const clients: RawSocket[] = [];
      for (let i = 0; i < asks.together; i++) clients.push(group.use(await proxy.connect()));
      for (const client of clients) await client.send(GET);
      for (const client of clients) await client.readResponse();
      await proxy.untilMetric("weft_upstream_connections_idle", 4);
      using client = await proxy.connect();
      // One of four dead connections, then one that is new: not three dead ones in a row.
      await client.send("GET /again HTTP/1.1\r\nHost: app\r\n\r\n");
      assert.equal((await client.readResponse()).body, "4");
      assert.equal(requests.filter((line) => line.includes("/again")).length, 2);
    },
  },
  {
    name: "POST over a pooled connection that the endpoint closes is not sent twice",
    async run(proxy) {
      const requests: string[] = [];
      await using origin = new ScriptedOrigin(async (socket) => {
        for (;;) {
          const request = await socket.readRequest();
          if (request === null) return;
          requests.push(request.startLine);
          if (request.startLine.startsWith("POST")) return;
          await socket.send(ok("x"));
        }
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(GET);
      await client.readResponse();
      await client.send("POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 1\r\n\r\nx");
      const refusal = await client.readResponse();
      assert.equal(statusOf(refusal), 502);
      assert.equal(headerOf(refusal, "x-weft-reason"), "upstream-reset");
      assert.deepEqual(requests, ["GET / HTTP/1.1", "POST / HTTP/1.1"]);
    },
  },
  {
    name: "a client that goes away within its answer frees the endpoint's connection",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
        await sendLarge(socket, "HTTP/1.1 200 OK\r\n\r\n", 50).catch(() => {});
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(GET);
      await client.readThrough("\r\n\r\n");
      client.close();
      await proxy.untilMetric("weft_connections_open", 0);
      await proxy.untilMetric("weft_upstream_connections_open", 0);
    },
  },
  {
    name: "two hundred clients at once",
    async run(proxy) {
      await using origin = new ScriptedOrigin(answering(({ startLine }) => ok(startLine)));
      await proxy.route(origin);
      await Promise.all(Array.from({ length: 200 }, async (_, i) => {
        using client = await proxy.connect();
        for (let j = 0; j < 3; j++) {
          await client.send(`GET /${i}-${j} HTTP/1.1\r\nHost: app\r\n\r\n`);
          assert.equal((await client.readResponse()).body, `GET /${i}-${j} HTTP/1.1`);
        }
      }));
      assert.ok(origin.accepted <= 200);
    },
  },
];

testThroughProxy("connections", CASES);
