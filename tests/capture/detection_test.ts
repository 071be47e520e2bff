/** What a captured connection is taken for: by what its port declares, else by its first bytes, however they are cut. */
import { deepEqual, equal, match } from "node:assert/strict";
import { Random } from "../../base/random.ts";
import type { End } from "../simulation/scenario.ts";
import { clientHello } from "../support/client_hello.ts";
import { CaptureScenario } from "./capture_scenario.ts";

const POD = "10.0.0.1:8080";

/** One Service, `web` at 10.96.0.1, with one port and one pod; and two endpoints, where it is not declared what they speak. */
function scenarioOf(port: { readonly name: string; readonly appProtocol?: string }) {
  const metadata = { name: "web", namespace: "default" };
  const documents = [{
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: { clusterIP: "10.96.0.1", ports: [{ ...port, port: 80, targetPort: 8080 }] },
  }, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    addressType: "IPv4",
    metadata: { ...metadata, labels: { "kubernetes.io/service-name": "web" } },
    ports: [{ name: port.name, port: 8080 }],
    endpoints: [{ addresses: ["10.0.0.1"] }],
  }];
  return new CaptureScenario(documents.map((each) => JSON.stringify(each)).join("\n---\n"));
}

/** Ports that declare HTTP, by their name or otherwise. */
const DECLARED = [
  ...["http", "http-web", "http2", "grpc", "grpc-api", "HTTP"].map((name) => ({ name })),
  ...["http", "HTTP", "kubernetes.io/ws", "kubernetes.io/h2c", "grpc"].map((appProtocol) => ({
    name: "web",
    appProtocol,
  })),
];
const HTTP_BY_EITHER = [{ name: "http" }, { name: "web", appProtocol: "http" }];
const UNDECLARED = [{ name: "" }, { name: "web" }, { name: "web", appProtocol: "unheard-of" }];

/** Both sides of a sidecar, and where each leads. */
const SIDES = [
  { side: "outbound", place: "10.96.0.1:80", endpoint: POD },
  { side: "outbound", place: POD, endpoint: POD },
  { side: "inbound", place: POD, endpoint: "127.0.0.1:8080" },
] as const;

/** Sends each part by itself. */
function sendParts(scenario: CaptureScenario, client: End, parts: readonly string[], ms = 1): void {
  for (const part of parts) {
    if (part !== "" && client.side.isEstablished && !client.side.isReset) client.send(part);
    scenario.pass(ms);
  }
}

/** The whole, byte by byte, and random cuts. */
function cutsOf(text: string): string[][] {
  const random = new Random(7, text);
  const cuts = [[text], [...text]];
  for (let at = 1; at < Math.min(text.length, 12); at++) {
    cuts.push([text.slice(0, at), text.slice(at)]);
  }
  for (let i = 0; i < 5; i++) {
    const parts: string[] = [];
    for (let at = 0; at < text.length;) {
      const length = 1 + random.below(text.length);
      parts.push(text.slice(at, at + length));
      at += length;
    }
    cuts.push(parts);
  }
  return cuts;
}

const HOST = "Host: web\r\n\r\n";
const BAD_LINES = [
  "GET /x HTTP/1.1 \r\n",
  "GET /x\r\n",
  "GET /x HTTP/3.1\r\n",
  "GET /x HTTP/1.10\r\n",
  "GET /x http/1.1\r\n",
  " GET /x HTTP/1.1\r\n",
  "\0GET /x HTTP/1.1\r\n",
  "EHLO client.test\r\n",
  "*1\r\n$4\r\nPING\r\n",
  "\x00\x00\x00\x08\x04\xd2\x16\x2f\r\n",
  "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
  "\x15\x03\x03\x00\x02\x01\x00\r\n",
];

