/** What policies do with connections to ports that do not speak HTTP, through the real proxy, on both drivers. */
import assert from "node:assert/strict";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { readPrometheus } from "../support/prometheus_text.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { DRIVERS } from "../support/test_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";
import { until } from "../support/until.ts";
import { planOfMesh } from "./mesh.ts";

/** An endpoint that says its name at once and then waits for the end. */
function named(name: string): ScriptedOrigin {
  return new ScriptedOrigin(async (socket) => {
    await socket.send(name);
    await socket.readRest();
  }, { mayFail: true });
}

/** Everything that a new connection is told; nothing where it is cut, perhaps before it is known to be open. */
async function wordsOf(connect: () => Promise<RawSocket>): Promise<string> {
  try {
    using client = await connect();
    await client.endSending();
    return await client.readRest();
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionReset) return "";
    if (error instanceof Deno.errors.NotConnected) return "";
    throw error;
  }
}

for (const driver of DRIVERS) {
  // libc is opened once a thread and stays open, as for every test through a native proxy.
  const test = (name: string, fn: () => Promise<void>) =>
    Deno.test({
      name: `policies on TCP (${driver}): ${name}`,
      sanitizeOps: false,
      sanitizeResources: false,
      fn,
    });

  /** A proxy whose listener relays to Service `app` with these policies. */
  const start = async (origins: readonly { port: number }[], policy: Record<string, unknown>) => {
    const mesh = { services: { app: origins }, policies: { app: policy }, portName: "tcp" };
    const proxy = await startProxy({
      driver,
      workers: 1,
      outbound: [{
        address: "127.0.0.1",
        port: 0,
        namespace: "default",
        identity: "",
        seed: null,
        tcp: { namespace: "default", service: "app", port: 80 },
      }],
      inbound: [],
      admin: { address: "127.0.0.1", port: 0 },
      timeouts: PATIENT_TIMEOUTS,
      bodyBytesMax: Infinity,
      reportRequests: false,
    }, planOfMesh(mesh));
    const connect = () => RawSocket.connect(proxy.outbound[0].port);
    /** The one series of a metric that has this label. */
    const countOf = async (metric: string, label: string, value: string) => {
      const response = await fetch(`http://127.0.0.1:${proxy.admin?.port}/metrics`);
      return readPrometheus(await response.text()).find(({ name, labels }) =>
        name === metric && labels[label] === value
      )?.value;
    };
    return { connect, countOf, [Symbol.asyncDispose]: () => proxy.stop() };
  };

  test("rateLimit.tcp, and the burst before it", async () => {
    await using origin = named("a");
    const rateLimit = { tcp: { connections: 1, per: "1h", burst: 2 } };
    await using proxy = await start([origin], { rateLimit });
    using one = await proxy.connect();
    using two = await proxy.connect();
    assert.equal(await one.readExactly(1) + await two.readExactly(1), "aa");
    assert.equal(await wordsOf(proxy.connect), "");
    assert.equal(origin.accepted, 2);
    assert.equal(await proxy.countOf("weft_rate_limited_total", "kind", "tcp"), 1);
    assert.equal(await proxy.countOf("weft_rate_limited_total", "kind", "http"), 0);
  });

  test("maxConnections, and room once one has ended", async () => {
    await using origin = named("a");
    await using proxy = await start([origin], { connectionLimits: { maxConnections: 1 } });
    const one = await proxy.connect();
    assert.equal(await one.readExactly(1), "a");
    assert.equal(await wordsOf(proxy.connect), "");
    assert.equal(await proxy.countOf("weft_limit_hits_total", "limit", "connections"), 1);
    one.close();
    await until("room", () => wordsOf(proxy.connect), (words) => words === "a");
  });

  test("timeouts.idle", async () => {
    await using origin = named("a");
    await using proxy = await start([origin], { timeouts: { idle: "50ms" } });
    using client = await proxy.connect();
    assert.equal(await client.readRest(), "a");
  });

  for (const algorithm of [null, "LeastRequest"]) {
    test(`${algorithm ?? "the default"} goes by open connections`, async () => {
      await using a = named("a");
      await using b = named("b");
      await using c = named("c");
      const policy = algorithm === null ? {} : { loadBalancing: { algorithm } };
      await using proxy = await start([a, b, c], policy);
      const open = async (count: number) => {
        const clients: { name: string; client: RawSocket }[] = [];
        while (clients.length < count) {
          const client = await proxy.connect();
          clients.push({ name: await client.readExactly(1), client });
        }
        return clients;
      };
      const namesOf = (clients: readonly { name: string }[]) =>
        clients.map(({ name }) => name).toSorted().join("");
      const six = await open(6);
      assert.equal(namesOf(six), "aabbcc");
      for (const { name, client } of six) if (name === "b") client.close();
      await until("them to end", () => b.running, (count) => count === 0);
      const two = await open(2);
      assert.equal(namesOf(two), "bb");
      for (const { client } of [...six, ...two]) client.close();
    });
  }
}
