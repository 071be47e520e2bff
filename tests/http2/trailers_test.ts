/** Trailers and broken answers on their way between HTTP/1.1 and HTTP/2, frame by frame. */
import assert from "node:assert/strict";
import { ENHANCE_YOUR_CALM, NO_ERROR } from "../../proxy/protocol/http2/error_code.ts";
import { Random, randomSeed } from "../../base/random.ts";
import { INITIAL_WINDOW_SIZE } from "../../proxy/protocol/http2/settings.ts";
import {
  data,
  GET_FIELDS,
  headers,
  POST_FIELDS,
  reset,
  settings,
  windowUpdate,
} from "../protocol/http2/frames.ts";
import type { Fields } from "../protocol/http2/frames.ts";
import { cutsOf } from "../support/cuts.ts";
import { ShortMessage } from "../support/raw_socket.ts";
import type { RawSocket } from "../support/raw_socket.ts";
import { answering, ScriptedOrigin } from "../support/scripted_origin.ts";
import { testThroughProxy } from "../support/test_proxy.ts";
import type { ProxyCase } from "../support/test_proxy.ts";
import { FramePeer } from "./frame_peer.ts";

const GET: Fields = [...GET_FIELDS.slice(0, 3), [":authority", "app"]];
const POST: Fields = [...POST_FIELDS.slice(0, 3), [":authority", "app"]];

/** Trailers of HTTP/1.1, of which HTTP/2 allows two: the others are about the message's framing, or its connection. */
const LINES =
  "X-Sum:42\r\nContent-Length: 3\r\nX-Note: \t two words \r\nConnection: x\r\nHost: evil\r\n";
const FIELDS = "x-sum: 42, x-note: two words";

async function sendCut(socket: RawSocket, text: string, ends: readonly number[]): Promise<void> {
  let at = 0;
  for (const end of ends) {
    await socket.send(text.slice(at, end));
    at = end;
  }
}

/** Cases of an endpoint that breaks off an answer which has begun. */
async function breakOff(
  peer: FramePeer,
  streamId: number,
  how: (peer: FramePeer) => Promise<void>,
): Promise<void> {
  await peer.next(new RegExp(`^HEADERS ${streamId} `));
  await peer.send(headers(streamId, [[":status", "200"]]), data(streamId, "some"));
  await how(peer);
}

