/** `grpc-timeout` is the deadline of a call, whatever the call waits for, and the endpoint is told what is left of it. */
import assert from "node:assert/strict";
import { data, type Fields, headers, POST_FIELDS, settings } from "../protocol/http2/frames.ts";
import { applyMesh } from "../policy/mesh.ts";
import { ask, outcomeOf, request } from "../policy/client.ts";
import { unhurried } from "../support/patience.ts";
import { headerOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, type TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import { skipWithoutLinux, unreachable } from "../support/unreachable.ts";
import { FramePeer } from "./frame_peer.ts";

const TYPE: Fields = [["content-type", "application/grpc"]];
const ANSWER: Fields = [[":status", "200"], ...TYPE];
const MAX_CONCURRENT_STREAMS = 3;
const REFUSED = /^HEADERS \d+ END :status: 200.*grpc-status: 4,.*deadline-exceeded$/;
/** Milliseconds of each unit. */
const UNITS: Readonly<Record<string, number>> = {
  n: 1e-6,
  u: 1e-3,
  m: 1,
  S: 1_000,
  M: 60_000,
  H: 3_600_000,
};
/** Time of a call that is to run out. */
const SHORT = `${unhurried(150)}m`;

function callOf(timeout: string, type = TYPE): Fields {
  const start: Fields = [...POST_FIELDS.slice(0, 3), [":authority", "app"]];
  return [...start, ...type, ["grpc-timeout", timeout]];
}

function millisecondsOf(timeout: string): number {
  assert.match(timeout, /^\d{1,8}[HMSmun]$/);
  return Number(timeout.slice(0, -1)) * UNITS[timeout.slice(-1)];
}

/** The `grpc-timeout` of a head. */
function timeoutIn(line: string): string {
  return /grpc-timeout: ([^,]*)/.exec(line)?.[1] ?? "";
}

/** An endpoint of HTTP/2, and its connections as they come. */
function endpoint(script: (peer: FramePeer) => Promise<void>): ScriptedOrigin {
  return new ScriptedOrigin(async (socket) => {
    const peer = await FramePeer.accept(socket, false);
    await script(peer);
    await socket.readRest();
  }, { mayFail: true });
}

async function route(
  proxy: TestProxy,
  origin: { readonly port: number },
  sections: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const policies = Object.keys(sections).length === 0 ? {} : { app: sections };
  await applyMesh(proxy, { services: { app: [origin] }, policies, portName: "http2" });
}

const LEFT: readonly ProxyCase[] = [
  {
    name: "each unit is understood, and the endpoint is told no more than came",
    async run(proxy) {
      const heads: string[] = [];
      await using origin = endpoint(async (peer) => {
        for (let id = 1;; id += 2) {
          heads.push(await peer.next(new RegExp(`^HEADERS ${id} `)));
          await peer.send(headers(id, [...ANSWER, ["grpc-status", "0"]], { isEnd: true }));
        }
      });
      await route(proxy, origin);
      using client = await FramePeer.connect(proxy);
      const TIMES = ["99999999H", "9M", "99S", "90000m", "99999999u"];
      for (const [i, timeout] of TIMES.entries()) {
        const id = 2 * i + 1;
        await client.send(headers(id, callOf(timeout), { isEnd: true }));
        assert.match(await client.next(new RegExp(`^HEADERS ${id} `)), /grpc-status: 0/);
        const lost = millisecondsOf(timeout) - millisecondsOf(timeoutIn(heads[i]));
        // An hour is the finest unit that holds so many.
        const lostMax = timeout.endsWith("H") ? 3_600_000 : 60_000;
        assert.ok(lost >= 0 && lost <= lostMax, `${timeout}: ${heads[i]}`);
      }
    },
  },
  {
    name: "what is malformed, and what is not of a call by gRPC, goes on as it is",
    async run(proxy) {
      const heads: string[] = [];
      await using origin = endpoint(async (peer) => {
        for (let id = 1;; id += 2) {
          heads.push(await peer.next(new RegExp(`^HEADERS ${id} `)));
          await peer.send(headers(id, ANSWER, { isEnd: true }));
        }
      });
      await route(proxy, origin);
      using client = await FramePeer.connect(proxy);
      const others: readonly (readonly [string, Fields])[] = [
        ["soon", TYPE],
        ["1s", TYPE],
        ["123456789n", TYPE],
        ["1n", [["content-type", "application/json"]]],
        ["1n", []],
      ];
      for (const [i, [timeout, type]] of others.entries()) {
        const id = 2 * i + 1;
        await client.send(headers(id, callOf(timeout, type), { isEnd: true }));
        assert.match(await client.next(new RegExp(`^HEADERS ${id} `)), /:status: 200/);
        assert.equal(timeoutIn(heads[i]), timeout);
      }
    },
  },
  {
    name: "each retry is told less",
    async run(proxy) {
      const heads: string[] = [];
      await using origin = endpoint(async (peer) => {
        for (let id = 1;; id += 2) {
          heads.push(await peer.next(new RegExp(`^HEADERS ${id} `)));
          const code = heads.length < 4 ? "14" : "0";
          await peer.send(headers(id, [...ANSWER, ["grpc-status", code]], { isEnd: true }));
        }
      });
      const retry = { attempts: 3, methods: ["POST"], backoff: "20ms", budgetPercent: 100 };
      await route(proxy, origin, { retry });
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, callOf("99S"), { isEnd: true }));
      assert.match(await client.next(/^HEADERS 1 /), /grpc-status: 0/);
      const left = heads.map((head) => millisecondsOf(timeoutIn(head)));
      assert.equal(left.length, 4);
      assert.ok(left[0] <= 99_000 && left[3] < left[0], left.join(" "));
      assert.deepEqual(left, left.toSorted((a, b) => b - a));
    },
  },
  {
    name: "a policy that sets it or removes it has the last word",
    async run(proxy) {
      const heads: string[] = [];
      await using origin = endpoint(async (peer) => {
        heads.push(await peer.next(/^HEADERS 1 /));
        await peer.send(headers(1, [...ANSWER, ["grpc-status", "0"]], { isEnd: true }));
      });
      const SECTIONS = [
        { request: { set: [{ name: "grpc-timeout", value: "7S" }] } },
        { request: { remove: ["grpc-timeout"] } },
      ];
      for (const section of SECTIONS) {
        await route(proxy, origin, { headers: section, connectionLimits: { maxConnections: 1 } });
        using client = await FramePeer.connect(proxy);
        await client.send(headers(1, callOf("99S"), { isEnd: true }));
        await client.next(/^HEADERS 1 /);
        await proxy.route();
        await proxy.untilMetric("weft_upstream_connections_open", 0);
      }
      assert.deepEqual(heads.map(timeoutIn), ["7S", ""]);
    },
  },
  {
    name: "over HTTP/1.1 too",
    async run(proxy) {
      const seen: (string | undefined)[] = [];
      await using origin = new ScriptedOrigin(answering((asked) => {
        seen.push(headerOf(asked, "grpc-timeout"));
        return ok("here");
      }));
      await proxy.route(origin);
      using client = await proxy.connect();
      const lines = ["Content-Type: application/grpc", "GRPC-Timeout: 99S"];
      assert.equal(outcomeOf(await ask(client, request("POST", { headers: lines }))), "200 here");
      const left = millisecondsOf(seen[0] ?? "");
      assert.ok(left <= 99_000 && left > 0, String(left));
      const over = ["Content-Type: application/grpc", "GRPC-Timeout: 0m"];
      const answer = await ask(client, request("POST", { headers: over }));
      assert.equal(outcomeOf(answer), "504 deadline-exceeded");
      assert.equal(seen.length, 1);
    },
  },
];

