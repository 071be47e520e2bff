/**
 * Limits of a Service whose endpoints another Service has too: its connections carry its requests alone, are never more than
 * its limit, and nothing else takes their places. Through real sockets, over HTTP/1.1 and HTTP/2, on both drivers.
 */
import assert from "node:assert/strict";
import { FramePeer } from "../http2/frame_peer.ts";
import { data, headers } from "../protocol/http2/frames.ts";
import { headerOf, type RawSocket } from "../support/raw_socket.ts";
import { ok, type Script, ScriptedOrigin } from "../support/scripted_origin.ts";
import { DRIVERS, TestProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { outcomeOf } from "./client.ts";
import { applyMesh, type Mesh } from "./mesh.ts";

type Version = "h1" | "h2";

/** What endpoints see of one connection. */
interface Seen {
  /** Hosts of its requests. */
  readonly hosts: Set<string>;
  /** Requests that have not been answered, by host. */
  readonly underWay: Map<string, number>;
}

/** An endpoint that answers a request once its host's gate is open, and knows which connection carried it. */
class Endpoint implements AsyncDisposable {
  readonly #connections: Seen[] = [];
  readonly #gates = new Map<string, PromiseWithResolvers<void>>();
  readonly #origin: ScriptedOrigin;
  /** The most connections that carried requests of one host at once, by host. */
  readonly most = new Map<string, number>();

  constructor(version: Version) {
    const script = version === "h1" ? this.#http1 : this.#http2;
    this.#origin = new ScriptedOrigin(script, { mayFail: true });
  }

  get port(): number {
    return this.#origin.port;
  }

  get open(): number {
    return this.#origin.running;
  }

  /** Connections that ever carried a request of this host. */
  connectionsOf(host: string): number {
    return this.#connections.filter(({ hosts }) => hosts.has(host)).length;
  }

  underWay(host: string): number {
    return this.#connections.reduce((sum, { underWay }) => sum + (underWay.get(host) ?? 0), 0);
  }

  /** No connection that carried requests of this host carried any others. */
  checkApart(host: string): void {
    for (const { hosts } of this.#connections) {
      if (hosts.has(host)) assert.deepEqual([...hosts], [host]);
    }
  }

  hold(host: string): void {
    this.#gates.set(host, Promise.withResolvers());
  }

  release(host: string): void {
    this.#gates.get(host)?.resolve();
    this.#gates.delete(host);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { resolve } of this.#gates.values()) resolve();
    await this.#origin[Symbol.asyncDispose]();
  }

  async #answer(seen: Seen, host: string, send: () => Promise<void>): Promise<void> {
    seen.hosts.add(host);
    const count = (change: number) => {
      seen.underWay.set(host, (seen.underWay.get(host) ?? 0) + change);
    };
    count(1);
    const busy = this.#connections.filter(({ underWay }) => (underWay.get(host) ?? 0) > 0).length;
    this.most.set(host, Math.max(this.most.get(host) ?? 0, busy));
    await this.#gates.get(host)?.promise;
    count(-1);
    await send();
  }

  #seen(): Seen {
    const seen = { hosts: new Set<string>(), underWay: new Map<string, number>() };
    this.#connections.push(seen);
    return seen;
  }

  readonly #http1: Script = async (socket) => {
    const seen = this.#seen();
    for (;;) {
      const request = await socket.readRequest();
      if (request === null) return;
      await this.#answer(seen, headerOf(request, "host") ?? "", () => socket.send(ok("done")));
    }
  };

  readonly #http2: Script = async (socket) => {
    const seen = this.#seen();
    const peer = await FramePeer.accept(socket, false);
    for (;;) {
      const line = await peer.next(/^HEADERS /);
      const [, id, host] = /^HEADERS (\d+).* :authority: ([^,]+)/.exec(line) ?? [];
      assert.ok(host !== undefined, line);
      const stream = Number(id);
      this.#answer(seen, host, () =>
        peer.send(
          headers(stream, [[":status", "200"]]),
          data(stream, "done", true),
        )).catch(() => {});
    }
  };
}

