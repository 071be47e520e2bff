/** What the access log says of requests that do not just get their answer: refused, cut off, tunnelled; on both drivers. */
import assert from "node:assert/strict";
import net from "node:net";
import type { RequestRecord } from "../../proxy/observe/request_record.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { answering, ScriptedOrigin, skipWithoutReset } from "../support/scripted_origin.ts";
import { DRIVERS, planOf } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { TracedProxy } from "../traces/traced_proxy.ts";

interface RecordCase {
  readonly name: string;
  readonly endpoint?: () => ScriptedOrigin;
  ask(port: number, endpoint: ScriptedOrigin | null): Promise<void>;
  /** Why the case cannot be shown here, or left out. */
  readonly skip?: string;
  readonly expected: Partial<RequestRecord>;
  /** Of the one series that the case makes in `weft_requests_abandoned_total`. */
  readonly abandoned?: string;
}

async function send(port: number, text: string): Promise<void> {
  using client = await RawSocket.connect(port);
  await client.send(text);
  await client.readResponse();
}

const answers = (text: string) => () =>
  new ScriptedOrigin(answering(() => text), { mayFail: true });

/** Sends a request, and resets the connection once the endpoint has it or a part of the answer is here. */
async function leaveEarly(port: number, hasBegun: (socket: net.Socket) => Promise<void>) {
  const client = net.connect(port, "127.0.0.1");
  client.on("error", () => {});
  client.write("GET /slow HTTP/1.1\r\nHost: app\r\n\r\n");
  await hasBegun(client);
  client.resetAndDestroy();
}

const CASES: readonly RecordCase[] = [
  {
    name: "bodies in chunks have no length",
    endpoint: answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    ask: (port) =>
      send(
        port,
        "PUT /a?b HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
      ),
    expected: {
      ...{ method: "PUT", path: "/a?b", authority: "app", status: 200, reason: "" },
      ...{ requestBytes: null, responseBytes: null, attempts: 1, service: "default/app:80" },
    },
  },
  {
    name: "a head that cannot be read",
    ask: (port) => send(port, "GET / HTTP/1.1\r\nHost: app\r\nbad header\r\n\r\n"),
    expected: {
      ...{ protocol: "", method: "", path: "", status: 400, reason: "bad-header", service: "" },
      ...{ peer: "127.0.0.1", endpoint: "", attempts: 0, plan: "" },
    },
  },
  {
    name: "an unknown host",
    ask: (port) => send(port, "GET / HTTP/1.0\r\nHost: unknown\r\n\r\n"),
    expected: { protocol: "HTTP/1.0", status: 404, reason: "host-unknown", service: "" },
  },
  {
    name: "no endpoint to answer",
    ask: (port) => send(port, "GET / HTTP/1.1\r\nHost: app\r\n\r\n"),
    expected: {
      ...{ status: 503, reason: "no-endpoints", service: "default/app:80" },
      ...{ backend: "", endpoint: "", attempts: 0 },
    },
  },
  {
    name: "an answer that breaks off",
    endpoint: () =>
      new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
        await socket.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive.");
      }),
    async ask(port) {
      using client = await RawSocket.connect(port);
      await client.send("GET / HTTP/1.1\r\nHost: app\r\n\r\n");
      await assert.rejects(client.readResponse());
    },
    expected: { status: 200, reason: "upstream-reset", responseBytes: 10, backend: "default/app" },
    abandoned: "upstream-reset",
  },
  {
    name: "a client that goes before its answer",
    skip: skipWithoutReset(),
    endpoint: () => new ScriptedOrigin(() => new Promise(() => {}), { mayFail: true }),
    ask: (port, endpoint) =>
      leaveEarly(port, async () => {
        await until("it is asked", () => endpoint?.accepted, (accepted) => accepted === 1);
      }),
    expected: { path: "/slow", status: 0, reason: "client-gone", attempts: 1 },
    abandoned: "client-gone",
  },
  {
    name: "a client that goes within its answer",
    skip: skipWithoutReset(),
    endpoint: answers("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive."),
    ask: (port) =>
      leaveEarly(port, (socket) => new Promise((resolve) => socket.once("data", resolve))),
    expected: { status: 200, reason: "client-gone", responseBytes: 10 },
    abandoned: "client-gone",
  },
  {
    name: "a tunnel by CONNECT",
    endpoint: () => new ScriptedOrigin(async (socket) => void await socket.send("hello")),
    async ask(port) {
      using client = await RawSocket.connect(port);
      await client.send("CONNECT app:80 HTTP/1.1\r\nHost: app:80\r\n\r\n");
    },
    expected: {
      ...{ method: "CONNECT", authority: "app:80", path: "", status: 200, reason: "" },
      ...{ service: "default/app:80", backend: "default/app", attempts: 1 },
    },
  },
  {
    name: "a tunnel by an upgrade",
    endpoint: answers(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    ),
    async ask(port) {
      using client = await RawSocket.connect(port);
      await client.send(
        "GET /ws HTTP/1.1\r\nHost: app\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
      );
      await client.readThrough("\r\n\r\n");
    },
    expected: { method: "GET", path: "/ws", status: 101, reason: "", backend: "default/app" },
  },
];

for (const driver of DRIVERS) {
  Deno.test({
    name: `records (${driver})`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn(test) {
      for (const { name, endpoint, skip = "", ask, expected, abandoned } of CASES) {
        const run = async () => {
          await using origin = endpoint?.() ?? null;
          const plan = planOf(origin === null ? [] : [origin.port]);
          await using traced = await TracedProxy.start({ driver, share: 0, spans: null, plan });
          await ask(traced.port, origin);
          const [record] = await until(
            "a record",
            () => traced.records,
            ({ length }) => length > 0,
          );
          for (const [field, value] of Object.entries(expected)) {
            assert.deepEqual(record[field as keyof RequestRecord], value, field);
          }
          if (record.attempts > 0) assert.equal(record.endpoint, `127.0.0.1:${origin?.port}`);
          if (record.service !== "") assert.equal(record.plan, plan.hash.slice(0, 12));
          assert.equal(traced.records.length, 1);
          const metrics =
            await (await fetch(`http://127.0.0.1:${traced.proxy.admin?.port}/metrics`))
              .text();
          const series = metrics.match(/^weft_requests_abandoned_total\{.*$/gm) ?? [];
          assert.deepEqual(
            series,
            abandoned === undefined
              ? []
              : [`weft_requests_abandoned_total{reason="${abandoned}"} 1`],
          );
        };
        await test.step({
          name: skip === "" ? name : `${name} (skipped: ${skip})`,
          ignore: skip !== "",
          fn: run,
        });
      }
    },
  });
}