/**
 * Runs a call whose time runs out before any head of an answer; `script` is what the endpoint does, to its end if it is
 * called.
 */
async function runsOut(
  proxy: TestProxy,
  script: (peer: FramePeer) => Promise<void>,
  sections: Readonly<Record<string, unknown>> = {},
  timeout = SHORT,
): Promise<void> {
  let running = Promise.resolve();
  await using origin = endpoint((peer) => running = script(peer));
  await route(proxy, origin, sections);
  using client = await FramePeer.connect(proxy);
  await client.send(headers(1, callOf(timeout)), data(1, "asked", true));
  assert.match(await client.next(/^HEADERS 1 /), REFUSED);
  await running;
}

const EXPIRY: readonly ProxyCase[] = [
  {
    name: "before there is a connection",
    skip: skipWithoutLinux,
    async run(proxy) {
      await using origin = await unreachable();
      await route(proxy, origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, callOf(SHORT), { isEnd: true }));
      assert.match(await client.next(/^HEADERS 1 /), REFUSED);
    },
  },
  {
    name: "before the endpoint has said what it must begin with",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => void await socket.readRest());
      await route(proxy, origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, callOf(SHORT), { isEnd: true }));
      assert.match(await client.next(/^HEADERS 1 /), REFUSED);
    },
  },
  {
    name: "while the request is still being sent",
    async run(proxy) {
      const reset = Promise.withResolvers<string>();
      await using origin = endpoint(async (peer) => reset.resolve(await peer.next(/^RST_STREAM/)));
      await route(proxy, origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, callOf(SHORT)), data(1, "begun"));
      assert.match(await client.next(/^HEADERS 1 /), REFUSED);
      assert.equal(await reset.promise, "RST_STREAM 1 CANCEL");
    },
  },
  {
    name: "before the head of the answer, and the endpoint is told",
    run: (proxy) =>
      runsOut(proxy, async (peer) => {
        await peer.next(/^DATA 1 "asked" END/);
        assert.equal(await peer.next(/^RST_STREAM/), "RST_STREAM 1 CANCEL");
      }),
  },
  {
    name: "while the policy's time is longer",
    run: (proxy) => runsOut(proxy, async () => {}, { timeouts: { request: "1h" } }),
  },
  {
    name: "and the policy's, where that is shorter",
    run: (proxy) => runsOut(proxy, async () => {}, { timeouts: { request: "80ms" } }, "9H"),
  },
  {
    name: "while a fault of a policy holds the call back",
    async run(proxy) {
      const fault = { delay: { percent: 100, duration: "1h" } };
      await runsOut(proxy, () => Promise.reject(new Error("It was asked")), { fault });
    },
  },
  {
    name: "while a retry waits to be made",
    async run(proxy) {
      const retry = { attempts: 1, methods: ["POST"], backoff: "100h", budgetPercent: 100 };
      await runsOut(proxy, async (peer) => {
        await peer.next(/^DATA 1 "asked" END/);
        await peer.send(headers(1, [...ANSWER, ["grpc-status", "14"]], { isEnd: true }));
      }, { retry });
    },
  },
  {
    name: "while the call waits for a place on a connection",
    async run(proxy) {
      const first = Promise.withResolvers<void>();
      await using origin = new ScriptedOrigin(async (socket) => {
        const peer = new FramePeer(socket);
        await peer.send(settings([MAX_CONCURRENT_STREAMS, 1]));
        await peer.next(/^HEADERS 1 /);
        await peer.next(/^SETTINGS ACK/);
        first.resolve();
        await socket.readRest();
      }, { mayFail: true });
      await route(proxy, origin, { connectionLimits: { maxConnections: 1 } });
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, callOf("1H"), { isEnd: true }));
      await first.promise;
      await client.send(headers(3, callOf(SHORT), { isEnd: true }));
      assert.match(await client.next(/^HEADERS 3 /), REFUSED);
      assert.equal(origin.accepted, 1);
    },
  },
  {
    name: "while the answer is under way: trailers say so, and the endpoint is told",
    async run(proxy) {
      const reset = Promise.withResolvers<string>();
      await using origin = endpoint(async (peer) => {
        await peer.next(/^HEADERS 1 /);
        await peer.send(headers(1, ANSWER), data(1, "some"));
        reset.resolve(await peer.next(/^RST_STREAM/));
      });
      await route(proxy, origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, callOf(SHORT)));
      assert.match(await client.next(/^HEADERS 1 /), /:status: 200, content-type/);
      await client.next(/^DATA 1 "some"/);
      assert.match(
        await client.next(/^HEADERS 1 END/),
        /^HEADERS 1 END grpc-status: 4,.*x-weft-reason: deadline-exceeded$/,
      );
      assert.equal(await reset.promise, "RST_STREAM 1 CANCEL");
      // The connection goes on.
      await client.send(headers(3, callOf("0n"), { isEnd: true }));
      assert.match(await client.next(/^HEADERS 3 /), REFUSED);
    },
  },
];

testThroughProxy("grpc-timeout, what is left of it", LEFT);
testThroughProxy("grpc-timeout runs out", EXPIRY, { timeouts: { connectMs: 30_000 } });
