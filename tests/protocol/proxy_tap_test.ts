/** `/tap` on the admin port, on both drivers: what a record says of a request, and that a tap which is gone leaves nothing. */
import assert from "node:assert/strict";
import { compile } from "../../routing/compile/compile.ts";
import type { Plan } from "../../routing/plan.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import type { Proxy } from "../../proxy/config.ts";
import type { RequestRecord } from "../../proxy/observe/request_record.ts";
import { TAPS_MAX } from "../../proxy/limits.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { DRIVERS } from "../support/test_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";
import { until } from "../support/until.ts";

/** Service `web`: what satisfies rule `writes` is split to `web-v2`; the rest is its own, and nothing answers there. */
function planOf(port: number): Plan {
  const service = (name: string) => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "shop" },
    spec: { ports: [{ name: "http", port: 80 }] },
  });
  const documents = [service("web"), service("web-v2"), {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    addressType: "IPv4",
    metadata: {
      name: "web-v2",
      namespace: "shop",
      labels: { "kubernetes.io/service-name": "web-v2" },
    },
    ports: [{ name: "http", port }],
    endpoints: [{ addresses: ["127.0.0.1"], targetRef: { kind: "Pod", name: "web-v2-0" } }],
  }, {
    apiVersion: "specs.smi-spec.io/v1alpha4",
    kind: "HTTPRouteGroup",
    metadata: { name: "routes", namespace: "shop" },
    spec: { matches: [{ name: "writes", methods: ["POST"] }] },
  }, {
    apiVersion: "split.smi-spec.io/v1alpha4",
    kind: "TrafficSplit",
    metadata: { name: "canary", namespace: "shop" },
    spec: {
      service: "web",
      matches: [{ kind: "HTTPRouteGroup", name: "routes" }],
      backends: [{ service: "web-v2", weight: 1 }],
    },
  }];
  const text = documents.map((each) => JSON.stringify(each)).join("\n---\n");
  return compile(parseManifests([{ name: "web.yaml", text }]).snapshot).plan;
}

function start(driver: "native" | "portable", workers: number, plan: Plan): Promise<Proxy> {
  return startProxy(
    {
      driver,
      workers,
      outbound: [{ address: "127.0.0.1", port: 0, namespace: "shop", identity: "", seed: null }],
      inbound: [],
      admin: { address: "127.0.0.1", port: 0 },
      timeouts: PATIENT_TIMEOUTS,
      bodyBytesMax: Infinity,
      reportRequests: false,
    },
    plan,
    { onRequest: () => assert.fail("No access log was asked for") },
  );
}

function tap(proxy: Proxy, query: string, signal?: AbortSignal): Promise<Response> {
  const url = `http://127.0.0.1:${proxy.admin?.port}/tap?${query}`;
  return fetch(url, signal === undefined ? {} : { signal });
}

