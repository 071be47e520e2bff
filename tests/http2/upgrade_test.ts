/** `Upgrade: h2c` through the proxy: frame by frame, and by curl and nghttp. */
import assert from "node:assert/strict";
import { INITIAL_WINDOW_SIZE } from "../../proxy/protocol/http2/settings.ts";
import { CLIENT_STARTED, data, GET_FIELDS, headers, settings } from "../protocol/http2/frames.ts";
import type { Fields } from "../protocol/http2/frames.ts";
import { hasCommand, runCommand } from "../support/commands.ts";
import { headerOf, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { DRIVERS, TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import type { ProxyCase } from "../support/test_proxy.ts";
import { FramePeer } from "./frame_peer.ts";

const GET: Fields = [...GET_FIELDS.slice(0, 3), [":authority", "app"]];
const HEAD = "GET /first HTTP/1.1\r\nHost: app\r\nX-Mine: v\r\n";
/** The window is ten bytes. */
const ASKING =
  "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAQAAAAK\r\n";
const SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";

/** An endpoint of HTTP/1.1 that answers with the request line, and wants nothing of an upgrade to be left. */
function telling(): ScriptedOrigin {
  return new ScriptedOrigin(answering((request) => {
    for (const name of ["upgrade", "http2-settings", "connection"]) {
      assert.equal(headerOf(request, name), undefined, name);
    }
    return ok(`${request.startLine}${request.body}`);
  }));
}

const CASES: readonly ProxyCase[] = [
  {
    name: "the request is answered on stream 1, by the client's settings, and others follow",
    async run(proxy) {
      await using origin = telling();
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(`${HEAD}${ASKING}\r\n`);
      assert.equal(await client.readExactly(SWITCHING.length), SWITCHING);
      const peer = new FramePeer(client);
      await peer.next(/^SETTINGS /);
      await peer.next(/^HEADERS 1 :status: 200/);
      assert.equal(await peer.next(/^DATA 1 /), 'DATA 1 "GET /first"');
      // Until the client says otherwise.
      await peer.send(CLIENT_STARTED, settings([INITIAL_WINDOW_SIZE, 100]));
      assert.equal(await peer.next(/^DATA 1 /), 'DATA 1 " HTTP/1.1" END');
      await peer.send(headers(3, GET, { isEnd: true }));
      await peer.wantData(3, "GET / HTTP/1.1");
      assert.equal(origin.accepted, 1);
    },
  },
  {
    name: "an endpoint of HTTP/2 gets the request, and nothing of the upgrade",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        const peer = await FramePeer.accept(socket, false);
        const head = await peer.next(/^HEADERS 1 END /);
        assert.equal(
          head,
          "HEADERS 1 END :method: GET, :scheme: http, :authority: app, :path: /first, " +
            "x-mine: v, x-forwarded-for: 127.0.0.1, x-forwarded-proto: http",
        );
        await peer.send(headers(1, [[":status", "200"]]), data(1, "done", true));
        await socket.readRest();
      }, { mayFail: true });
      await proxy.routeHttp2(origin);
      using client = await proxy.connect();
      await client.send(`${HEAD}${ASKING}\r\n`);
      await client.readExactly(SWITCHING.length);
      const peer = new FramePeer(client);
      await peer.send(CLIENT_STARTED);
      await peer.wantData(1, "done");
    },
  },
  {
    name: "byte by byte, and the preface too",
    async run(proxy) {
      await using origin = telling();
      await proxy.route(origin);
      using client = await proxy.connect();
      for (const byte of `${HEAD}${ASKING}\r\n`) await client.send(byte);
      await client.readExactly(SWITCHING.length);
      const peer = new FramePeer(client, "byte by byte");
      await peer.send(
        CLIENT_STARTED,
        settings([INITIAL_WINDOW_SIZE, 100]),
        headers(3, GET, { isEnd: true }),
      );
      await peer.wantData(3, "GET / HTTP/1.1");
    },
  },
  {
    name: "a request with a body, or with another behind it, is served as HTTP/1.1",
    async run(proxy) {
      await using origin = telling();
      await proxy.route(origin);
      const bodies = [
        "Content-Length: 5\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "\r\nGET /next HTTP/1.1\r\nHost: app\r\n\r\n",
        "\r\nGET /smuggled HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n",
      ];
      for (const rest of bodies) {
        using client = await proxy.connect();
        await client.send(`${HEAD.replace("GET", "POST")}${ASKING}${rest}`);
        const answer = await client.readResponse();
        assert.equal(statusOf(answer), 200);
        const body = rest.includes("hello") ? "hello" : "";
        assert.equal(
          answer.body.replace("5\r\nhello\r\n0\r\n\r\n", "hello"),
          `POST /first HTTP/1.1${body}`,
        );
        // What comes behind it is a request of its own, routed as such.
        if (body === "") {
          assert.match((await client.readResponse()).body, /^GET \/(next|smuggled) /);
        }
      }
    },
  },
  {
    name: "settings that no client may send: 400, and the connection ends",
    async run(proxy) {
      using client = await proxy.connect();
      await client.send(`${HEAD}${ASKING.replace("AAQAAAAK", "AAIAAAAC")}\r\n`);
      const refusal = await client.readResponse();
      assert.equal(statusOf(refusal), 400);
      assert.equal(headerOf(refusal, "x-weft-reason"), "bad-http2-settings");
      assert.equal(await client.readRest(), "");
    },
  },
  {
    name: "a client that goes on in HTTP/1.1 after all is sent away",
    async run(proxy) {
      await using origin = telling();
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(`${HEAD}${ASKING}\r\n`);
      await client.readExactly(SWITCHING.length);
      const peer = new FramePeer(client);
      await client.send("GET /next HTTP/1.1\r\nHost: app\r\n\r\n");
      await peer.next(/^GOAWAY \d+ PROTOCOL_ERROR/);
      assert.equal(await client.readRest(), "");
    },
  },
];

testThroughProxy("HTTP/2 by upgrade", CASES);

for (const driver of DRIVERS) {
  const missing = ["curl", "nghttp"].filter((command) => !hasCommand(command));
  Deno.test({
    name: `HTTP/2 by upgrade (${driver}): curl and nghttp` +
      (missing.length === 0 ? "" : `: no ${missing.join(", no ")} here`),
    ignore: missing.length > 0,
    async fn() {
      await using proxy = await TestProxy.start(driver);
      await using origin = telling();
      await proxy.route(origin);
      const url = `http://127.0.0.1:${proxy.port}/mine`;
      const { stdout: curl } = await runCommand("curl", [
        ...["-sS", "--http2", "-H", "host: app", url, "-w", "|%{http_version}"],
        ...[
          "--next",
          "-sS",
          "--http2",
          "-H",
          "host: app",
          "-d",
          "body",
          url,
          "-w",
          "|%{http_version}",
        ],
      ]);
      assert.equal(curl, "GET /mine HTTP/1.1|2POST /mine HTTP/1.1body|2");
      const { stdout: nghttp } = await runCommand("nghttp", [
        "-u",
        "-m",
        "3",
        "-H",
        ":authority: app",
        url,
      ]);
      // Its first request, which is that of HTTP/1.1, takes no other host than the URL's.
      const refused = "weft: No Service of the mesh has this host name\n";
      assert.equal(nghttp, refused + "GET /mine HTTP/1.1".repeat(2));
      await proxy.checkNothingLeft();
    },
  });
}
