/** WebSocket through the proxy, with clients and servers that are not ours: `ws` over HTTP/1.1, and over a stream of Node's HTTP/2. */
import assert from "node:assert/strict";
import type { ClientHttp2Stream, ServerHttp2Stream } from "node:http2";
import { TestProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { routeTo, testHttp2, VERSIONS } from "./http2_cases.ts";
import type { Http2Case } from "./http2_cases.ts";
import type { Version } from "./node_peers.ts";
import type { NodeProcess, Tools } from "./node_process.ts";
import { splitPlan } from "./split_plan.ts";

/** A server that greets, echoes, and closes when it is told to. */
class EchoServer {
  readonly #node: NodeProcess;
  readonly name: string;
  readonly version: Version;
  readonly port: number;

  private constructor(node: NodeProcess, name: string, version: Version, port: number) {
    this.#node = node;
    this.name = name;
    this.version = version;
    this.port = port;
  }

  static async start(node: NodeProcess, version: Version): Promise<EchoServer> {
    const name = crypto.randomUUID();
    return new EchoServer(node, name, version, await node.run(startServer, name, version));
  }

  /** Connections that were opened and closed in order, as the server saw them. */
  closed(): Promise<number[]> {
    return this.#node.run(({ state }, name) => state[name].closed as number[], this.name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node.run(({ state }, name) => state[name].stop() as Promise<null>, this.name);
  }
}

/** Runs in Node. */
function startServer(
  { http, http2, require, state }: Tools,
  name: string,
  version: Version,
): Promise<number> {
  const { WebSocket, WebSocketServer } = require("ws");
  const closed: number[] = [];
  // deno-lint-ignore no-explicit-any -- a WebSocket of a package that is not known here
  const serve = (socket: any, path: string) => {
    socket.on("message", (message: Uint8Array, isBinary: boolean) => {
      if (String(message) === "close") socket.close(4_001);
      else socket.send(message, { binary: isBinary });
    });
    socket.on("error", () => {});
    socket.on("close", (code: number) => closed.push(code));
    socket.send(`${name} ${path}`);
  };
  // deno-lint-ignore no-explicit-any -- either kind of server
  const server: any = version === "h2"
    ? http2.createServer({ settings: { enableConnectProtocol: true } })
    : http.createServer();
  const sockets = new Set<{ destroy(): void }>();
  server.on("connection", (socket: { destroy(): void }) => sockets.add(socket));
  if (version === "h1") {
    const sockets = new WebSocketServer({ server });
    // deno-lint-ignore no-explicit-any -- as above
    sockets.on("connection", (socket: any, request: { url: string }) => serve(socket, request.url));
  } else {
    server.on("stream", (stream: ServerHttp2Stream, headers: Record<string, string>) => {
      if (headers[":protocol"] !== "websocket") return stream.respond({ ":status": 404 });
      stream.respond({ ":status": 200 });
      const socket = new WebSocket(null, undefined, {});
      socket.setSocket(stream, new Uint8Array(0), { maxPayload: 0, skipUTF8Validation: false });
      serve(socket, headers[":path"]);
    });
  }
  const stop = () =>
    new Promise<null>((resolve) => {
      server.close(() => resolve(null));
      for (const socket of sockets) socket.destroy();
    });
  state[name] = { closed, stop };
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve(server.address().port))
  );
}

/** What a client was told by each of its sockets. */
interface Talk {
  readonly greeting: string;
  readonly echoes: readonly (string | number)[];
  readonly code: number;
}

/** Opens sockets, all at once, talks on each, and closes it: on `isServerClosing` by asking the server to. */
function talk(
  node: NodeProcess,
  version: Version,
  port: number,
  count: number,
  isServerClosing: boolean,
): Promise<Talk[]> {
  // deno-lint-ignore no-explicit-any -- plain data
  return node.run(runTalks as any, version, port, count, isServerClosing) as Promise<Talk[]>;
}

