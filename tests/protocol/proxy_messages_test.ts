import assert from "node:assert/strict";
import { Random, randomSeed } from "../../base/random.ts";
import { BUFFER_BYTES, LARGE_BUFFER_BYTES } from "../../proxy/limits.ts";
import { HEAD_BYTES_MAX } from "../../proxy/loop/inbox.ts";
import { cutsOf } from "../support/cuts.ts";
import { headerOf, type RawSocket, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, testThroughProxy } from "../support/test_proxy.ts";

const GET = "GET / HTTP/1.1\r\nHost: app\r\n\r\n";

async function sendCut(socket: RawSocket, text: string, ends: readonly number[]): Promise<void> {
  let at = 0;
  for (const end of ends) {
    await socket.send(text.slice(at, end));
    at = end;
  }
}

/** Answers with the request line and body that it got. */
function echo(): ScriptedOrigin {
  return new ScriptedOrigin(answering(({ startLine, body }) => ok(`${startLine}|${body}`)));
}

const CASES: readonly ProxyCase[] = [
  {
    name: "keep-alive: many requests, one connection on either side",
    async run(proxy) {
      await using origin = echo();
      await proxy.route(origin);
      using client = await proxy.connect();
      for (let i = 0; i < 20; i++) {
        await client.send(`GET /${i} HTTP/1.1\r\nHost: app\r\n\r\n`);
        const answer = await client.readResponse();
        assert.equal(answer.body, `GET /${i} HTTP/1.1|`);
        assert.equal(headerOf(answer, "connection"), undefined);
      }
      assert.equal(origin.accepted, 1);
    },
  },
  {
    name: "pipelining: twenty requests in one segment, refusals between them, answered in order",
    async run(proxy) {
      await using origin = echo();
      await proxy.route(origin);
      using client = await proxy.connect();
      let text = "";
      for (let i = 0; i < 20; i++) {
        if (i % 5 === 3) text += `GET /${i} HTTP/1.1\r\nHost: nowhere\r\n\r\n`;
        else text += `POST /${i} HTTP/1.1\r\nHost: app\r\nContent-Length: 2\r\n\r\n${i % 10}x`;
      }
      await client.send(text);
      for (let i = 0; i < 20; i++) {
        const answer = await client.readResponse();
        if (i % 5 === 3) assert.equal(headerOf(answer, "x-weft-reason"), "host-unknown");
        else assert.equal(answer.body, `POST /${i} HTTP/1.1|${i % 10}x`);
      }
    },
  },
  {
    name: "pipelining: more than a buffer holds, cut everywhere",
    async run(proxy) {
      await using origin = echo();
      await proxy.route(origin);
      using client = await proxy.connect();
      const count = 60;
      const requests = Array.from(
        { length: count },
        (_, i) =>
          `POST /${i} HTTP/1.1\r\nHost: app\r\nX: ${
            "y".repeat(900)
          }\r\nContent-Length: 5\r\n\r\nhello`,
      );
      const sending = client.send(requests.join(""));
      for (let i = 0; i < count; i++) {
        const answer = await client.readResponse();
        assert.equal(answer.body, `POST /${i} HTTP/1.1|hello`);
      }
      await sending;
    },
  },
  {
    name:
      "pipelining: bodies of any size, of a length and in chunks, with more requests behind them",
    async run(proxy) {
      await using origin = echo();
      await proxy.route(origin);
      using client = await proxy.connect();
      const seed = randomSeed();
      const random = new Random(seed, "bodies");
      const sizes = Array.from(
        { length: 40 },
        (_, i) => random.below([20, 40_000, 300_000][i % 3]),
      );
      const head = "POST / HTTP/1.1\r\nHost: app\r\n";
      const requests = sizes.map((size, i) => {
        const body = String(i).padStart(3, "0").repeat(size);
        if (i % 2 === 0) return `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
        const chunk = `${body.length.toString(16)}\r\n${body}\r\n`;
        return `${head}Transfer-Encoding: chunked\r\n\r\n${size === 0 ? "" : chunk}0\r\n\r\n`;
      });
      const sending = client.send(requests.join(""));
      for (const [i, size] of sizes.entries()) {
        const { body } = await client.readResponse();
        const expected = `POST / HTTP/1.1|${String(i).padStart(3, "0").repeat(size)}`;
        assert.ok(body === expected, `seed ${seed}, request ${i}: ${size} times three bytes`);
      }
      await sending;
      assert.equal(origin.accepted, 1);
    },
  },
  {
    name: "pipelining: a malformed request ends the connection after the answers before it",
    async run(proxy) {
      await using origin = echo();
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(`${GET}${GET}GET / HTTP/1.1\r\nHost : app\r\n\r\n${GET}`);
      for (let i = 0; i < 2; i++) assert.equal(statusOf(await client.readResponse()), 200);
      const refusal = await client.readResponse();
      assert.equal(statusOf(refusal), 400);
      assert.equal(headerOf(refusal, "x-weft-reason"), "bad-header");
      assert.equal(headerOf(refusal, "connection"), "close");
      assert.equal(await client.readRest(), "");
    },
  },
  {
    name:
      "chunked both ways, without extensions and trailers that may not trail, however it arrives",
    async run(proxy) {
      const seed = randomSeed();
      const chunks = '5 ; x = "y;\\"z" ;n\r\nhello\r\n0;last\r\n' +
        "Content-Length: 3\r\nDigest: abc\r\nHost: evil\r\nX-Hop: 1\r\nX-T: 1\r\n" +
        "Transfer-Encoding: chunked\r\nAuthorization: Basic eDp5\r\n\r\n";
      const passed = "5\r\nhello\r\n0\r\nDigest: abc\r\nX-T: 1\r\n\r\n";
      const head = "Transfer-Encoding: chunked\r\nConnection: x-hop\r\n\r\n";
      const cuts = cutsOf(chunks.length, new Random(seed, "cuts"), 3);
      let served = 0;
      await using origin = new ScriptedOrigin(async (socket) => {
        for (let request; (request = await socket.readRequest()) !== null;) {
          assert.ok(request.raw.endsWith(`\r\n\r\n${passed}`), `seed ${seed}: ${request.raw}`);
          await socket.send(`HTTP/1.1 200 OK\r\n${head}`);
          await sendCut(socket, chunks, cuts[served++].ends);
        }
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      for (const { name, ends } of cuts) {
        await client.send(`POST / HTTP/1.1\r\nHost: app\r\n${head}`);
        await sendCut(client, chunks, ends);
        const { raw } = await client.readResponse();
        assert.ok(raw.endsWith(`\r\n\r\n${passed}`), `seed ${seed}, ${name}: ${raw}`);
      }
      assert.equal(origin.accepted, 1);
    },
  },
  {
    name: "chunked bodies of a megabyte in which every chunk has an extension",
    async run(proxy) {
      const chunk = `1000;signature=${"0f".repeat(32)}\r\n${"x".repeat(4_096)}\r\n`;
      const chunks = `${chunk.repeat(256)}0;signature="x"\r\nX-Sum: 1\r\nAge: 1\r\n\r\n`;
      const head = "Transfer-Encoding: chunked\r\n\r\n";
      await using origin = new ScriptedOrigin(
        answering(({ body, trailers }) => {
          assert.equal(body, "x".repeat(1 << 20));
          assert.deepEqual(trailers, ["X-Sum: 1"]);
          return `HTTP/1.1 200 OK\r\n${head}${chunks}`;
        }),
      );
      await proxy.route(origin);
      using client = await proxy.connect();
      const sending = client.send(`POST / HTTP/1.1\r\nHost: app\r\n${head}${chunks}`);
      const { body, trailers } = await client.readResponse();
      await sending;
      assert.equal(body, "x".repeat(1 << 20));
      assert.deepEqual(trailers, ["X-Sum: 1"]);
    },
  },
  {
    name: "the names of trailers where a full buffer cuts them, in requests and in answers",
    async run(proxy) {
      const tail = "\r\n0\r\nX-One: 1\r\nAuthorization: x\r\nX-Two: 2\r\n\r\n";
      const head = "Transfer-Encoding: chunked\r\n\r\n";
      const message = (line: string, end: number) => {
        const before = `${line}\r\n${head}`;
        const length = end - before.length - 6;
        return `${before}${length.toString(16).padStart(4, "0")}\r\n${"x".repeat(length)}${tail}`;
      };
      let next = 0;
      const ends = [HEAD_BYTES_MAX, BUFFER_BYTES, LARGE_BUFFER_BYTES].flatMap((bytes) =>
        Array.from({ length: tail.length }, (_, i) => bytes - i)
      ).filter((end) => end < 0x10000);
      await using origin = new ScriptedOrigin(
        answering(({ trailers }) => {
          assert.deepEqual(trailers, ["X-One: 1", "X-Two: 2"]);
          return message("HTTP/1.1 200 OK", ends[next++]);
        }),
      );
      await proxy.route(origin);
      using client = await proxy.connect();
      for (const end of ends) {
        const sending = client.send(message("POST / HTTP/1.1\r\nHost: app", end));
        const { trailers, body } = await client.readResponse();
        await sending;
        assert.deepEqual(trailers, ["X-One: 1", "X-Two: 2"], `${end}`);
        assert.equal(body.length, end - `HTTP/1.1 200 OK\r\n${head}`.length - 6);
      }
      assert.equal(origin.accepted, 1);
    },
  },
  {
    name: "extensions that are none are refused, and end an answer",
    async run(proxy) {
      const isBroken = ["5;", "5;a=", '5;a="b', "5 ", `5;${"a".repeat(257)}`];
      let next = 0;
      await using origin = new ScriptedOrigin(async (socket) => {
        while (await socket.readRequest() !== null) {
          const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
          await socket.send(`${head}1\r\nx\r\n`);
          await socket.send(`${isBroken[next++]}\r\nhello\r\n0\r\n\r\n`);
        }
      }, { mayFail: true });
      await proxy.route(origin);
      for (const size of isBroken) {
        using client = await proxy.connect();
        await client.send("POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n");
        await client.send(`${size}\r\nhello\r\n0\r\n\r\n`);
        const refusal = await client.readResponse();
        assert.equal(headerOf(refusal, "x-weft-reason"), "bad-chunk", size);
      }
      for (const _ of isBroken) {
        using client = await proxy.connect();
        await client.send(GET);
        // By then the head may have been passed on.
        const answer = await client.readResponse().catch(() => null);
        assert.ok(answer === null || statusOf(answer) === 502);
      }
    },
  },
  {
    name: "a list of codings is answered alike in one line and in several",
    async run(proxy) {
      for (const [codings, status] of [["gzip|chunked", 501], ["chunked|gzip", 400]] as const) {
        for (const separator of [", ", "\r\nTransfer-Encoding: "]) {
          using client = await proxy.connect();
          const list = codings.replace("|", separator);
          await client.send(`POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: ${list}\r\n\r\n`);
          assert.equal(statusOf(await client.readResponse()), status, list);
        }
      }
    },
  },
  {
    name: "targets with bytes that have to be percent-encoded are refused",
    async run(proxy) {
      await using origin = echo();
      await proxy.route(origin);
      for (const byte of '"<>\\^`{|}') {
        using client = await proxy.connect();
        await client.send(`GET /a?b=${byte} HTTP/1.1\r\nHost: app\r\n\r\n`);
        const refusal = await client.readResponse();
        assert.equal(statusOf(refusal), 400, byte);
        assert.equal(headerOf(refusal, "x-weft-reason"), "bad-start-line");
      }
      assert.equal(origin.accepted, 0);
    },
  },
  {
    name: "a target of https: is refused, never sent on in plain text; of http: it goes on",
    async run(proxy) {
      await using origin = echo();
      await proxy.route(origin);
      for (const target of ["https://app/", "HTTPS://app", "https://app:80/a?b", "https://x/"]) {
        using client = await proxy.connect();
        await client.send(`GET ${target} HTTP/1.1\r\nHost: app\r\n\r\n`);
        const refusal = await client.readResponse();
        assert.equal(statusOf(refusal), 400, target);
        assert.equal(headerOf(refusal, "x-weft-reason"), "scheme-unsupported", target);
      }
      assert.equal(origin.accepted, 0);
      using client = await proxy.connect();
      await client.send("GET http://app/ HTTP/1.1\r\nHost: app\r\n\r\n");
      assert.equal(statusOf(await client.readResponse()), 200);
    },
  },
  {
    name: "Max-Forwards of OPTIONS and TRACE: one less, and answered at 0; GET does not care",
    async run(proxy) {
      await using origin = new ScriptedOrigin(
        answering(({ startLine, headers }) => {
          const forwards = headers.filter(([name]) => name === "max-forwards");
          return ok(`${startLine.split(" ")[0]} ${forwards.map(([, value]) => value)}`);
        }),
      );
      await proxy.route(origin);
      using client = await proxy.connect();
      const cases = [
        ["OPTIONS", "3", "OPTIONS 2"],
        ["TRACE", "1", "TRACE 0"],
        ["OPTIONS", "00", ""],
        ["TRACE", "0", ""],
        ["OPTIONS", "1000", "OPTIONS 254"],
        ["GET", "0", "GET 0"],
      ] as const;
      for (const [method, forwards, body] of cases) {
        const head = `Host: app\r\nMax-Forwards: ${forwards}\r\n\r\n`;
        await client.send(`${method} / HTTP/1.1\r\n${head}`);
        const answer = await client.readResponse();
        assert.equal(statusOf(answer), 200);
        if (body === "") assert.equal(headerOf(answer, "x-weft-reason"), "max-forwards");
        else assert.equal(answer.body, body);
      }
    },
  },
  {
    name: "chunked both ways, trailers as sent",
    async run(proxy) {
      const chunks = "5\r\nhello\r\n0\r\nDigest: abc\r\nX-T: 1\r\n\r\n";
      await using origin = new ScriptedOrigin(answering(({ raw }) => {
        assert.ok(raw.endsWith(`\r\n\r\n${chunks}`), raw);
        return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: digest\r\n\r\n${chunks}`;
      }));
      await proxy.route(origin);
      using client = await proxy.connect();
      for (let i = 0; i < 2; i++) {
        await client.send(
          `POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
        );
        const answer = await client.readResponse();
        assert.ok(answer.raw.endsWith(chunks), answer.raw);
        assert.deepEqual(answer.trailers, ["Digest: abc", "X-T: 1"]);
      }
      assert.equal(origin.accepted, 1);
    },
  },
  {
    name: "a chunked request that breaks is refused, and its endpoint is not used again",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRest();
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send("POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n");
      await proxy.untilMetric("weft_upstream_connections_open", 1);
      await client.send("5\r\nhelloX");
      const refusal = await client.readResponse();
      assert.equal(statusOf(refusal), 400);
      assert.equal(headerOf(refusal, "x-weft-reason"), "bad-chunk");
      assert.equal(await client.readRest(), "");
    },
  },
  {
    name: "HEAD, 204 and 304 have no body, whatever their headers say",
    async run(proxy) {
      const heads = [
        ["HEAD", "200 OK\r\nContent-Length: 5000", "5000"],
        ["HEAD", "200 OK\r\nTransfer-Encoding: chunked", undefined],
        ["HEAD", "200 OK", undefined],
        ["GET", "204 No Content", undefined],
        ["GET", "204 No Content\r\nContent-Length: 5", undefined],
        ["GET", "304 Not Modified\r\nContent-Length: 5000", "5000"],
      ] as const;
      let next = 0;
      await using origin = new ScriptedOrigin(
        answering(() => `HTTP/1.1 ${heads[next++][1]}\r\n\r\n`),
      );
      await proxy.route(origin);
      using client = await proxy.connect();
      for (const [method, head, length] of heads) {
        await client.send(`${method} / HTTP/1.1\r\nHost: app\r\n\r\n`);
        const answer = await client.readResponse({ isHead: method === "HEAD" });
        assert.equal(answer.startLine, `HTTP/1.1 ${head.split("\r\n")[0]}`);
        assert.equal(headerOf(answer, "content-length"), length);
      }
      assert.equal(origin.accepted, 1);
    },
  },
  {
    name: "a refusal of HEAD has no body either",
    async run(proxy) {
      using client = await proxy.connect();
      await client.send(`HEAD / HTTP/1.1\r\nHost: nowhere\r\n\r\n${GET}`);
      assert.equal(statusOf(await client.readResponse({ isHead: true })), 404);
      assert.equal(statusOf(await client.readResponse()), 503);
    },
  },
  {
    name: "interim answers go through, to those who know them",
    async run(proxy) {
      await using origin = new ScriptedOrigin(
        answering(() =>
          `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${
            ok("done")
          }`
        ),
      );
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(GET);
      assert.equal(
        (await client.readResponse()).raw,
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
      );
      assert.equal((await client.readResponse()).raw, "HTTP/1.1 102 Processing\r\n\r\n");
      assert.equal((await client.readResponse()).body, "done");
      using old = await proxy.connect();
      await old.send("GET / HTTP/1.0\r\nHost: app\r\n\r\n");
      assert.equal((await old.readResponse()).body, "done");
      assert.equal(await old.readRest(), "");
    },
  },
  {
    name: "Expect: 100-continue is between the client and the endpoint",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        const head = await socket.readThrough("\r\n\r\n");
        assert.match(head, /\r\nExpect: 100-continue\r\n/);
        await socket.send("HTTP/1.1 100 Continue\r\n\r\n");
        await socket.send(ok(await socket.readExactly(5)));
        await socket.readRest();
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(
        "POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
      );
      assert.equal(statusOf(await client.readResponse()), 100);
      await client.send("hello");
      assert.equal((await client.readResponse()).body, "hello");
    },
  },
  {
    name: "Expect: 100-continue that the endpoint refuses ends the connection, not the answer",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readThrough("\r\n\r\n");
        await socket.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        await socket.readRest();
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(
        "POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
      );
      const answer = await client.readResponse();
      assert.equal(statusOf(answer), 403);
      assert.equal(answer.body, "no");
      assert.equal(await client.readRest(), "");
    },
  },
  {
    name: "absolute form goes on in origin form, with the target's host",
    async run(proxy) {
      await using origin = new ScriptedOrigin(
        answering(({ startLine, headers }) =>
          ok(`${startLine}|${headers.filter(([name]) => name === "host").join(";")}`)
        ),
      );
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send("GET http://app/x?y HTTP/1.1\r\nHost: other\r\n\r\n");
      assert.equal((await client.readResponse()).body, "GET /x?y HTTP/1.1|host,app");
    },
  },
  {
    name: "HTTP/1.0: closed after the answer, or kept where asked for",
    async run(proxy) {
      await using origin = echo();
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send("GET /a HTTP/1.0\r\nHost: app\r\nConnection: keep-alive\r\n\r\n");
      const kept = await client.readResponse();
      assert.equal(headerOf(kept, "connection"), "keep-alive");
      assert.equal(kept.body, "GET /a HTTP/1.1|");
      await client.send("GET /b HTTP/1.0\r\nHost: app\r\n\r\n");
      const last = await client.readResponse();
      assert.equal(headerOf(last, "connection"), "close");
      assert.equal(await client.readRest(), "");
    },
  },
  {
    name: "HTTP/1.0 gets a chunked answer without its framing",
    async run(proxy) {
      const chunks = "5\r\nhello\r\n1;x\r\n \r\n5\r\nworld\r\n0\r\nT: u\r\n\r\n";
      await using origin = new ScriptedOrigin(async (socket) => {
        while (await socket.readRequest() !== null) {
          await socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
          for (const byte of chunks) await socket.send(byte);
        }
      });
      await proxy.route(origin);
      for (const connection of ["close", "keep-alive"]) {
        using client = await proxy.connect();
        await client.send(`GET / HTTP/1.0\r\nHost: app\r\nConnection: ${connection}\r\n\r\n`);
        const answer = await client.readResponse();
        assert.equal(headerOf(answer, "transfer-encoding"), undefined);
        assert.equal(headerOf(answer, "connection"), "close");
        assert.equal(answer.body, "hello world");
        assert.equal(client.failure, "");
      }
      assert.equal(origin.accepted, 1);
    },
  },
  {
    name: "HTTP/1.0: a refusal closes, as its client expects",
    async run(proxy) {
      using client = await proxy.connect();
      await client.send("GET / HTTP/1.0\r\nHost: nowhere\r\nConnection: keep-alive\r\n\r\n");
      const refusal = await client.readResponse();
      assert.equal(statusOf(refusal), 404);
      assert.equal(headerOf(refusal, "connection"), "close");
      assert.equal(await client.readRest(), "");
    },
  },
  {
    name: "an answer that ends with its connection has an end of its own for the client: chunks",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
        await socket.send("HTTP/1.1 200 OK\r\n\r\nall ");
        await socket.send("of it");
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      for (let i = 0; i < 3; i++) {
        await client.send(GET);
        const answer = await client.readResponse();
        assert.equal(answer.body, "all of it");
        assert.equal(headerOf(answer, "transfer-encoding"), "chunked");
        assert.equal(headerOf(answer, "connection"), undefined);
      }
      // HTTP/1.0 knows no chunks.
      await client.send("GET / HTTP/1.0\r\nHost: app\r\nConnection: keep-alive\r\n\r\n");
      const old = await client.readResponse();
      assert.equal(old.body, "all of it");
      assert.equal(headerOf(old, "transfer-encoding"), undefined);
      assert.equal(headerOf(old, "connection"), "close");
    },
  },
];

testThroughProxy("messages", CASES);
