/**
 * Policies whatever carries the requests: one list of cases for HTTP/1.1 and HTTP/2 on either side, and what calls by gRPC
 * get, with peers in Node, on both drivers.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { testHttp2, VERSIONS } from "../http2/http2_cases.ts";
import type { Http2Case } from "../http2/http2_cases.ts";
import { askAll, askNode, NodeOrigin, patternOf } from "../http2/node_peers.ts";
import type { Ask, Told, Version } from "../http2/node_peers.ts";
import type { NodeProcess } from "../http2/node_process.ts";
import type { TestProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { applyMesh, type Mesh } from "./mesh.ts";

/** What a case has at hand. */
interface Bench {
  readonly proxy: TestProxy;
  readonly client: Version;
  readonly endpoint: Version;
  /** Endpoints of host `app`. */
  readonly origins: readonly NodeOrigin[];
  /** Puts a policy of these sections on host `app`. */
  police(sections: Readonly<Record<string, unknown>>, mesh?: Partial<Mesh>): Promise<void>;
  ask(one: Ask): Promise<Told>;
  askAll(asks: readonly Ask[]): Promise<Told[]>;
}

type Run = (bench: Bench) => Promise<void>;

function benchCase(
  name: string,
  client: Version,
  endpoint: Version,
  count: number,
  run: Run,
): Http2Case {
  return {
    name: `${client} to ${endpoint}: ${name}`,
    async run(proxy: TestProxy, node: NodeProcess) {
      const origins: NodeOrigin[] = [];
      for (let i = 0; i < count; i++) origins.push(await NodeOrigin.start(node, endpoint));
      try {
        await run({
          proxy,
          client,
          endpoint,
          origins,
          police: (sections, mesh = {}) =>
            applyMesh(proxy, {
              services: { app: origins },
              policies: { app: sections },
              portName: endpoint === "h2" ? "http2" : "http",
              ...mesh,
            }),
          ask: (one) => askNode(node, client, proxy.port, one),
          askAll: (asks) => askAll(node, client, proxy.port, asks),
        });
      } finally {
        for (const origin of origins) await origin.stop();
      }
    },
  };
}

/** A case for each of the four pairs of protocols. */
function onEachPair(name: string, run: Run, count = 1): Http2Case[] {
  return VERSIONS.flatMap((client) =>
    VERSIONS.map((endpoint) => benchCase(name, client, endpoint, count, run))
  );
}

/** `200`, or `503 reason` of an answer that the proxy made itself. */
function outcomeOf({ status, headers, error }: Told): string {
  const reason = headers["x-weft-reason"];
  return [status, reason, error].filter((part) => part !== undefined && part !== "").join(" ");
}

function hashOf(length: number): string {
  return createHash("sha256").update(patternOf(length)).digest("hex");
}

const RETRY = {
  attempts: 3,
  retryOn: [503, "timeout", "reset"],
  backoff: "1ms",
  budgetPercent: 100,
};
const RETRY_POST = { ...RETRY, methods: ["GET", "POST"] };