for (const { side, place, endpoint } of SIDES) {
  Deno.test(`${side} to ${place}: what is no HTTP is refused on a port that declares it, however it is cut`, () => {
    for (const port of DECLARED) {
      const scenario = scenarioOf(port);
      const endpoints = scenario.serve(endpoint);
      for (const line of BAD_LINES) {
        // Each declaration once with all cuts would take long, and shows no more.
        for (const parts of port === DECLARED[0] ? cutsOf(line + HOST) : [[line + HOST]]) {
          const client = scenario[side](place);
          scenario.pass(1);
          sendParts(scenario, client, parts);
          scenario.pass(2_000);
          const what = JSON.stringify([port, parts]);
          const isKnown = /^(HTTP\/1\.[01] (400|431|501|505) |$)/.test(client.text);
          equal(isKnown, true, `${what}: ${client.text}`);
          equal(endpoints.length, 0, what);
        }
      }
    }
  });

  Deno.test(`${side} to ${place}: a request of any method gets through a port that declares HTTP`, () => {
    for (const port of HTTP_BY_EITHER) {
      const scenario = scenarioOf(port);
      const endpoints = scenario.serve(endpoint, "hello");
      for (const method of ["GET", "FROBNICATE", "X".repeat(33)]) {
        for (const parts of cutsOf(`${method} /x HTTP/1.1\r\n${HOST}`)) {
          const client = scenario[side](place);
          scenario.pass(1);
          sendParts(scenario, client, parts);
          scenario.pass(200);
          match(client.text, /^HTTP\/1\.1 200 [^]*hello$/, JSON.stringify(parts));
        }
      }
      for (const { text } of endpoints) match(text, /^x-forwarded-proto: /m);
    }
  });

  Deno.test(`${side} to ${place}: TLS gets through a port that declares HTTP, however it is cut`, () => {
    const hello = String.fromCharCode(...clientHello("web.test"));
    for (const port of HTTP_BY_EITHER) {
      const scenario = scenarioOf(port);
      const endpoints = scenario.listenAt(endpoint);
      for (const parts of cutsOf(hello)) {
        const client = scenario[side](place);
        scenario.pass(1);
        sendParts(scenario, client, parts);
        scenario.pass(200);
        equal(endpoints.at(-1)?.text, hello, JSON.stringify(parts.map(({ length }) => length)));
      }
    }
  });

  Deno.test(`${side} to ${place}: a client that says nothing costs no connection on a port that declares HTTP`, () => {
    for (const port of DECLARED) {
      const scenario = scenarioOf(port);
      const endpoints = scenario.serve(endpoint, "hello");
      scenario[side](place).side.close();
      const reset = scenario[side](place);
      scenario.pass(1);
      reset.side.reset();
      const halfClosed = scenario[side](place);
      scenario.pass(1);
      halfClosed.side.sendEnd();
      const silent = scenario[side](place);
      scenario.pass(5_000);
      equal(endpoints.length, 0, JSON.stringify(port));
      equal(scenario.io.connections, 1, "the silent one");
      if (port.name !== "http") continue;
      equal(scenario.ask(silent, "web"), "hello");
      silent.side.close();
    }
  });

  Deno.test(`${side} to ${place}: an undeclared port tells by the first bytes, however they are cut`, () => {
    const ofHttp = ["GET /x HTTP/1.1\r\n", "FROBNICATE /x HTTP/1.1\r\n", "\r\nGET / HTTP/1.0\r\n"];
    const opaque = BAD_LINES.filter((line) => !line.startsWith("PRI"))
      .concat("OPTIONS rtsp://camera/ RTSP/1.0\r\n", "NICK ada\r\n");
    for (const port of UNDECLARED) {
      for (
        const [line, isHttp] of [
          ...ofHttp.map((it) => [it, true] as const),
          ...opaque.map((it) => [it, false] as const),
        ]
      ) {
        for (const parts of port === UNDECLARED[0] ? cutsOf(line + HOST) : [[line + HOST]]) {
          const scenario = scenarioOf(port);
          const endpoints = scenario.listenAt(endpoint);
          const client = scenario[side](place);
          scenario.pass(1);
          sendParts(scenario, client, parts);
          scenario.pass(300);
          const text = endpoints.at(-1)?.text ?? "";
          const what = JSON.stringify([port, parts, text]);
          equal(/^x-forwarded-proto: /m.test(text), isHttp, what);
          if (!isHttp) equal(text, line + HOST, what);
        }
      }
    }
  });

  Deno.test(`${side} to ${place}: a request that dribbles in after a silence is still one`, () => {
    const scenario = scenarioOf({ name: "" });
    const endpoints = scenario.listenAt(endpoint);
    const client = scenario[side](place);
    scenario.pass(1_500);
    sendParts(scenario, client, [..."GET /x HTTP/1.1\r\nHost: web\r\n\r\n"], 5);
    scenario.pass(50);
    // The endpoint was listened to, and then let go of.
    deepEqual(endpoints.map(({ text }) => text.slice(0, 9)), ["", "GET /x HT"]);
    equal(endpoints[0].side.hasEnded, true);
  });
}

