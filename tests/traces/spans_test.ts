/** Spans of the proxy over HTTP/1.1, on both drivers, as a collector of OTLP gets them. */
import { closedPort } from "../support/free_port.ts";
import assert from "node:assert/strict";
import net from "node:net";
import type { RawMessage } from "../support/raw_socket.ts";
import { RawSocket, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin, skipWithoutReset } from "../support/scripted_origin.ts";
import { DRIVERS, planOf } from "../support/test_proxy.ts";
import type { Driver } from "../support/test_proxy.ts";
import { soon, until } from "../support/until.ts";
import { Collector } from "./collector.ts";
import { TracedProxy } from "./traced_proxy.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const PARENT_ID = "b7ad6b7169203331";
/** A thread may be held up between two looks at a clock. */
const SLACK_MS = 25;

/** The headers that say something of traces, in the order of their names. */
function traceHeadersOf({ headers }: RawMessage): Record<string, string> {
  const named = headers.map(([name, value]): [string, string] => [name.toLowerCase(), value]);
  return Object.fromEntries(named.filter(([name]) => /^(trace|b3|x-b3)/.test(name)));
}

async function ask(port: number, lines: readonly string[], target = "/a?b=c"): Promise<number> {
  using client = await RawSocket.connect(port);
  const head = [`GET ${target} HTTP/1.1`, "Host: app", ...lines].join("\r\n");
  await client.send(`${head}\r\n\r\n`);
  return statusOf(await client.readResponse());
}

/** An application that answers everything, and what it was told of traces. */
function application(): { origin: ScriptedOrigin; heads: Record<string, string>[] } {
  const heads: Record<string, string>[] = [];
  const origin = new ScriptedOrigin(
    answering((request) => {
      heads.push(traceHeadersOf(request));
      return ok("hello");
    }),
    { mayFail: true },
  );
  return { origin, heads };
}

function test(name: string, run: (driver: Driver, workers: number) => Promise<void>): void {
  for (const driver of DRIVERS) {
    for (const workers of driver === "native" ? [0, 2] : [1]) {
      Deno.test({
        name: `spans (${driver}, ${workers} workers): ${name}`,
        sanitizeOps: false,
        sanitizeResources: false,
        fn: () => run(driver, workers),
      });
    }
  }
}

test("from the client's span over the proxy's two to the application", async (driver, workers) => {
  await using collector = new Collector();
  const { origin, heads } = application();
  await using _origin = origin;
  await using traced = await TracedProxy.start({
    driver,
    workers,
    spans: { url: collector.url },
    application: origin.port,
  });
  await traced.routeThroughInbound("http");
  const beforeMs = Date.now();
  const context = [`traceparent: 00-${TRACE_ID}-${PARENT_ID}-01`, "tracestate: a=b,c=d"];
  assert.equal(await ask(traced.port, context), 200);
  const [client, server] = (await collector.take(2)).toSorted((one) =>
    one.kind === "client" ? -1 : 1
  );
  assert.deepEqual([client.kind, server.kind], ["client", "server"]);
  assert.deepEqual([client.traceId, server.traceId], [TRACE_ID, TRACE_ID]);
  assert.equal(client.parentId, PARENT_ID);
  assert.equal(server.parentId, client.spanId);
  assert.notEqual(server.spanId, client.spanId);
  assert.deepEqual(heads, [{
    "tracestate": "a=b,c=d",
    "traceparent": `00-${TRACE_ID}-${server.spanId}-01`,
  }]);
  assert.equal(collector.headers[0].get("x-token"), "secret");
  assert.deepEqual(client.resource, { "service.name": "web" });
  assert.equal(client.name, "GET default/app:80");
  assert.equal(server.name, "GET");
  for (const { startMs, endMs, isError } of [client, server]) {
    assert.ok(!isError);
    assert.ok(beforeMs - SLACK_MS <= startMs && startMs <= endMs, `${beforeMs} ${startMs}`);
    assert.ok(endMs <= Date.now() + SLACK_MS, `${endMs}`);
  }
  assert.ok(client.startMs <= server.startMs + SLACK_MS);
  assert.ok(server.endMs <= client.endMs + SLACK_MS);
  assert.deepEqual(client.attributes, {
    "http.request.method": "GET",
    "http.response.status_code": 200,
    "http.request.body.size": 0,
    "http.response.body.size": 5,
    "url.path": "/a",
    "url.scheme": "http",
    "server.address": "app",
    "network.peer.address": "127.0.0.1",
    "network.peer.port": traced.proxy.inbound[0].port,
    "network.protocol.name": "http",
    "network.protocol.version": "1.1",
    "weft.service": "default/app:80",
    "weft.backend": "default/app",
    "weft.plan": traced.records.find(({ listener }) => listener === 0)?.plan,
  });
  assert.equal(server.attributes["client.address"], "127.0.0.1");
  assert.deepEqual(traced.records.map(({ trace }) => trace), [TRACE_ID, TRACE_ID]);
});

