/** What policies do with requests on their way, through the real proxy, on both drivers. */
import assert from "node:assert/strict";
import { unhurried } from "../support/patience.ts";
import { headerOf, type RawMessage, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, type TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { ask, GET, outcomeOf, request, tally, want } from "./client.ts";
import { applyMesh } from "./mesh.ts";

type Sections = Readonly<Record<string, unknown>>;

function answer(status: number, body = ""): string {
  return `HTTP/1.1 ${status} X\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** Sends host `app` to this endpoint, with a policy of these sections. */
async function policed(proxy: TestProxy, origin: { port: number }, sections: Sections) {
  await applyMesh(proxy, { services: { app: [origin] }, policies: { app: sections } });
}

const RETRIES: readonly ProxyCase[] = [
  {
    name:
      "retry: an answer that is asked to be tried again is, on another connection, and only so often",
    async run(proxy) {
      let asked = 0;
      await using origin = new ScriptedOrigin(
        answering(() => ++asked < 3 ? answer(503) : ok("at last")),
      );
      await policed(proxy, origin, { retry: { attempts: 2, retryOn: ["5xx"], backoff: "1ms" } });
      using client = await proxy.connect();
      await want(client, "200 at last");
      assert.equal(asked, 3);
      asked = -10;
      await want(client, "503 ");
      assert.equal(asked, -7);
    },
  },
  {
    name: "retry: a body that is still held is sent again, whole",
    async run(proxy) {
      const bodies: string[] = [];
      await using origin = new ScriptedOrigin(answering(({ body }) => {
        bodies.push(body);
        return bodies.length === 1 ? answer(503) : ok("done");
      }));
      await policed(proxy, origin, {
        retry: { retryOn: [503], methods: ["POST"], backoff: "1ms" },
      });
      using client = await proxy.connect();
      await want(client, "200 done", request("POST", { body: "the whole body" }));
      assert.deepEqual(bodies, ["the whole body", "the whole body"]);
    },
  },
  {
    name: "retry: a body that is no longer held is not sent again",
    async run(proxy) {
      let asked = 0;
      await using origin = new ScriptedOrigin(answering(() => {
        asked++;
        return answer(503);
      }));
      await policed(proxy, origin, {
        retry: { retryOn: [503], methods: ["POST"], backoff: "1ms" },
      });
      using client = await proxy.connect();
      await want(client, "503 ", request("POST", { body: "x".repeat(100_000) }));
      assert.equal(asked, 1);
    },
  },
  {
    name: "retry: a method that is not idempotent is not sent again to an endpoint that saw it",
    async run(proxy) {
      let asked = 0;
      await using origin = new ScriptedOrigin(answering(() => {
        asked++;
        return answer(503);
      }));
      await policed(proxy, origin, { retry: { retryOn: ["5xx", "reset"], backoff: "1ms" } });
      using client = await proxy.connect();
      await want(client, "503 ", request("POST", { body: "once" }));
      assert.equal(asked, 1);
    },
  },
  {
    name: "retry: a reset before the answer",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket, connection) => {
        await socket.readRequest();
        if (connection > 0) await socket.send(ok("second"));
      });
      await policed(proxy, origin, { retry: { retryOn: ["reset"], backoff: "1ms" } });
      using client = await proxy.connect();
      await want(client, "200 second");
      assert.equal(origin.accepted, 2);
    },
  },
  {
    name: "retry: an attempt has a time of its own",
    async run(proxy) {
      const never = Promise.withResolvers<void>();
      await using origin = new ScriptedOrigin(async (socket, connection) => {
        await socket.readRequest();
        if (connection === 0) await never.promise;
        await socket.send(ok("second"));
      }, { mayFail: true });
      await policed(proxy, origin, {
        retry: { retryOn: ["timeout"], perTryTimeout: "40ms", backoff: "1ms" },
      });
      using client = await proxy.connect();
      const startMs = performance.now();
      await want(client, "200 second");
      assert.ok(performance.now() - startMs >= 39);
      never.resolve();
    },
  },
  {
    name: "retry: the budget ends them, whatever the number of requests that fail",
    async run(proxy) {
      let asked = 0;
      await using origin = new ScriptedOrigin(answering(() => {
        asked++;
        return answer(503);
      }));
      await policed(proxy, origin, {
        retry: { attempts: 3, retryOn: ["5xx"], budgetPercent: 10, backoff: "1ms" },
      });
      using client = await proxy.connect();
      const requests = 60;
      const startMs = performance.now();
      await tally(client, requests);
      // A reserve of ten, a tenth of the requests, and one for each second that it took.
      const seconds = Math.ceil((performance.now() - startMs) / 1_000);
      const retries = asked - requests;
      assert.ok(retries >= 10 && retries <= 10 + 6 + seconds, String(retries));
    },
  },
  {
    name: "retry: a client that goes away while it is waited for leaves nothing behind",
    async run(proxy) {
      let asked = 0;
      await using origin = new ScriptedOrigin(answering(() => {
        asked++;
        return answer(503);
      }));
      await policed(proxy, origin, { retry: { retryOn: ["5xx"], backoff: "200ms" } });
      const client = await proxy.connect();
      await client.send(GET);
      await until("the endpoint to be asked", () => asked, (count) => count === 1);
      client.close();
    },
  },
];

const TIMEOUTS: readonly ProxyCase[] = [
  {
    name: "timeouts.request: 504 in time, and the connection goes on",
    async run(proxy) {
      const never = Promise.withResolvers<void>();
      let asked = 0;
      await using origin = new ScriptedOrigin(
        answering(async () => {
          if (asked++ === 0) await never.promise;
          return ok("late");
        }),
        { mayFail: true },
      );
      await policed(proxy, origin, { timeouts: { request: "50ms" } });
      using client = await proxy.connect();
      const startMs = performance.now();
      await want(client, "504 deadline-exceeded");
      const tookMs = performance.now() - startMs;
      assert.ok(tookMs >= 49 && tookMs < unhurried(5_000), `${tookMs} ms`);
      await policed(proxy, origin, { timeouts: { request: "1h" } });
      await want(client, "200 late");
      never.resolve();
    },
  },
  {
    name: "timeouts.request: an answer that is under way is cut",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
        await socket.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
        await socket.readRest();
      });
      await policed(proxy, origin, { timeouts: { request: "50ms" } });
      using client = await proxy.connect();
      await client.send(GET);
      assert.match(await client.readRest(), /\r\n\r\n12345$/);
    },
  },
  {
    name: "timeouts.idle: an endpoint that says nothing is given up",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
        await socket.readRest();
      });
      await policed(proxy, origin, { timeouts: { idle: "50ms" } });
      using client = await proxy.connect();
      await want(client, "504 upstream-timeout");
    },
  },
  {
    name: "timeouts.request counts all attempts",
    async run(proxy) {
      let asked = 0;
      await using origin = new ScriptedOrigin(answering(() => {
        asked++;
        return answer(503);
      }));
      await policed(proxy, origin, {
        timeouts: { request: "60ms" },
        retry: { attempts: 10, retryOn: ["5xx"], backoff: "30s" },
      });
      using client = await proxy.connect();
      await want(client, "504 deadline-exceeded");
      assert.ok(asked >= 1);
    },
  },
];

/** An endpoint that answers when told to. */
function held(): { origin: ScriptedOrigin; asked: () => number; release: () => void } {
  let asked = 0;
  let gate = Promise.withResolvers<void>();
  const origin = new ScriptedOrigin(
    answering(async () => {
      asked++;
      await gate.promise;
      return ok("done");
    }),
    { mayFail: true },
  );
  const release = () => {
    gate.resolve();
    gate = Promise.withResolvers<void>();
    gate.resolve();
  };
  return { origin, asked: () => asked, release };
}

const LIMITS: readonly ProxyCase[] = [
  {
    name: "connectionLimits.maxRequests: one too many is refused, and taken once there is room",
    async run(proxy) {
      const { origin, asked, release } = held();
      await using _ = origin;
      await policed(proxy, origin, { connectionLimits: { maxRequests: 2 } });
      using a = await proxy.connect();
      using b = await proxy.connect();
      using c = await proxy.connect();
      await a.send(GET);
      await b.send(GET);
      await until("two requests", asked, (count) => count === 2);
      await want(c, "503 request-limit");
      release();
      await a.readResponse();
      await b.readResponse();
      await want(c, "200 done");
    },
  },
  {
    name: "connectionLimits.maxConnections: the next waits its turn, one beyond is refused",
    async run(proxy) {
      const { origin, asked, release } = held();
      await using _ = origin;
      await policed(proxy, origin, { connectionLimits: { maxConnections: 1, maxPending: 1 } });
      using a = await proxy.connect();
      using b = await proxy.connect();
      using c = await proxy.connect();
      await a.send(GET);
      await until("a request", asked, (count) => count === 1);
      await b.send(GET);
      // One of the two waits, whichever came first, and the other is refused at once.
      await c.send(GET);
      const refused = await Promise.race([
        b.readResponse().then((message) => ({ message, other: c })),
        c.readResponse().then((message) => ({ message, other: b })),
      ]);
      assert.equal(outcomeOf(refused.message), "503 pending-limit");
      assert.equal(asked(), 1);
      release();
      assert.equal(outcomeOf(await a.readResponse()), "200 done");
      await until("the one that waited", asked, (count) => count === 2);
      assert.equal(origin.accepted, 1, "by the same connection");
    },
  },
  {
    name: "connectionLimits.maxConnections: an idle connection to another endpoint gives way",
    async run(proxy) {
      await using a = new ScriptedOrigin(answering(() => ok("a")));
      await using b = new ScriptedOrigin(answering(() => ok("b")));
      await applyMesh(proxy, {
        services: { app: [a, b] },
        policies: {
          app: {
            loadBalancing: { algorithm: "RoundRobin" },
            connectionLimits: { maxConnections: 1, maxPending: 0 },
          },
        },
      });
      using client = await proxy.connect();
      assert.deepEqual(await tally(client, 6), { "200 a": 3, "200 b": 3 });
      assert.equal(await proxy.metric("weft_upstream_connections_open"), 1);
    },
  },
  {
    name: "connectionLimits: a client that goes away frees what it held and what it waited for",
    async run(proxy) {
      const { origin, asked, release } = held();
      await using _ = origin;
      await policed(proxy, origin, {
        connectionLimits: { maxConnections: 1, maxPending: 1, maxRequests: 2 },
      });
      const a = await proxy.connect();
      const b = await proxy.connect();
      await a.send(GET);
      await until("a request", asked, (count) => count === 1);
      await b.send(GET);
      using c = await proxy.connect();
      // Whether `b` is counted yet shows in what `c` is told.
      await until(
        "the limit",
        async () => outcomeOf(await ask(c)),
        (outcome) => outcome === "503 request-limit",
      );
      b.close();
      a.close();
      release();
      await until("room", async () => outcomeOf(await ask(c)), (outcome) => outcome === "200 done");
    },
  },
];

const RATES: readonly ProxyCase[] = [
  {
    name: "rateLimit.http: a burst, then the status, reason and headers that are asked for",
    async run(proxy) {
      await using origin = new ScriptedOrigin(answering(() => ok("in")));
      await policed(proxy, origin, {
        rateLimit: {
          http: { requests: 1, per: "1h", burst: 3 },
          headers: [{ name: "Retry-After", value: "3600" }],
        },
      });
      using client = await proxy.connect();
      assert.deepEqual(await tally(client, 5), { "200 in": 3, "429 rate-limited": 2 });
      const refused = await ask(client);
      assert.equal(headerOf(refused, "retry-after"), "3600");
      // A plan that changes other things gives nothing back.
      await policed(proxy, origin, {
        rateLimit: { http: { requests: 1, per: "1h", burst: 3 }, status: 503 },
        timeouts: { request: "5s" },
      });
      await want(client, "503 rate-limited");
    },
  },
  {
    name: "rateLimit.http: tokens come in again",
    async run(proxy) {
      await using origin = new ScriptedOrigin(answering(() => ok("in")));
      await policed(proxy, origin, { rateLimit: { http: { requests: 1, per: "50ms" } } });
      using client = await proxy.connect();
      await want(client, "200 in");
      await until(
        "another",
        async () => outcomeOf(await ask(client)),
        (outcome) => outcome === "200 in",
      );
    },
  },
];

const HEADERS: readonly ProxyCase[] = [
  {
    name: "headers: set, added and removed, on the way there and on the way back",
    async run(proxy) {
      const seen: RawMessage[] = [];
      await using origin = new ScriptedOrigin(answering((message) => {
        seen.push(message);
        return "HTTP/1.1 200 OK\r\nServer: s\r\nX-Keep: k\r\nX-Set: old\r\nContent-Length: 2\r\n\r\nhi";
      }));
      await policed(proxy, origin, {
        headers: {
          request: {
            set: [{ name: "X-Set", value: "new" }],
            add: [{ name: "X-Add", value: "two" }],
            remove: ["X-Gone", "Cookie"],
          },
          response: {
            set: [{ name: "x-set", value: "new" }],
            add: [{ name: "X-Keep", value: "more" }],
            remove: ["server"],
          },
        },
      });
      using client = await proxy.connect();
      const headers = ["X-Set: a", "x-set: b", "X-Add: one", "X-GONE: 1", "Cookie: c", "X-Stay: s"];
      const back = await want(client, "200 hi", request("GET", { headers }));
      const there = seen[0];
      assert.equal(headerOf(there, "x-set"), "new");
      assert.equal(headerOf(there, "x-add"), "one, two");
      assert.equal(headerOf(there, "x-gone"), undefined);
      assert.equal(headerOf(there, "cookie"), undefined);
      assert.equal(headerOf(there, "x-stay"), "s");
      assert.equal(headerOf(there, "x-forwarded-for"), "127.0.0.1");
      assert.equal(headerOf(back, "x-set"), "new");
      assert.equal(headerOf(back, "x-keep"), "k, more");
      assert.equal(headerOf(back, "server"), undefined);
    },
  },
  {
    name: "headers: with a body, a retry, and an HTTP/1.0 client",
    async run(proxy) {
      const seen: RawMessage[] = [];
      await using origin = new ScriptedOrigin(answering((message) => {
        seen.push(message);
        return seen.length === 1 ? answer(503) : ok("done");
      }));
      await policed(proxy, origin, {
        headers: { request: { set: [{ name: "x-set", value: "1" }] } },
        retry: { retryOn: [503], methods: ["POST"], backoff: "1ms" },
      });
      using client = await proxy.connect();
      await client.send(
        "POST / HTTP/1.0\r\nHost: app\r\nX-Set: 0\r\nContent-Length: 4\r\n\r\nbody",
      );
      assert.equal(statusOf(await client.readResponse()), 200);
      assert.deepEqual(seen.map((message) => [headerOf(message, "x-set"), message.body]), [
        ["1", "body"],
        ["1", "body"],
      ]);
    },
  },
];

const FAULTS: readonly ProxyCase[] = [
  {
    name: "fault.abort: answered in place of the endpoint, which is not asked",
    async run(proxy) {
      let asked = 0;
      await using origin = new ScriptedOrigin(answering(() => {
        asked++;
        return ok("real");
      }));
      await policed(proxy, origin, { fault: { abort: { status: 418 } } });
      using client = await proxy.connect();
      await want(client, "418 fault-abort");
      assert.equal(asked, 0);
      await policed(proxy, origin, { fault: { abort: { status: 503, percent: 50 } } });
      const counts = await tally(client, 200);
      // Half of 200 with five standard deviations to either side.
      assert.ok(Math.abs(counts["200 real"] - 100) < 36, JSON.stringify(counts));
      assert.equal(counts["200 real"] + counts["503 fault-abort"], 200);
    },
  },
  {
    name: "fault.delay: held back, and then sent as it was",
    async run(proxy) {
      const bodies: string[] = [];
      await using origin = new ScriptedOrigin(answering(({ body }) => {
        bodies.push(body);
        return ok("late");
      }));
      await policed(proxy, origin, { fault: { delay: { duration: "40ms" } } });
      using client = await proxy.connect();
      const startMs = performance.now();
      await want(client, "200 late", request("POST", { body: "kept" }));
      const tookMs = performance.now() - startMs;
      assert.ok(tookMs >= 39 && tookMs < unhurried(5_000), `${tookMs} ms`);
      // A body that comes meanwhile, and is larger than a buffer.
      await want(client, "200 late", request("POST", { body: "y".repeat(50_000) }));
      assert.deepEqual(bodies.map(({ length }) => length), [4, 50_000]);
    },
  },
  {
    name: "fault.delay: a client that goes away meanwhile",
    async run(proxy) {
      await using origin = new ScriptedOrigin(answering(() => ok("too late")), { mayFail: true });
      await policed(proxy, origin, { fault: { delay: { duration: "100ms" } } });
      const client = await proxy.connect();
      await client.send(GET);
      client.close();
    },
  },
];

const AFFINITY: readonly ProxyCase[] = [
  {
    name: "sessionAffinity by cookie: given once, kept, and the split of new callers stays exact",
    async run(proxy) {
      await using a = new ScriptedOrigin(answering(() => ok("a")));
      await using b = new ScriptedOrigin(answering(() => ok("b")));
      await applyMesh(proxy, {
        services: { app: [a], a: [a], b: [b] },
        split: { a: 3, b: 1 },
        policies: { app: { sessionAffinity: { cookie: "Sticky", ttl: "1h" } } },
      });
      using client = await proxy.connect();
      const callers: [cookie: string, outcome: string][] = [];
      for (let i = 0; i < 8; i++) {
        const answer = await ask(client);
        const cookie = headerOf(answer, "set-cookie") ?? "";
        assert.match(
          cookie,
          /^Sticky=weft-[0-9a-f]{8}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=3600$/,
        );
        callers.push([cookie.split(";")[0], outcomeOf(answer)]);
      }
      assert.equal(callers.filter(([, outcome]) => outcome === "200 b").length, 2);
      for (let round = 0; round < 3; round++) {
        for (const [cookie, outcome] of callers) {
          const text = request("GET", { headers: [`Cookie: x=1; ${cookie}`] });
          const answer = await want(client, outcome, text);
          assert.equal(headerOf(answer, "set-cookie"), undefined);
        }
      }
      // New callers go on where the sequence was, whatever the others did meanwhile.
      assert.deepEqual(await tally(client, 4), { "200 a": 3, "200 b": 1 });
    },
  },
  {
    name: "sessionAffinity by header: more weight only ever adds callers",
    async run(proxy) {
      await using a = new ScriptedOrigin(answering(() => ok("a")));
      await using b = new ScriptedOrigin(answering(() => ok("b")));
      using client = await proxy.connect();
      let before = new Set<number>();
      for (const weight of [10, 30, 60]) {
        await applyMesh(proxy, {
          services: { app: [a], a: [a], b: [b] },
          split: { a: 100 - weight, b: weight },
          policies: { app: { sessionAffinity: { header: "X-User" } } },
        });
        const onB = new Set<number>();
        for (let user = 0; user < 100; user++) {
          const text = request("GET", { headers: [`X-User: user-${user}`] });
          if (outcomeOf(await ask(client, text)) === "200 b") onB.add(user);
        }
        for (const user of before) assert.ok(onB.has(user), `user ${user} at ${weight}`);
        assert.ok(Math.abs(onB.size - weight) < 25, `${onB.size} at ${weight}`);
        before = onB;
      }
    },
  },
];

testThroughProxy("retries by policy", RETRIES);
testThroughProxy("timeouts by policy", TIMEOUTS);
testThroughProxy("limits by policy", LIMITS);
testThroughProxy("rates by policy", RATES);
testThroughProxy("headers by policy", HEADERS);
testThroughProxy("faults by policy", FAULTS);
testThroughProxy("session affinity by policy", AFFINITY);
