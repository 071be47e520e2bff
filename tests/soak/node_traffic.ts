/**
 * Peers in Node for what needs a library: HTTP/2, gRPC and WebSocket, endpoints and clients. What is stringified here runs
 * there, and sees its arguments and `Tools` only.
 */
import { Buffer } from "node:buffer";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { NodePackages } from "../http2/node_packages.ts";
import { NodeProcess, type Tools } from "../http2/node_process.ts";
import { byteAt } from "../simulation/exchange.ts";
import {
  bodyBytes,
  type Endpoint,
  EXCHANGE_MS_MAX,
  type Tally,
  type TrafficKind,
} from "./tally.ts";

export type NodeKind = Extract<TrafficKind, "http2" | "grpc" | "websocket">;

// deno-lint-ignore no-explicit-any -- packages are not known here
type Any = any;

/** How clients in Node are set up; plain data. */
interface NodeClients {
  readonly kind: NodeKind;
  readonly count: number;
  readonly port: number;
  readonly hosts: readonly string[];
  readonly pauseMs: number;
}

export class NodeTraffic {
  readonly #node: NodeProcess;
  readonly #packages: NodePackages;

  private constructor(node: NodeProcess, packages: NodePackages) {
    this.#node = node;
    this.#packages = packages;
  }

  static async start(): Promise<NodeTraffic> {
    const packages = await NodePackages.install(["ws", "@grpc/grpc-js"]);
    const node = new NodeProcess(packages.path);
    const helpers = { byteAt: `${byteAt}`, bodyBytes: `${bodyBytes}` };
    await node.run(prepare, helpers, EXCHANGE_MS_MAX);
    for (const define of [defineHttp2, defineGrpc, defineWebSocket]) await node.run(define);
    return new NodeTraffic(node, packages);
  }

  async endpoint(kind: NodeKind): Promise<Endpoint> {
    const port = await this.#node.run(listen, kind, 0);
    return {
      port,
      die: () => this.#node.run(stop, port),
      comeBack: async () => void await this.#node.run(listen, kind, port),
    };
  }

  async startClients(clients: NodeClients): Promise<void> {
    await this.#node.run(startClients, clients as Any);
  }

  async tallies(): Promise<Record<NodeKind, Tally>> {
    return await this.#node.run(({ state }) => state.tallies as Any);
  }

  /** Asks all clients to end. */
  async stopClients(): Promise<void> {
    await this.#node.run(({ state }) => state.isOver = true);
  }

  /** Clients that have not ended, by kind. */
  async running(): Promise<Record<NodeKind, number>> {
    return await this.#node.run(({ state }) => state.running as Any);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node[Symbol.asyncDispose]();
    await this.#packages[Symbol.asyncDispose]();
  }
}

/** Runs in Node: what all kinds use. */
function prepare(
  { state }: Tools,
  helpers: { readonly byteAt: string; readonly bodyBytes: string },
  limitMs: number,
): null {
  const byteAt = (0, eval)(`(${helpers.byteAt})`);
  const bodyBytes = (0, eval)(`(${helpers.bodyBytes})`);
  state.below = (bound: number) => Math.floor(Math.random() * bound);
  state.size = () => bodyBytes(state.below);
  state.bodyOf = (token: number, body: number, length: number) =>
    Buffer.alloc(length).map((_, index) => byteAt(token, body, index));
  state.isBody = (bytes: Uint8Array, token: number, body: number, from: number) =>
    bytes.every((byte, index) => byte === byteAt(token, body, from + index));
  const tally = () => ({ answered: 0, refused: 0, cut: 0, abandoned: 0, bytes: 0, wrong: [] });
  state.tallies = { http2: tally(), grpc: tally(), websocket: tally() };
  state.servers = {};
  state.kinds = {};
  state.running = { http2: 0, grpc: 0, websocket: 0 };
  state.lastToken = 0;
  // What is not over by then is a defect, and given up so that the soak ends.
  state.bounded = (kind: string, giveUp: () => void) =>
    setTimeout(() => {
      state.tallies[kind].wrong.push(`no end of an exchange over ${kind}`);
      giveUp();
    }, limitMs);
  return null;
}