async function linesOf(response: Response): Promise<RequestRecord[]> {
  const text = await response.text();
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

for (const driver of DRIVERS) {
  for (const workers of driver === "native" ? [0, 2] : [1]) {
    Deno.test({
      name: `tap (${driver}, ${workers} workers): records while a tap is read`,
      sanitizeOps: false,
      sanitizeResources: false,
      async fn() {
        await using origin = new ScriptedOrigin(answering(({ body }) => ok(body)), {
          mayFail: true,
        });
        const plan = planOf(origin.port);
        const proxy = await start(driver, workers, plan);
        try {
          assert.equal((await tap(proxy, "status=bad")).status, 400);
          using client = await RawSocket.connect(proxy.outbound[0].port);
          const ask = async (line: string, body: string) => {
            await client.send(
              `${line} HTTP/1.1\r\nHost: web\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
            );
            await client.readResponse();
          };
          // There is no tap: what is answered now is never told.
          await ask("POST /before", "xyz");
          const posted = await tap(
            proxy,
            "method=post&path=/a&status=2xx&service=shop/web&limit=1",
          );
          const refused = await tap(proxy, "status=503&limit=1");
          await ask("GET /a", "");
          await ask("POST /b", "");
          await ask("POST /a?q", "hello");
          const [{ durationMs, ...record }] = await linesOf(posted);
          assert.ok(durationMs >= 0 && durationMs < 60_000);
          const { time, ...facts } = record as typeof record & { time: string };
          assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
          assert.deepEqual(facts, {
            listener: 0,
            peer: "127.0.0.1",
            source: "",
            protocol: "HTTP/1.1",
            method: "POST",
            authority: "web",
            path: "/a?q",
            status: 200,
            reason: "",
            requestBytes: 5,
            responseBytes: 5,
            grpcStatus: null,
            service: "shop/web:80",
            rule: "shop/routes/writes",
            split: "shop/canary",
            backend: "shop/web-v2",
            pod: "web-v2-0",
            endpoint: `127.0.0.1:${origin.port}`,
            attempts: 1,
            trace: "",
            headers: {},
            planWaitMs: 0,
            plan: plan.hash.slice(0, 12),
          });
          const [first] = await linesOf(refused);
          assert.equal(first.method, "GET");
          assert.equal(first.reason, "no-endpoints");
          assert.equal(first.rule, "");
          assert.equal(first.attempts, 0);
          assert.equal(first.responseBytes, null);
        } finally {
          await proxy.stop();
        }
      },
    });
  }
}

Deno.test({
  name: "tap: one whose reader has gone makes room, and none holds up the end of the proxy",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const proxy = await start("portable", 1, planOf(1));
    const gone = new AbortController();
    for (let i = 0; i < TAPS_MAX; i++) {
      assert.equal((await tap(proxy, "", gone.signal)).status, 200);
    }
    const refused = await tap(proxy, "");
    assert.equal(refused.status, 503);
    await refused.body?.cancel();
    gone.abort();
    const last = await until(
      "room for a tap",
      async () => {
        const response = await tap(proxy, "");
        if (response.status !== 200) await response.body?.cancel();
        return response;
      },
      ({ status }) => status === 200,
    );
    await proxy.stop();
    assert.equal(await last.text(), "");
  },
});

for (const driver of DRIVERS) {
  for (const workers of [driver === "native" ? 2 : 1]) {
    Deno.test({
      name:
        `tap (${driver}, ${workers} workers): several at once, by header, and one that never reads`,
      sanitizeOps: false,
      sanitizeResources: false,
      async fn() {
        await using origin = new ScriptedOrigin(answering(({ body }) => ok(body)), {
          mayFail: true,
        });
        const proxy = await start(driver, workers, planOf(origin.port));
        try {
          using stuck = await RawSocket.connect(proxy.admin?.port ?? 0);
          await stuck.send("GET /tap HTTP/1.1\r\nHost: admin\r\n\r\n");
          const bobs = await tap(proxy, "header=X-User:%20bob&limit=2");
          const named = await tap(proxy, "header=x-user&header=x-long&limit=1");
          const lost = async () => {
            const text = await (await fetch(`http://127.0.0.1:${proxy.admin?.port}/metrics`))
              .text();
            return Number(/^weft_tap_records_lost_total (\d+)$/m.exec(text)?.[1]);
          };
          using client = await RawSocket.connect(proxy.outbound[0].port);
          const ask = async (...lines: string[]) => {
            const head = ["POST /a HTTP/1.1", "Host: web", "Content-Length: 0", ...lines];
            await client.send(`${head.join("\r\n")}\r\n\r\n`);
            assert.match((await client.readResponse()).startLine, /200/);
          };
          for (const user of ["ann", "bob", "Bob", "bob"]) await ask(`X-User: ${user}`);
          assert.deepEqual((await linesOf(bobs)).map(({ headers }) => headers["x-user"]), [
            "bob",
            "bob",
          ]);
          // Long records fill what the kernel holds of a connection, and then the 1024 places.
          const long = "x".repeat(8_000);
          await ask("X-User: ann", `X-Long: ${long}`);
          const [record] = await linesOf(named);
          assert.deepEqual(record.headers, { "x-user": "ann", "x-long": long });
          const more = await tap(proxy, "header=x-long&limit=9999");
          const reading = linesOf(more);
          let count = 0;
          while (await lost() === 0) {
            assert.ok(count++ < 100, "A tap that is not read loses nothing");
            for (let i = 0; i < 100; i++) await ask(`X-Long: ${long}`);
          }
          await proxy.stop();
          // The one that reads, beside the one that does not, has all of them.
          const lines = await reading;
          assert.equal(lines.filter((line) => "dropped" in line).length, 0);
          assert.equal(lines.length, 100 * count);
        } finally {
          await proxy.stop();
        }
      },
    });
  }
}
