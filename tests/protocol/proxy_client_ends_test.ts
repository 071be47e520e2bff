/**
 * Clients of HTTP/1.1 that end their direction (FIN) in each phase of a request: they are taken to be gone, and the endpoint
 * is told at once. Only a tunnel has two directions that end by themselves.
 */
import assert from "node:assert/strict";
import { FramePeer } from "../http2/frame_peer.ts";
import { data, headers } from "./http2/frames.ts";
import { GET, request } from "../policy/client.ts";
import { applyMesh } from "../policy/mesh.ts";
import { statusOf } from "../support/raw_socket.ts";
import { ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, type TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import { skipWithoutLinux, unreachable } from "../support/unreachable.ts";
import { soon, until } from "../support/until.ts";

/** An endpoint, and what it has seen. */
interface Watched extends AsyncDisposable {
  readonly port: number;
  /** Its request has come as far as the case says. */
  readonly asked: Promise<void>;
  /** Its request was given up. */
  readonly told: Promise<string>;
}

/** What an endpoint sends before it waits for the end. */
type Progress = "head" | "answer";

function overHttp1(mark: string, progress: Progress): Watched {
  const asked = Promise.withResolvers<void>();
  const told = Promise.withResolvers<string>();
  const origin = new ScriptedOrigin(async (socket) => {
    await socket.readThrough(mark);
    if (progress === "answer") {
      await socket.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    }
    asked.resolve();
    told.resolve(await socket.readRest());
  }, { mayFail: true });
  return watched(origin, asked.promise, told.promise);
}

function overHttp2(mark: string, progress: Progress): Watched {
  const asked = Promise.withResolvers<void>();
  const told = Promise.withResolvers<string>();
  const origin = new ScriptedOrigin(async (socket) => {
    const peer = await FramePeer.accept(socket, false);
    await peer.next(/^HEADERS 1 /);
    if (mark !== "\r\n\r\n") await peer.next(/^DATA 1 /);
    if (progress === "answer") {
      await peer.send(headers(1, [[":status", "200"]]), data(1, "hello"));
    }
    asked.resolve();
    told.resolve((await peer.next(/^RST_STREAM 1 /)).replace("RST_STREAM 1 ", ""));
    await socket.readRest();
  }, { mayFail: true });
  return watched(origin, asked.promise, told.promise);
}

function watched(origin: ScriptedOrigin, asked: Promise<void>, told: Promise<string>): Watched {
  return {
    port: origin.port,
    asked,
    told,
    [Symbol.asyncDispose]: () => origin[Symbol.asyncDispose](),
  };
}

const PART = "POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 10\r\n\r\nhello";
const CHUNK = "POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";

interface Phase {
  readonly sent: string;
  /** How far the endpoint reads. */
  readonly mark: string;
  readonly progress: Progress;
}

const PHASES: Readonly<Record<string, Phase>> = {
  "before the answer": { sent: GET, mark: "\r\n\r\n", progress: "head" },
  "before the answer to a body": {
    sent: request("POST", { body: "hello" }),
    mark: "hello",
    progress: "head",
  },
  "within the answer": { sent: GET, mark: "\r\n\r\n", progress: "answer" },
  "within a body of known length": { sent: PART, mark: "hello", progress: "head" },
  "within a chunked body": { sent: CHUNK, mark: "hello\r\n", progress: "head" },
  "within a body that is answered early": { sent: PART, mark: "hello", progress: "answer" },
  "behind pipelined requests": { sent: GET.repeat(3), mark: "\r\n\r\n", progress: "head" },
};

const TOLD: readonly ProxyCase[] = Object.entries(PHASES).flatMap(([when, phase]) =>
  [overHttp1, overHttp2].map((start) => ({
    name: `${when}: the endpoint is told, over ${start === overHttp1 ? "HTTP/1.1" : "HTTP/2"}`,
    async run(proxy: TestProxy) {
      await using origin = start(phase.mark, phase.progress);
      if (start === overHttp1) await proxy.route(origin);
      else await proxy.routeHttp2(origin);
      using client = await proxy.connect();
      await client.send(phase.sent);
      await soon("the request", origin.asked);
      if (phase.progress === "answer") await client.readThrough("hello");
      await client.endSending();
      const told = await soon("the endpoint to be told", origin.told);
      assert.equal(told, start === overHttp1 ? "" : "CANCEL");
      // Of a chunk its line end may be left, but no last chunk.
      assert.equal((await client.readRest()).trim(), "");
    },
  }))
);

const FOR_EVER = "1h";

/** Phases in which no endpoint is at work. */
const HELD: readonly ProxyCase[] = [
  {
    name: "while the connection to the endpoint is made: nothing is left of it",
    skip: skipWithoutLinux,
    async run(proxy) {
      await using gone = await unreachable();
      await proxy.route(gone);
      using client = await proxy.connect();
      await client.send(GET);
      await proxy.untilMetric("weft_upstream_connections_open", 1);
      await client.endSending();
      assert.equal(await client.readRest(), "");
      await proxy.untilMetric("weft_upstream_connections_open", 0);
    },
  },
  {
    name: "while a fault delays the request: the endpoint is not asked",
    async run(proxy) {
      await using origin = new ScriptedOrigin(() => Promise.resolve());
      await applyMesh(proxy, {
        services: { app: [origin] },
        policies: { app: { fault: { delay: { duration: FOR_EVER } } } },
      });
      using client = await proxy.connect();
      await client.send(GET);
      await client.endSending();
      assert.equal(await client.readRest(), "");
      assert.equal(origin.accepted, 0);
    },
  },
  {
    name: "before a retry: the endpoint is not asked again",
    async run(proxy) {
      let asked = 0;
      await using origin = new ScriptedOrigin(async (socket) => {
        for (; await socket.readRequest() !== null; asked++) {
          await socket.send("HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n");
        }
      });
      await applyMesh(proxy, {
        services: { app: [origin] },
        policies: { app: { retry: { attempts: 9, retryOn: [503], backoff: "30s" } } },
      });
      const retries = () => proxy.metric("weft_upstream_retries_total");
      const before = await retries();
      using client = await proxy.connect();
      await client.send(GET);
      await until("a retry to be put off", retries, (count) => count > before);
      const seen = asked;
      await client.endSending();
      assert.equal(await client.readRest(), "");
      assert.equal(asked, seen);
    },
  },
  {
    name: "while the request waits for a connection: the others go on",
    async run(proxy) {
      const release = Promise.withResolvers<void>();
      let asked = 0;
      await using origin = new ScriptedOrigin(async (socket) => {
        while (await socket.readRequest() !== null) {
          asked++;
          await release.promise;
          await socket.send(ok("done"));
        }
      });
      await applyMesh(proxy, {
        services: { app: [origin] },
        policies: { app: { connectionLimits: { maxConnections: 1 } } },
      });
      using first = await proxy.connect();
      await first.send(GET);
      await until("the endpoint to be asked", () => asked, (count) => count === 1);
      using second = await proxy.connect();
      await second.send(GET);
      await second.endSending();
      assert.equal(await second.readRest(), "");
      release.resolve();
      assert.equal((await first.readResponse()).body, "done");
      assert.equal(asked, 1);
    },
  },
];

const OTHERS: readonly ProxyCase[] = [
  {
    name: "within a head: closed without a word",
    async run(proxy) {
      using client = await proxy.connect();
      await client.send("GET / HTTP/1.1\r\nHos");
      await client.endSending();
      assert.equal(await client.readRest(), "");
    },
  },
  {
    name: "answers that are there already are not lost",
    async run(proxy) {
      using client = await proxy.connect();
      await client.send(GET.replace("app", "nowhere").repeat(3));
      await client.endSending();
      for (let i = 0; i < 3; i++) assert.equal(statusOf(await client.readResponse()), 404);
      assert.equal(await client.readRest(), "");
    },
  },
  ...["CONNECT app:80 HTTP/1.1\r\nHost: app:80\r\n\r\n", "upgrade"].map((how): ProxyCase => ({
    name: `a tunnel by ${how.split(" ")[0]}: the endpoint goes on after the client's end`,
    async run(proxy) {
      const isUpgrade = how === "upgrade";
      await using origin = new ScriptedOrigin(async (socket) => {
        if (isUpgrade) {
          await socket.readThrough("\r\n\r\n");
          await socket.send("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: own\r\n\r\n");
        }
        const got = await socket.readRest();
        await socket.send(`got ${got}`);
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(
        isUpgrade
          ? GET.replace("\r\n\r\n", "\r\nConnection: upgrade\r\nUpgrade: own\r\n\r\n")
          : how,
      );
      await client.readThrough("\r\n\r\n");
      await client.send("all");
      await client.endSending();
      assert.equal(await client.readRest(), "got all");
    },
  })),
];

testThroughProxy("clients of HTTP/1.1 that end", [...TOLD, ...HELD, ...OTHERS]);
