/** Copies of requests: what the mirror gets, and what the request itself does not notice, on both drivers. */
import assert from "node:assert/strict";
import { testHttp2, VERSIONS } from "../http2/http2_cases.ts";
import type { Http2Case } from "../http2/http2_cases.ts";
import { askNode, NodeOrigin } from "../http2/node_peers.ts";
import { headerOf, type RawMessage } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, type TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { request, tally, want } from "./client.ts";
import { applyMesh, type Mesh } from "./mesh.ts";

const BODY_BYTES_MAX = 65_536;

/** Sends host `app` to `origin`, and copies to `copy`. */
function mirrored(
  origin: { readonly port: number },
  copy: { readonly port: number },
  sections: Readonly<Record<string, unknown>> = {},
): Mesh {
  return {
    services: { app: [origin], copy: [copy] },
    policies: { app: { mirror: { service: "copy" }, ...sections } },
  };
}

/** An endpoint that keeps what it is asked. */
function keeping(seen: RawMessage[], answer: (message: RawMessage) => string = () => ok("copy")) {
  return new ScriptedOrigin(
    answering((message) => {
      seen.push(message);
      return answer(message);
    }),
    { mayFail: true },
  );
}

function real(): ScriptedOrigin {
  return new ScriptedOrigin(answering(() => ok("real")), { mayFail: true });
}

/** Drops so far, by reason. */
async function dropsOf(proxy: TestProxy): Promise<Record<string, number>> {
  const samples = await proxy.samples();
  return Object.fromEntries(
    samples.filter(({ name }) => name === "weft_mirror_drops_total")
      .map(({ labels, value }) => [labels.reason, value]),
  );
}

async function untilDropped(proxy: TestProxy, drops: Record<string, number>): Promise<void> {
  const text = JSON.stringify(drops);
  await until(
    `drops ${text}`,
    async () => JSON.stringify(await dropsOf(proxy)),
    (it) => it === text,
  );
}

/** The body in chunks of these sizes. */
function chunked(body: string, size: number): string {
  let text = "POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (let at = 0; at < body.length; at += size) {
    const chunk = body.slice(at, at + size);
    text += `${chunk.length.toString(16)};ext=1\r\n${chunk}\r\n`;
  }
  return `${text}0\r\nX-Trailer: t\r\n\r\n`;
}

/** No two places are alike. */
function bodyOf(length: number): string {
  return Array.from({ length }, (_, i) => String.fromCharCode(97 + (i * 7 + (i >> 8)) % 26)).join(
    "",
  );
}

