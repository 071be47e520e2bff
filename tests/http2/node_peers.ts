/** Clients and endpoints of HTTP/1.1 and HTTP/2 that run within a Node process. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { NodeProcess, Tools } from "./node_process.ts";

// What is stringified below runs within Node, whose globals Deno 2.6 does not declare.
declare const Buffer: typeof import("node:buffer").Buffer;
declare const setImmediate: (callback: (value: unknown) => void) => void;

export type Version = "h1" | "h2";

/** The bytes that `/bytes` answers, and that clients send: no two blocks of 251 bytes in the same place of a buffer. */
export function patternOf(length: number): Uint8Array<ArrayBuffer> {
  // Not by `Uint8Array.from`, which takes twenty times as long.
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = i % 251;
  return bytes;
}

/** What `/report` and `/bytes` answer, and what a client tells of an answer's body. */
interface BodyReport {
  readonly length: number;
  readonly hash: string;
}

/** What `/report` answers. */
export interface RequestReport extends BodyReport {
  readonly origin: string;
  readonly method: string;
  readonly version: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly trailers: Readonly<Record<string, string>>;
}

/** An endpoint: what it does is said by the path. */
export class NodeOrigin {
  readonly #node: NodeProcess;
  readonly name: string;
  readonly port: number;

  private constructor(node: NodeProcess, name: string, port: number) {
    this.#node = node;
    this.name = name;
    this.port = port;
  }

  static async start(
    node: NodeProcess,
    version: Version,
    settings: Readonly<Record<string, number | boolean>> = {},
    port = 0,
  ): Promise<NodeOrigin> {
    const name = crypto.randomUUID();
    return new NodeOrigin(node, name, await node.run(startOrigin, name, version, settings, port));
  }

  /** Counts since the start. */
  counts(): Promise<OriginCounts> {
    return this.#node.run(({ state }, name) => state[name].counts as OriginCounts, this.name);
  }

  /** What `/report` has answered since the start. */
  reports(): Promise<RequestReport[]> {
    return this.#node.run(({ state }, name) => state[name].reports as RequestReport[], this.name);
  }

  /** Lets go what waits at `/wait`, now and from now on. */
  async release(): Promise<void> {
    await this.#node.run(({ state }, name) => state[name].release(), this.name);
  }

