/** Defects of Weft, planted where the loop calls: each costs its own connection or exchange, and nothing else. */
import { equal, match } from "node:assert/strict";
import { Random } from "../../base/random.ts";
import { DEFAULT_TIMEOUTS } from "../../proxy/config.ts";
import { Exchange } from "../../proxy/exchange/exchange.ts";
import { Downstream } from "../../proxy/http1/downstream.ts";
import { Upstream } from "../../proxy/http1/upstream.ts";
import { Http2Downstream } from "../../proxy/http2/downstream.ts";
import { Http2ServerStream } from "../../proxy/http2/server_stream.ts";
import { PolicyRun } from "../../proxy/policy/policy_run.ts";
import { EgressGate } from "../../proxy/route/egress.ts";
import { encodeLiterals } from "./hpack.ts";
import { FrameCutter, frames } from "./http2_frames.ts";
import { NAMESPACE } from "./generate.ts";
import { Probe } from "./probe.ts";
import { Scenario } from "./scenario.ts";
import type { End } from "./scenario.ts";

const GET = "GET /t HTTP/1.1\r\nHost: svc0.sim\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const DEFECT = "A planted defect";
/** Longer than any wait of a scenario takes. */
const LONG_MS = DEFAULT_TIMEOUTS.clientIdleMs + 1_000;

/** Has the next call of a method throw. */
function plant<Key extends string>(prototype: Record<Key, unknown>, key: Key): void {
  const own = Object.getOwnPropertyDescriptor(prototype, key);
  prototype[key] = () => {
    if (own === undefined) delete prototype[key];
    else Object.defineProperty(prototype, key, own);
    throw new Error(DEFECT);
  };
}

function answer(end: End): void {
  end.onText = () => end.send(OK);
}

/** Requests that are answered, over HTTP/1.1 and at once. */
function wantService(it: Scenario): void {
  const client = it.client();
  it.pass(1);
  client.send(GET);
  it.pass(20);
  match(client.text, /^HTTP\/1\.1 200 OK/);
  client.side.close();
  it.pass(1);
}

/** @param harm sends what meets the defect, and lets the time go by that it takes */
function defect(name: string, harm: (it: Scenario) => void): void {
  Deno.test(`a defect in ${name} costs what it is met in, and nothing else`, () => {
    const probe = new Probe();
    probe.watch(new Random(1, "platform"), () => {
      const it = new Scenario("http1");
      it.listen("10.0.0.1", answer);
      wantService(it);
      // The connection to the endpoint is given up meanwhile.
      it.pass(2_500);
      harm(it);
      match(it.engine.snapshot().lastFault, new RegExp(DEFECT));
      wantService(it);
      it.engine.drain(() => {});
      it.pass(DEFAULT_TIMEOUTS.drainMs + 2_000);
      equal(it.io.connections, 0);
      equal(probe.leftovers(), "");
    });
  });
}

defect("an event of an endpoint", (it) => {
  const client = it.client();
  it.pass(1);
  plant(Upstream.prototype, "onReadable");
  client.send(GET);
  it.pass(20);
  match(client.text, /^HTTP\/1\.1 502/);
  client.side.close();
});

defect("the beginning of a relayed connection", (it) => {
  plant(Exchange.prototype, "relay");
  const client = it.tcpClient();
  it.pass(20);
  equal(client.side.hasEnded || client.side.isReset, true);
  client.side.close();
});

defect("a deadline of a connection", (it) => {
  const client = it.client();
  it.pass(1);
  client.send(GET);
  it.pass(20);
  plant(Downstream.prototype, "onDeadline");
  it.pass(LONG_MS);
  equal(client.side.hasEnded || client.side.isReset, true);
});

/** Opens one stream, whose request never ends. */
function openStream(it: Scenario, isEnd: boolean): End {
  const client = it.client();
  it.pass(1);
  const fields = encodeLiterals([
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/t"],
    [":authority", "svc0.sim"],
  ]);
  const flags = frames.END_HEADERS | (isEnd ? frames.END_STREAM : 0);
  client.send(frames.PREFACE, frames.settings([]), frames.frame(frames.SETTINGS, frames.ACK, 0));
  it.pass(1);
  client.send(frames.frame(frames.HEADERS, flags, 1, fields));
  return client;
}

defect("a deadline of a stream", (it) => {
  it.listen("10.0.0.1", () => {});
  const client = openStream(it, false);
  it.pass(20);
  plant(Http2ServerStream.prototype as unknown as Record<"onLate", unknown>, "onLate");
  it.pass(DEFAULT_TIMEOUTS.stallMs + 1_000);
  const bytes = Uint8Array.from(client.text, (one) => one.charCodeAt(0));
  const resets = Array.from(new FrameCutter().cut(bytes)).filter(({ type }) =>
    type === frames.RST_STREAM
  );
  equal(resets.length, 1);
  client.side.close();
  it.listen("10.0.0.1", answer);
});

defect("what is sent after a batch of events", (it) => {
  plant(Http2Downstream.prototype as unknown as Record<"send", unknown>, "send");
  const client = openStream(it, true);
  it.pass(20);
  equal(client.side.hasEnded || client.side.isReset, true);
  client.side.close();
});

defect("the timer of a policy", (it) => {
  it.police({ timeouts: { requestMs: 100, idleMs: null } });
  it.listen("10.0.0.1", () => {});
  const client = it.client();
  it.pass(1);
  client.send(GET);
  plant(Exchange.prototype, "refuse");
  it.pass(500);
  equal(client.side.hasEnded || client.side.isReset, true);
  client.side.close();
  it.apply(it.plan);
  it.listen("10.0.0.1", answer);
});

defect("the turn of a request that waits for a connection", (it) => {
  const ends = it.listen("10.0.0.1");
  const connectionLimits = { maxConnections: 1, maxPending: 10, maxRequests: null };
  const policy = { connectionLimits, sources: {} };
  it.apply({ ...it.plan, endpointPolicies: { [`${NAMESPACE}/svc0:80`]: policy } });
  const clients = [1, 2, 3].map(() => it.client());
  it.pass(1);
  for (const client of clients) client.send(GET);
  it.pass(20);
  plant(PolicyRun.prototype, "onTurn");
  for (let i = 0; i < 3; i++) {
    for (const end of ends) if (!end.side.isClosed && !end.side.isReset) end.send(OK);
    it.pass(20);
  }
  const answered = clients.filter(({ text }) => text.startsWith("HTTP/1.1 200"));
  equal(answered.length, 2);
  for (const client of clients) client.side.close();
  it.pass(1);
  it.apply(it.plan);
  it.listen("10.0.0.1", answer);
});

defect("what follows on the lookup of a name", (it) => {
  it.listenAt("203.0.113.9:80", answer);
  const clients = [1, 2].map(() => it.client());
  it.pass(1);
  for (const client of clients) client.send("GET / HTTP/1.1\r\nHost: outside.example\r\n\r\n");
  it.pass(1);
  equal(it.lookups.join(), "outside.example");
  plant(EgressGate.prototype, "toAddress");
  it.engine.resolved("outside.example", ["203.0.113.9"]);
  it.pass(20);
  const answered = clients.filter(({ text }) => text.startsWith("HTTP/1.1 200"));
  equal(answered.length, 1);
  for (const client of clients) client.side.close();
});

defect("what takes the reports", (it) => {
  it.onRecords = () => {
    it.onRecords = () => {};
    throw new Error(DEFECT);
  };
  wantService(it);
});