const CASES: readonly ProxyCase[] = [
  {
    name: "a share of the requests is copied; answers and failures are dropped",
    async run(proxy) {
      const seen: RawMessage[] = [];
      await using origin = real();
      await using copy = keeping(seen, () => seen.length % 2 === 0 ? ok("copy") : DOWN);
      await applyMesh(proxy, mirrored(origin, copy));
      using client = await proxy.connect();
      assert.deepEqual(await tally(client, 10), { "200 real": 10 });
      await proxy.untilMetric("weft_mirrored_requests_total", 10);
      const lines = seen.map((it) => `${it.startLine} ${headerOf(it, "host")}`);
      assert.deepEqual([...new Set(lines)], ["GET / HTTP/1.1 app"]);
      assert.deepEqual([...new Set(seen.map((it) => headerOf(it, "x-weft-mirror")))], ["1"]);
      assert.deepEqual(await dropsOf(proxy), {});
      await applyMesh(proxy, mirrored(origin, copy, { mirror: { service: "copy", percent: 0 } }));
      await tally(client, 10);
      assert.equal(seen.length, 10);
    },
  },
  {
    name: "bodies of any framing, up to the bound, arrive whole",
    async run(proxy) {
      const seen: RawMessage[] = [];
      await using origin = real();
      await using copy = keeping(seen);
      await applyMesh(proxy, mirrored(origin, copy));
      using client = await proxy.connect();
      const bodies = ["", "short", bodyOf(16_384), bodyOf(40_000), bodyOf(BODY_BYTES_MAX)];
      for (const body of bodies) await want(client, "200 real", request("POST", { body }));
      await want(client, "200 real", chunked("in chunks", 4));
      await want(client, "200 real", chunked("", 1));
      await want(client, "200 real", chunked(bodyOf(50_000), 3_000));
      const expected = [...bodies, "in chunks", "", bodyOf(50_000)];
      await until("every copy", () => seen.length, (count) => count === expected.length);
      // Each goes its own way, so they may come in any order.
      assert.deepEqual(seen.map(({ body }) => body).toSorted(), expected.toSorted());
      assert.deepEqual(await dropsOf(proxy), {});
    },
  },
  {
    name: "changes of headers are in the copy too, and those of the proxy",
    async run(proxy) {
      const seen: RawMessage[] = [];
      await using origin = real();
      await using copy = keeping(seen);
      const headers = { request: { set: [{ name: "x-set", value: "new" }], remove: ["x-gone"] } };
      await applyMesh(proxy, mirrored(origin, copy, { headers }));
      using client = await proxy.connect();
      const own = ["X-Set: old", "X-Gone: 1", "X-Stay: 2"];
      await want(client, "200 real", request("POST", { headers: own, body: "b" }));
      await until("the copy", () => seen.length, (count) => count === 1);
      const read = (name: string) => headerOf(seen[0], name);
      assert.deepEqual(
        ["x-set", "x-gone", "x-stay", "x-forwarded-for", "host"].map(read),
        ["new", undefined, "2", "127.0.0.1", "app"],
      );
    },
  },
  {
    name: "a body beyond the bound is not copied, and counted; the request goes on",
    async run(proxy) {
      const seen: RawMessage[] = [];
      const bodies: number[] = [];
      await using origin = new ScriptedOrigin(answering(({ body }) => {
        bodies.push(body.length);
        return ok("real");
      }));
      await using copy = keeping(seen);
      await applyMesh(proxy, mirrored(origin, copy));
      using client = await proxy.connect();
      const body = bodyOf(BODY_BYTES_MAX + 1);
      await want(client, "200 real", request("POST", { body }));
      await want(client, "200 real", chunked(body, 10_000));
      assert.deepEqual(await dropsOf(proxy), { "body-too-large": 2 });
      assert.deepEqual(bodies, [body.length, body.length]);
      assert.equal(copy.accepted, 0);
    },
  },
  {
    name: "a mirror that hangs delays no request; beyond so many copies none are made",
    async run(proxy) {
      await using origin = real();
      const never = Promise.withResolvers<void>();
      await using copy = new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
        await never.promise;
      }, { mayFail: true });
      await applyMesh(proxy, mirrored(origin, copy));
      using client = await proxy.connect();
      const text = request("POST", { body: bodyOf(1_000) });
      assert.deepEqual(await tally(client, 70, text), { "200 real": 70 });
      assert.deepEqual(await dropsOf(proxy), { crowded: 6 });
      never.resolve();
      await untilDropped(proxy, { crowded: 6, failed: 64 });
    },
  },
  {
    name: "a copy is never sent twice, and none of it is in the numbers of the Service",
    async run(proxy) {
      await using origin = real();
      await using copy = new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
      }, { mayFail: true });
      const retry = { attempts: 5, retryOn: ["reset", "5xx", "connect-failure"], backoff: "1ms" };
      await applyMesh(proxy, mirrored(origin, copy, { retry }));
      using client = await proxy.connect();
      const [requests, retries] = await numbersOf(proxy);
      assert.deepEqual(await tally(client, 5), { "200 real": 5 });
      await untilDropped(proxy, { failed: 5 });
      assert.equal(copy.accepted, 5);
      assert.deepEqual(await numbersOf(proxy), [requests + 5, retries]);
      assert.equal(await proxy.metric("weft_refusals_total"), 0);
    },
  },
  {
    name: "a client that goes away in the middle of its body leaves no copy",
    async run(proxy) {
      const seen: RawMessage[] = [];
      await using origin = real();
      await using copy = keeping(seen);
      await applyMesh(proxy, mirrored(origin, copy));
      const client = await proxy.connect();
      await client.send("POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 100\r\n\r\nhalf");
      await until("the endpoint", () => origin.accepted, (count) => count === 1);
      client.close();
      await untilDropped(proxy, { incomplete: 1 });
      assert.equal(copy.accepted, 0);
    },
  },
];

