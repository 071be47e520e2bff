import assert from "node:assert/strict";
import { routeTo, testHttp2, VERSIONS } from "./http2_cases.ts";
import type { Http2Case } from "./http2_cases.ts";
import { askAll, askNode, NodeOrigin, patternOf } from "./node_peers.ts";
import type { Ask, RequestReport, Told, Version } from "./node_peers.ts";
import type { NodeProcess } from "./node_process.ts";
import type { TestProxy } from "../support/test_proxy.ts";

const MEGABYTES_5 = 5_000_000;

async function hashOf(length: number): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", patternOf(length));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A case for each of the four pairs of protocols. */
function forEachPair(
  name: string,
  run: (
    askNode: (one: Ask) => Promise<Told>,
    pair: { client: Version; endpoint: Version; proxy: TestProxy; node: NodeProcess },
  ) => Promise<void>,
): Http2Case[] {
  return VERSIONS.flatMap((client) =>
    VERSIONS.map((endpoint) => ({
      name: `${client} to ${endpoint}: ${name}`,
      async run(proxy: TestProxy, node: NodeProcess) {
        await using origin = await NodeOrigin.start(node, endpoint);
        await routeTo(proxy, endpoint, origin);
        await run((one) => askNode(node, client, proxy.port, one), {
          client,
          endpoint,
          proxy,
          node,
        });
      },
    }))
  );
}

function checkOk(told: Told): void {
  assert.deepEqual([told.status, told.error], [200, ""], JSON.stringify(told));
}

function reportOf(told: Told): RequestReport {
  checkOk(told);
  return JSON.parse(told.text);
}

const CASES: readonly Http2Case[] = [
  ...forEachPair(
    "requests without and with bodies, of lengths said and unsaid",
    async (askNode, pair) => {
      const { endpoint } = pair;
      for (const bodyBytes of [undefined, 0, 1, 70_000]) {
        for (const unsaid of [false, true]) {
          const path = unsaid ? "/report?unsaid" : "/report";
          const one = { path, unsaid, ...(bodyBytes === undefined ? {} : { bodyBytes }) };
          const report = reportOf(await askNode(one));
          assert.equal(report.method, bodyBytes === undefined ? "GET" : "POST");
          assert.equal(report.version, endpoint === "h2" ? "2.0" : "1.1");
          assert.equal(report.length, bodyBytes ?? 0);
          assert.equal(report.hash, await hashOf(bodyBytes ?? 0));
          const length = report.headers["content-length"];
          if (bodyBytes !== undefined && !unsaid) assert.equal(length, String(bodyBytes));
          if (unsaid && bodyBytes !== undefined && bodyBytes > 1) assert.equal(length, undefined);
        }
      }
    },
  ),
  ...forEachPair(
    "headers: forwarded, nothing about connections, cookies joined",
    async (askNode) => {
      const headers = { "x-forwarded-for": "10.0.0.1", "te": "trailers", "cookie": "a=b; c=d" };
      const report = reportOf(
        await askNode({ path: "/report", headers: { ...headers, "x-mine": "v" } }),
      );
      assert.equal(report.headers["x-forwarded-for"], "10.0.0.1, 127.0.0.1");
      assert.equal(report.headers["x-forwarded-proto"], "http");
      assert.equal(report.headers["cookie"], "a=b; c=d");
      assert.equal(report.headers["te"], "trailers");
      assert.equal(report.headers["x-mine"], "v");
      assert.equal(report.headers["host"] ?? report.headers[":authority"], "app");
    },
  ),
  ...forEachPair("answers of lengths said and unsaid, HEAD, 204, 304", async (askNode) => {
    for (const count of [0, 1, 16_384, 100_000]) {
      for (const said of ["", "&said"]) {
        const told = await askNode({ path: `/bytes?count=${count}${said}` });
        checkOk(told);
        assert.equal(told.length, count);
        assert.equal(told.hash, await hashOf(count));
        if (said !== "") assert.equal(told.headers["content-length"], String(count));
      }
    }
    const head = await askNode({ path: "/bytes?count=100&said", method: "HEAD" });
    checkOk(head);
    assert.equal(head.headers["content-length"], "100");
    assert.equal(head.length, 0);
    for (const code of [204, 304, 404, 500]) {
      const told = await askNode({ path: `/status?code=${code}&etag` });
      assert.deepEqual([told.status, told.length, told.error], [code, 0, ""]);
      assert.equal(told.headers["etag"], '"x"');
    }
  }),
  ...forEachPair("five megabytes both ways, checked", async (askNode) => {
    const report = reportOf(await askNode({ path: "/report", bodyBytes: MEGABYTES_5 }));
    assert.equal(report.hash, await hashOf(MEGABYTES_5));
    const unsaid = reportOf(
      await askNode({ path: "/report", bodyBytes: MEGABYTES_5, unsaid: true }),
    );
    assert.equal(unsaid.hash, await hashOf(MEGABYTES_5));
    const told = await askNode({ path: `/bytes?count=${MEGABYTES_5}&pieces=100` });
    checkOk(told);
    assert.equal(told.hash, await hashOf(MEGABYTES_5));
    const echo = await askNode({ path: "/echo", bodyBytes: MEGABYTES_5 });
    checkOk(echo);
    assert.equal(echo.hash, await hashOf(MEGABYTES_5));
  }),
  ...forEachPair("trailers of answers", async (askNode) => {
    const told = await askNode({ path: "/trailers", headers: { te: "trailers" } });
    checkOk(told);
    assert.equal(told.text, "body");
    assert.deepEqual([told.trailers["x-sum"], told.trailers["x-done"]], ["42", "yes"]);
  }),
  ...forEachPair("trailers of requests", async (askNode) => {
    const trailers = { "x-checksum": "abc" };
    for (const bodyBytes of [2, 100_000]) {
      const report = reportOf(
        await askNode({ path: "/report", bodyBytes, unsaid: true, trailers }),
      );
      assert.equal(report.length, bodyBytes);
      assert.deepEqual(report.trailers, trailers);
    }
  }),
  ...forEachPair("interim answers, and 100 when it is waited for", async (askNode) => {
    const told = await askNode({ path: "/interim" });
    checkOk(told);
    assert.deepEqual(told.interim, [103]);
    const one = { path: "/report", bodyBytes: 1_000, expects: true };
    assert.equal(reportOf(await askNode(one)).length, 1_000);
  }),
  ...forEachPair("an answer before the request has all been sent", async (askNode) => {
    const told = await askNode({ path: "/early", bodyBytes: 300_000 });
    assert.equal(told.status, 413);
    assert.equal(told.text, "no\n");
  }),
  ...forEachPair("a hundred requests at once", async (_ask, { client, proxy, node }) => {
    const asks = Array.from({ length: 100 }, (_, i) => ({
      path: i % 2 === 0 ? `/bytes?count=${1_000 * i}` : "/report",
      ...(i % 2 === 0 ? {} : { bodyBytes: 1_000 * i }),
    }));
    const all = await askAll(node, client, proxy.port, asks);
    for (const [i, told] of all.entries()) {
      checkOk(told);
      const hash = i % 2 === 0 ? told.hash : reportOf(told).hash;
      assert.equal(hash, await hashOf(1_000 * i), `number ${i}`);
    }
  }),
];

testHttp2("HTTP/2 messages", CASES);