/** Runs in Node: an endpoint on this port, or any. */
async function listen({ state }: Tools, kind: string, port: number): Promise<number> {
  for (;;) {
    try {
      const server = await state.kinds[kind].listen(port);
      state.servers[server.port] = server;
      return server.port;
    } catch (error) {
      // Its last connections are still going.
      if ((error as Any).code !== "EADDRINUSE" && !/EADDRINUSE|bound/.test(String(error))) {
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Runs in Node. */
async function stop({ state }: Tools, port: number): Promise<void> {
  await state.servers[port].stop();
}

/** Runs in Node. */
function startClients({ state }: Tools, clients: NodeClients): null {
  const { kind, count, port, hosts, pauseMs } = clients;
  const pause = () => new Promise((resolve) => setTimeout(resolve, pauseMs));
  const run = async () => {
    while (!state.isOver) {
      const host = hosts[state.below(hosts.length)];
      await state.kinds[kind].converse(port, host, state.tallies[kind], pause);
      await pause();
    }
    state.running[kind]--;
  };
  state.running[kind] = count;
  for (let i = 0; i < count; i++) run();
  return null;
}

/** Runs in Node. */
function defineHttp2({ http2, state }: Tools): null {
  const serve = async (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on("error", () => {});
    const [, , token, bytes] = String(headers[":path"]).split("/").map(Number);
    const host = String(headers[":authority"] ?? headers.host);
    if (host.split(".")[0] !== "two") {
      state.tallies.http2.wrong.push(`a request for ${host} came to an endpoint of two`);
    }
    let received = 0;
    for await (const chunk of stream) {
      if (!state.isBody(chunk, token, 0, received)) {
        state.tallies.http2.wrong.push(`a byte of request ${token}`);
      }
      received += chunk.length;
    }
    if (received !== Number(headers["x-bytes"]) && !stream.aborted && !stream.destroyed) {
      state.tallies.http2.wrong.push(`length of request ${token}`);
    }
    if (stream.destroyed) return;
    stream.respond({ ":status": 200, "x-token": `${token}` });
    stream.end(state.bodyOf(token, 1, bytes));
  };
  const ask = (session: Any, host: string, tally: Tally) =>
    new Promise<void>((resolve) => {
      // Apart from those of HTTP/1.1 clients, which count from 1.
      const token = 1e6 + ++state.lastToken;
      const answerBytes = state.size();
      const requestBytes = state.below(3) === 0 ? state.size() : 0;
      const stream = session.request({
        ":method": requestBytes > 0 ? "POST" : "GET",
        ":path": `/t/${token}/${answerBytes}/length`,
        ":authority": host,
        "x-bytes": `${requestBytes}`,
      }, { endStream: requestBytes === 0 });
      const timer = state.bounded("http2", () => stream.close(8));
      let status = 0;
      let isRefusal = false;
      let received = 0;
      let isWhole = false;
      let isGivenUp = false;
      stream.on("error", () => {});
      stream.on("response", (headers: Any) => {
        status = headers[":status"];
        isRefusal = headers["x-weft-reason"] !== undefined;
        if (!isRefusal && headers["x-token"] !== `${token}`) {
          tally.wrong.push(`answer ${headers["x-token"]} in place of ${token}`);
        }
      });
      stream.on("data", (chunk: Uint8Array) => {
        if (!isRefusal && !state.isBody(chunk, token, 1, received)) {
          tally.wrong.push(`a byte of answer ${token}`);
        }
        received += chunk.length;
        tally.bytes += chunk.length;
      });
      stream.on("end", () => isWhole = true);
      stream.on("close", () => {
        clearTimeout(timer);
        if (isGivenUp) tally.abandoned++;
        else if (status === 0 || !isWhole || stream.rstCode !== 0) tally.cut++;
        else if (isRefusal) tally.refused++;
        else if (received !== answerBytes) tally.wrong.push(`length of answer ${token}`);
        else tally.answered++;
        resolve();
      });
      if (requestBytes > 0) stream.end(state.bodyOf(token, 0, requestBytes));
      if (state.below(100) === 0) {
        isGivenUp = true;
        stream.close(8);
      }
    });
  state.kinds.http2 = {
    listen: (port: number) =>
      new Promise((resolve, reject) => {
        const sockets = new Set<Any>();
        const server = http2.createServer();
        server.on("sessionError", () => {});
        server.on("connection", (socket: Any) => {
          sockets.add(socket);
          socket.on("close", () => sockets.delete(socket));
        });
        server.on("stream", (stream, headers) => void serve(stream, headers).catch(() => {}));
        server.on("error", reject);
        const stop = () =>
          new Promise<void>((done) => {
            server.close(() => done());
            for (const socket of sockets) socket.destroy();
          });
        server.listen(
          port,
          "127.0.0.1",
          () => resolve({ port: (server.address() as Any).port, stop }),
        );
      }),
    /** Some rounds on one connection, several streams at a time. */
    converse: async (port: number, host: string, tally: Tally, pause: () => Promise<void>) => {
      const session = http2.connect(`http://127.0.0.1:${port}`);
      session.on("error", () => {});
      for (let round = 0; round < 20 && !session.closed && !state.isOver; round++) {
        const streams = Array.from({ length: 1 + state.below(8) }, () => ask(session, host, tally));
        await Promise.all(streams);
        await pause();
      }
      const timer = state.bounded("http2", () => session.destroy());
      await new Promise<void>((resolve) => {
        if (session.destroyed) return resolve();
        session.on("close", resolve);
        session.close();
      });
      clearTimeout(timer);
    },
  };
  return null;
}

/** Runs in Node. */
function defineGrpc({ require, state }: Tools): null {
  const grpc = require("@grpc/grpc-js");
  const same = (bytes: Uint8Array) => bytes;
  const codec = { requestSerialize: same, requestDeserialize: same };
  const method = {
    path: "/soak.Soak/Echo",
    requestStream: false,
    responseStream: false,
    ...codec,
    responseSerialize: same,
    responseDeserialize: same,
  };
  const call = (client: Any, tally: Tally) =>
    new Promise<void>((resolve) => {
      const token = ++state.lastToken;
      const message = state.bodyOf(token, 2, state.size());
      const deadline = Date.now() + 50_000;
      const done = (error: Any, answer: Uint8Array) => {
        clearTimeout(timer);
        if (error === null && Buffer.compare(answer, message) === 0) tally.answered++;
        else if (error === null) tally.wrong.push(`answer to call ${token}`);
        else if (error.code === grpc.status.DEADLINE_EXCEEDED) {
          tally.wrong.push(`call ${token} was not answered in time`);
        } else if (isGivenUp) tally.abandoned++;
        else if (error.metadata?.get("x-weft-reason").length > 0) tally.refused++;
        else tally.cut++;
        tally.bytes += answer?.length ?? 0;
        resolve();
      };
      let isGivenUp = false;
      const underWay = client.makeUnaryRequest(
        ...[method.path, same, same, message, new grpc.Metadata(), { deadline }, done] as Any,
      );
      const timer = state.bounded("grpc", () => underWay.cancel());
      if (state.below(100) === 0) {
        isGivenUp = true;
        underWay.cancel();
      }
    });
  state.kinds.grpc = {
    listen: (port: number) =>
      new Promise((resolve, reject) => {
        const server = new grpc.Server();
        const echo = (underWay: Any, done: Any) => done(null, underWay.request);
        server.addService({ echo: method }, { echo });
        server.bindAsync(
          `127.0.0.1:${port}`,
          grpc.ServerCredentials.createInsecure(),
          (error: Error | null, bound: number) =>
            error === null
              ? resolve({ port: bound, stop: () => server.forceShutdown() })
              : reject(error),
        );
      }),
    converse: async (port: number, host: string, tally: Tally, pause: () => Promise<void>) => {
      const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
        "grpc.default_authority": host,
        // Channels of the same options would share one connection for as long as the process lasts.
        "grpc.use_local_subchannel_pool": 1,
      });
      for (let i = 0; i < 40 && !state.isOver; i++) {
        await Promise.all(Array.from({ length: 1 + state.below(4) }, () => call(client, tally)));
        await pause();
      }
      client.close();
    },
  };
  return null;
}

/** Runs in Node. */
function defineWebSocket({ http, require, state }: Tools): null {
  const { WebSocket, WebSocketServer } = require("ws");
  state.kinds.websocket = {
    listen: (port: number) =>
      new Promise((resolve, reject) => {
        const server = http.createServer();
        const sockets = new WebSocketServer({ server });
        sockets.on("error", () => {});
        sockets.on("connection", (socket: Any) => {
          socket.on("error", () => {});
          socket.on("message", (message: Uint8Array, binary: boolean) => {
            socket.send(message, { binary });
          });
        });
        server.on("error", reject);
        const stop = () =>
          new Promise<void>((done) => {
            for (const socket of sockets.clients) socket.terminate();
            sockets.close();
            server.close(() => done());
            server.closeAllConnections();
          });
        server.listen(
          port,
          "127.0.0.1",
          () => resolve({ port: (server.address() as Any).port, stop }),
        );
      }),
    /** One conversation: messages one after another, each to come back as it went. */
    converse: (port: number, host: string, tally: Tally, pause: () => Promise<void>) =>
      new Promise<void>((resolve) => {
        const token = ++state.lastToken;
        const count = 1 + state.below(20);
        const headers = { host };
        const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, { headers });
        const timer = state.bounded("websocket", () => socket.terminate());
        let sent: Uint8Array = Buffer.alloc(0);
        let messages = 0;
        let isRefused = false;
        let isGivenUp = false;
        const next = async () => {
          if (messages > 0) await pause();
          if (messages === count || state.isOver) return socket.close(4_000);
          sent = state.bodyOf(token, 3, state.size());
          socket.send(sent, { binary: true });
          if (state.below(300) === 0) {
            isGivenUp = true;
            socket.terminate();
          }
        };
        socket.on("open", next);
        socket.on("message", (message: Uint8Array) => {
          if (Buffer.compare(message, sent) !== 0) tally.wrong.push(`message of socket ${token}`);
          tally.bytes += message.length;
          messages++;
          next();
        });
        socket.on("unexpected-response", (_request: Any, response: Any) => {
          isRefused = response.headers["x-weft-reason"] !== undefined;
          socket.terminate();
        });
        socket.on("error", () => {});
        socket.on("close", (code: number) => {
          clearTimeout(timer);
          if (isGivenUp) tally.abandoned++;
          else if (isRefused) tally.refused++;
          else if (code === 4_000) tally.answered++;
          else tally.cut++;
          resolve();
        });
      }),
  };
  return null;
}