const DOWN = "HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\nno";

/** Requests that were answered, and retries. */
async function numbersOf(proxy: TestProxy): Promise<[requests: number, retries: number]> {
  return [
    await proxy.metric("weft_requests_total"),
    await proxy.metric("weft_upstream_retries_total"),
  ];
}

const PAIRS: readonly Http2Case[] = VERSIONS.flatMap((client) =>
  VERSIONS.map((endpoint): Http2Case => ({
    name: `${client} to ${endpoint}: bodies of lengths said and unsaid`,
    async run(proxy, node) {
      await using origin = await NodeOrigin.start(node, endpoint);
      await using copy = await NodeOrigin.start(node, endpoint);
      const portName = endpoint === "h2" ? "http2" : "http";
      await applyMesh(proxy, { ...mirrored(origin, copy), portName });
      const asks = [
        { path: "/report" },
        { path: "/report", bodyBytes: 0 },
        { path: "/report", bodyBytes: 10 },
        { path: "/report", bodyBytes: 60_000 },
        { path: "/report", bodyBytes: 60_001, unsaid: true },
        { path: "/report", bodyBytes: 1, unsaid: true },
      ];
      const summary = ({ method, version, length, hash }: Summary) =>
        JSON.stringify([method, version, length, hash]);
      const told: string[] = [];
      const delayed = { fault: { delay: { duration: "30ms" } } };
      for (const [i, one] of [...asks, ...asks].entries()) {
        // Held back, so that the request is here before its framing has to change.
        if (i === asks.length) {
          await applyMesh(proxy, { ...mirrored(origin, copy, delayed), portName });
        }
        const { status, error, text } = await askNode(node, client, proxy.port, one);
        assert.deepEqual([status, error], [200, ""]);
        const report = JSON.parse(text);
        assert.equal(report.origin, origin.name);
        assert.equal(report.headers["x-weft-mirror"], undefined);
        told.push(summary(report));
      }
      await until(
        "every copy",
        async () => (await copy.reports()).length,
        (n) => n === 2 * asks.length,
      );
      const copies = await copy.reports();
      assert.deepEqual(copies.map(summary).toSorted(), told.toSorted());
      assert.deepEqual([...new Set(copies.map(({ headers }) => headers["x-weft-mirror"]))], ["1"]);
      assert.deepEqual(await dropsOf(proxy), {});
      const large = { path: "/report", bodyBytes: 100_000, unsaid: true };
      assert.equal((await askNode(node, client, proxy.port, large)).status, 200);
      assert.deepEqual(await dropsOf(proxy), { "body-too-large": 1 });
    },
  }))
);

interface Summary {
  readonly method: string;
  readonly version: string;
  readonly length: number;
  readonly hash: string;
}

const IMPATIENT_CASES: readonly ProxyCase[] = [
  {
    name: "a mirror that takes a body and never answers is given up in time",
    async run(proxy) {
      await using origin = real();
      await using copy = new ScriptedOrigin(async (socket) => {
        await socket.readRest();
      }, { mayFail: true });
      await applyMesh(proxy, mirrored(origin, copy));
      using client = await proxy.connect();
      await want(client, "200 real", request("POST", { body: bodyOf(60_000) }));
      await untilDropped(proxy, { timeout: 1 });
    },
  },
];

testThroughProxy("mirroring by policy", CASES);
testThroughProxy("mirroring by policy, with little time", IMPATIENT_CASES, {
  timeouts: { responseMs: 300, stallMs: 300 },
});
testHttp2("mirroring by policy", PAIRS);
