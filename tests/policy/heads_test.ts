/** Heads that are near the bound already and grow by a policy, to clients that take no more, on both drivers. */
import assert from "node:assert/strict";
import { testHttp2, VERSIONS } from "../http2/http2_cases.ts";
import type { Http2Case } from "../http2/http2_cases.ts";
import { askAll, askNode, NodeOrigin, type Version } from "../http2/node_peers.ts";
import { type ProxyCase, type TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import { headerOf, statusOf } from "../support/raw_socket.ts";
import { answering, ScriptedOrigin } from "../support/scripted_origin.ts";
import { until } from "../support/until.ts";
import { PREFACE } from "../../proxy/protocol/http2/frame.ts";
import { fieldOf, HeadPeer } from "../http2/head_peers.ts";
import {
  concat,
  type Fields,
  GET_FIELDS,
  settings,
  SETTINGS_ACK,
} from "../protocol/http2/frames.ts";
import { GET } from "./client.ts";
import { applyMesh, type Mesh } from "./mesh.ts";

/** Nearly all that a policy may add. */
const ADDED = Array.from(
  { length: 4 },
  (_, i) => ({ name: `x-added-${i}`, value: "a".repeat(990) }),
);
const HEADERS = { headers: { request: { add: ADDED }, response: { add: ADDED } } };

/** More than any socket holds of answers that are not read. */
const ANSWERS = 600;
const OWN_BYTES = 15_000;

/** Waits until nothing more is asked of the endpoint, because there is nowhere to put its answers, or all was asked. */
async function untilStill(proxy: TestProxy, asked: () => number): Promise<void> {
  let before = -1;
  await until("the proxy to be held up", async () => {
    const known = before;
    before = asked();
    await proxy.metric("weft_buffers_lent");
    return known === asked();
  }, (isStill) => isStill);
}

const HTTP1: readonly ProxyCase[] = [
  {
    name: "answers to a client that reads late arrive whole, each with all of its head",
    async run(proxy) {
      let asked = 0;
      await using origin = new ScriptedOrigin(answering(({ headers }) => {
        assert.equal(headers.filter(([name]) => name.startsWith("x-added-")).length, ADDED.length);
        return `HTTP/1.1 200 OK\r\nX-Number: ${asked++}\r\nX-Own: ${"o".repeat(OWN_BYTES)}\r\n` +
          "Content-Length: 0\r\n\r\n";
      }));
      await applyMesh(proxy, { services: { app: [origin] }, policies: { app: HEADERS } });
      using client = await proxy.connect();
      await client.send(GET.repeat(ANSWERS));
      for (let i = 0; i < ANSWERS; i++) {
        // Now and then the client lets the proxy come to where its socket takes no more.
        if (i % 100 === 0) await untilStill(proxy, () => asked);
        const answer = await client.readResponse();
        assert.equal(statusOf(answer), 200);
        assert.equal(headerOf(answer, "x-number"), String(i));
        assert.equal(headerOf(answer, "x-own")?.length, OWN_BYTES);
        assert.equal(headerOf(answer, "x-added-3")?.length, 990);
      }
    },
  },
];

function meshOf(endpoint: Version, origin: NodeOrigin): Mesh {
  const portName = endpoint === "h2" ? "http2" : "http";
  return { services: { app: [origin] }, policies: { app: HEADERS }, portName };
}

/** Heads of requests to endpoints of HTTP/2: those that fit with what is added, and those that do not. */
const REQUESTS: readonly Http2Case[] = VERSIONS.map((client) => ({
  name:
    `${client} to h2: the head of a request grows, and beyond what its endpoint takes is answered 431`,
  async run(proxy, node) {
    await using origin = await NodeOrigin.start(node, "h2", { maxHeaderListSize: 60_000 });
    await applyMesh(proxy, meshOf("h2", origin));
    for (const bodyBytes of [undefined, 5_000]) {
      const headers = { "x-own": "o".repeat(50_000) };
      const one = { path: "/report", headers, ...(bodyBytes === undefined ? {} : { bodyBytes }) };
      const told = await askNode(node, client, proxy.port, one);
      assert.equal(told.status, 200, told.headers["x-weft-reason"]);
      const seen = (await origin.reports()).at(-1)?.headers ?? {};
      assert.deepEqual([seen["x-own"].length, seen["x-added-3"].length], [50_000, 990]);
    }
    const tooLong = { "x-own": "o".repeat(57_000) };
    const told = await askNode(node, client, proxy.port, { path: "/report", headers: tooLong });
    assert.deepEqual([told.status, told.headers["x-weft-reason"]], [431, "head-too-large"]);
  },
}));

const HTTP2: readonly Http2Case[] = VERSIONS.flatMap((endpoint): Http2Case[] => [
  {
    name: `HTTP/2 from ${endpoint}: many large heads at once wait for room, and all arrive`,
    async run(proxy, node) {
      await using origin = await NodeOrigin.start(node, endpoint);
      await applyMesh(proxy, meshOf(endpoint, origin));
      const path = "/headers?count=8&length=1000";
      const all = await askAll(
        node,
        "h2",
        proxy.port,
        Array.from({ length: 60 }, () => ({ path })),
      );
      for (const told of all) {
        assert.deepEqual([told.status, told.error, told.text], [200, "", "headers"]);
        assert.equal(told.headers["x-header-7"].length, 1_000);
        assert.equal(told.headers["x-added-3"].length, 990);
      }
    },
  },
  {
    name: `HTTP/2 from ${endpoint}: a head that grows beyond what its client takes is answered 502`,
    async run(proxy, node) {
      await using origin = await NodeOrigin.start(node, endpoint);
      await applyMesh(proxy, meshOf(endpoint, origin));
      using client = new HeadPeer(await proxy.connect());
      await client.socket.send(concat([PREFACE, settings([6, 40_000]), SETTINGS_ACK]));
      for (const [i, [count, told]] of [[30, undefined], [36, "answer-head-too-large"]].entries()) {
        const fields = [...GET_FIELDS.slice(0, 2), [
          ":path",
          `/headers?count=${count}&length=1000`,
        ]];
        await client.sendHead(2 * i + 1, [...fields, [":authority", "app"]] as Fields);
        const answer = await client.nextHead();
        assert.ok(answer !== null);
        assert.equal(fieldOf(answer, ":status"), told === undefined ? "200" : "502");
        assert.equal(fieldOf(answer, "x-weft-reason"), told);
      }
    },
  },
]);

testThroughProxy("heads that grow", HTTP1);
testHttp2("heads that grow", [...HTTP2, ...REQUESTS]);
