/** Connections relayed whole, through real sockets and both drivers: a listener of a TCP Service, and what is counted of it. */
import { closedPort } from "../support/free_port.ts";
import assert from "node:assert/strict";
import { compile } from "../../routing/compile/compile.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import type { Proxy, ProxyTimeouts } from "../../proxy/config.ts";
import type { RequestRecord } from "../../proxy/observe/request_record.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { REFUSED_AVOID_MS } from "../../proxy/limits.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { DRIVERS } from "../support/test_proxy.ts";
import type { Driver } from "../support/test_proxy.ts";
import { timeoutsWith } from "../support/timeouts.ts";
import { until } from "../support/until.ts";

/** A plan of Service `db` port 5432, split by weight over Services with these ports of 127.0.0.1 behind them. */
function planOf(
  backends: readonly { readonly weight: number; readonly ports: readonly number[] }[],
) {
  const service = (name: string) => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "default" },
    spec: { ports: [{ name: "tcp-db", port: 5432 }] },
  });
  const documents: unknown[] = [service("db")];
  backends.forEach(({ ports }, i) => {
    documents.push(service(`db-${i}`));
    ports.forEach((port, j) =>
      documents.push({
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        addressType: "IPv4",
        metadata: {
          name: `db-${i}-${j}`,
          namespace: "default",
          labels: { "kubernetes.io/service-name": `db-${i}` },
        },
        ports: [{ name: "tcp-db", port }],
        endpoints: [{ addresses: ["127.0.0.1"] }],
      })
    );
  });
  documents.push({
    apiVersion: "split.smi-spec.io/v1alpha4",
    kind: "TrafficSplit",
    metadata: { name: "db", namespace: "default" },
    spec: {
      service: "db",
      backends: backends.map(({ weight }, i) => ({ service: `db-${i}`, weight })),
    },
  });
  const text = documents.map((each) => JSON.stringify(each)).join("\n---\n");
  return compile(parseManifests([{ name: "db.yaml", text }]).snapshot).plan;
}

class TcpProxy {
  readonly records: RequestRecord[] = [];
  #proxy: Proxy | null = null;