  /** Every connection is told that no new streams are taken. */
  async goAway(): Promise<void> {
    await this.#node.run(({ state }, name) => {
      for (const session of state[name].sessions) session.goaway(0, 0x7fffffff);
    }, this.name);
  }

  /** Ends with all its connections, at once. */
  async stop(): Promise<void> {
    await this.#node.run(({ state }, name) => state[name].stop() as Promise<null>, this.name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

interface OriginCounts {
  /** Connections so far, and open ones. */
  readonly connections: number;
  readonly open: number;
  readonly requests: number;
  /** Requests that their client gave up. */
  readonly aborted: number;
  /** The most requests that were under way at once on one connection. */
  readonly mostAtOnce: number;
}

/** Runs in Node. */
function startOrigin(
  { http, http2, createHash, state }: Tools,
  name: string,
  version: Version,
  settings: Readonly<Record<string, number | boolean>>,
  port: number,
): Promise<number> {
  const counts = { connections: 0, open: 0, requests: 0, aborted: 0, mostAtOnce: 0 };
  const pattern = (length: number) => Buffer.alloc(length).map((_, i) => i % 251);
  let release = () => {};
  const released = new Promise<void>((resolve) => release = resolve);
  const readAll = async (request: IncomingMessage) => {
    const hash = createHash("sha256");
    let length = 0;
    for await (const chunk of request) {
      hash.update(chunk);
      length += chunk.length;
    }
    return { length, hash: hash.digest("hex") };
  };
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? "/", "http://origin");
    const number = (key: string) => Number(url.searchParams.get(key) ?? 0);
    switch (url.pathname) {
      case "/report": {
        const body = await readAll(request);
        const { method, headers, trailers, httpVersion } = request;
        const report = { origin: name, method, version: httpVersion, headers, trailers, ...body };
        state[name].reports.push(report);
        const text = JSON.stringify(report);
        response.setHeader("content-type", "application/json");
        if (!url.searchParams.has("unsaid")) response.setHeader("content-length", text.length);
        return response.end(text);
      }
      case "/bytes": {
        const bytes = pattern(number("count"));
        if (url.searchParams.has("said")) response.setHeader("content-length", bytes.length);
        if (number("pieces") === 0) return response.end(bytes);
        const size = Math.ceil(bytes.length / number("pieces"));
        for (let at = 0; at < bytes.length; at += size) {
          response.write(bytes.subarray(at, at + size));
          await new Promise((resolve) => setImmediate(resolve));
        }
        return response.end();
      }
      case "/echo":
        response.writeHead(200);
        return request.pipe(response);
      case "/status":
        response.statusCode = number("code");
        if (url.searchParams.has("etag")) response.setHeader("etag", '"x"');
        return response.end();
      case "/trailers": {
        await readAll(request);
        response.setHeader("trailer", "x-sum, x-done");
        response.write("body");
        response.addTrailers({ "x-sum": "42", "x-done": "yes" });
        return response.end();
      }
      case "/interim":
        response.writeEarlyHints({ link: "</style.css>; rel=preload" });
        return response.end("done");
      case "/early":
        response.statusCode = 413;
        response.setHeader("content-length", 3);
        return response.end("no\n");
      case "/wait":
        response.setHeader("x-origin", name);
        await released;
        return response.end("waited");
      case "/begin":
        response.write("begun");
        await released;
        return response.end("ended");
      case "/reset":
        return request.socket.destroy();
      case "/reset-after":
        response.write("some");
        await new Promise((resolve) => setTimeout(resolve, 20));
        return request.socket.destroy();
      case "/reset-stream":
        // deno-lint-ignore no-explicit-any -- only HTTP/2 has streams
        return (response as any).stream.close(number("code"));
      case "/flaky":
      case "/hang-first":
      case "/goaway-once": {
        const before = state[name].failures++;
        if (before >= (url.searchParams.has("times") ? number("times") : 1)) break;
        if (url.pathname === "/hang-first") return;
        // deno-lint-ignore no-explicit-any -- only HTTP/2 has streams
        const stream = (response as any).stream;
        if (url.pathname === "/goaway-once") return stream.session.goaway(0, stream.id - 2);
        await readAll(request);
        response.statusCode = number("code");
        return response.end();
      }
      case "/down":
        await readAll(request);
        response.statusCode = url.searchParams.get("name") === name ? number("code") : 200;
        return response.end(name);
      case "/call": {
        // A call of gRPC that fails, at the named endpoint or so many times, by one head or by trailers.
        await readAll(request);
        const named = url.searchParams.get("name");
        const fails = named === null ? state[name].failures++ < number("times") : named === name;
        const status = fails ? url.searchParams.get("status") : "0";
        response.setHeader("content-type", "application/grpc");
        response.setHeader("x-origin", name);
        response.setHeader("x-attempts", String(request.headers["grpc-previous-rpc-attempts"]));
        if (url.searchParams.has("head")) response.setHeader("grpc-status", status ?? "");
        else response.addTrailers({ "grpc-status": status ?? "" });
        if (!url.searchParams.has("head")) response.write("message");
        return response.end();
      }
      case "/headers": {
        for (let i = 0; i < number("count"); i++) {
          response.setHeader(`x-header-${i}`, "v".repeat(number("length")));
        }
        return response.end("headers");
      }
    }
    const body = await readAll(request);
    response.setHeader("x-origin", name);
    response.setHeader("x-attempts", String(request.headers["x-weft-previous-attempts"]));
    response.setHeader("x-hash", body.hash);
    return response.end(name);
  };
  const onRequest = async (request: IncomingMessage, response: ServerResponse) => {
    counts.requests++;
    // deno-lint-ignore no-explicit-any -- a mark of ours on the connection
    const connection = (request as any).stream?.session ?? request.socket as any;
    connection.underWay = (connection.underWay ?? 0) + 1;
    counts.mostAtOnce = Math.max(counts.mostAtOnce, connection.underWay);
    response.on("close", () => connection.underWay--);
    request.on("aborted", () => counts.aborted++);
    response.on("error", () => {});
    await handle(request, response).catch(() => {});
  };
  // deno-lint-ignore no-explicit-any -- either kind of server
  const server: any = version === "h2" ? http2.createServer({ settings }) : http.createServer();
  server.on("request", onRequest);
  const sockets = new Set<{ destroy(): void }>();
  const sessions = new Set<unknown>();
  // deno-lint-ignore no-explicit-any -- a net.Socket
  server.on("connection", (socket: any) => {
    counts.connections++;
    counts.open++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      counts.open--;
      sockets.delete(socket);
    });
  });
  server.on("session", (session: { on(event: string, run: () => void): void }) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => {});
  });
  server.on("sessionError", () => {});
  const stop = () =>
    new Promise<null>((resolve) => {
      server.close(() => resolve(null));
      for (const socket of sockets) socket.destroy();
    });
  state[name] = { counts, reports: [], failures: 0, sessions, stop, release: () => release() };
  return new Promise((resolve) =>
    server.listen(port, "127.0.0.1", () => resolve(server.address().port))
  );
}

/** A request of a Node client. */
export interface Ask {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes of the body; the pattern. */
  readonly bodyBytes?: number;
  /** The length is not said. */
  readonly unsaid?: boolean;
  /** The first byte of the body is sent before the rest of it is handed over. */
  readonly apart?: boolean;
  readonly trailers?: Readonly<Record<string, string>>;
  /** Sends the body only after a 100. */
  readonly expects?: boolean;
}