const CASES: readonly ProxyCase[] = [
  {
    name: "a request of HTTP/1.1 to HTTP/2, however it arrives, and the next one behind it",
    async run(proxy) {
      const seed = randomSeed();
      const heads: string[] = [];
      await using origin = new ScriptedOrigin(async (socket) => {
        const peer = await FramePeer.accept(socket, false);
        for (let id = 1;; id += 2) {
          const line = await peer.next(new RegExp(`^(DATA|HEADERS) ${id} .*END`));
          if (line.startsWith("HEADERS")) heads.push(line.replace(/^HEADERS \d+ /, ""));
          await peer.send(headers(id, [[":status", "200"]], { isEnd: true }));
        }
      }, { mayFail: true });
      await proxy.routeHttp2(origin);
      const post = "POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n";
      for (const body of ["3\r\nabc\r\n", ""]) {
        const text = `${post}${body}0\r\n${LINES}\r\nGET / HTTP/1.1\r\nHost: app\r\n\r\n`;
        for (const { name, ends } of cutsOf(text.length, new Random(seed, "cuts"), 3)) {
          using client = await proxy.connect();
          heads.length = 0;
          await sendCut(client, text, ends);
          for (let i = 0; i < 2; i++) await client.readResponse();
          assert.equal(heads[0], `END ${FIELDS}`, `seed ${seed}, ${name}`);
          assert.match(heads[1], /^END :method: GET/, `seed ${seed}, ${name}`);
        }
      }
    },
  },
  {
    name: "an answer of HTTP/1.1 to HTTP/2, however it arrives, and its connection is used again",
    async run(proxy) {
      const seed = randomSeed();
      const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n";
      const answers = ["3\r\nabc\r\n", ""].flatMap((body) => {
        const text = `${head}${body}0\r\n${LINES}\r\n`;
        return cutsOf(text.length, new Random(seed, "cuts"), 3).map((cuts) => ({
          body,
          text,
          cuts,
        }));
      });
      let served = 0;
      await using origin = new ScriptedOrigin(async (socket) => {
        while (await socket.readRequest() !== null) {
          const { text, cuts } = answers[served++];
          await sendCut(socket, text, cuts.ends);
        }
      });
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      for (const [i, { body, cuts }] of answers.entries()) {
        const id = 2 * i + 1;
        await client.send(headers(id, GET, { isEnd: true }));
        await client.next(new RegExp(`^HEADERS ${id} :status: 200, trailer: X-Sum`));
        if (body !== "") await client.wantData(id, "abc");
        const trailers = await client.next(new RegExp(`^HEADERS ${id} `));
        assert.equal(trailers, `HEADERS ${id} END ${FIELDS}`, `seed ${seed}, ${cuts.name}`);
      }
      assert.equal(origin.accepted, 1);
      // HTTP/1.0 has no place for them.
      served = 0;
      using old = await proxy.connect();
      await old.send("GET / HTTP/1.0\r\nHost: app\r\n\r\n");
      assert.match(await old.readRest(), /\r\n\r\nabc$/);
      assert.equal(origin.accepted, 1);
    },
  },
  {
    name: "a request of HTTP/2 to HTTP/1.1: trailers behind chunks, also without data",
    async run(proxy) {
      await using origin = new ScriptedOrigin(
        answering(({ body, trailers }) => {
          const text = `${body}|${trailers.join("|")}`;
          return `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
        }),
      );
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      const trailers: Fields = [["x-sum", "42"], ["x-empty", ""]];
      await client.send(headers(1, POST), data(1, "abc"), headers(1, trailers, { isEnd: true }));
      await client.wantData(1, "abc|x-sum: 42|x-empty: ");
      await client.send(headers(3, POST), headers(3, trailers, { isEnd: true }));
      await client.wantData(3, "|x-sum: 42|x-empty: ");
    },
  },
  {
    name: "what may not trail does not, from HTTP/2 to either protocol, in requests and in answers",
    async run(proxy) {
      const barred: Fields = [
        ...[["host", "evil"], ["trailer", "x"], ["te", "trailers"], ["max-forwards", "1"]],
        ...[["authorization", "Basic eDp5"], ["cookie", "a=b"], ["set-cookie", "a=b"]],
        ...[["content-type", "a/b"], ["content-encoding", "gzip"], ["content-range", "x"]],
        ...[["cache-control", "no-store"], ["if-match", "x"], ["expect", "100-continue"]],
        ...[["x-forwarded-for", "::1"], ["www-authenticate", "Basic"], ["range", "bytes=0-1"]],
      ].map(([name, value]) => [name, value] as const);
      const trailers: Fields = [["x-sum", "42"], ...barred, ["grpc-status", "0"]];
      const kept = "x-sum: 42, grpc-status: 0";
      const told: string[] = [];
      await using second = new ScriptedOrigin(async (socket) => {
        const peer = await FramePeer.accept(socket, false);
        for (const id of [1, 3]) {
          told.push(await peer.next(new RegExp(`^HEADERS ${id} END`)));
          await peer.send(headers(id, [[":status", "200"]]), data(id, "abc"));
          await peer.send(headers(id, trailers, { isEnd: true }));
        }
        await socket.readRest();
      }, { mayFail: true });
      await proxy.routeHttp2(second);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, POST), data(1, "abc"), headers(1, trailers, { isEnd: true }));
      await client.next(/^HEADERS 1 :status: 200/);
      assert.equal(await client.next(/^HEADERS 1 /), `HEADERS 1 END ${kept}`);
      using old = await proxy.connect();
      const body =
        "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 42\r\nHost: x\r\nGrpc-Status: 0\r\n\r\n";
      await old.send(`POST / HTTP/1.1\r\nHost: app\r\n${body}`);
      assert.deepEqual((await old.readResponse()).trailers, kept.split(", "));
      assert.deepEqual(told, [`HEADERS 1 END ${kept}`, `HEADERS 3 END ${kept}`]);
      await using first = new ScriptedOrigin(
        answering(({ trailers }) => {
          const text = trailers.join(", ");
          return `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
        }),
      );
      await proxy.route(first);
      await client.send(headers(3, POST), headers(3, trailers, { isEnd: true }));
      await client.wantData(3, kept);
    },
  },
  {
    name: "trailers that Connection nominates do not trail, to HTTP/2 either",
    async run(proxy) {
      const told: string[] = [];
      await using origin = new ScriptedOrigin(async (socket) => {
        const peer = await FramePeer.accept(socket, false);
        told.push(await peer.next(/^HEADERS 1 END/));
        await peer.send(headers(1, [[":status", "200"]], { isEnd: true }));
        await socket.readRest();
      }, { mayFail: true });
      await proxy.routeHttp2(origin);
      using client = await proxy.connect();
      const head = "Connection: X-Hop\r\nTransfer-Encoding: chunked\r\n\r\n";
      await client.send(`POST / HTTP/1.1\r\nHost: app\r\n${head}`);
      await client.send("3;a=b\r\nabc\r\n0\r\nx-hop: 1\r\nX-Sum: 42\r\nX-HOP:\r\n\r\n");
      await client.readResponse();
      assert.deepEqual(told, ["HEADERS 1 END x-sum: 42"]);
    },
  },
  {
    name: "TE goes on as trailers, with its connection option in HTTP/1.1",
    async run(proxy) {
      const echo = answering(({ headers }) => {
        const said = headers.filter(([name]) => /^(te|connection)$/.test(name));
        const text = said.map((pair) => pair.join(": ")).join("|");
        return `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
      });
      await using origin = new ScriptedOrigin(echo);
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, [...GET, ["te", "trailers"]], { isEnd: true }));
      await client.wantData(1, "te: trailers|connection: te");
      using old = await proxy.connect();
      const ask = async (lines: string) => {
        await old.send(`GET / HTTP/1.1\r\nHost: app\r\n${lines}\r\n`);
        return (await old.readResponse()).body;
      };
      const kept = "te: trailers|connection: te";
      assert.equal(await ask("TE: gzip\r\nTE: trailers\r\nConnection: TE\r\n"), kept);
      assert.equal(await ask("TE: gzip;q=0.5, trailers\r\n"), kept);
      assert.equal(await ask("TE: gzip\r\nConnection: TE\r\n"), "");
      assert.equal(await ask("Connection: TE\r\n"), "");
    },
  },
  {
    name: "a path with bytes that have to be percent-encoded gets 400, and the next stream goes on",
    async run(proxy) {
      await using origin = new ScriptedOrigin(
        answering(({ startLine }) =>
          `HTTP/1.1 200 OK\r\nContent-Length: ${startLine.length}\r\n\r\n${startLine}`
        ),
      );
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      let id = 1;
      for (const byte of '"<>\\^`{|}') {
        for (const path of [`/${byte}`, `/?a=${byte}`]) {
          const fields: Fields = GET.map((
            [name, value],
          ) => [name, name === ":path" ? path : value]);
          await client.send(headers(id, fields, { isEnd: true }));
          const head = await client.next(new RegExp(`^HEADERS ${id} `));
          assert.match(head, /:status: 400, .*x-weft-reason: bad-start-line/, path);
          id += 2;
        }
      }
      await client.send(headers(id, GET, { isEnd: true }));
      await client.wantData(id, "GET / HTTP/1.1");
    },
  },
  {
    name: "Max-Forwards counts in HTTP/2 too",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        const peer = await FramePeer.accept(socket, false);
        for (;;) {
          const line = await peer.next(/^HEADERS /);
          const id = Number(line.split(" ")[1]);
          const forwards = /max-forwards: (\d+)/.exec(line)?.[1] ?? "none";
          await peer.send(headers(id, [[":status", "200"], ["x-told", forwards]], { isEnd: true }));
        }
      }, { mayFail: true });
      await proxy.routeHttp2(origin);
      using client = await FramePeer.connect(proxy);
      const ask = async (id: number, method: string, forwards: string) => {
        const fields: Fields = [[":method", method], ...GET.slice(1), ["max-forwards", forwards]];
        await client.send(headers(id, fields, { isEnd: true }));
        return await client.next(new RegExp(`^HEADERS ${id} `));
      };
      assert.match(await ask(1, "OPTIONS", "7"), /:status: 200, x-told: 6/);
      assert.match(await ask(3, "TRACE", "1"), /:status: 200, x-told: 0/);
      assert.match(await ask(5, "GET", "0"), /:status: 200, x-told: 0/);
      for (const [id, method] of [[7, "OPTIONS"], [9, "TRACE"]] as const) {
        assert.match(await ask(id, method, "0"), /:status: 200, .*x-weft-reason: max-forwards/);
      }
    },
  },
  {
    name: "an answer of nothing but a head stays one: what gRPC calls trailers only",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        const peer = await FramePeer.accept(socket, false);
        for (const id of [1, 3]) {
          await peer.next(new RegExp(`^HEADERS ${id} `));
          const fields: Fields = [[":status", "200"], ["grpc-status", "5"], ["grpc-message", "no"]];
          await peer.send(headers(id, fields, { isEnd: true }));
        }
        await socket.readRest();
      }, { mayFail: true });
      await proxy.routeHttp2(origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, [...POST, ["content-type", "application/grpc"]]));
      await client.send(data(1, "\0\0\0\0\0", true));
      const head = await client.next(/^HEADERS 1 /);
      assert.equal(head, "HEADERS 1 END :status: 200, grpc-status: 5, grpc-message: no");
      using old = await proxy.connect();
      await old.send("GET / HTTP/1.1\r\nHost: app\r\n\r\n");
      assert.match((await old.readResponse()).raw, /\r\ngrpc-status: 5\r\n/);
    },
  },
  {
    name: "trailers behind more data than a buffer holds, for clients that take their time",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        const peer = new FramePeer(socket);
        await peer.send(settings());
        // All at once, before the smaller window is known of (RFC 9113 6.9.3).
        for (const id of [1, 3]) {
          await peer.next(new RegExp(`^HEADERS ${id} `));
          const parts = Array.from({ length: 6 }, () => data(id, "x".repeat(10_000)));
          await peer.send(headers(id, [[":status", "200"]]), ...parts);
          await peer.send(headers(id, [["x-sum", "42"]], { isEnd: true }));
        }
        await socket.readRest();
      }, { mayFail: true });
      await proxy.routeHttp2(origin);
      using client = await FramePeer.connect(proxy);
      await client.send(settings([INITIAL_WINDOW_SIZE, 0]), headers(1, GET, { isEnd: true }));
      await client.next(/^HEADERS 1 :status: 200/);
      for (let count = 0; count < 60_000;) {
        await client.send(windowUpdate(1, 7_000));
        for (let left = Math.min(7_000, 60_000 - count); left > 0;) {
          const length = Number(/"(\d+) bytes"/.exec(await client.next(/^DATA 1 /))?.[1]);
          left -= length;
          count += length;
        }
      }
      assert.equal(await client.next(/^HEADERS 1 /), "HEADERS 1 END x-sum: 42");
      using old = await proxy.connect();
      await old.send("GET / HTTP/1.1\r\nHost: app\r\n\r\n");
      const answer = await old.readResponse();
      assert.equal(answer.body.length, 60_000);
      assert.deepEqual(answer.trailers, ["x-sum: 42"]);
    },
  },
  {
    name: "an answer that its endpoint breaks off is reset with the endpoint's own code",
    async run(proxy) {
      const breaks: readonly (readonly [(peer: FramePeer) => Promise<void>, string])[] = [
        [(peer) => peer.send(reset(1, ENHANCE_YOUR_CALM)), "ENHANCE_YOUR_CALM"],
        // Which is no way to end an answer that is not whole.
        [(peer) => peer.send(reset(1, NO_ERROR)), "INTERNAL_ERROR"],
        // The endpoint breaks a rule: that is between it and the proxy.
        [(peer) => peer.send(headers(1, [["UPPER", "case"]], { isEnd: true })), "INTERNAL_ERROR"],
        [(peer) => Promise.resolve(peer.close()), "INTERNAL_ERROR"],
      ];
      for (const [how, code] of breaks) {
        await using origin = new ScriptedOrigin(async (socket) => {
          await breakOff(await FramePeer.accept(socket, false), 1, how);
          await socket.readRest();
        }, { mayFail: true });
        await proxy.routeHttp2(origin);
        using client = await FramePeer.connect(proxy);
        await client.send(headers(1, GET, { isEnd: true }));
        await client.next(/^HEADERS 1 :status: 200/);
        assert.equal(await client.next(/^RST_STREAM 1/), `RST_STREAM 1 ${code}`);
      }
    },
  },
  {
    name: "an answer that its endpoint breaks off is no whole message of HTTP/1.1",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        const peer = await FramePeer.accept(socket, false);
        await breakOff(peer, 1, () => peer.send(reset(1, ENHANCE_YOUR_CALM)));
        await socket.readRest();
      }, { mayFail: true });
      await proxy.routeHttp2(origin);
      using client = await proxy.connect();
      await client.send("GET / HTTP/1.1\r\nHost: app\r\n\r\n");
      await assert.rejects(client.readResponse(), ShortMessage);
    },
  },
];

testThroughProxy("HTTP/2 trailers", CASES);
