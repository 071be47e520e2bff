/** Requests that go in a circle, because an application sends them on through the proxy that they came from, end at the tenth hop. */
import assert from "node:assert/strict";
import { FramePeer } from "../http2/frame_peer.ts";
import { applyMesh } from "../policy/mesh.ts";
import { headerOf, type RawMessage, statusOf } from "../support/raw_socket.ts";
import { answering, ok, type Script, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, type TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import { type Fields, headers } from "./http2/frames.ts";

/** Requests that reach the application; the tenth time the proxy refuses. */
const VISITS = 9;

/** What becomes of the request that an application sends on: the status that it gets, and the proxy's reason. */
type Outcome = string;

/** Sends a request on by HTTP/1.1 with these headers, as its own. */
async function sendOn(
  proxy: TestProxy,
  lines: readonly (readonly [string, string])[],
): Promise<Outcome> {
  using client = await proxy.connect();
  const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  await client.send(`GET /ring HTTP/1.1\r\n${text}\r\n`);
  const answer = await client.readResponse();
  return `${statusOf(answer)} ${headerOf(answer, "x-weft-reason") ?? ""}`;
}

/** The same by HTTP/2. */
async function sendOnByHttp2(proxy: TestProxy, fields: Fields): Promise<Outcome> {
  using client = await FramePeer.connect(proxy);
  const pseudo: Fields = [[":method", "GET"], [":scheme", "http"], [":path", "/"]];
  await client.send(headers(1, [...pseudo, [":authority", "app"], ...fields], { isEnd: true }));
  const line = await client.next(/^HEADERS 1 /);
  const status = fieldIn(line, ":status");
  return `${status} ${fieldIn(line, "x-weft-reason") ?? ""}`;
}

function fieldIn(line: string, name: string): string | undefined {
  return new RegExp(`(?:^| )${name}: ([^,]*)`).exec(line)?.[1];
}

/** An application that sends on what it gets, as `change` would have it, and answers what it is answered. */
function ring(
  proxy: TestProxy,
  visits: { count: number },
  change: (lines: RawMessage["headers"]) => RawMessage["headers"] = (lines) => lines,
): Script {
  return answering(async ({ headers }) => {
    visits.count++;
    const [status, reason] = (await sendOn(proxy, change(headers))).split(" ");
    return `HTTP/1.1 ${status} x\r\nx-weft-reason: ${reason}\r\ncontent-length: 0\r\n\r\n`;
  });
}

/** The same for an endpoint that speaks HTTP/2. */
function http2Ring(
  visits: { count: number },
  send: (fields: Fields) => Promise<Outcome>,
): Script {
  return async (socket) => {
    const peer = await FramePeer.accept(socket, false);
    // All hops may share the connection.
    const answer = async (line: string) => {
      const kept = ["x-forwarded-for", "x-weft-hops", "content-type", "te"];
      const fields = kept.map((name) => [name, fieldIn(line, name) ?? ""] as const);
      const [status, reason] = (await send(fields.filter(([, value]) => value !== ""))).split(" ");
      const answer: Fields = [[":status", status], ["x-weft-reason", reason]];
      await peer.send(headers(Number(line.split(" ")[1]), answer, { isEnd: true }));
    };
    for (;;) {
      const line = await peer.next(/^HEADERS /).catch(() => "");
      if (line === "") return;
      visits.count++;
      answer(line);
    }
  };
}

const without = (...names: string[]) => (lines: RawMessage["headers"]) =>
  lines.filter(([name]) => !names.includes(name));

/** What applications do to headers that they send on. */
const CHANGES: Readonly<Record<string, (lines: RawMessage["headers"]) => RawMessage["headers"]>> = {
  "as they are": (lines) => lines,
  "with another entry in X-Forwarded-For": (lines) =>
    lines.map(([name, value]) => [name, name === "x-forwarded-for" ? `${value}, ::1` : value]),
  "with X-Forwarded-For anew": (lines) => [
    ...without("x-forwarded-for")(lines),
    ["x-forwarded-for", "192.0.2.9"],
  ],
  "without X-Forwarded-For": without("x-forwarded-for"),
  "without X-Forwarded-Proto": without("x-forwarded-proto"),
  "the count twice": (lines) => [...lines, ...lines.filter(([name]) => name === "x-weft-hops")],
  "in capitals": (lines) => lines.map(([name, value]) => [name.toUpperCase(), value]),
  "nominated by Connection": (lines) => [...lines, ["connection", "x-weft-hops"]],
};

const CASES: readonly ProxyCase[] = [
  ...Object.entries(CHANGES).map(([name, change]): ProxyCase => ({
    name: `HTTP/1.1, headers ${name}`,
    async run(proxy) {
      const visits = { count: 0 };
      await using origin = new ScriptedOrigin(ring(proxy, visits, change));
      await proxy.route(origin);
      assert.equal(await sendOn(proxy, [["host", "app"]]), "508 loop");
      assert.equal(visits.count, VISITS);
    },
  })),
  {
    name: "HTTP/2 on both sides, and on either",
    async run(proxy) {
      const both = { count: 0 };
      await using origin = new ScriptedOrigin(
        http2Ring(both, (fields) => sendOnByHttp2(proxy, fields)),
        { mayFail: true },
      );
      await proxy.routeHttp2(origin);
      assert.equal(await sendOnByHttp2(proxy, []), "508 loop");
      assert.equal(both.count, VISITS);
      const behind = { count: 0 };
      await using second = new ScriptedOrigin(
        http2Ring(behind, (fields) => sendOn(proxy, [["host", "app"], ...fields])),
        { mayFail: true },
      );
      await proxy.routeHttp2(second);
      assert.equal(await sendOn(proxy, [["host", "app"]]), "508 loop");
      assert.equal(behind.count, VISITS);
      const before = { count: 0 };
      await using third = new ScriptedOrigin(answering(async ({ headers }) => {
        before.count++;
        const fields = without("host", "connection")(headers);
        const [status, reason] = (await sendOnByHttp2(proxy, fields)).split(" ");
        return `HTTP/1.1 ${status} x\r\nx-weft-reason: ${reason}\r\ncontent-length: 0\r\n\r\n`;
      }));
      await proxy.route(third);
      assert.equal(await sendOnByHttp2(proxy, []), "508 loop");
      assert.equal(before.count, VISITS);
    },
  },
  {
    name: "a call by gRPC gets FAILED_PRECONDITION, which clients do not send again",
    async run(proxy) {
      await using origin = new ScriptedOrigin(answering(() => ok("")));
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      const fields: Fields = [[":method", "POST"], [":scheme", "http"], [":path", "/a.B/c"]];
      const call: Fields = [[":authority", "app"], ["content-type", "application/grpc"]];
      await client.send(headers(1, [...fields, ...call, ["x-weft-hops", "18"]], { isEnd: true }));
      const line = await client.next(/^HEADERS 1 /);
      assert.equal(fieldIn(line, "grpc-status"), "9");
      assert.equal(fieldIn(line, "x-weft-reason"), "loop");
    },
  },
  {
    name: "WebSocket",
    async run(proxy) {
      let visits = 0;
      await using origin = new ScriptedOrigin(
        answering(async ({ headers }) => {
          visits++;
          const [status, reason] = (await sendOn(proxy, headers)).split(" ");
          return `HTTP/1.1 ${status} x\r\nx-weft-reason: ${reason}\r\ncontent-length: 0\r\n\r\n`;
        }),
      );
      await proxy.route(origin);
      const upgrade = [["host", "app"], ["connection", "upgrade"], [
        "upgrade",
        "websocket",
      ]] as const;
      assert.equal(await sendOn(proxy, upgrade), "508 loop");
      assert.equal(visits, VISITS);
    },
  },
  {
    name: "a policy that repeats what fails does not go round again at every hop",
    async run(proxy) {
      const visits = { count: 0 };
      await using origin = new ScriptedOrigin(ring(proxy, visits));
      const retry = { attempts: 3, retryOn: ["5xx", "gateway-error", "reset"], backoff: "1ms" };
      await applyMesh(proxy, { services: { app: [origin] }, policies: { app: { retry } } });
      assert.equal(await sendOn(proxy, [["host", "app"]]), "508 loop");
      assert.equal(visits.count, VISITS);
    },
  },
  {
    name: "a count goes on by one hop, and what is none counts as none",
    async run(proxy) {
      await using origin = new ScriptedOrigin(
        answering((request) => ok(headerOf(request, "x-weft-hops") ?? "none")),
      );
      await proxy.route(origin);
      using client = await proxy.connect();
      const cases = [["", "none"], ["0", "none"], ["x", "none"], ["17", "18"], ["2", "4"]] as const;
      for (const [said, told] of cases) {
        await client.send(`GET / HTTP/1.1\r\nHost: app\r\nX-Weft-Hops: ${said}\r\n\r\n`);
        assert.equal((await client.readResponse()).body, told);
      }
      for (const said of ["18", "19", "20", "99999999999"]) {
        await client.send(`GET / HTTP/1.1\r\nHost: app\r\nX-Weft-Hops: ${said}\r\n\r\n`);
        assert.equal(statusOf(await client.readResponse()), 508);
      }
    },
  },
];

testThroughProxy("loops", CASES);