const CASES: readonly Http2Case[] = [
  ...onEachPair("retry: a status, with the body, and how often is said", async (bench) => {
    const { police, ask, origins: [origin] } = bench;
    await police({ retry: RETRY_POST });
    // A message of gRPC, for one, comes in several pieces.
    const bodies = [
      { bodyBytes: 0 },
      { bodyBytes: 1 },
      { bodyBytes: 7_000 },
      { bodyBytes: 7_000, apart: true },
      { bodyBytes: 7_000, apart: true, unsaid: true },
      { bodyBytes: 7_000, unsaid: true },
    ];
    for (const [i, { bodyBytes, ...how }] of bodies.entries()) {
      const times = 2 * (i + 1) + i;
      const told = await ask({ path: `/flaky?code=503&times=${times}`, bodyBytes, ...how });
      assert.equal(outcomeOf(told), "200");
      assert.equal(told.headers["x-attempts"], "2");
      assert.equal(told.headers["x-hash"], hashOf(bodyBytes));
      assert.equal((await origin.counts()).requests, 3 * (i + 1));
    }
    const own = { "x-weft-previous-attempts": "4" };
    const told = await ask({ path: "/flaky?code=503&times=19", headers: own });
    assert.deepEqual([outcomeOf(told), told.headers["x-attempts"]], ["200", "5"]);
  }),
  ...onEachPair(
    "retry: a body that is not held any more, and a method that may not",
    async (bench) => {
      const { police, ask, origins: [origin] } = bench;
      await police({ retry: RETRY_POST });
      const large = await ask({ path: "/flaky?code=503&times=100", bodyBytes: 100_000 });
      assert.equal(outcomeOf(large), "503");
      assert.equal((await origin.counts()).requests, 1);
      await police({ retry: RETRY });
      assert.equal(
        outcomeOf(await ask({ path: "/flaky?code=503&times=100", bodyBytes: 1 })),
        "503",
      );
      assert.equal((await origin.counts()).requests, 2);
    },
  ),
  ...onEachPair("retry: an attempt has a time of its own", async (bench) => {
    const { police, ask, origins: [origin] } = bench;
    await police({ retry: { ...RETRY_POST, perTryTimeout: "60ms" } });
    for (const bodyBytes of [undefined, 5_000]) {
      const asked = (await origin.counts()).requests;
      const one = { path: `/hang-first?times=${asked === 0 ? 1 : 3}` };
      const told = await ask(bodyBytes === undefined ? one : { ...one, bodyBytes });
      assert.deepEqual([outcomeOf(told), told.headers["x-attempts"]], ["200", "1"]);
      assert.equal((await origin.counts()).requests, asked + 2);
    }
  }),
  ...onEachPair("timeouts.request: 504, and the endpoint is told", async (bench) => {
    const { police, ask, origins: [origin] } = bench;
    await police({ timeouts: { request: "60ms" } });
    assert.equal(outcomeOf(await ask({ path: "/wait" })), "504 deadline-exceeded");
    assert.equal(outcomeOf(await ask({ path: "/wait", bodyBytes: 10 })), "504 deadline-exceeded");
    await until("both to be given up", () => origin.counts(), ({ aborted }) => aborted === 2);
    await police({ timeouts: { request: "1h" } });
    assert.equal(outcomeOf(await ask({ path: "/" })), "200");
  }),
  ...onEachPair("timeouts.idle: 504 where nothing comes", async ({ police, ask }) => {
    await police({ timeouts: { idle: "60ms" } });
    assert.equal(outcomeOf(await ask({ path: "/wait" })), "504 upstream-timeout");
  }),
  ...onEachPair("rateLimit: a burst, then 429, and when to come back", async (bench) => {
    const { police, askAll } = bench;
    await police({ rateLimit: { http: { requests: 1, per: "1h", burst: 3 } } });
    const told = await askAll(Array.from({ length: 5 }, () => ({ path: "/" })));
    const refused = told.filter(({ status }) => status === 429);
    assert.equal(refused.length, 2, told.map(outcomeOf).join());
    for (const one of refused) {
      assert.equal(outcomeOf(one), "429 rate-limited");
      assert.match(one.headers["retry-after"], /^3(600|59\d)$/);
    }
    const headers = [{ name: "retry-after", value: "7" }, { name: "x-mine", value: "m" }];
    const http = { requests: 1, per: "1h", burst: 3 };
    await police({ rateLimit: { http, status: 503, headers } });
    const [again] = await askAll([{ path: "/" }]);
    assert.equal(outcomeOf(again), "503 rate-limited");
    assert.deepEqual([again.headers["retry-after"], again.headers["x-mine"]], ["7", "m"]);
  }),
  ...onEachPair(
    "rateLimit: many refusals at once, each with all the headers there may be",
    async (bench) => {
      const { police, askAll } = bench;
      const headers = [1, 2, 3].map((i) => ({ name: `x-long-${i}`, value: "v".repeat(1_000) }));
      await police({ rateLimit: { http: { requests: 1, per: "1h", burst: 1 }, headers } });
      const told = await askAll(Array.from({ length: 100 }, () => ({ path: "/" })));
      const outcomes = told.map(outcomeOf).toSorted();
      assert.deepEqual(outcomes, ["200", ...Array.from({ length: 99 }, () => "429 rate-limited")]);
      for (const { status, headers } of told) {
        if (status === 429) assert.equal(headers["x-long-3"].length, 1_000);
      }
    },
  ),
  ...onEachPair("fault: an answer in place of the endpoint's; a delay", async (bench) => {
    const { police, ask, origins: [origin] } = bench;
    await police({ fault: { abort: { status: 418 } } });
    for (const bodyBytes of [undefined, 20_000]) {
      const told = await ask(bodyBytes === undefined ? { path: "/" } : { path: "/", bodyBytes });
      assert.equal(outcomeOf(told), "418 fault-abort");
    }
    assert.equal((await origin.counts()).requests, 0);
    await police({ fault: { delay: { duration: "50ms" } } });
    const startMs = performance.now();
    const told = await ask({ path: "/", bodyBytes: 30_000 });
    assert.ok(performance.now() - startMs >= 49);
    assert.deepEqual([outcomeOf(told), told.headers["x-hash"]], ["200", hashOf(30_000)]);
  }),
  ...onEachPair("headers: set, added and removed both ways", async ({ police, ask, client }) => {
    await police({
      headers: {
        request: {
          set: [{ name: "X-Set", value: "new" }],
          add: [{ name: "x-add", value: "two" }],
          remove: ["X-Gone"],
        },
        response: {
          set: [{ name: "content-type", value: "text/x-mine" }],
          add: [{ name: "X-More", value: "m" }],
          remove: ["Date"],
        },
      },
    });
    const headers = { "x-set": "old", "x-add": "one", "x-gone": "1", "x-stay": "s" };
    for (const bodyBytes of [undefined, 10]) {
      const one = { path: "/report", headers };
      const told = await ask(bodyBytes === undefined ? one : { ...one, bodyBytes });
      assert.equal(outcomeOf(told), "200");
      const seen = JSON.parse(told.text).headers;
      const there = ["x-set", "x-add", "x-gone", "x-stay"].map((name) => seen[name]);
      assert.deepEqual(there, ["new", "one, two", undefined, "s"]);
      assert.equal(told.headers["content-type"], "text/x-mine");
      assert.equal(told.headers["x-more"], "m");
      assert.equal(told.headers["date"], undefined);
      // What is not a header of HTTP/2 stays as it was.
      if (client === "h2") assert.equal(Number(told.headers[":status"]), 200);
    }
  }),
  ...onEachPair("sessionAffinity: the cookie is given once, and kept", async (bench) => {
    const { police, ask, origins: [a, b] } = bench;
    await police({ sessionAffinity: { cookie: "Sticky", ttl: "1h" } }, {
      services: { app: [a], a: [a], b: [b] },
      split: { a: 3, b: 1 },
    });
    const callers: { readonly cookie: string; readonly origin: string }[] = [];
    for (let i = 0; i < 4; i++) {
      const { headers } = await ask({ path: "/" });
      const given = String(headers["set-cookie"]);
      assert.match(
        given,
        /^Sticky=weft-[0-9a-f]{8}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=3600$/,
      );
      callers.push({ cookie: given.split(";")[0], origin: headers["x-origin"] });
    }
    assert.equal(callers.filter(({ origin }) => origin === b.name).length, 1);
    for (const { cookie, origin } of [...callers, ...callers]) {
      const { headers } = await ask({ path: "/", headers: { cookie: `x=1; ${cookie}` } });
      assert.deepEqual([headers["x-origin"], headers["set-cookie"]], [origin, undefined]);
    }
  }, 2),
  ...onEachPair("outlierDetection: by status", async ({ police, ask, origins }) => {
    const [down, good] = origins;
    await police({
      loadBalancing: { algorithm: "RoundRobin" },
      outlierDetection: { consecutiveFailures: 2, ejectionTime: "1h" },
    });
    const outcomes: string[] = [];
    for (let i = 0; i < 12; i++) {
      outcomes.push(outcomeOf(await ask({ path: `/down?code=500&name=${down.name}` })));
    }
    assert.equal(outcomes.filter((outcome) => outcome === "500").length, 2);
    assert.equal((await good.counts()).requests, 10);
  }, 2),
  ...onEachPair("the default: what is under way is spread evenly", async (bench) => {
    const { police, askAll, origins } = bench;
    await police({ timeouts: { request: "1m" } });
    const nine = askAll(Array.from({ length: 9 }, () => ({ path: "/wait" })));
    const counts = () => Promise.all(origins.map((origin) => origin.counts()));
    await until(
      "all of them",
      counts,
      (all) => all.reduce((sum, { requests }) => sum + requests, 0) === 9,
    );
    assert.deepEqual((await counts()).map(({ requests }) => requests), [3, 3, 3]);
    // One endpoint is done, so what comes next is its.
    await origins[1].release();
    await until(
      "its answers",
      () => askAll([{ path: "/" }]),
      ([{ headers }]) => headers["x-origin"] === origins[1].name,
    );
    for (const origin of origins) await origin.release();
    assert.deepEqual(new Set((await nine).map(outcomeOf)), new Set(["200"]));
  }, 3),
  ...onEachPair("connectionLimits: requests under way, and connections", async (bench) => {
    const { proxy, police, askAll, endpoint, origins: [origin] } = bench;
    await police({ connectionLimits: { maxRequests: 2 } });
    const three = askAll(Array.from({ length: 3 }, () => ({ path: "/wait" })));
    await until("a refusal", () => proxy.metric("weft_limit_hits_total"), (hits) => hits === 1);
    await until("two requests", () => origin.counts(), ({ requests }) => requests === 2);
    await origin.release();
    assert.deepEqual((await three).map(outcomeOf).toSorted(), ["200", "200", "503 request-limit"]);
    const { connections } = await origin.counts();
    await police({ connectionLimits: { maxConnections: 1, maxPending: 100 } });
    const told = await askAll(Array.from({ length: 10 }, () => ({ path: "/", bodyBytes: 10 })));
    assert.deepEqual(new Set(told.map(outcomeOf)), new Set(["200"]));
    // What was connected before the policy is not counted, and is used all the same.
    const more = (await origin.counts()).connections - connections;
    assert.ok(more <= (endpoint === "h2" ? 0 : 1), String(more));
  }),
  ...VERSIONS.map((client) =>
    benchCase(
      "GOAWAY: a request that the endpoint passed over is sent again, without a retry policy",
      client,
      "h2",
      1,
      async ({ police, ask, origins: [origin] }) => {
        await police({ timeouts: { request: "20s" } });
        // So that there is a stream before it that the endpoint has seen.
        assert.equal(outcomeOf(await ask({ path: "/" })), "200");
        const told = await ask({ path: "/goaway-once", bodyBytes: 3_000 });
        assert.deepEqual([outcomeOf(told), told.headers["x-hash"]], ["200", hashOf(3_000)]);
        assert.deepEqual((await origin.counts()).connections, 2);
      },
    )
  ),
];