test("a trace that is not sampled is passed on as it is", async (driver, workers) => {
  await using collector = new Collector();
  const { origin, heads } = application();
  await using _origin = origin;
  const spans = { url: collector.url };
  await using traced = await TracedProxy.start({
    driver,
    workers,
    spans,
    plan: planOf([origin.port]),
  });
  const contexts = [
    [`traceparent: 00-${TRACE_ID}-${PARENT_ID}-00`],
    ["b3: 0"],
    ["x-b3-sampled: 0"],
  ];
  for (const lines of contexts) await ask(traced.port, lines);
  assert.deepEqual(
    heads,
    contexts.map(([line]) => Object.fromEntries([line.split(": ")])),
  );
  // One that is sampled comes through, and so would have the others.
  await ask(traced.port, [`traceparent: 00-${TRACE_ID}-${PARENT_ID}-01`]);
  await collector.take(1);
});

test("B3 goes on as it came, with the proxy's span in it", async (driver, workers) => {
  await using collector = new Collector();
  const { origin, heads } = application();
  await using _origin = origin;
  const spans = { url: collector.url };
  await using traced = await TracedProxy.start({
    driver,
    workers,
    spans,
    plan: planOf([origin.port]),
  });
  await ask(traced.port, [`b3: ${TRACE_ID}-${PARENT_ID}-1`]);
  const [single] = await collector.take(1);
  assert.deepEqual([single.traceId, single.parentId], [TRACE_ID, PARENT_ID]);
  assert.deepEqual(heads.pop(), { "b3": `${TRACE_ID}-${single.spanId}-1-${PARENT_ID}` });
  const lines = ["X-B3-TraceId: 48485a3953bb6124", `X-B3-SpanId: ${PARENT_ID}`];
  await ask(traced.port, [...lines, "X-B3-ParentSpanId: 0000000000000001", "X-B3-Sampled: 1"]);
  const [several] = await collector.take(1);
  assert.deepEqual(heads.pop(), {
    "x-b3-traceid": "000000000000000048485a3953bb6124",
    "x-b3-spanid": several.spanId,
    "x-b3-parentspanid": PARENT_ID,
    "x-b3-sampled": "1",
  });
  assert.equal(several.traceId, "000000000000000048485a3953bb6124");
  await ask(traced.port, [
    `traceparent: 00-${TRACE_ID}-${PARENT_ID}-01`,
    "b3: 00000000000000010000000000000002-0000000000000003-1",
  ]);
  const [both] = await collector.take(1);
  assert.deepEqual([both.traceId, both.parentId], [TRACE_ID, PARENT_ID]);
  assert.deepEqual(heads.pop(), {
    "b3": `${TRACE_ID}-${both.spanId}-1-${PARENT_ID}`,
    "traceparent": `00-${TRACE_ID}-${both.spanId}-01`,
  });
  await ask(traced.port, ["b3: 1"]);
  const [asked] = await collector.take(1);
  assert.equal(asked.parentId, "");
  assert.deepEqual(heads.pop(), { "b3": `${asked.traceId}-${asked.spanId}-1` });
});

test("a trace begins where there is none, or none that can be read", async (driver, workers) => {
  await using collector = new Collector();
  const { origin, heads } = application();
  await using _origin = origin;
  const spans = { url: collector.url };
  await using traced = await TracedProxy.start({
    driver,
    workers,
    spans,
    plan: planOf([origin.port]),
  });
  const malformed = `traceparent: 00-${TRACE_ID}-${"0".repeat(16)}-01`;
  for (const lines of [[], [malformed, "tracestate: a=b"]]) {
    await ask(traced.port, lines);
    const [span] = await collector.take(1);
    assert.equal(span.parentId, "");
    assert.notEqual(span.traceId, TRACE_ID);
    assert.deepEqual(heads.pop(), { "traceparent": `00-${span.traceId}-${span.spanId}-01` });
  }
});

