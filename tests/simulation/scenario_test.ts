/** What simulations have found, each in the fewest steps that show it. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { Engine } from "../../proxy/run/engine.ts";
import { Random } from "../../base/random.ts";
import { DEFAULT_TIMEOUTS } from "../../proxy/config.ts";
import { frames } from "./http2_frames.ts";
import { encodeLiterals } from "./hpack.ts";
import { Probe } from "./probe.ts";
import { Scenario, withEndpoints, withPolicy } from "./scenario.ts";

const GET = "GET /t HTTP/1.1\r\nHost: svc0.sim\r\n\r\n";

function statusesOf(text: string): string[] {
  return Array.from(text.matchAll(/HTTP\/1\.1 (\d{3})/g), ([, status]) => status);
}

Deno.test("an endpoint that is given up for its window costs its request one answer, not two", () => {
  const scenario = new Scenario("http2");
  const client = scenario.client();
  scenario.pass(1);
  client.send(
    `POST /t HTTP/1.1\r\nHost: svc0.sim\r\nContent-Length: 4000\r\n\r\n${"x".repeat(4000)}`,
  );
  scenario.pass(1);
  const [endpoint] = scenario.endpoint;
  endpoint.send(frames.settings([[frames.SETTING_WINDOW, 1]]));
  for (let i = 0; i < 400 && !endpoint.side.hasEnded; i++) {
    scenario.pass(1);
    if (!endpoint.side.hasEnded) endpoint.send(frames.windowUpdate(1, 1));
  }
  match(endpoint.text, /the window is too small/);
  deepEqual(statusesOf(client.text), ["502"]);
  client.send(GET);
  scenario.pass(1);
  const next = scenario.endpoint[1];
  next.send(frames.settings([]));
  scenario.pass(1);
  const head = frames.END_HEADERS | frames.END_STREAM;
  next.send(frames.frame(frames.HEADERS, head, 1, encodeLiterals([[":status", "204"]])));
  scenario.pass(1);
  deepEqual(statusesOf(client.text), ["502", "204"]);
});

Deno.test("a connection that was made for a client who gave up is closed", () => {
  const scenario = new Scenario("http2");
  const client = scenario.client();
  scenario.pass(1);
  client.send(GET);
  scenario.pass(1);
  client.side.reset();
  scenario.pass(1);
  scenario.endpoint[0].send(frames.settings([]));
  scenario.pass(1_000);
  equal(scenario.io.connections, 1);
  scenario.pass(1_500);
  equal(scenario.io.connections, 0);
});

Deno.test("a connection that nothing is under way on is closed when its endpoint says GOAWAY", () => {
  const scenario = new Scenario("http2");
  const client = scenario.client();
  scenario.pass(1);
  client.send(GET);
  scenario.pass(1);
  client.side.reset();
  scenario.pass(1);
  scenario.endpoint[0].send(frames.settings([]), frames.goaway(0, frames.NO_ERROR));
  scenario.pass(1);
  equal(scenario.io.connections, 0);
});

Deno.test("a request that waits for room on a connection whose endpoint reads nothing gets 504", () => {
  const scenario = new Scenario("http2");
  const clients = Array.from({ length: 20 }, () => scenario.client());
  scenario.pass(1);
  const { weather } = scenario.network;
  scenario.network.weather = { ...weather, capacityMin: 100, capacityMax: 100 };
  clients[0].send(GET);
  scenario.pass(1);
  const [endpoint] = scenario.endpoint;
  endpoint.isDeaf = true;
  endpoint.send(frames.settings([]), frames.frame(frames.SETTINGS, frames.ACK, 0));
  scenario.pass(1);
  for (const client of clients.slice(1)) {
    client.send(`GET /t HTTP/1.1\r\nHost: svc0.sim\r\nx: ${"y".repeat(9_000)}\r\n\r\n`);
  }
  scenario.pass(DEFAULT_TIMEOUTS.stallMs + 2_000);
  for (const { text } of clients) deepEqual(statusesOf(text), ["504"]);
  equal(scenario.endpoint.length, 1);
});

Deno.test("a client of HTTP/2 that comes when there is no buffer costs its connection and no more", () => {
  const probe = new Probe();
  probe.watch(new Random(1, "platform"), () => {
    const scenario = new Scenario("http2");
    const client = scenario.client();
    scenario.pass(1);
    client.send(frames.PREFACE.subarray(0, 10));
    scenario.pass(1);
    probe.buffersMax = 0;
    client.send(frames.PREFACE.subarray(10), frames.settings([]));
    scenario.pass(1);
    let isDrained = false;
    scenario.engine.drain(() => {
      isDrained = true;
    });
    scenario.pass(10_000);
    ok(isDrained);
    equal(scenario.engine.snapshot().lastFault, "");
    equal(probe.leftovers(), "");
  });
});

Deno.test("a client that is refused and half-closes still gets all of its answer", () => {
  const scenario = new Scenario("http1");
  scenario.network.weather = { ...scenario.network.weather, capacityMin: 100, capacityMax: 100 };
  const client = scenario.client();
  client.isDeaf = true;
  scenario.pass(1);
  client.send("GET /t HTTP/1.1\r\nHost: a b\r\n\r\n");
  client.side.sendEnd();
  scenario.pass(1);
  client.isDeaf = false;
  client.side.onChange();
  scenario.pass(1);
  match(client.text, /^HTTP\/1\.1 400 [^]*connection: close\r\n\r\nweft: [^]*\n$/);
  ok(client.side.hasEnded);
});

Deno.test("what a socket does not take of a copied request is sent when it does", () => {
  const mirror = { namespace: "sim", service: "copies", group: "sim/copies:80", percent: 100 };
  const scenario = new Scenario(
    "http1",
    (plan) => withPolicy(withEndpoints(plan, "copies", ["10.2.0.1"]), { mirror }),
  );
  const copies = scenario.listen("10.2.0.1");
  const { weather } = scenario.network;
  scenario.network.weather = { ...weather, capacityMin: 50, capacityMax: 50 };
  const client = scenario.client();
  scenario.pass(1);
  client.send(GET);
  scenario.pass(20);
  match(copies[0].text, /^GET \/t HTTP\/1\.1\r\n[^]*\r\n\r\n$/);
  ok(scenario.io.idleTurns < 10, `${scenario.io.idleTurns} turns without anything to do`);
});

Deno.test("a request that a policy holds back goes to the endpoints that are there when it goes", () => {
  const fault = { delay: { percent: 100, durationMs: 50 }, abort: null };
  const scenario = new Scenario("http1", (plan) => withPolicy(plan, { fault }));
  const client = scenario.client();
  scenario.pass(1);
  client.send(GET);
  scenario.pass(10);
  const next = scenario.listen("10.0.0.2");
  scenario.engine.apply(withPolicy(withEndpoints(scenario.plan, "svc0", ["10.0.0.2"]), { fault }));
  scenario.pass(100);
  equal(scenario.endpoint.length, 0);
  match(next[0].text, /^GET \/t /);
});

Deno.test("a client of a draining proxy gets its answer, whatever it still sends", () => {
  const scenario = new Scenario("http1");
  const client = scenario.client();
  scenario.pass(1);
  const fields = [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/t"],
    [":authority", "svc0.sim"],
  ] as const;
  const head = frames.END_HEADERS | frames.END_STREAM;
  client.send(
    frames.PREFACE,
    frames.settings([]),
    frames.frame(frames.HEADERS, head, 1, encodeLiterals(fields)),
  );
  scenario.pass(1);
  scenario.engine.drain(() => {});
  scenario.pass(1);
  client.send(
    frames.frame(frames.PING, frames.ACK, 0, Uint8Array.of(119, 101, 102, 116, 0, 0, 0, 0)),
  );
  scenario.pass(1);
  client.isDeaf = true;
  scenario.endpoint[0].send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  scenario.pass(1);
  client.send(frames.windowUpdate(0, 5));
  scenario.pass(1);
  client.isDeaf = false;
  client.side.onChange();
  match(client.text, /hello$/);
  ok(client.side.hasEnded && !client.side.isReset);
  equal(scenario.io.connections, 2);
  client.side.close();
  scenario.pass(1);
  // The connection to the endpoint is kept.
  equal(scenario.io.connections, 1);
});

Deno.test("a connection whose request has no end is not used for the next one", () => {
  const probe = new Probe();
  probe.watch(new Random(1, "platform"), () => {
    const scenario = new Scenario("http1");
    const client = scenario.client();
    scenario.pass(1);
    const fields = (method: string) =>
      encodeLiterals([
        [":method", method],
        [":scheme", "http"],
        [":path", "/t"],
        [":authority", "svc0.sim"],
      ]);
    client.send(frames.PREFACE, frames.settings([]));
    client.send(frames.frame(frames.HEADERS, frames.END_HEADERS, 1, fields("PUT")));
    scenario.pass(1);
    // One to read into and one for frames, but none for the end of the chunks.
    probe.buffersMax = metricOf(scenario.engine, "weft_buffers_lent") + 2;
    client.send(frames.frame(frames.DATA, frames.END_STREAM, 1));
    scenario.pass(1);
    probe.buffersMax = Infinity;
    scenario.endpoint[0].send("HTTP/1.1 204 No Content\r\n\r\n");
    scenario.pass(1);
    const head = frames.END_HEADERS | frames.END_STREAM;
    client.send(frames.frame(frames.HEADERS, head, 3, fields("GET")));
    scenario.pass(1);
    const [first, second] = scenario.endpoint;
    match(first.text, /^PUT [^]*chunked[^]*\r\n\r\n(0\r\n\r\n)?$/);
    ok(first.text.endsWith("\r\n0\r\n\r\n") || /^GET /.test(second.text), first.text);
  });
});

Deno.test("a relayed connection that has ended on the client's side brings its endpoint all bytes", () => {
  const scenario = new Scenario("http1");
  const client = scenario.tcpClient();
  const { weather } = scenario.network;
  scenario.network.weather = { ...weather, capacityMin: 100, capacityMax: 100 };
  scenario.pass(1);
  const [endpoint] = scenario.endpoint;
  endpoint.isDeaf = true;
  client.send("x".repeat(5_000));
  client.side.sendEnd();
  scenario.pass(1);
  endpoint.send("bye");
  endpoint.side.sendEnd();
  scenario.pass(1);
  equal(client.text, "bye");
  endpoint.isDeaf = false;
  endpoint.side.onChange();
  scenario.pass(10);
  equal(endpoint.text.length, 5_000);
  ok(endpoint.side.hasEnded && !endpoint.side.isReset);
  equal(scenario.io.connections, 0);
});

function metricOf(engine: Engine, metric: string): number {
  const sample = engine.snapshot().samples.find(([name]) => name === metric);
  return sample?.[2][0][1] ?? NaN;
}

Deno.test("a client that broke HTTP/2, and reads nothing, is let go of while the proxy drains, too", () => {
  for (const drainsFirst of [false, true]) {
    const scenario = new Scenario("http2");
    const { weather } = scenario.network;
    scenario.network.weather = { ...weather, capacityMin: 1_000, capacityMax: 1_000 };
    const client = scenario.client();
    scenario.pass(1);
    client.isDeaf = true;
    client.send(frames.PREFACE, frames.settings([]));
    const ping = frames.frame(frames.PING, 0, 0, new Uint8Array(8));
    for (let i = 0; i < 100; i++) {
      client.send(ping);
      scenario.pass(1);
    }
    if (drainsFirst) scenario.engine.discourage();
    client.send(frames.frame(frames.DATA, 0, 0));
    scenario.pass(1);
    scenario.engine.discourage();
    scenario.pass(10_000);
    equal(scenario.io.connections, 0);
  }
});