Deno.test("what a client asks of its own forward proxy reaches that as it was sent", () => {
  const requests = [
    "CONNECT db.test:443 HTTP/1.1\r\nHost: db.test:443\r\nProxy-Authorization: Basic eDp5\r\n\r\n",
    "GET http://db.test/x HTTP/1.1\r\nHost: db.test\r\nProxy-Connection: keep-alive\r\n\r\n",
  ];
  for (const request of requests) {
    for (const place of ["192.0.2.9:3128", "10.96.0.1:80"]) {
      for (const parts of cutsOf(request)) {
        const scenario = scenarioOf({ name: "proxy" });
        const endpoints = scenario.listenAt(place === "10.96.0.1:80" ? POD : place);
        const client = scenario.outbound(place);
        scenario.pass(1);
        sendParts(scenario, client, parts);
        scenario.pass(300);
        deepEqual(endpoints.map(({ text }) => text), [request]);
        endpoints[0].send("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
        scenario.pass(1);
        match(client.text, /^HTTP\/1\.1 407 /);
      }
    }
  }
});

Deno.test("a request whose line does not end in time is one where its method is known", () => {
  const scenario = scenarioOf({ name: "" });
  const endpoints = scenario.listenAt(POD);
  const client = scenario.outbound("10.96.0.1:80");
  scenario.pass(1);
  sendParts(scenario, client, ["GET /", "x HTTP/1.1\r\nHost: web\r\n\r\n"], 2_000);
  match(endpoints[0]?.text ?? "", /^x-forwarded-proto: /m);
});

Deno.test("inbound: an application that speaks first is heard at once, and keeps its client", () => {
  const scenario = scenarioOf({ name: "" });
  const endpoints = scenario.listenAt("127.0.0.1:8080");
  const client = scenario.inbound(POD);
  scenario.pass(50);
  equal(endpoints.length, 1);
  endpoints[0].send("220 ready\r\n");
  scenario.pass(1);
  equal(client.text, "220 ready\r\n");
  // Whatever it says now is an answer to that.
  client.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n");
  scenario.pass(50);
  deepEqual(endpoints.map(({ text }) => text), ["GET / HTTP/1.1\r\nHost: web\r\n\r\n"]);
});

Deno.test("inbound: an application that ends without a word keeps its client", () => {
  const scenario = scenarioOf({ name: "" });
  const endpoints = scenario.listenAt("127.0.0.1:8080");
  const client = scenario.inbound(POD);
  scenario.pass(50);
  endpoints[0].side.sendEnd();
  scenario.pass(5);
  equal(client.side.hasEnded, true);
  client.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n");
  scenario.pass(50);
  deepEqual(endpoints.map(({ text }) => text), ["GET / HTTP/1.1\r\nHost: web\r\n\r\n"]);
  deepEqual(scenario.io.violations, []);
});

Deno.test("inbound: a client that speaks at once costs the application one connection", () => {
  const scenario = scenarioOf({ name: "" });
  const endpoints = scenario.serve("127.0.0.1:8080", "hello");
  for (let i = 0; i < 5; i++) {
    const client = scenario.inbound(POD);
    scenario.pass(5);
    equal(scenario.ask(client, "web"), "hello");
    client.side.close();
    scenario.pass(5);
  }
  equal(endpoints.length, 1);
});

Deno.test("outbound: a server that speaks first is let speak after a second, undeclared", () => {
  const scenario = scenarioOf({ name: "" });
  const endpoints = scenario.listenAt(POD);
  const client = scenario.outbound("10.96.0.1:80");
  scenario.pass(900);
  equal(endpoints.length, 0);
  scenario.pass(200);
  equal(endpoints.length, 1);
  endpoints[0].send("220 ready\r\n");
  scenario.pass(1);
  equal(client.text, "220 ready\r\n");
});

Deno.test("a silent client of a port that declares HTTP is at rest when the proxy drains", () => {
  const scenario = scenarioOf({ name: "http" });
  scenario.outbound("10.96.0.1:80");
  scenario.pass(10);
  let isDrained = false;
  scenario.engine.drain(() => isDrained = true);
  scenario.pass(1_500);
  equal(isDrained, true);
});