test("what is not sampled here is sampled nowhere", async (driver, workers) => {
  await using collector = new Collector();
  const { origin, heads } = application();
  await using _origin = origin;
  await using traced = await TracedProxy.start({
    driver,
    workers,
    share: 0,
    spans: { url: collector.url },
    application: origin.port,
  });
  await traced.routeThroughInbound("http");
  await ask(traced.port, []);
  assert.match(heads[0].traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  await ask(traced.port, [`traceparent: 00-${TRACE_ID}-${PARENT_ID}-01`]);
  await collector.take(2);
});

test("failures: the proxy's own, an endpoint's, a client that goes", async (driver, workers) => {
  await using collector = new Collector();
  const hanging = Promise.withResolvers<void>();
  await using origin = new ScriptedOrigin(
    answering(({ startLine }) => {
      const target = startLine.split(" ")[1];
      if (target === "/hang") {
        hanging.resolve();
        return new Promise(() => {});
      }
      return `HTTP/1.1 ${target === "/bad" ? "500 Bad" : "404 None"}\r\nContent-Length: 0\r\n\r\n`;
    }),
    { mayFail: true },
  );
  const spans = { url: collector.url };
  await using traced = await TracedProxy.start({
    driver,
    workers,
    spans,
    application: origin.port,
    plan: planOf([origin.port]),
  });
  const errorOf = async () => {
    const [{ isError, attributes }] = await collector.take(1);
    return [isError, attributes["error.type"] ?? "", attributes["http.response.status_code"] ?? 0];
  };
  await ask(traced.port, [], "/bad");
  assert.deepEqual(await errorOf(), [true, "500", 500]);
  await ask(traced.port, [], "/none");
  assert.deepEqual(await errorOf(), [true, "404", 404], "the client's error");
  await ask(traced.proxy.inbound[0].port, [], "/none");
  assert.deepEqual(await errorOf(), [false, "", 404], "no error of the server");
  await ask(traced.port, [], "http://elsewhere/");
  assert.deepEqual(await errorOf(), [true, "host-unknown", 404]);
  if (skipWithoutReset() !== "") return;
  // One that only ends its side may still want the answer.
  const client = net.connect(traced.port, "127.0.0.1");
  client.on("error", () => {});
  client.write("GET /hang HTTP/1.1\r\nHost: app\r\n\r\n");
  await soon("the request at the endpoint", hanging.promise);
  client.resetAndDestroy();
  assert.deepEqual(await errorOf(), [true, "client-gone", 0]);
  assert.deepEqual(traced.records.at(-1)?.reason, "client-gone");
});

test("each retry is an event of the one span", async (driver, workers) => {
  await using collector = new Collector();
  const { origin, heads } = application();
  await using _origin = origin;
  const { port } = closedPort();
  const spans = { url: collector.url };
  await using traced = await TracedProxy.start({
    driver,
    workers,
    spans,
    plan: planOf([port, origin.port]),
  });
  let retried: Awaited<ReturnType<Collector["take"]>>[number] | undefined;
  for (let tries = 0; tries < 20 && retried === undefined; tries++) {
    assert.equal(await ask(traced.port, []), 200);
    const [span] = await collector.take(1);
    if (span.events.length > 0) retried = span;
  }
  assert.ok(retried !== undefined);
  const [event] = retried.events;
  assert.equal(event.name, "weft.retry");
  assert.deepEqual(event.attributes, {
    "weft.reason": "upstream-refused",
    "weft.endpoint": `127.0.0.1:${port}`,
  });
  assert.ok(retried.startMs <= event.timeMs && event.timeMs <= retried.endMs);
  assert.equal(retried.attributes["http.request.resend_count"], 1);
  assert.equal(heads.at(-1)?.traceparent, `00-${retried.traceId}-${retried.spanId}-01`);
});

test("a collector that hangs, refuses or is gone holds up no request", async (driver, workers) => {
  const collector = new Collector();
  const { origin } = application();
  await using _origin = origin;
  const spans = { url: collector.url, queueMax: 20, batchMax: 10, delayMs: 1, timeoutMs: 100_000 };
  await using traced = await TracedProxy.start({
    driver,
    workers,
    spans,
    plan: planOf([origin.port]),
  });
  const release = Promise.withResolvers<void>();
  collector.held = release.promise;
  for (let i = 0; i < 50; i++) assert.equal(await ask(traced.port, []), 200);
  const metrics = async () => {
    const response = await fetch(`http://127.0.0.1:${traced.proxy.admin?.port}/metrics`);
    const lines = (await response.text()).matchAll(/^weft_spans_total\{outcome="(\w+)"\} (\d+)$/gm);
    return Object.fromEntries(Array.from(lines, ([, outcome, count]) => [outcome, Number(count)]));
  };
  // Twenty wait, the first of them on their way.
  await until("drops", metrics, ({ dropped }) => dropped === 30);
  collector.statuses.push(503, 400);
  release.resolve();
  const counts = await until(
    "the rest",
    metrics,
    ({ exported, refused }) => exported + refused === 20,
  );
  assert.ok(counts.refused > 0 && counts.exported > 0, JSON.stringify(counts));
  assert.equal(collector.spans.length, counts.exported);
  assert.deepEqual(traced.logged, ["Spans are not exported", "Spans are exported again"]);
  await collector[Symbol.asyncDispose]();
  assert.equal(await ask(traced.port, []), 200);
});

test("without spans nothing is sent and nothing is changed", async (driver, workers) => {
  const { origin, heads } = application();
  await using _origin = origin;
  await using traced = await TracedProxy.start({
    driver,
    workers,
    share: 0,
    spans: null,
    plan: planOf([origin.port]),
  });
  const context = `traceparent: 00-${TRACE_ID}-${PARENT_ID}-01`;
  for (const lines of [[], [context]]) await ask(traced.port, lines);
  assert.deepEqual(heads, [{}, { "traceparent": `00-${TRACE_ID}-${PARENT_ID}-01` }]);
});
