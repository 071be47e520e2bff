/** WebSocket over HTTP/2 (RFC 8441), frame by frame: from and to HTTP/1.1 and HTTP/2. */
import assert from "node:assert/strict";
import { INTERNAL_ERROR } from "../../proxy/protocol/http2/error_code.ts";
import { webSocketAcceptOf } from "../../proxy/protocol/websocket/handshake.ts";
import { data, headers, reset } from "../protocol/http2/frames.ts";
import type { Fields } from "../protocol/http2/frames.ts";
import { headerOf, statusOf } from "../support/raw_socket.ts";
import type { RawMessage, RawSocket } from "../support/raw_socket.ts";
import { answering, ScriptedOrigin } from "../support/scripted_origin.ts";
import { testThroughProxy } from "../support/test_proxy.ts";
import type { ProxyCase } from "../support/test_proxy.ts";
import { FramePeer } from "./frame_peer.ts";
import type { Sending } from "./frame_peer.ts";

const CONNECT: Fields = [[":method", "CONNECT"], [":authority", "app:80"]];
const WEBSOCKET: Fields = [
  [":method", "CONNECT"],
  [":protocol", "websocket"],
  [":scheme", "http"],
  [":path", "/chat?room=1"],
  [":authority", "app"],
  ["sec-websocket-version", "13"],
  ["sec-websocket-protocol", "chat"],
  ["origin", "http://app"],
];
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const UPGRADE =
  "GET /chat?room=1 HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n" +
  `Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n`;

