/** Clients and endpoints under mutual TLS that run within a Node process: `node:tls`, `node:https`, `node:http2`, `ws`, `grpc-js`. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ClientHttp2Session } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { Tools } from "../http2/node_process.ts";

// What is stringified below runs within Node, whose globals Deno 2.6 does not declare.
declare const Buffer: typeof import("node:buffer").Buffer;

/** Files of a certificate and its key, and of whom to trust about the other end; null: the peer is plain. */
export type Credentials = {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
} | null;

/** `h2` speaks nothing else, `h1` and `ws` HTTP/1.1 alone; `echo` is bytes. */
export type EndpointKind = "h2" | "h1" | "ws" | "grpc" | "echo";

/** Runs in Node: starts an endpoint that wants its clients' certificates; its port. It says who called, and how. */
export function startEndpoint(
  { http, http2, net, require, state }: Tools,
  kind: EndpointKind,
  files: Credentials,
): Promise<number> {
  const fs = require("node:fs");
  const read = (name: "cert" | "key" | "ca") => files === null ? "" : fs.readFileSync(files[name]);
  const mutual = {
    key: read("key"),
    cert: read("cert"),
    ca: read("ca"),
    requestCert: true,
    rejectUnauthorized: true,
  };
  const callerOf = (socket: TLSSocket) =>
    files === null ? "plain" : String(socket.getPeerCertificate().subjectaltname);
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const caller = callerOf(request.socket as TLSSocket);
    const text = `${request.method} ${request.url} by HTTP/${request.httpVersion} from ${caller}`;
    response.end(text);
  };
  // deno-lint-ignore no-explicit-any -- any kind of server
  const makeServer = (): any => {
    switch (kind) {
      case "h2":
        return files === null
          ? http2.createServer(answer as never)
          : http2.createSecureServer({ ...mutual, allowHTTP1: false }, answer as never);
      case "h1":
      case "ws":
        return files === null ? http.createServer(answer) : require("node:https").createServer(
          { ...mutual, ALPNProtocols: ["http/1.1"] },
          answer,
        );
      case "echo":
        return files === null
          ? net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket))
          : require("node:tls").createServer(
            { ...mutual, allowHalfOpen: true },
            (socket: TLSSocket) => socket.pipe(socket),
          );
      case "grpc":
        return null;
    }
  };
  if (kind === "grpc") {
    const grpc = require("@grpc/grpc-js");
    const same = (bytes: Uint8Array) => bytes;
    const path = "/test.Test/Echo";
    const codec = {
      path,
      requestStream: true,
      responseStream: true,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    };
    const server = new grpc.Server();
    server.addService({ echo: codec }, {
      // deno-lint-ignore no-explicit-any -- grpc-js as it is
      echo(call: any) {
        call.on("data", (bytes: Uint8Array) => call.write(Buffer.from(`re: ${bytes}`)));
        call.on("end", () => call.end());
      },
    });
    const credentials = files === null
      ? grpc.ServerCredentials.createInsecure()
      : grpc.ServerCredentials.createSsl(
        mutual.ca,
        [{ private_key: mutual.key, cert_chain: mutual.cert }],
        true,
      );
    state["stop"] = () => server.forceShutdown();
    return new Promise((resolve, reject) =>
      server.bindAsync(
        "127.0.0.1:0",
        credentials,
        (error: Error | null, port: number) => error === null ? resolve(port) : reject(error),
      )
    );
  }
  const server = makeServer();
  const sockets = new Set<{ destroy(): void }>();
  server.on("connection", (socket: { destroy(): void }) => sockets.add(socket));
  if (kind === "ws") {
    const { WebSocketServer } = require("ws");
    const webSockets = new WebSocketServer({ server });
    // deno-lint-ignore no-explicit-any -- as `ws` has it
    webSockets.on("connection", (socket: any, request: IncomingMessage) => {
      socket.send(`hello ${callerOf(request.socket as TLSSocket)}`);
      // deno-lint-ignore no-explicit-any -- as `ws` has it
      socket.on("message", (message: any, isBinary: boolean) => {
        socket.send(message, { binary: isBinary });
      });
    });
  }
  state["stop"] = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(server.address().port));
  });
}

/** Runs in Node: what the last endpoint is ended by. */
export function stopEndpoint({ state }: Tools): void {
  state["stop"]();
}

/** Runs in Node: 50 streams at once of one connection to `url`; the different answers. */
export function callByHttp2(
  { http2, require }: Tools,
  url: string,
  files: Credentials,
): Promise<string[]> {
  const fs = require("node:fs");
  const options = files === null ? {} : {
    ca: fs.readFileSync(files.ca),
    cert: fs.readFileSync(files.cert),
    key: fs.readFileSync(files.key),
  };
  const session: ClientHttp2Session = http2.connect(url, options);
  const one = () =>
    new Promise<string>((resolve, reject) => {
      const stream = session.request({ ":path": "/many" });
      let text = "";
      stream.on("data", (bytes) => text += bytes);
      stream.on("end", () => text === "" ? reject(new Error("No answer")) : resolve(text));
      stream.on("error", reject);
    });
  return Promise.all(Array.from({ length: 50 }, one)).then((answers) => {
    session.close();
    return [...new Set(answers)];
  });
}

/** Runs in Node: opens a WebSocket, sends a text and 100 kB, and closes it; what came back. */
export function talkByWebSocket(
  { require }: Tools,
  url: string,
  host: string,
  files: Credentials,
): Promise<{ texts: string[]; bytes: number; code: number }> {
  const { WebSocket } = require("ws");
  const fs = require("node:fs");
  const options = files === null ? { headers: { host } } : {
    ca: fs.readFileSync(files.ca),
    cert: fs.readFileSync(files.cert),
    key: fs.readFileSync(files.key),
  };
  const socket = new WebSocket(url, options);
  const got = { texts: [] as string[], bytes: 0, code: 0 };
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("open", () => {
      socket.send("text");
      socket.send(Buffer.alloc(100_000, 7));
    });
    socket.on("message", (message: Uint8Array, isBinary: boolean) => {
      if (!isBinary) {
        got.texts.push(String(message));
        return;
      }
      got.bytes = message.every((byte) => byte === 7) ? message.length : -1;
      socket.close(4_001);
    });
    socket.on("close", (code: number) => {
      got.code = code;
      resolve(got);
    });
  });
}

/** Runs in Node: a call of gRPC in both directions at once; what came back, and the status. */
export function callByGrpc(
  { require }: Tools,
  target: string,
  authority: string,
  files: Credentials,
): Promise<{ messages: string[]; code: number }> {
  const grpc = require("@grpc/grpc-js");
  const fs = require("node:fs");
  const credentials = files === null
    ? grpc.credentials.createInsecure()
    : grpc.credentials.createSsl(
      fs.readFileSync(files.ca),
      fs.readFileSync(files.key),
      fs.readFileSync(files.cert),
    );
  const client = new grpc.Client(target, credentials, { "grpc.default_authority": authority });
  const same = (bytes: Uint8Array) => bytes;
  const call = client.makeBidiStreamRequest("/test.Test/Echo", same, same, new grpc.Metadata(), {});
  const messages: string[] = [];
  return new Promise((resolve) => {
    call.on("data", (bytes: Uint8Array) => {
      messages.push(String(bytes));
      if (messages.length === 3) call.end();
    });
    call.on("error", () => {});
    call.on("status", ({ code }: { code: number }) => {
      client.close();
      resolve({ messages, code });
    });
    for (const text of ["a", "b", "c"]) call.write(Buffer.from(text));
  });
}