/** A call by gRPC. */
function call(path: string): Ask {
  const headers = { "content-type": "application/grpc", "te": "trailers" };
  return { path, headers, bodyBytes: 20 };
}

/** `grpc-status` and the reason of an answer, wherever it stands. */
function codeOf({ status, headers, trailers, error }: Told): string {
  assert.deepEqual([status, error], [200, ""]);
  const code = trailers["grpc-status"] ?? headers["grpc-status"];
  return [code, headers["x-weft-reason"]].filter((part) => part !== undefined).join(" ");
}

const UNAVAILABLE = 14;
const NOT_FOUND = 5;

function grpcCase(name: string, run: Run, count = 1): Http2Case {
  return benchCase(name, "h2", "h2", count, run);
}

const CALLS: readonly Http2Case[] = [
  grpcCase("refusals have the status that a caller acts on", async ({ police, ask, askAll }) => {
    await police({ timeouts: { request: "60ms" } });
    assert.equal(codeOf(await ask(call("/wait"))), "4 deadline-exceeded");
    await police({ fault: { abort: { status: 503 } } });
    assert.equal(codeOf(await ask(call("/"))), "14 fault-abort");
    await police({ rateLimit: { http: { requests: 1, per: "1h", burst: 1 } } });
    const told = await askAll([call("/call"), call("/call")]);
    const refused = told.find(({ headers }) => headers["x-weft-reason"] !== undefined);
    assert.ok(refused);
    assert.equal(codeOf(refused), "8 rate-limited");
    assert.match(refused.headers["grpc-retry-pushback-ms"], /^3(600000|59\d{4})$/);
    assert.equal(refused.headers["retry-after"], undefined);
  }),
  grpcCase("retry: a call that failed by one head, and how often is said", async (bench) => {
    const { police, ask, origins: [origin] } = bench;
    await police({ retry: { attempts: 3, retryOn: [503], methods: ["POST"], backoff: "1ms" } });
    const told = await ask(call(`/call?head&times=2&status=${UNAVAILABLE}`));
    assert.deepEqual([codeOf(told), told.headers["x-attempts"]], ["0", "2"]);
    assert.equal((await origin.counts()).requests, 3);
    // An answer that has begun is not called back.
    const late = await ask(call(`/call?times=100&status=${UNAVAILABLE}`));
    assert.equal(codeOf(late), String(UNAVAILABLE));
    assert.equal((await origin.counts()).requests, 4);
    // Another status than is asked for.
    const other = await ask(call(`/call?head&times=100&status=${NOT_FOUND}`));
    assert.equal(codeOf(other), String(NOT_FOUND));
    assert.equal((await origin.counts()).requests, 5);
  }),
  ...["", "&head"].map((how) =>
    grpcCase(`outlierDetection: by grpc-status${how}`, async (bench) => {
      const { proxy, police, ask, origins: [down, good] } = bench;
      const sections = {
        loadBalancing: { algorithm: "RoundRobin" },
        outlierDetection: { consecutiveFailures: 2, ejectionTime: "1h" },
      };
      await police(sections);
      const path = (status: number) => `/call?name=${down.name}&status=${status}${how}`;
      for (let i = 0; i < 10; i++) await ask(call(path(NOT_FOUND)));
      assert.equal(await proxy.metric("weft_ejections_active"), 0);
      const before = (await good.counts()).requests;
      const codes: string[] = [];
      for (let i = 0; i < 12; i++) codes.push(codeOf(await ask(call(path(UNAVAILABLE)))));
      assert.equal(codes.filter((code) => code === String(UNAVAILABLE)).length, 2);
      assert.equal((await good.counts()).requests, before + 10);
    }, 2)
  ),
];

testHttp2("policies over every carrier", CASES);
testHttp2("policies on calls by gRPC", CALLS);
