/** What the mesh does not know, by forward proxy: passed on by address or looked-up name, or refused. Both drivers, loopback only. */
import assert from "node:assert/strict";
import type { Proxy, ProxyTimeouts } from "../../proxy/config.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { headerOf, type RawMessage, RawSocket, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { DRIVERS, planOf } from "../support/test_proxy.ts";
import type { Driver } from "../support/test_proxy.ts";
import { timeoutsWith } from "../support/timeouts.ts";
import { skipWithoutLinux, unreachable } from "../support/unreachable.ts";
import { until } from "../support/until.ts";

/** A resolver that a test answers for. */
class Names {
  readonly asked: string[] = [];
  readonly #waiting = new Map<string, (addresses: readonly string[]) => void>();

  readonly lookUp = (name: string): Promise<readonly string[]> => {
    this.asked.push(name);
    return new Promise((resolve) => this.#waiting.set(name, resolve));
  };

  async answer(name: string, ...addresses: string[]): Promise<void> {
    await until(`a question for ${name}`, () => this.#waiting.has(name), (has) => has);
    this.#waiting.get(name)?.(addresses);
  }
}

class EgressProxy {
  readonly names = new Names();
  readonly #proxy: Proxy;

  private constructor(proxy: Proxy, names: Names) {
    this.#proxy = proxy;
    this.names = names;
  }

  static async start(
    driver: Driver,
    egress: boolean,
    mesh: readonly number[] = [],
    timeouts: Partial<ProxyTimeouts> = {},
  ) {
    const names = new Names();
    const proxy = await startProxy(
      {
        driver,
        workers: 1,
        outbound: [{
          address: "127.0.0.1",
          port: 0,
          namespace: "default",
          identity: "",
          seed: null,
        }],
        inbound: [],
        admin: { address: "127.0.0.1", port: 0 },
        egress,
        timeouts: timeoutsWith(timeouts),
        bodyBytesMax: Infinity,
        reportRequests: false,
      },
      planOf(mesh),
      { lookUp: names.lookUp },
    );
    return new EgressProxy(proxy, names);
  }

  get port(): number {
    return this.#proxy.outbound[0].port;
  }

  connect(): Promise<RawSocket> {
    return RawSocket.connect(this.port);
  }

  /** Sends a request for an absolute URL over a connection of its own. */
  async get(url: string): Promise<RawMessage> {
    using client = await this.connect();
    await client.send(`GET ${url} HTTP/1.1\r\nHost: ${new URL(url).host}\r\n\r\n`);
    return await client.readResponse();
  }

  async metric(name: string): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.#proxy.admin?.port}/metrics`);
    return (await response.text()).split("\n").filter((line) => line.startsWith(name)).join("\n");
  }

  async checkNothingLeft(): Promise<void> {
    for (const name of ["weft_connections_open", "weft_buffers_lent", "weft_faults_total"]) {
      await until(`${name} 0`, () => this.metric(name), (line) => line === `${name} 0`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy.stop();
  }
}

function outside(): ScriptedOrigin {
  return new ScriptedOrigin(answering((request) => ok(headerOf(request, "host") ?? "")));
}

for (const driver of DRIVERS) {
  const test = (name: string, fn: () => Promise<void>) =>
    Deno.test({
      name: `egress (${driver}): ${name}`,
      sanitizeOps: false,
      sanitizeResources: false,
      fn,
    });

  test("an address that the mesh does not have", async () => {
    await using origin = outside();
    await using proxy = await EgressProxy.start(driver, true);
    const response = await proxy.get(`http://127.0.0.1:${origin.port}/`);
    assert.equal(response.body, `127.0.0.1:${origin.port}`);
    assert.deepEqual(proxy.names.asked, []);
    assert.match(
      await proxy.metric('weft_requests_total{listener="0",service="egress"'),
      /backend="egress",rule="",code="2xx"} 1$/m,
    );
    await proxy.checkNothingLeft();
  });

  test("a name, looked up once for all who ask", async () => {
    await using origin = outside();
    await using proxy = await EgressProxy.start(driver, true);
    const first = proxy.get(`http://Outside.Test:${origin.port}/`);
    await until("a question", () => proxy.names.asked.length, (count) => count === 1);
    const second = proxy.get(`http://outside.test.:${origin.port}/`);
    await proxy.names.answer("outside.test", "127.0.0.1");
    assert.equal(statusOf(await first), 200);
    assert.equal(statusOf(await second), 200);
    assert.equal(statusOf(await proxy.get(`http://outside.test:${origin.port}/`)), 200);
    assert.deepEqual(proxy.names.asked, ["outside.test"]);
    await proxy.checkNothingLeft();
  });

  test("a body that is on its way while the name is looked up arrives whole", async () => {
    await using origin = new ScriptedOrigin(answering(({ body }) => ok(`${body.length}`)));
    await using proxy = await EgressProxy.start(driver, true);
    using client = await proxy.connect();
    const head = `POST http://outside.test:${origin.port}/ HTTP/1.1\r\nHost: outside.test\r\n`;
    const sending = client.send(`${head}Content-Length: 100000\r\n\r\n${"x".repeat(100_000)}`);
    await proxy.names.answer("outside.test", "127.0.0.1");
    assert.equal((await client.readResponse()).body, "100000");
    await sending;
  });

  test("the time to connect to it is its own, not that of endpoints", async () => {
    if (skipWithoutLinux() !== "") return;
    await using deaf = await unreachable();
    const timeouts = { connectMs: 3_600_000, egressConnectMs: 150 };
    await using proxy = await EgressProxy.start(driver, true, [], timeouts);
    const response = await proxy.get(`http://127.0.0.1:${deaf.port}/`);
    assert.equal(statusOf(response), 504);
    assert.equal(headerOf(response, "x-weft-reason"), "upstream-connect-timeout");
  });

  test("an unknown name: 404 as without egress, and the connection goes on", async () => {
    await using proxy = await EgressProxy.start(driver, true);
    using client = await proxy.connect();
    await client.send("GET http://unknown.test/ HTTP/1.1\r\nHost: unknown.test\r\n\r\n");
    await proxy.names.answer("unknown.test");
    const response = await client.readResponse();
    assert.equal(statusOf(response), 404);
    assert.equal(headerOf(response, "x-weft-reason"), "host-unknown");
    await client.send("GET http://unknown.test/ HTTP/1.1\r\nHost: unknown.test\r\n\r\n");
    assert.equal(statusOf(await client.readResponse()), 404);
  });

  test("a client that goes away while its name is looked up leaves nothing behind", async () => {
    await using origin = outside();
    await using proxy = await EgressProxy.start(driver, true);
    const client = await proxy.connect();
    // One that has sent all may only have ended its half, and is still answered.
    const head = `POST http://outside.test:${origin.port}/ HTTP/1.1\r\nHost: x\r\n`;
    await client.send(`${head}Content-Length: 10\r\n\r\nhalf`);
    await until("a question", () => proxy.names.asked.length, (count) => count === 1);
    client.close();
    await proxy.checkNothingLeft();
    await proxy.names.answer("outside.test", "127.0.0.1");
    assert.equal(statusOf(await proxy.get(`http://outside.test:${origin.port}/`)), 200);
    await proxy.checkNothingLeft();
    assert.equal(origin.accepted, 1);
  });

  test("CONNECT, to an address and to a name", async () => {
    await using origin = new ScriptedOrigin(async (socket) => {
      await socket.send("220 first\n");
      await socket.readRest();
    });
    await using proxy = await EgressProxy.start(driver, true);
    for (const host of ["127.0.0.1", "outside.test"]) {
      using client = await proxy.connect();
      await client.send(`CONNECT ${host}:${origin.port} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      if (host !== "127.0.0.1") await proxy.names.answer(host, "127.0.0.1");
      assert.match(await client.readThrough("\r\n\r\n"), /^HTTP\/1\.1 200 /);
      assert.equal(await client.readThrough("\n"), "220 first\n");
    }
  });

  test("the proxy itself is not outside, by address or by name", async () => {
    await using proxy = await EgressProxy.start(driver, true);
    const byAddress = await proxy.get(`http://127.0.0.1:${proxy.port}/`);
    assert.equal(statusOf(byAddress), 508);
    assert.equal(headerOf(byAddress, "x-weft-reason"), "loop");
    const byName = proxy.get(`http://me.test:${proxy.port}/`);
    await proxy.names.answer("me.test", "127.0.0.1");
    assert.equal(headerOf(await byName, "x-weft-reason"), "loop");
    const other = await proxy.get(`http://127.7.7.7:${proxy.port}/`);
    assert.equal(headerOf(other, "x-weft-reason"), "loop");
  });

  test("the mesh comes first", async () => {
    await using origin = outside();
    await using proxy = await EgressProxy.start(driver, true, [origin.port]);
    assert.equal((await proxy.get("http://app/")).body, "app");
    assert.deepEqual(proxy.names.asked, []);
    assert.equal(
      headerOf(await proxy.get("http://app:81/"), "x-weft-reason"),
      "port-unknown",
      "a Service's other ports are not outside",
    );
  });

  test("off: refused, and nothing is looked up", async () => {
    await using origin = outside();
    await using proxy = await EgressProxy.start(driver, false);
    for (const host of ["127.0.0.1", "outside.test"]) {
      const response = await proxy.get(`http://${host}:${origin.port}/`);
      assert.equal(statusOf(response), 404);
      assert.equal(headerOf(response, "x-weft-reason"), "host-unknown");
    }
    assert.deepEqual(proxy.names.asked, []);
    assert.equal(origin.accepted, 0);
  });
}
