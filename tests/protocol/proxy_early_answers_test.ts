/** Answers that an endpoint gives before it has the whole request: each reaches a client that goes on sending, whole. */
import assert from "node:assert/strict";
import { headerOf, RawSocket, statusOf } from "../support/raw_socket.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, type TestProxy, testThroughProxy } from "../support/test_proxy.ts";

const BODY_BYTES = 5_000_000;
const BLOCK_BYTES = 50_000;

/** How a body of `BODY_BYTES` goes out in blocks. */
interface Framing {
  readonly lines: string;
  frame(block: string): string;
  readonly end: string;
}

const FRAMINGS: Readonly<Record<string, Framing>> = {
  "a length": { lines: `Content-Length: ${BODY_BYTES}`, frame: (block) => block, end: "" },
  "chunks": {
    lines: "Transfer-Encoding: chunked",
    frame: (block) => `${block.length.toString(16)}\r\n${block}\r\n`,
    end: "0\r\n\r\n",
  },
};

/** What endpoints do once they have answered. */
const ENDPOINTS: Readonly<Record<string, (socket: RawSocket) => Promise<unknown>>> = {
  "reads no more": () => new Promise(() => {}),
  "reads on": (socket) => socket.skip(Infinity),
  "closes": () => Promise.resolve(),
};

const ANSWERS: readonly string[] = [
  "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno",
  "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nmuch",
  "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
  "HTTP/1.1 204 No Content\r\n\r\n",
];

function answeringEarly(answer: string, afterwards: string): ScriptedOrigin {
  return new ScriptedOrigin(async (socket) => {
    await socket.readThrough("\r\n\r\n");
    await socket.send(answer);
    await ENDPOINTS[afterwards](socket);
  }, { mayFail: true });
}

function headOf({ lines }: Framing, more = ""): string {
  return `POST / HTTP/1.1\r\nHost: app\r\n${lines}\r\n${more}\r\n`;
}

/** Sends the whole body, whatever is answered meanwhile. */
async function upload(client: RawSocket, { frame, end }: Framing): Promise<void> {
  const block = new TextEncoder().encode(frame("x".repeat(BLOCK_BYTES)));
  for (let sent = 0; sent < BODY_BYTES; sent += BLOCK_BYTES) await client.send(block);
  if (end !== "") await client.send(end);
}

/** Wants the answer, and that its connection is said to end, and ends in order. */
async function wantLast(client: RawSocket, answer: string): Promise<void> {
  const got = await client.readResponse();
  assert.equal(statusOf(got), Number(answer.split(" ")[1]));
  assert.equal(headerOf(got, "connection"), "close");
  const body = /\r\n\r\n(.*)$/s.exec(answer)?.[1] ?? "";
  assert.equal(got.body, body.startsWith("2\r\n") ? "ok" : body);
  assert.equal(await client.readRest(), "");
  assert.equal(client.failure, "");
}

const CASES: readonly ProxyCase[] = [
  ...Object.entries(FRAMINGS).flatMap(([what, framing]) =>
    Object.keys(ENDPOINTS).map((afterwards) => ({
      name: `a client that reads when all is sent, with ${what}; the endpoint ${afterwards}`,
      async run(proxy: TestProxy) {
        for (const answer of ANSWERS) {
          await using origin = answeringEarly(answer, afterwards);
          await proxy.route(origin);
          using client = await proxy.connect();
          await client.send(headOf(framing));
          await upload(client, framing);
          await wantLast(client, answer);
        }
      },
    }))
  ),
  ...Object.keys(ENDPOINTS).map((afterwards): ProxyCase => ({
    name: `a client that has its answer and sends on; the endpoint ${afterwards}`,
    async run(proxy) {
      for (const framing of Object.values(FRAMINGS)) {
        await using origin = answeringEarly(ANSWERS[0], afterwards);
        await proxy.route(origin);
        using client = await proxy.connect();
        await client.send(headOf(framing));
        await client.readThrough("\r\nno".slice(0, 2));
        await upload(client, framing);
        await client.readRest();
        assert.equal(client.failure, "");
      }
    },
  })),
  {
    name: "Expect: 100-continue that is answered 417 or 401: said to be the last, body sent or not",
    async run(proxy) {
      const [unauthorized, , unexpected] = ANSWERS;
      for (const answer of [unauthorized, unexpected]) {
        for (const isSent of [true, false]) {
          await using origin = answeringEarly(answer, "reads on");
          await proxy.route(origin);
          using client = await proxy.connect();
          const framing = FRAMINGS["a length"];
          await client.send(headOf(framing, "Expect: 100-continue\r\n"));
          if (isSent) await upload(client, framing);
          await wantLast(client, answer);
        }
      }
    },
  },
  {
    name: "refusals of the proxy itself reach a client that reads when all is sent",
    async run(proxy) {
      await proxy.route();
      for (const framing of Object.values(FRAMINGS)) {
        for (const [host, reason] of [["nowhere", "host-unknown"], ["app", "no-endpoints"]]) {
          using client = await proxy.connect();
          await client.send(headOf(framing).replace("Host: app", `Host: ${host}`));
          await upload(client, framing);
          const got = await client.readResponse();
          assert.equal(headerOf(got, "x-weft-reason"), reason);
          assert.equal(headerOf(got, "connection"), "close");
          assert.equal(await client.readRest(), "");
          assert.equal(client.failure, "");
        }
      }
    },
  },
  {
    name: "an answer to all of a request leaves the connection as it was, however early",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        for (;;) {
          const head = await socket.readThrough("\r\n\r\n").catch(() => "");
          if (head === "") return;
          await socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
          await socket.readExactly(4);
        }
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      for (let i = 0; i < 5; i++) {
        await client.send("POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 4\r\n\r\nbody");
        const answer = await client.readResponse();
        assert.equal(answer.body, "ok");
        assert.equal(headerOf(answer, "connection"), undefined);
      }
    },
  },
];

testThroughProxy("early answers", CASES);