/** A 101 that proves to have read the key. */
function switched(request: RawMessage | null): string {
  const key = request === null ? "" : headerOf(request, "sec-websocket-key") ?? "";
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${webSocketAcceptOf(key)}\r\nSec-WebSocket-Protocol: chat\r\n\r\n`;
}

/** Sends back what comes, and ends when the other side has. */
async function echo(socket: RawSocket): Promise<void> {
  while (await socket.readMore()) await socket.send(socket.takeAll());
}

/** An endpoint of HTTP/2 that takes WebSocket, and sends back what comes on stream 1. */
async function echoFrames(socket: RawSocket): Promise<void> {
  const peer = await FramePeer.accept(socket, true);
  await peer.next(/^HEADERS 1 /);
  await peer.send(headers(1, [[":status", "200"], ["sec-websocket-protocol", "chat"]]));
  for (;;) {
    const [, text = "", isEnd] = /"(.*)"( END)?$/s.exec(await peer.next(/^DATA 1 /)) ?? [];
    await peer.send(data(1, text, isEnd !== undefined));
    if (isEnd !== undefined) break;
  }
  await socket.readRest();
}

const SENDINGS: readonly Sending[] = ["whole", "byte by byte"];

const WEBSOCKETS: readonly ProxyCase[] = [
  ...SENDINGS.map((sending): ProxyCase => ({
    name:
      `WebSocket to HTTP/1.1: asked for by GET with a key, and nothing before the 101, ${sending}`,
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        const request = await socket.readRequest();
        assert.equal(request?.startLine, "GET /chat?room=1 HTTP/1.1");
        const wanted = {
          "host": "app",
          "connection": "upgrade",
          "upgrade": "websocket",
          "sec-websocket-version": "13",
          "sec-websocket-protocol": "chat",
          "origin": "http://app",
          "x-forwarded-for": "127.0.0.1",
        };
        for (const [name, value] of Object.entries(wanted)) {
          assert.equal(request && headerOf(request, name), value);
        }
        assert.match(request && headerOf(request, "sec-websocket-key") || "", /^[\w+/]{22}==$/);
        // Were it to be refused, what follows could be taken for the next request.
        assert.equal(socket.takeAll(), "");
        await socket.send(`${switched(request)}welcome`);
        await echo(socket);
      });
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy, sending);
      assert.match(await client.next(/^SETTINGS /), / 8=1/);
      await client.send(headers(1, WEBSOCKET), data(1, "GET / HTTP/1.1\r\n\r\n"));
      const head = await client.next(/^HEADERS 1/);
      assert.equal(head, "HEADERS 1 :status: 200, sec-websocket-protocol: chat");
      await client.wantData(1, "welcomeGET / HTTP/1.1\r\n\r\n");
      await client.send(data(1, "bye", true));
      assert.equal(await client.countData(1), 3);
    },
  })),
  {
    name: "WebSocket to HTTP/1.1: an endpoint that declines answers, and what was sent is dropped",
    async run(proxy) {
      await using origin = new ScriptedOrigin(
        answering(({ startLine }) =>
          `HTTP/1.1 403 Forbidden\r\nContent-Length: ${startLine.length}\r\n\r\n${startLine}`
        ),
      );
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      for (const id of [1, 3]) {
        await client.send(headers(id, WEBSOCKET), data(id, "GET /smuggled HTTP/1.1\r\n\r\n"));
        await client.next(new RegExp(`^HEADERS ${id} :status: 403`));
        await client.wantData(id, "GET /chat?room=1 HTTP/1.1");
        await client.next(new RegExp(`^RST_STREAM ${id} NO_ERROR$`));
      }
      assert.equal(origin.accepted, 1);
    },
  },
  {
    name:
      "WebSocket to HTTP/1.1: an endpoint that has not read the key, or takes up something else",
    async run(proxy) {
      const wrong = [
        (text: string) => text.replace(/Accept: .*\r/, "Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r"),
        (text: string) => text.replace(/Sec-WebSocket-Accept: .*\r\n/, ""),
        (text: string) => text.replace("Upgrade: websocket", "Upgrade: other"),
      ];
      for (const change of wrong) {
        await using origin = new ScriptedOrigin(async (socket) => {
          await socket.send(change(switched(await socket.readRequest())));
          await socket.readRest();
        });
        await proxy.route(origin);
        using client = await FramePeer.connect(proxy);
        await client.send(headers(1, WEBSOCKET));
        const head = await client.next(/^HEADERS 1/);
        assert.match(head, /:status: 502.*x-weft-reason: upstream-invalid/);
      }
    },
  },
  {
    name:
      "WebSocket: an endpoint that is lost, or resets the stream, resets the client's with CANCEL",
    async run(proxy) {
      const losses = [
        (peer: FramePeer) => peer.send(reset(1, INTERNAL_ERROR)),
        (peer: FramePeer) => peer.close(),
      ];
      for (const lose of losses) {
        await using origin = new ScriptedOrigin(async (socket) => {
          const peer = await FramePeer.accept(socket, true);
          await peer.next(/^HEADERS 1 /);
          await peer.send(headers(1, [[":status", "200"]]), data(1, "some"));
          await peer.next(/^DATA 1 "go" /);
          await lose(peer);
          await socket.readRest();
        }, { mayFail: true });
        await proxy.routeHttp2(origin);
        using client = await FramePeer.connect(proxy);
        await client.send(headers(1, WEBSOCKET));
        await client.wantData(1, "some");
        await client.send(data(1, "go", true));
        await client.next(/^RST_STREAM 1 CANCEL$/);
      }
    },
  },
  {
    name: "WebSocket from HTTP/1.1 to HTTP/2: an extended CONNECT, and a 101 that answers the key",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        const peer = await FramePeer.accept(socket, true);
        const head = await peer.next(/^HEADERS 1 /);
        const fields = "HEADERS 1 :method: CONNECT, :scheme: http, :authority: app, " +
          ":path: /chat?room=1, :protocol: websocket, sec-websocket-version: 13, " +
          "x-forwarded-for: 127.0.0.1, x-forwarded-proto: http";
        assert.equal(head, fields);
        await peer.send(headers(1, [
          [":status", "200"],
          ["sec-websocket-protocol", "chat"],
          ["content-length", "0"],
        ]));
        await peer.wantData(1, "early");
        await peer.send(data(1, "welcome"));
        await peer.next(/^DATA 1 "" END$/);
        await peer.send(data(1, "bye", true));
        await socket.readRest();
      });
      await proxy.routeHttp2(origin);
      using client = await proxy.connect();
      await client.send(`${UPGRADE}early`);
      const head = await client.readResponse();
      assert.equal(statusOf(head), 101);
      assert.equal(headerOf(head, "connection"), "upgrade");
      assert.equal(headerOf(head, "upgrade"), "websocket");
      assert.equal(headerOf(head, "sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
      assert.equal(headerOf(head, "sec-websocket-protocol"), "chat");
      assert.equal(headerOf(head, "content-length"), undefined);
      assert.equal(await client.readExactly(7), "welcome");
      await client.endSending();
      assert.equal(await client.readRest(), "bye");
    },
  },
  {
    name: "WebSocket from HTTP/1.1 to HTTP/2: an endpoint that declines, and one that takes none",
    async run(proxy) {
      await using declining = new ScriptedOrigin(async (socket) => {
        const peer = await FramePeer.accept(socket, true);
        await peer.next(/^HEADERS 1 /);
        await peer.send(headers(1, [[":status", "426"]]), data(1, "no", true));
        await peer.next(/^RST_STREAM 1 CANCEL$/);
        await socket.readRest();
      });
      await proxy.routeHttp2(declining);
      using client = await proxy.connect();
      await client.send(UPGRADE);
      const answer = await client.readResponse();
      assert.deepEqual([statusOf(answer), answer.body], [426, "no"]);
      await using plain = new ScriptedOrigin(async (socket) => {
        await FramePeer.accept(socket, false);
        await socket.readRest();
      });
      await proxy.routeHttp2(plain);
      await client.send(UPGRADE);
      const refusal = await client.readResponse();
      assert.equal(statusOf(refusal), 501);
      assert.equal(headerOf(refusal, "x-weft-reason"), "websocket-unsupported");
    },
  },
  {
    name: "WebSocket from HTTP/1.1 to HTTP/2: a key that is none",
    async run(proxy) {
      await using origin = new ScriptedOrigin(echoFrames);
      await proxy.routeHttp2(origin);
      for (
        const line of [
          "",
          "Sec-WebSocket-Key: short\r\n",
          `Sec-WebSocket-Key: ${KEY}\r\n`.repeat(2),
        ]
      ) {
        using client = await proxy.connect();
        await client.send(UPGRADE.replace(`Sec-WebSocket-Key: ${KEY}\r\n`, line));
        const refusal = await client.readResponse();
        assert.equal(statusOf(refusal), 400);
        assert.equal(headerOf(refusal, "x-weft-reason"), "bad-websocket-key");
      }
    },
  },
  ...SENDINGS.map((sending): ProxyCase => ({
    name: `WebSocket from HTTP/2 to HTTP/2, ${sending}`,
    async run(proxy) {
      await using origin = new ScriptedOrigin(echoFrames);
      await proxy.routeHttp2(origin);
      using client = await FramePeer.connect(proxy, sending);
      await client.send(headers(1, WEBSOCKET), data(1, "early"));
      const head = await client.next(/^HEADERS 1/);
      assert.equal(head, "HEADERS 1 :status: 200, sec-websocket-protocol: chat");
      await client.wantData(1, "early");
      await client.send(data(1, "bye", true));
      assert.equal(await client.countData(1), 3);
      client.wantNone(/^RST_STREAM/);
    },
  })),
  {
    name: "WebSocket is counted as over HTTP/1.1, CONNECT as answered",
    async run(proxy) {
      await using origin = new ScriptedOrigin(echoFrames);
      await proxy.routeHttp2(origin);
      const requests = async () => {
        const samples = await proxy.samples();
        return ["1xx", "2xx"].map((code) =>
          samples.filter(({ name, labels }) =>
            name === "weft_requests_total" && labels["code"] === code
          ).reduce((sum, { value }) => sum + value, 0)
        );
      };
      const before = await requests();
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, WEBSOCKET));
      await client.next(/^HEADERS 1/);
      await client.send(data(1, "", true));
      await client.countData(1);
      await using other = new ScriptedOrigin(echo);
      await proxy.route(other);
      await client.send(headers(3, CONNECT), data(3, "", true));
      await client.countData(3);
      assert.deepEqual(await requests(), [before[0] + 1, before[1] + 1]);
    },
  },
  {
    name: "a protocol that is none of ours: 501",
    async run(proxy) {
      using client = await FramePeer.connect(proxy);
      const fields = WEBSOCKET.map(([name, value]): [string, string] =>
        name === ":protocol" ? [name, "connect-udp"] : [name, value]
      );
      await client.send(headers(1, fields));
      const head = await client.next(/^HEADERS 1/);
      assert.match(head, /:status: 501.*x-weft-reason: protocol-unsupported/);
    },
  },
];

testThroughProxy("HTTP/2 WebSocket", WEBSOCKETS);
