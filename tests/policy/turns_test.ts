/**
 * Turns of endpoints through the real proxy, on both drivers: what requests that do not overlap get by default, over slow
 * answers, plans, endpoints that refuse and subsets; and that dry-run says the same.
 */
import { closedPort } from "../support/free_port.ts";
import assert from "node:assert/strict";
import { parseRequestLine } from "../../console/values.ts";
import { simulate } from "../../offline/simulate.ts";
import type { RawSocket } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, testThroughProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { ask, GET, outcomeOf, request, tally } from "./client.ts";
import { applyMesh, type Mesh, planOfMesh } from "./mesh.ts";

/** Endpoints that answer with their names. */
class Origins implements AsyncDisposable {
  readonly all: readonly ScriptedOrigin[];

  constructor(names: string, delayMs: (name: string, asked: number) => number = () => 0) {
    this.all = [...names].map((name) => {
      let asked = 0;
      return new ScriptedOrigin(
        answering(async () => {
          const ms = delayMs(name, asked++);
          if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
          return ok(name);
        }),
        { mayFail: true },
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const origin of this.all) await origin[Symbol.asyncDispose]();
  }
}

/** The answers to so many requests, one after another, each by its first letter. */
async function namesOf(client: RawSocket, count: number, text = GET): Promise<string> {
  let names = "";
  for (let i = 0; i < count; i++) names += (await ask(client, text)).body[0];
  return names;
}

/** What dry-run says: how often each endpoint is asked, in the order of `endpoints`. */
function predicted(mesh: Mesh, count: number, header?: readonly [string, string]): number[] {
  const { distribution } = simulate(planOfMesh(mesh), {
    ...parseRequestLine("GET", "http://app/"),
    headers: header === undefined ? [] : [header],
    from: { namespace: "default", identity: "" },
    count,
  });
  const counts = new Map(
    distribution[0].endpoints.map(({ endpoint, count }) => [endpoint, count]),
  );
  return mesh.services.app.map(({ port }) => counts.get(`127.0.0.1:${port}`) ?? 0);
}

const CASES: readonly ProxyCase[] = [
  {
    name: "30 requests to 3 endpoints are 10 each, however slow their first answers are",
    async run(proxy) {
      await using origins = new Origins("abc", (name, asked) => {
        if (asked > 0) return 0;
        return { a: 0, b: 30, c: 5 }[name] ?? 0;
      });
      await applyMesh(proxy, { services: { app: origins.all } });
      using client = await proxy.connect();
      assert.deepEqual(await tally(client, 30), { "200 a": 10, "200 b": 10, "200 c": 10 });
    },
  },
  {
    name: "an endpoint that is always slower gets as many, where requests do not overlap",
    async run(proxy) {
      await using origins = new Origins("abc", (name) => name === "b" ? 15 : 0);
      await applyMesh(proxy, { services: { app: origins.all } });
      using client = await proxy.connect();
      assert.deepEqual(await tally(client, 9), { "200 a": 3, "200 b": 3, "200 c": 3 });
    },
  },
  {
    name: "of requests that overlap a slow endpoint gets fewer",
    async run(proxy) {
      await using origins = new Origins("ab", (name) => name === "b" ? 200 : 0);
      await applyMesh(proxy, { services: { app: origins.all } });
      using one = await proxy.connect();
      using other = await proxy.connect();
      const [first, second] = await Promise.all([tally(one, 20), tally(other, 20)]);
      const slow = (first["200 b"] ?? 0) + (second["200 b"] ?? 0);
      assert.ok(slow > 0 && slow <= 15, `${slow} of 40`);
    },
  },
  {
    name: "dry-run says what happens, after any number of requests, by every algorithm",
    async run(proxy) {
      await using origins = new Origins("abcde");
      const algorithms = [undefined, "LeastRequest", "RoundRobin", "PeakEwma"];
      for (const algorithm of algorithms) {
        const policies = algorithm === undefined ? {} : { app: { loadBalancing: { algorithm } } };
        for (const count of [1, 4, 5, 13]) {
          const mesh = { services: { app: origins.all }, policies };
          // Another backend in between, so that the turns begin anew.
          await applyMesh(proxy, { services: {} });
          await applyMesh(proxy, mesh);
          using client = await proxy.connect();
          const names = await namesOf(client, count);
          const counts = [..."abcde"].map((name) => names.split(name).length - 1);
          if (algorithm === "PeakEwma") assert.ok(Math.max(...predicted(mesh, count)) > 0);
          else assert.deepEqual(counts, predicted(mesh, count), `${algorithm} ${count}`);
        }
      }
      const hashKey = { header: "x-user" };
      const policies = { app: { loadBalancing: { algorithm: "RingHash", hashKey } } };
      const mesh = { services: { app: origins.all }, policies };
      await applyMesh(proxy, mesh);
      using client = await proxy.connect();
      for (const user of ["ann", "bob", "eve", "dan"]) {
        const names = await namesOf(client, 3, request("GET", { headers: [`X-User: ${user}`] }));
        const counts = [..."abcde"].map((name) => names.split(name).length - 1);
        assert.deepEqual(counts, predicted(mesh, 3, ["x-user", user]), user);
      }
    },
  },
  {
    name: "turns go on over plans that come in the middle, whatever they change",
    async run(proxy) {
      await using origins = new Origins("abcd");
      const [a, b, c, d] = origins.all;
      using client = await proxy.connect();
      const more = [{}, { more: [a] }];
      let names = "";
      for (let i = 0; i < 12; i++) {
        await applyMesh(proxy, { services: { app: [a, b, c], ...more[i % 2] } });
        names += await namesOf(client, 1);
      }
      assert.equal(names, names.slice(0, 3).repeat(4));
      const [, , last] = names;
      // One more: each has its turn before any has two.
      await applyMesh(proxy, { services: { app: [a, b, c, d] } });
      const four = await namesOf(client, 8);
      assert.equal([...new Set(four.slice(0, 4))].length, 4);
      assert.equal(four.slice(4), four.slice(0, 4));
      assert.notEqual(four[0], last, "the last one is not the next");
      // One fewer, just before its turn.
      const next = four[0];
      const rest = origins.all.filter((_, i) => "abcd"[i] !== next);
      await applyMesh(proxy, { services: { app: rest } });
      const three = await namesOf(client, 6);
      assert.equal(three, `${four.slice(1, 4)}${four.slice(1, 4)}`);
    },
  },
  {
    name: "the share of an endpoint that refuses is spread evenly over the others",
    async run(proxy) {
      await using origins = new Origins("abc");
      const [a, b, c] = origins.all;
      await applyMesh(proxy, { services: { app: [a, closedPort(), b, c] } });
      using client = await proxy.connect();
      const counts = await tally(client, 30);
      // While it is passed over, and where it has its turn once in a second.
      for (const count of Object.values(counts)) {
        assert.ok(Math.abs(count - 10) <= 1, JSON.stringify(counts));
      }
    },
  },
  {
    name: "an endpoint that is ejected and returns has its turns as the others",
    async run(proxy) {
      let isDown = true;
      await using origins = new Origins("abc");
      await using flaky = new ScriptedOrigin(
        answering(() => isDown ? "HTTP/1.1 500 Down\r\nContent-Length: 0\r\n\r\n" : ok("f")),
      );
      const outlierDetection = { consecutiveFailures: 1, ejectionTime: "100ms" };
      await applyMesh(proxy, {
        services: { app: [...origins.all, flaky] },
        policies: { app: { outlierDetection } },
      });
      using client = await proxy.connect();
      await until("it to fail", () => ask(client), (answer) => outcomeOf(answer) === "500 ");
      assert.equal([...new Set(await namesOf(client, 3))].toSorted().join(""), "abc");
      isDown = false;
      await until("it to return", () => namesOf(client, 1), (name) => name === "f");
      const names = await namesOf(client, 12);
      for (const name of "abcf") assert.equal(names.split(name).length - 1, 3, names);
    },
  },
  {
    name: "tunnels count at their endpoints, and against maxRequests, for as long as they last",
    async run(proxy) {
      const names = [..."abc"];
      const origins = names.map((name) =>
        new ScriptedOrigin(async (socket) => {
          // CONNECT opens a connection; an upgrade is answered.
          const begins = await socket.readExactly(4);
          if (begins === "name") await socket.send(name);
          else {
            await socket.readThrough("\r\n\r\n");
            await socket.send(
              `HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n${name}`,
            );
          }
          await socket.readRest();
        }, { mayFail: true })
      );
      const open = async (kind: "connect" | "upgrade") => {
        const client = await proxy.connect();
        const isConnect = kind === "connect";
        await client.send(
          isConnect
            ? "CONNECT app:80 HTTP/1.1\r\nHost: app:80\r\n\r\n"
            : "GET / HTTP/1.1\r\nHost: app\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        );
        const head = await client.readThrough("\r\n\r\n");
        if (/^HTTP.1.1 503/.test(head)) return { client, name: "" };
        if (isConnect) await client.send("name");
        return { client, name: await client.readExactly(1) };
      };
      try {
        for (const kind of ["connect", "upgrade"] as const) {
          await applyMesh(proxy, {
            services: { app: origins },
            policies: { app: { connectionLimits: { maxRequests: 6 } } },
          });
          const tunnels = [];
          for (let i = 0; i < 6; i++) tunnels.push(await open(kind));
          assert.equal(tunnels.map(({ name }) => name).toSorted().join(""), "aabbcc", kind);
          const refused = await open(kind);
          assert.equal(refused.name, "", "one request too many");
          refused.client.close();
          for (const { name, client } of tunnels) if (name === "b") client.close();
          await until("them to end", () => origins[1].running, (count) => count === 0);
          const more = [];
          for (let i = 0; i < 2; i++) {
            more.push(await until("room", () => open(kind), ({ name }) => name !== ""));
          }
          assert.equal(more.map(({ name }) => name).join(""), "bb", kind);
          for (const { client } of [...tunnels, ...more]) client.close();
          await until(
            "all to end",
            () => origins.map(({ running }) => running).join(""),
            (all) => all === "000",
          );
        }
      } finally {
        for (const origin of origins) await origin[Symbol.asyncDispose]();
      }
    },
  },
];

testThroughProxy("turns of endpoints", CASES);