/** Runs in Node. */
async function runTalks(
  { http2, require }: Tools,
  version: Version,
  port: number,
  count: number,
  isServerClosing: boolean,
): Promise<Talk[]> {
  const { WebSocket } = require("ws");
  const session = version === "h2" ? http2.connect(`http://127.0.0.1:${port}`) : null;
  const announced = session === null ? null : await new Promise((resolve) => {
    session.once("remoteSettings", ({ enableConnectProtocol }) => resolve(enableConnectProtocol));
  });
  if (announced === false) throw new Error("SETTINGS do not announce extended CONNECT");
  const open = async (path: string) => {
    if (session === null) {
      const headers = { host: "app" };
      return new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
    }
    const stream: ClientHttp2Stream = session.request({
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":scheme": "http",
      ":authority": "app",
      ":path": path,
      "sec-websocket-version": "13",
    }, { endStream: false });
    const status = await new Promise((resolve, reject) => {
      stream.once("error", reject);
      stream.once("response", (headers) => resolve(headers[":status"]));
    });
    if (status !== 200) throw new Error(`Answered ${status}`);
    const socket = new WebSocket(null, undefined, {});
    socket._isServer = false;
    socket.setSocket(stream, new Uint8Array(0), { maxPayload: 0, skipUTF8Validation: false });
    return socket;
  };
  const run = async (path: string) => {
    const socket = await open(path);
    const echoes: (string | number)[] = [];
    let greeting = "";
    return await new Promise<Talk>((resolve, reject) => {
      socket.on("error", reject);
      socket.on("close", (code: number) => resolve({ greeting, echoes, code }));
      socket.on("message", (message: Uint8Array, isBinary: boolean) => {
        if (greeting === "") greeting = String(message);
        else echoes.push(isBinary ? message.length : String(message));
        if (echoes.length === 0) socket.send("hello");
        else if (echoes.length === 1) socket.send(new Uint8Array(300_000));
        else if (isServerClosing) socket.send("close");
        else socket.close(4_000);
      });
    });
  };
  const all = await Promise.all(Array.from({ length: count }, (_, i) => run(`/chat/${i}`)));
  if (session !== null) await new Promise<void>((resolve) => session.close(() => resolve()));
  return all;
}

async function checkTalks(
  proxy: TestProxy,
  node: NodeProcess,
  client: Version,
  server: EchoServer,
): Promise<void> {
  for (const isServerClosing of [false, true]) {
    const talks = await talk(node, client, proxy.port, 5, isServerClosing);
    for (const [i, { greeting, echoes, code }] of talks.entries()) {
      assert.equal(greeting, `${server.name} /chat/${i}`);
      assert.deepEqual(echoes, ["hello", 300_000]);
      // Over Node's streams, `ws` does not always see how its peer closes, even without a proxy.
      if (isServerClosing && client === "h1") assert.equal(code, 4_001);
    }
  }
  const closed = await until(
    "the server to see all ends",
    () => server.closed(),
    ({ length }) => length === 10,
  );
  if (server.version === "h1") assert.equal(closed.filter((code) => code === 4_000).length, 5);
}

const CASES: readonly Http2Case[] = [
  ...VERSIONS.flatMap((client) =>
    VERSIONS.map((endpoint): Http2Case => ({
      name: `${client} to ${endpoint}: five sockets talk at once, closed from either side`,
      async run(proxy, node) {
        await using server = await EchoServer.start(node, endpoint);
        await routeTo(proxy, endpoint, server);
        await checkTalks(proxy, node, client, server);
      },
    }))
  ),
  {
    name: "sockets are split like requests: of any four, three and one",
    async run(proxy, node) {
      for (const client of VERSIONS) {
        await using stable = await EchoServer.start(node, "h2");
        await using canary = await EchoServer.start(node, "h2");
        await proxy.proxy.apply(splitPlan(stable.port, canary.port));
        for (let round = 0; round < 3; round++) {
          const talks = await talk(node, client, proxy.port, 4, false);
          const toCanary = talks.filter(({ greeting }) => greeting.startsWith(canary.name));
          assert.equal(toCanary.length, 1);
        }
      }
    },
  },
];

testHttp2("WebSocket", CASES, { packages: ["ws"] });
