/**
 * WebSockets over extended CONNECT (RFC 8441), on one side of the proxy or on both. Gateways in Node turn a client's or a
 * server's HTTP/1.1 into HTTP/2 and back, so that the cases and their peers need not know.
 */
import type { IncomingMessage } from "node:http";
import type { ClientHttp2Stream, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { HAS_NODE, NodeProcess, type Tools } from "../http2/node_process.ts";
import type { WebSocketCarrier } from "./carriers.ts";
import type { TesterRole } from "./tester.ts";

export const HTTP2_CARRIERS: readonly WebSocketCarrier[] = [
  carrier("HTTP/2 to HTTP/1.1", ["client"]),
  carrier("HTTP/1.1 to HTTP/2", ["server"]),
  carrier("HTTP/2 to HTTP/2", ["client", "server"]),
];

function carrier(name: string, http2: readonly TesterRole[]): WebSocketCarrier {
  const isClient = http2.includes("client");
  const isServer = http2.includes("server");
  return {
    name,
    http2,
    obstacle: HAS_NODE ? "" : "no Node",
    async start(proxy) {
      const node = new NodeProcess(Deno.cwd());
      await node.run(defineJoin);
      const clientPort = isClient ? await node.run(startClientGateway, proxy.port) : proxy.port;
      const endpoint = isServer ? await node.run(startServerGateway) : 0;
      return {
        async open(serverPort) {
          if (isServer) {
            await node.run(aimServerGateway, serverPort);
            await proxy.routeHttp2({ port: endpoint });
          } else await proxy.route({ port: serverPort });
          return clientPort;
        },
        [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
      };
    },
  };
}

/** Runs in Node: `state.join` makes one line of a socket and a stream, whatever ends or breaks either. */
function defineJoin({ state }: Tools): null {
  state.join = (
    socket: Socket,
    stream: Duplex & { readonly rstCode?: number },
  ) => {
    socket.setNoDelay(true);
    socket.pipe(stream);
    stream.pipe(socket, { end: false });
    // Node ends what is read of a stream that was reset, too.
    stream.on("end", () => {
      if (stream.rstCode === 0) socket.end();
      else socket.resetAndDestroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      // `close` would end the stream in order before it resets it.
      if (!socket.readableEnded || !socket.writableFinished) stream.destroy(new Error("cut off"));
    });
    stream.on("error", () => {});
    stream.on("close", () => {
      if (stream.rstCode !== 0) socket.resetAndDestroy();
    });
  };
  return null;
}

/** Runs in Node: takes HTTP/1.1 upgrades, each to a connection of HTTP/2 of its own. */
function startClientGateway(
  { http, http2, createHash, state }: Tools,
  proxyPort: number,
): Promise<number> {
  const server = http.createServer();
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Uint8Array) => {
    const session = http2.connect(`http://127.0.0.1:${proxyPort}`);
    session.on("error", () => socket.resetAndDestroy());
    session.once("remoteSettings", () => {
      const extensions = request.headers["sec-websocket-extensions"];
      const stream: ClientHttp2Stream = session.request({
        ":method": "CONNECT",
        ":protocol": "websocket",
        ":scheme": "http",
        ":authority": "app",
        ":path": request.url,
        "sec-websocket-version": request.headers["sec-websocket-version"],
        ...(extensions === undefined ? {} : { "sec-websocket-extensions": extensions }),
      }, { endStream: false });
      stream.on("close", () => session.close());
      if (head.length > 0) stream.write(head);
      stream.once("response", (headers) => {
        if (headers[":status"] !== 200) {
          socket.end(`HTTP/1.1 ${headers[":status"]} Refused\r\n\r\n`);
          return;
        }
        const key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
        const agreed = headers["sec-websocket-extensions"];
        socket.write([
          "HTTP/1.1 101 Switching Protocols",
          "Upgrade: websocket",
          "Connection: Upgrade",
          `Sec-WebSocket-Accept: ${createHash("sha1").update(key).digest("base64")}`,
          ...(agreed === undefined ? [] : [`Sec-WebSocket-Extensions: ${agreed}`]),
          "\r\n",
        ].join("\r\n"));
        state.join(socket, stream);
      });
    });
  });
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    })
  );
}

/** Runs in Node: takes extended CONNECT, each to an HTTP/1.1 upgrade at the port that `aimServerGateway` says. */
function startServerGateway({ http2, net, state }: Tools): Promise<number> {
  const server = http2.createServer({ settings: { enableConnectProtocol: true } });
  server.on("sessionError", () => {});
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const socket = net.connect({ port: state.target, host: "127.0.0.1", allowHalfOpen: true });
    const extensions = headers["sec-websocket-extensions"];
    socket.write([
      `GET ${headers[":path"]} HTTP/1.1`,
      `Host: ${headers[":authority"]}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      `Sec-WebSocket-Version: ${headers["sec-websocket-version"]}`,
      ...(extensions === undefined ? [] : [`Sec-WebSocket-Extensions: ${extensions}`]),
      "\r\n",
    ].join("\r\n"));
    stream.on("error", () => socket.resetAndDestroy());
    socket.on("error", (error) => stream.destroy(error));
    let answer = "";
    const onData = (chunk: Uint8Array & { toString(encoding: string): string }) => {
      answer += chunk.toString("latin1");
      const end = answer.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.pause();
      socket.off("data", onData);
      const agreed = /^sec-websocket-extensions: *(.*)\r$/im.exec(answer.slice(0, end + 2))?.[1];
      stream.respond({
        ":status": 200,
        ...(agreed === undefined ? {} : { "sec-websocket-extensions": agreed }),
      });
      const rest = answer.slice(end + 4);
      if (rest !== "") stream.write(rest, "latin1");
      state.join(socket, stream);
    };
    socket.on("data", onData);
  });
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    })
  );
}

/** Runs in Node. */
function aimServerGateway({ state }: Tools, port: number): null {
  state.target = port;
  return null;
}