/** An answer, or why there was none. */
export interface Told extends BodyReport {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly trailers: Readonly<Record<string, string>>;
  readonly interim: readonly number[];
  /** The beginning of the body. */
  readonly text: string;
  readonly error: string;
}

/** Asks all of these at once: over HTTP/2 on one connection, over HTTP/1.1 each on its own. */
export function askAll(
  node: NodeProcess,
  version: Version,
  port: number,
  asks: readonly Ask[],
): Promise<Told[]> {
  // deno-lint-ignore no-explicit-any -- plain data
  return node.run(runAsks as any, version, port, asks as any) as Promise<Told[]>;
}

export async function askNode(
  node: NodeProcess,
  version: Version,
  port: number,
  one: Ask,
): Promise<Told> {
  const [told] = await askAll(node, version, port, [one]);
  return told;
}

/** Runs in Node. */
async function runAsks(
  { http, http2, createHash }: Tools,
  version: Version,
  port: number,
  asks: readonly Ask[],
): Promise<Told[]> {
  const session = version === "h2" ? http2.connect(`http://127.0.0.1:${port}`) : null;
  session?.on("error", () => {});
  const run = (one: Ask) =>
    new Promise<Told>((resolve) => {
      const told = {
        status: 0,
        headers: {} as Record<string, string>,
        trailers: {} as Record<string, string>,
        interim: [] as number[],
        text: "",
        error: "",
        length: 0,
        hash: "",
      };
      const hash = createHash("sha256");
      const bytes = Buffer.alloc(one.bodyBytes ?? 0).map((_, i) => i % 251);
      const hasBody = one.bodyBytes !== undefined;
      const headers: OutgoingHttpHeaders = { ...one.headers };
      if (hasBody && !one.unsaid) headers["content-length"] = bytes.length;
      if (one.expects) headers["expect"] = "100-continue";
      const method = one.method ?? (hasBody ? "POST" : "GET");
      const take = (chunk: Uint8Array) => {
        hash.update(chunk);
        told.length += chunk.length;
        if (told.text.length < 4_096) told.text += Buffer.from(chunk).toString("latin1");
      };
      const finish = () => resolve({ ...told, hash: hash.digest("hex") });
      // deno-lint-ignore no-explicit-any -- a stream or a request
      const send = (request: any) => {
        const write = () => {
          // In two pieces, so that an unsaid length is one.
          if (bytes.length > 1 && one.apart) {
            request.write(bytes.subarray(0, 1), () => request.end(bytes.subarray(1)));
          } else if (bytes.length > 1) {
            request.write(bytes.subarray(0, 1));
            request.end(bytes.subarray(1));
          } else request.end(bytes);
        };
        if (one.expects) request.once("continue", write);
        else if (hasBody) write();
        else request.end();
      };
      if (session !== null) {
        const stream = session.request({
          ":method": method,
          ":path": one.path,
          ":authority": "app",
          ...headers,
        }, { endStream: !hasBody && !one.expects, waitForTrailers: one.trailers !== undefined });
        stream.on("wantTrailers", () => stream.sendTrailers({ ...one.trailers }));
        // deno-lint-ignore no-explicit-any -- Node's own shape of headers
        stream.on("headers", (some: any) => told.interim.push(some[":status"]));
        stream.on("response", (some) => {
          told.status = some[":status"] ?? 0;
          told.headers = { ...some } as Record<string, string>;
        });
        stream.on("trailers", (some) => told.trailers = { ...some } as Record<string, string>);
        stream.on("data", take);
        stream.on("error", (error: Error) => told.error = String(error));
        stream.on("aborted", () => told.error ||= "aborted");
        stream.on("close", () => {
          if (stream.rstCode !== 0) told.error ||= `reset ${stream.rstCode}`;
          finish();
        });
        if (hasBody || one.expects) send(stream);
        return;
      }
      const request = http.request({
        host: "127.0.0.1",
        port,
        method,
        path: one.path,
        agent: false,
        headers: {
          host: "app",
          ...headers,
          ...(one.trailers === undefined ? {} : { trailer: Object.keys(one.trailers).join() }),
        },
      });
      if (one.trailers !== undefined) request.addTrailers({ ...one.trailers });
      request.on("information", ({ statusCode }) => told.interim.push(statusCode));
      request.on("continue", () => told.interim.push(100));
      request.on("response", (response) => {
        told.status = response.statusCode ?? 0;
        told.headers = { ...response.headers } as Record<string, string>;
        response.on("data", take);
        response.on("error", (error) => told.error = String(error));
        response.on("close", () => {
          told.trailers = { ...response.trailers } as Record<string, string>;
          finish();
        });
      });
      request.on("error", (error) => {
        told.error = String(error);
        finish();
      });
      send(request);
    });
  const all = await Promise.all(asks.map(run));
  if (session !== null) await new Promise<void>((resolve) => session.close(() => resolve()));
  return all;
}
