/** What holds for a proxy holds for all its workers together: through real sockets, with connections spread over two of them. */
import assert from "node:assert/strict";
import { FramePeer } from "../http2/frame_peer.ts";
import { data, headers } from "../protocol/http2/frames.ts";
import { headerOf, type RawSocket, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { DRIVERS, TestProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { applyMesh, planOfMesh } from "./mesh.ts";

const GET = "GET / HTTP/1.1\r\nHost: app\r\n\r\n";

for (const driver of DRIVERS) {
  // libc is opened once a thread and stays open, as for every test through a native proxy.
  const test = (name: string, fn: () => Promise<void>) =>
    Deno.test({
      name: `workers (${driver}): ${name}`,
      sanitizeOps: false,
      sanitizeResources: false,
      fn,
    });

  /** Many clients of a proxy with two workers; the kernel spreads them over both. */
  const start = async (stack: AsyncDisposableStack) => {
    const proxy = stack.use(await TestProxy.start(driver, { workers: 2 }));
    const origin = (name: string) => stack.use(new ScriptedOrigin(answering(() => ok(name))));
    const connect = async (count: number) => {
      const clients: RawSocket[] = [];
      while (clients.length < count) clients.push(stack.use(await proxy.connect()));
      return clients;
    };
    return { proxy, origin, connect };
  };

  const ask = async (client: RawSocket): Promise<string> => {
    await client.send(GET);
    return (await client.readResponse()).body;
  };

  test("a split of 75/25 is one sequence, also over changes of plan", async () => {
    await using stack = new AsyncDisposableStack();
    const { proxy, origin, connect } = await start(stack);
    const [one, two, other] = [origin("a"), origin("b"), origin("c")];
    const services = { app: [], v1: [one], v2: [two] };
    await applyMesh(proxy, { services, split: { v1: 75, v2: 25 } });
    const clients = await connect(64);
    const orderOf = async () => {
      let order = "";
      for (const client of clients) order += await ask(client);
      return order;
    };
    assert.equal(await orderOf(), "abaa".repeat(16));
    // Each loop has connections of its own to each endpoint, so more than one shows that both took part.
    if (driver === "native") assert.ok(one.accepted > 1 && two.accepted > 1, "both workers");
    // One request out of step, then plans with something else in them.
    assert.equal(await ask(clients[0]), "a");
    await applyMesh(proxy, { services: { ...services, more: [other] }, split: { v1: 3, v2: 1 } });
    assert.equal(await orderOf(), "baaa".repeat(16));
    await applyMesh(proxy, { services, split: { v1: 75, v2: 25 } });
    assert.equal(await orderOf(), "baaa".repeat(16));
  });

  test("requests at the same time, while plans change, are split exactly", async () => {
    await using stack = new AsyncDisposableStack();
    const { proxy, origin, connect } = await start(stack);
    const [one, two, other] = [origin("a"), origin("b"), origin("c")];
    const plans = [{}, { more: [other] }].map((more) =>
      planOfMesh({
        services: { app: [], v1: [one], v2: [two], ...more },
        split: { v1: 75, v2: 25 },
      })
    );
    await proxy.proxy.apply(plans[0]);
    const clients = await connect(40);
    let answered = 0;
    const changes = (async () => {
      for (let i = 1; i <= 20; i++) {
        await until("answers", () => answered, (count) => count >= i * 80);
        await proxy.proxy.apply(plans[i % 2]);
      }
    })();
    const answers = await Promise.all(clients.map(async (client) => {
      let texts = "";
      for (let i = 0; i < 50; i++) {
        texts += await ask(client);
        answered++;
      }
      return texts;
    }));
    await changes;
    const text = answers.join("");
    assert.equal(text.length, 2_000);
    assert.equal(text.replaceAll("b", "").length, 1_500);
  });

  test("a rate is that of the proxy", async () => {
    await using stack = new AsyncDisposableStack();
    const { proxy, origin, connect } = await start(stack);
    const rateLimit = { http: { requests: 1, per: "1h", burst: 20 } };
    await applyMesh(proxy, { services: { app: [origin("a")] }, policies: { app: { rateLimit } } });
    const statuses = await Promise.all((await connect(64)).map(async (client) => {
      await client.send(GET);
      return statusOf(await client.readResponse());
    }));
    assert.equal(statuses.filter((status) => status === 200).length, 20);
    assert.equal(statuses.filter((status) => status === 429).length, 44);
  });

  test("connections are limited for the proxy, and each worker has its turn", async () => {
    await using stack = new AsyncDisposableStack();
    const { proxy, connect } = await start(stack);
    const gate = Promise.withResolvers<void>();
    const answer = async () => {
      await gate.promise;
      return ok("a");
    };
    const origin = stack.use(new ScriptedOrigin(answering(answer), { mayFail: true }));
    const connectionLimits = { maxConnections: 2, maxPending: 40 };
    await applyMesh(proxy, {
      services: { app: [origin] },
      policies: { app: { connectionLimits } },
    });
    const clients = await connect(50);
    for (const client of clients) await client.send(GET);
    await proxy.untilMetric("weft_pending_requests", 40);

    assert.equal(origin.accepted, 2);
    gate.resolve();
    const statuses = await Promise.all(
      clients.map(async (client) => statusOf(await client.readResponse())),
    );
    assert.equal(statuses.filter((status) => status === 200).length, 42);
    assert.equal(statuses.filter((status) => status === 503).length, 8);
    await proxy.untilMetric("weft_pending_requests", 0);
  });

  test("what another Service has open, in any worker, is neither for a limited one nor in its way", async () => {
    await using stack = new AsyncDisposableStack();
    const { proxy, connect } = await start(stack);
    const gate = Promise.withResolvers<void>();
    let underWay = 0;
    let most = 0;
    const origin = stack.use(
      new ScriptedOrigin(
        answering(async (request) => {
          if (headerOf(request, "host") === "app") {
            most = Math.max(most, ++underWay);
            await gate.promise;
            underWay--;
          }
          return ok("a");
        }),
        { mayFail: true },
      ),
    );
    await applyMesh(proxy, {
      services: { app: [origin], other: [origin] },
      policies: { app: { connectionLimits: { maxConnections: 2, maxPending: 100 } } },
    });
    const others = await connect(40);
    const askOthers = async () => {
      for (const client of others) await client.send(GET.replace("app", "other"));
      for (const client of others) assert.equal((await client.readResponse()).body, "a");
    };
    await askOthers();
    const clients = await connect(40);
    for (const client of clients) await client.send(GET);
    await proxy.untilMetric("weft_pending_requests", 38);
    await askOthers();
    gate.resolve();
    for (const client of clients) assert.equal(statusOf(await client.readResponse()), 200);
    assert.equal(most, 2);
  });

  test("a worker gives up connections that it has no use for", async () => {
    await using stack = new AsyncDisposableStack();
    const { proxy, origin, connect } = await start(stack);
    const connectionLimits = { maxConnections: 1 };
    const app = [origin("a")];
    await applyMesh(proxy, { services: { app }, policies: { app: { connectionLimits } } });
    // One after another, over both workers: each time the other one may hold the only connection, idle.
    for (const client of await connect(16)) assert.equal(await ask(client), "a");
    await proxy.untilMetric("weft_upstream_connections_open", 1);
  });

  test("a worker gives up a connection of HTTP/2 once its streams have ended", async () => {
    await using stack = new AsyncDisposableStack();
    const { proxy, connect } = await start(stack);
    const app = stack.use(
      new ScriptedOrigin(async (socket) => {
        const peer = await FramePeer.accept(socket, false);
        for (;;) {
          const [, stream] = /^HEADERS (\d+)/.exec(await peer.next(/^HEADERS /)) ?? [];
          await peer.send(
            headers(Number(stream), [[":status", "200"]]),
            data(Number(stream), "a", true),
          );
        }
      }, { mayFail: true }),
    );
    const connectionLimits = { maxConnections: 1 };
    const mesh = { services: { app: [app] }, policies: { app: { connectionLimits } } };
    await applyMesh(proxy, { ...mesh, portName: "http2" });
    for (const client of await connect(16)) assert.equal(await ask(client), "a");
    assert.ok(app.running <= 1, `${app.running} connections`);
    if (driver === "native") assert.ok(app.accepted > 1, "both workers");
  });

  test("plans that come at once are taken in order, and a broken one among them changes nothing", async () => {
    await using stack = new AsyncDisposableStack();
    const { proxy, origin, connect } = await start(stack);
    const plans = [origin("a"), origin("b")].map((app) => planOfMesh({ services: { app: [app] } }));
    const results = await Promise.allSettled([
      proxy.proxy.apply(plans[0]),
      proxy.proxy.apply({ ...plans[0], groups: {} }),
      proxy.proxy.apply(plans[1]),
    ]);
    assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
    for (const client of await connect(16)) assert.equal(await ask(client), "b");
  });
}