function get(host: string): string {
  return `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
}

/** What a case has at hand. */
interface Bench {
  readonly version: Version;
  readonly proxy: TestProxy;
  endpoint(): Endpoint;
  /** Takes a plan into force in which `app` and `other` have the same endpoint, unless it says otherwise. */
  apply(limits: Record<string, unknown> | null, mesh?: Partial<Mesh>): Promise<void>;
  readonly shared: Endpoint;
  /** So many clients that each have sent a request to this host. */
  send(host: string, count: number): Promise<RawSocket[]>;
  /** What a client is told that asks this host. */
  ask(host: string): Promise<string>;
  /** `count` requests to this host at once while it is held, and then what they are told. */
  askAtOnce(host: string, count: number): Promise<string[]>;
}

async function outcomesOf(clients: readonly RawSocket[]): Promise<string[]> {
  const outcomes: string[] = [];
  for (const client of clients) outcomes.push(outcomeOf(await client.readResponse()));
  return outcomes;
}

function dones(count: number): string[] {
  return Array.from({ length: count }, () => "200 done");
}

for (const driver of DRIVERS) {
  for (const version of ["h1", "h2"] as const) {
    const test = (name: string, run: (bench: Bench) => Promise<void>) =>
      Deno.test({
        name: `limits of shared endpoints (${driver}, ${version}): ${name}`,
        sanitizeOps: false,
        sanitizeResources: false,
        async fn() {
          await using stack = new AsyncDisposableStack();
          const proxy = stack.use(await TestProxy.start(driver));
          const endpoint = () => stack.use(new Endpoint(version));
          const shared = endpoint();
          const connect = async () => stack.use(await proxy.connect());
          const send = async (host: string, count: number) => {
            const clients: RawSocket[] = [];
            while (clients.length < count) clients.push(await connect());
            for (const client of clients) await client.send(get(host));
            return clients;
          };
          await run({
            version,
            proxy,
            endpoint,
            shared,
            send,
            apply: (connectionLimits, mesh = {}) =>
              applyMesh(proxy, {
                services: { app: [shared], other: [shared] },
                portName: version === "h2" ? "http2" : "http",
                ...(connectionLimits !== null && { policies: { app: { connectionLimits } } }),
                ...mesh,
              }),
            async ask(host) {
              return (await outcomesOf(await send(host, 1)))[0];
            },
            async askAtOnce(host, count) {
              shared.hold(host);
              const clients = await send(host, count);
              await until(
                "all requests to be sent or to wait",
                async () => shared.underWay(host) + await proxy.metric("weft_pending_requests"),
                (seen) => seen === count,
              );
              shared.release(host);
              return await outcomesOf(clients);
            },
          });
        },
      });
    const ONE = { maxConnections: 1, maxPending: 100 };

    test("connections that another Service left idle are not for the limited one", async (bench) => {
      const { apply, askAtOnce, shared } = bench;
      await apply(ONE);
      assert.deepEqual(await askAtOnce("other", 4), dones(4));
      assert.deepEqual(await askAtOnce("app", 4), dones(4));
      assert.equal(shared.most.get("app"), 1);
      assert.equal(shared.connectionsOf("app"), 1);
      shared.checkApart("app");
    });

    test("what another Service has under way takes none of its places", async (bench) => {
      const { apply, send, ask, shared } = bench;
      await apply({ ...ONE, maxPending: 0 });
      shared.hold("other");
      const others = await send("other", 4);
      await until("them to be there", () => shared.underWay("other"), (count) => count === 4);
      assert.equal(await ask("app"), "200 done");
      shared.release("other");
      assert.deepEqual(await outcomesOf(others), dones(4));
      shared.checkApart("app");
    });

    test("the limited Service at its limit holds up no other", async ({ apply, send, ask, shared }) => {
      await apply({ ...ONE, maxRequests: 1 });
      shared.hold("app");
      const [held] = await send("app", 1);
      await until("it to be there", () => shared.underWay("app"), (count) => count === 1);
      assert.equal(await ask("app"), "503 request-limit");
      for (let i = 0; i < 3; i++) assert.equal(await ask("other"), "200 done");
      shared.release("app");
      assert.deepEqual(await outcomesOf([held]), dones(1));
      shared.checkApart("app");
    });

    test("a policy that comes while connections are open holds for the next request", async (bench) => {
      const { apply, askAtOnce, shared } = bench;
      await apply(null);
      assert.deepEqual(await askAtOnce("app", 4), dones(4));
      shared.most.clear();
      await apply(ONE);
      assert.deepEqual(await askAtOnce("app", 4), dones(4));
      assert.equal(shared.most.get("app"), 1);
    });

    test("a policy that goes lets those go on that wait, and counts on when it comes back", async (bench) => {
      const { proxy, apply, send, ask, shared, version } = bench;
      const limits = { maxConnections: 1, maxPending: 1, maxRequests: 2 };
      await apply(limits);
      shared.hold("app");
      const clients = await send("app", 2);
      const waiting = version === "h1" ? 1 : 0;
      await proxy.untilMetric("weft_pending_requests", waiting);
      await until("one", () => shared.underWay("app"), (count) => count === 2 - waiting);
      await apply(null);
      await until("both to be there", () => shared.underWay("app"), (count) => count === 2);
      await apply(limits);
      // Two requests are under way that were begun under the limits, so a third is one too many.
      assert.equal(await ask("app"), "503 request-limit");
      shared.release("app");
      assert.deepEqual(await outcomesOf(clients), dones(2));
      assert.equal(await ask("app"), "200 done");
      await apply(null);
      assert.equal(await ask("app"), "200 done");
    });

    test("a limit that is lowered holds, whatever was open before", async (bench) => {
      const { apply, askAtOnce, shared } = bench;
      await apply({ ...ONE, maxConnections: 4 });
      assert.deepEqual(await askAtOnce("app", 4), dones(4));
      shared.most.clear();
      await apply(ONE);
      await until("the others to end", () => shared.open, (open) => open <= 1);
      assert.deepEqual(await askAtOnce("app", 4), dones(4));
      assert.equal(shared.most.get("app"), 1);
    });

    test("an endpoint that it loses and another keeps holds none of its places", async (bench) => {
      const { apply, ask, endpoint, shared } = bench;
      const limits = { ...ONE, maxPending: 0 };
      await apply(limits);
      assert.equal(await ask("app"), "200 done");
      assert.equal(await ask("other"), "200 done");
      const next = endpoint();
      await apply(limits, { services: { app: [next], other: [shared] } });
      assert.equal(await ask("app"), "200 done");
      assert.equal(next.connectionsOf("app"), 1);
      assert.equal(await ask("other"), "200 done");
      assert.equal(shared.connectionsOf("other"), 1, "the other Service keeps its own");
    });

    test("a Service that leaves the plan and comes back counts what it still has", async (bench) => {
      const { proxy, apply, send, ask, shared } = bench;
      const limits = { ...ONE, maxPending: 1, maxRequests: 1 };
      await apply(limits);
      shared.hold("app");
      const [held] = await send("app", 1);
      await until("it to be there", () => shared.underWay("app"), (count) => count === 1);
      await applyMesh(proxy, { services: { other: [shared] } });
      assert.equal(await ask("app"), "404 host-unknown");
      await apply(limits);
      assert.equal(await ask("app"), "503 request-limit");
      shared.release("app");
      assert.deepEqual(await outcomesOf([held]), dones(1));
      assert.equal(await ask("app"), "200 done");
      assert.equal(shared.most.get("app"), 1);
    });

    test("its own limits hold whichever root its requests come by", async (bench) => {
      const { proxy, apply, send, shared, ask } = bench;
      // `root` has a say of its own in how the endpoints are treated.
      await apply(null, {
        services: { app: [], back: [shared], other: [shared] },
        split: { back: 1 },
        policies: {
          app: { loadBalancing: { algorithm: "RoundRobin" } },
          back: { connectionLimits: { maxConnections: 1, maxPending: 0, maxRequests: 1 } },
        },
      });
      shared.hold("app");
      const [held] = await send("app", 1);
      await until("it to be there", () => shared.underWay("app"), (count) => count === 1);
      assert.equal(await ask("back"), "503 request-limit");
      assert.equal(await ask("other"), "200 done");
      shared.release("app");
      assert.deepEqual(await outcomesOf([held]), dones(1));
      await proxy.untilMetric("weft_pending_requests", 0);
      assert.equal(await ask("back"), "200 done");
    });

    test("copies take no places of a mirror that has limits", async (bench) => {
      const { proxy, apply, ask, shared } = bench;
      await apply(null, {
        services: { app: [shared], other: [shared] },
        policies: {
          app: { mirror: { service: "other" } },
          other: { connectionLimits: { maxConnections: 1, maxPending: 0 } },
        },
      });
      for (let i = 0; i < 4; i++) {
        assert.equal(await ask("app"), "200 done");
        assert.equal(await ask("other"), "200 done");
      }
      await proxy.untilMetric("weft_mirrored_requests_total", 4);
    });

    test("a tunnel holds its place for as long as it lasts, and no other", async (bench) => {
      const { proxy, apply, askAtOnce, ask, shared } = bench;
      await apply({ ...ONE, maxPending: 0 });
      assert.deepEqual(await askAtOnce("other", 2), dones(2));
      const tunnel = async () => {
        const client = await proxy.connect();
        await client.send("CONNECT app:80 HTTP/1.1\r\nHost: app:80\r\n\r\n");
        return { client, head: await client.readThrough("\r\n\r\n") };
      };
      const first = await tunnel();
      assert.match(first.head, /^HTTP\/1.1 200/);
      const second = await tunnel();
      assert.match(second.head, /^HTTP\/1.1 503 .*x-weft-reason: pending-limit/is);
      assert.equal(await ask("app"), "503 pending-limit");
      assert.equal(await ask("other"), "200 done");
      first.client.close();
      second.client.close();
      await until("its place", () => ask("app"), (outcome) => outcome === "200 done");
      shared.checkApart("app");
    });
  }
}
