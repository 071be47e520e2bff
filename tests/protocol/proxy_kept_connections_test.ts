/** Connections to endpoints of HTTP/1.1 that are kept between requests: which are used again, and what may be on them unasked. */
import assert from "node:assert/strict";
import net from "node:net";
import { outcomeOf, request, want } from "../policy/client.ts";
import { headerOf, type RawSocket, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin, skipWithoutReset } from "../support/scripted_origin.ts";
import { type ProxyCase, type TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";

const METHODS = ["GET", "POST"] as const;
/** Orders in which both sides' events may come are met by doing it often. */
const ROUNDS = 20;

function asking(method: string): string {
  return request(method, { body: method === "GET" ? "" : "body" });
}

/** What an endpoint says, or does, on a connection on which nothing was asked. */
const STRAYS: Readonly<Record<string, (socket: RawSocket) => Promise<void>>> = {
  "its end": (socket) => socket.endSending(),
  "408 and its end": async (socket) => {
    await socket.send("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n");
    await socket.endSending();
  },
  "408 alone": (socket) => socket.send("HTTP/1.1 408 No\r\nContent-Length: 0\r\n\r\n"),
  "an answer": (socket) => socket.send(ok("stray")),
  "half an answer": (socket) => socket.send("HTTP/1.1 200 OK\r\nContent-Le"),
  "an empty line": (socket) => socket.send("\r\n"),
  "bytes that are no answer": (socket) => socket.send("\0\0\0"),
};

/** Answers the first request of its first connection, and then strays when it is told to. */
class StrayingOrigin extends ScriptedOrigin {
  #stray = Promise.withResolvers<(socket: RawSocket) => Promise<void>>();
  /** Requests by connection. */
  readonly asked: number[];

  constructor() {
    const asked: number[] = [];
    super(async (socket, connection) => {
      asked[connection] = 0;
      while (await socket.readRequest() !== null) {
        asked[connection]++;
        await socket.send(ok(`${connection}`));
        if (connection > 0) continue;
        const stray = await this.#stray.promise;
        await stray(socket);
        this.#strayed.resolve();
      }
    }, { mayFail: true });
    this.asked = asked;
  }

  readonly #strayed = Promise.withResolvers<void>();

  async stray(how: (socket: RawSocket) => Promise<void>): Promise<void> {
    this.#stray.resolve(how);
    await this.#strayed.promise;
  }
}

const STRAYING: readonly ProxyCase[] = Object.entries(STRAYS).flatMap(([what, how]) =>
  METHODS.map((method) => ({
    name: `${what} on a kept connection: it is dropped, and ${method} takes another one`,
    async run(proxy: TestProxy) {
      for (let round = 0; round < ROUNDS; round++) {
        await using origin = new StrayingOrigin();
        await proxy.route(origin);
        using client = await proxy.connect();
        await want(client, "200 0");
        await proxy.untilMetric("weft_upstream_connections_idle", 1);
        await origin.stray(how);
        await want(client, "200 1", asking(method));
        assert.deepEqual(origin.asked, [1, 1]);
      }
    },
  }))
);

/** An endpoint that resets its first connection after one answer. */
async function resetting(): Promise<{ readonly port: number; reset(): void } & AsyncDisposable> {
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => {
    const connection = sockets.push(socket) - 1;
    socket.on("error", () => {});
    socket.on("data", () => socket.write(ok(`${connection}`)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Not listening");
  return {
    port: address.port,
    reset: () => sockets[0].resetAndDestroy(),
    [Symbol.asyncDispose]: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Heads of answers, and whether their connection is used again. */
const KEEPING: readonly (readonly [lines: string, isKept: boolean])[] = [
  ["Keep-Alive: timeout=0", false],
  ["keep-alive: TIMEOUT=0, max=5", false],
  ['Keep-Alive: max=100, timeout="0"', false],
  ["Connection: keep-alive, close", false],
  ["Keep-Alive: timeout=60", true],
  ["Keep-Alive: max=100", true],
  ["Keep-Alive: timeout=soon", true],
  ["Keep-Alive: timeout=-1", true],
  ["Keep-Alive: timeout=99999999999", true],
  ["Keep-Alive:", true],
];

const KEPT: readonly ProxyCase[] = [
  ...METHODS.map((method): ProxyCase => ({
    name: `a reset of a kept connection: ${method} takes another one`,
    skip: skipWithoutReset,
    async run(proxy) {
      for (let round = 0; round < ROUNDS; round++) {
        await using origin = await resetting();
        await proxy.route(origin);
        using client = await proxy.connect();
        await want(client, "200 0");
        await proxy.untilMetric("weft_upstream_connections_idle", 1);
        origin.reset();
        await proxy.untilMetric("weft_upstream_connections_idle", 0);
        await want(client, "200 1", asking(method));
      }
    },
  })),
  ...KEEPING.map(([lines, isKept]): ProxyCase => ({
    name: `an answer with ${lines}: its connection is ${isKept ? "" : "not "}used again`,
    async run(proxy) {
      const answer = ok("x").replace("\r\n", `\r\n${lines}\r\n`);
      await using origin = new ScriptedOrigin(answering(() => answer));
      await proxy.route(origin);
      using client = await proxy.connect();
      for (let i = 0; i < 3; i++) await want(client, "200 x", asking("POST"));
      assert.equal(origin.accepted, isKept ? 1 : 3);
    },
  })),
  {
    name: "Keep-Alive: timeout=1: the connection is not used after a second",
    async run(proxy) {
      const answer = ok("x").replace("\r\n", "\r\nKeep-Alive: timeout=1\r\n");
      await using origin = new ScriptedOrigin(answering(() => answer));
      await proxy.route(origin);
      using client = await proxy.connect();
      await want(client, "200 x", asking("POST"));
      // The proxy ends it, before its endpoint would.
      await until("the connection to end", () => origin.running, (count) => count === 0);
      await want(client, "200 x", asking("POST"));
      assert.equal(origin.accepted, 2);
    },
  },
  ...[1, 3].map((limit): ProxyCase => ({
    name: `an endpoint that closes after ${limit} requests, unannounced: of 100 POSTs none fails`,
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        for (let i = 0; i < limit; i++) {
          const message = await socket.readRequest();
          if (message === null) return;
          await socket.send(ok(message.body));
        }
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      for (let i = 0; i < 100; i++) await want(client, "200 body", asking("POST"));
    },
  })),
  ...["GET", "POST", "PUT"].map((method): ProxyCase => ({
    name: `408 in place of the answer on a kept connection: ${method} is sent again`,
    async run(proxy) {
      const bodies: string[] = [];
      await using origin = new ScriptedOrigin(async (socket, connection) => {
        for (let i = 0;; i++) {
          const message = await socket.readRequest();
          if (message === null) return;
          bodies.push(message.body);
          if (connection === 0 && i === 1) {
            return await socket.send("HTTP/1.1 408 No\r\nConnection: close\r\n\r\n");
          }
          await socket.send(ok(`${connection}`));
        }
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await want(client, "200 0");
      await want(client, "200 1", asking(method));
      assert.equal(bodies[1], bodies[2]);
    },
  })),
  {
    name: "408 on a connection's first request is the answer",
    async run(proxy) {
      await using origin = new ScriptedOrigin(
        answering(() => "HTTP/1.1 408 No\r\nContent-Length: 0\r\n\r\n"),
      );
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(asking("POST"));
      const answer = await client.readResponse();
      assert.equal(statusOf(answer), 408);
      assert.equal(headerOf(answer, "x-weft-reason"), undefined);
      assert.equal(origin.accepted, 1);
    },
  },
  {
    name: "a kept connection that breaks within its answer is no whole answer, and asks no other",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        if (await socket.readRequest() === null) return;
        await socket.send(ok("first"));
        if (await socket.readRequest() === null) return;
        await socket.send("HTTP/1.1 200 OK\r\nContent-Le");
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await want(client, "200 first");
      await client.send(asking("GET"));
      assert.equal(outcomeOf(await client.readResponse()), "502 upstream-reset");
      assert.equal(origin.accepted, 1);
    },
  },
];

testThroughProxy("kept connections", [...STRAYING, ...KEPT]);