  static async start(
    driver: Driver,
    backends: Parameters<typeof planOf>[0],
    timeouts: Partial<ProxyTimeouts> = {},
  ): Promise<TcpProxy> {
    const it = new TcpProxy();
    it.#proxy = await startProxy(
      {
        driver,
        workers: 1,
        outbound: [{
          address: "127.0.0.1",
          port: 0,
          namespace: "default",
          identity: "",
          seed: null,
          tcp: { namespace: "default", service: "db", port: 5432 },
        }],
        inbound: [],
        admin: { address: "127.0.0.1", port: 0 },
        timeouts: timeoutsWith(timeouts),
        bodyBytesMax: Infinity,
        reportRequests: true,
      },
      planOf(backends),
      { onRequest: (record) => void it.records.push(record) },
    );
    return it;
  }

  get proxy(): Proxy {
    assert.ok(this.#proxy !== null);
    return this.#proxy;
  }

  connect(): Promise<RawSocket> {
    return RawSocket.connect(this.proxy.outbound[0].port);
  }

  async metrics(): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.proxy.admin?.port}/metrics`);
    return await response.text();
  }

  /** Waits for so many connections to have ended. */
  async ended(count: number): Promise<readonly RequestRecord[]> {
    return await until(`${count} records`, () => this.records, ({ length }) => length >= count);
  }

  /** Nothing may be left of connections that have ended. */
  async checkNothingLeft(): Promise<void> {
    for (const name of ["connections_open", "upstream_connections_open", "buffers_lent"]) {
      const isZero = (text: string) => new RegExp(`^weft_${name} 0$`, "m").test(text);
      await until(`${name} 0`, () => this.metrics(), isZero);
    }
    assert.match(await this.metrics(), /^weft_faults_total 0$/m);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy?.stop();
  }
}

/** What a client reads that is cut at once; the reset may even come before `connect` has returned. */
async function readUntilCut(proxy: TcpProxy): Promise<string> {
  try {
    using client = await proxy.connect();
    return await client.readRest();
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionReset) return "";
    throw error;
  }
}

/** Says its name, then sends back what comes, and ends when the other side has. */
function greeting(name: string): ScriptedOrigin {
  return new ScriptedOrigin(async (socket) => {
    await socket.send(`${name}\n`);
    while (await socket.readMore()) await socket.send(socket.takeAll());
  }, { mayFail: true });
}

for (const driver of DRIVERS) {
  const test = (name: string, fn: () => Promise<void>) =>
    Deno.test({
      name: `tcp (${driver}): ${name}`,
      sanitizeOps: false,
      sanitizeResources: false,
      fn,
    });

  test("a server that speaks first; the split, connection by connection", async () => {
    await using v1 = greeting("v1");
    await using v2 = greeting("v2");
    await using proxy = await TcpProxy.start(driver, [
      { weight: 75, ports: [v1.port] },
      { weight: 25, ports: [v2.port] },
    ]);
    const order: string[] = [];
    for (let i = 0; i < 8; i++) {
      using client = await proxy.connect();
      order.push((await client.readThrough("\n")).trim());
    }
    assert.equal(order.join(" "), "v1 v2 v1 v1 v1 v2 v1 v1");
    const records = await proxy.ended(8);
    const { method, authority, service, split, backend, status, reason } = records[1];
    assert.deepEqual({ method, authority, service, split, backend, status, reason }, {
      method: "TCP",
      authority: "db.default:5432",
      service: "default/db:5432",
      split: "default/db",
      backend: "default/db-1",
      status: 0,
      reason: "",
    });
    await proxy.checkNothingLeft();
  });

  test("bytes both ways, much of them, and what is counted", async () => {
    await using origin = greeting("hello");
    await using proxy = await TcpProxy.start(driver, [{ weight: 1, ports: [origin.port] }]);
    using client = await proxy.connect();
    assert.equal(await client.readThrough("\n"), "hello\n");
    const bytes = "0123456789abcdef".repeat(64 * 1024);
    const sending = client.send(bytes).then(() => client.endSending());
    assert.equal((await client.readRest()).length, bytes.length);
    await sending;
    await proxy.ended(1);
    const text = await proxy.metrics();
    const route = 'listener="0",service="default/db",port="5432",split="default/db"';
    const labels = `{${route},backend="default/db-0"}`;
    for (
      const [name, value] of [
        ["weft_tcp_connections_opened_total", 1],
        ["weft_tcp_connections_closed_total", 1],
        ["weft_tcp_client_bytes_total", bytes.length],
        ["weft_tcp_endpoint_bytes_total", bytes.length + 6],
      ] as const
    ) {
      assert.ok(text.includes(`${name}${labels} ${value}\n`), `${name} ${value}\n${text}`);
    }
    await proxy.checkNothingLeft();
  });

  test("half-close: the client ends first, and the server goes on", async () => {
    await using origin = new ScriptedOrigin(async (socket) => {
      await socket.readRest();
      await socket.send("after the end");
    });
    await using proxy = await TcpProxy.start(driver, [{ weight: 1, ports: [origin.port] }]);
    using client = await proxy.connect();
    await client.send("all");
    await client.endSending();
    assert.equal(await client.readRest(), "after the end");
    await proxy.checkNothingLeft();
  });

  test("half-close: the server ends first, and the client goes on", async () => {
    let heard = "";
    await using origin = new ScriptedOrigin(async (socket) => {
      await socket.send("bye");
      await socket.endSending();
      heard = await socket.readRest();
    });
    await using proxy = await TcpProxy.start(driver, [{ weight: 1, ports: [origin.port] }]);
    using client = await proxy.connect();
    assert.equal(await client.readRest(), "bye");
    await client.send("still here");
    await client.endSending();
    await until("the rest", () => heard, (text) => text === "still here");
    await proxy.checkNothingLeft();
  });

  test("an endpoint that refuses is passed over", async () => {
    await using origin = greeting("alive");
    await using proxy = await TcpProxy.start(driver, [
      { weight: 1, ports: [closedPort().port, origin.port] },
    ]);
    const startedMs = performance.now();
    for (let i = 0; i < 3; i++) {
      using client = await proxy.connect();
      assert.equal(await client.readThrough("\n"), "alive\n");
    }
    const [, failures] =
      /^weft_upstream_connect_failures_total (\d+)$/m.exec(await proxy.metrics()) ?? [];
    // It is asked again once that is over.
    const turns = Math.ceil((performance.now() - startedMs) / REFUSED_AVOID_MS);
    assert.ok(Number(failures) >= 1 && Number(failures) <= turns, `${failures} of ${turns}`);
  });

  test("no endpoint accepts: the client is cut, and the record says why", async () => {
    await using proxy = await TcpProxy.start(driver, [{ weight: 1, ports: [closedPort().port] }]);
    assert.equal(await readUntilCut(proxy), "");
    const [record] = await proxy.ended(1);
    assert.equal(record.reason, "upstream-refused");
    await proxy.checkNothingLeft();
  });

  test("no endpoint at all: refused with the routing's reason", async () => {
    await using proxy = await TcpProxy.start(driver, [{ weight: 1, ports: [] }]);
    assert.equal(await readUntilCut(proxy), "");
    assert.equal((await proxy.ended(1))[0].reason, "no-endpoints");
  });

  test("a connection that is quiet too long is ended", async () => {
    await using origin = greeting("hello");
    const timeouts = { tcpIdleMs: 200 };
    await using proxy = await TcpProxy.start(
      driver,
      [{ weight: 1, ports: [origin.port] }],
      timeouts,
    );
    using client = await proxy.connect();
    assert.equal(await client.readRest(), "hello\n");
    assert.equal((await proxy.ended(1))[0].reason, "idle-timeout");
    await proxy.checkNothingLeft();
  });

  test("a plan that comes meanwhile leaves connections alone, and counts for the next", async () => {
    await using before = greeting("before");
    await using after = greeting("after");
    await using proxy = await TcpProxy.start(driver, [{ weight: 1, ports: [before.port] }]);
    using first = await proxy.connect();
    assert.equal(await first.readThrough("\n"), "before\n");
    await proxy.proxy.apply(planOf([{ weight: 1, ports: [after.port] }]));
    using second = await proxy.connect();
    assert.equal(await second.readThrough("\n"), "after\n");
    await first.send("still\n");
    assert.equal(await first.readThrough("\n"), "still\n");
  });

  test("draining waits for connections, and takes no new ones", async () => {
    await using origin = greeting("hello");
    await using proxy = await TcpProxy.start(driver, [{ weight: 1, ports: [origin.port] }]);
    using client = await proxy.connect();
    assert.equal(await client.readThrough("\n"), "hello\n");
    let hasDrained = false;
    const draining = proxy.proxy.drain().then(() => hasDrained = true);
    await client.send("still\n");
    assert.equal(await client.readThrough("\n"), "still\n");
    assert.equal(hasDrained, false);
    await client.endSending();
    assert.equal(await client.readRest(), "");
    await draining;
  });
}
