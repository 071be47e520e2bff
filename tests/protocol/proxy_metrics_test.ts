/** What the admin port says in numbers, read as a scraper and Flagger's OSM provider would, on both drivers. */
import { closedPort } from "../support/free_port.ts";
import assert from "node:assert/strict";
import { labelKey } from "../../base/metrics.ts";
import { compile } from "../../routing/compile/compile.ts";
import type { Plan } from "../../routing/plan.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import type { Proxy } from "../../proxy/config.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { Http2Counts } from "../../proxy/observe/telemetry.ts";
import { readPrometheus, type Sample } from "../support/prometheus_text.ts";
import { RawSocket, statusOf } from "../support/raw_socket.ts";
import { answering, ScriptedOrigin } from "../support/scripted_origin.ts";
import { DRIVERS } from "../support/test_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";
import { until } from "../support/until.ts";

/** Service `web` before two Deployments, each with one pod at its port of 127.0.0.1. */
function planOf(pods: Readonly<Record<string, number>>): Plan {
  const documents: unknown[] = [{
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "shop" },
    spec: { selector: { app: "web" }, ports: [{ name: "http", port: 80 }] },
  }];
  for (const [workload, port] of Object.entries(pods)) {
    documents.push({
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: `${workload}-0`,
        namespace: "shop",
        labels: { app: "web" },
        ownerReferences: [{ apiVersion: "apps/v1", kind: "Deployment", name: workload, uid: "1" }],
      },
      spec: { containers: [{ name: "web" }] },
      status: { podIP: "127.0.0.1" },
    }, {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      addressType: "IPv4",
      metadata: {
        name: workload,
        namespace: "shop",
        labels: { "kubernetes.io/service-name": "web" },
      },
      ports: [{ name: "http", port }],
      endpoints: [{
        addresses: ["127.0.0.1"],
        targetRef: { kind: "Pod", name: `${workload}-0`, namespace: "shop" },
      }],
    });
  }
  const text = documents.map((each) => JSON.stringify(each)).join("\n---\n");
  return compile(parseManifests([{ name: "web.yaml", text }]).snapshot).plan;
}

function origin(status: string): ScriptedOrigin {
  return new ScriptedOrigin(
    answering(() => `HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`),
    { mayFail: true },
  );
}

async function metricsOf(proxy: Proxy): Promise<Sample[]> {
  const response = await fetch(`http://127.0.0.1:${proxy.admin?.port}/metrics`);
  return readPrometheus(await response.text());
}

async function ask(client: RawSocket): Promise<number> {
  await client.send("GET / HTTP/1.1\r\nHost: web.shop\r\n\r\n");
  return statusOf(await client.readResponse());
}

/** What Flagger asks for (pkg/metrics/observers/osm.go): requests of a Deployment by exact status. */
function byStatus(samples: readonly Sample[], name: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { name: metric, labels, value } of samples) {
    const isIts = metric === "osm_request_total" && labels.destination_namespace === "shop" &&
      labels.destination_kind === "Deployment" && labels.destination_name === name;
    if (isIts) counts[labels.response_code] = (counts[labels.response_code] ?? 0) + value;
  }
  return counts;
}

function find(samples: readonly Sample[], name: string, labels: Record<string, string>): number {
  const found = samples.filter((sample) =>
    sample.name === name &&
    Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
  );
  assert.equal(found.length, 1, `${name} ${JSON.stringify(labels)}`);
  return found[0].value;
}

for (const driver of DRIVERS) {
  for (const workers of driver === "native" ? [0, 2] : [1]) {
    Deno.test({
      name:
        `metrics (${driver}, ${workers} workers): by Deployment and exact status, as Flagger reads`,
      sanitizeOps: false,
      sanitizeResources: false,
      async fn() {
        await using primary = origin("204 No Content");
        await using canary = origin("418 Teapot");
        const proxy = await startProxy({
          driver,
          workers,
          outbound: [{
            address: "127.0.0.1",
            port: 0,
            namespace: "curl",
            identity: "",
            seed: null,
            workload: "Deployment/curl",
            pod: 'c"0',
          }],
          inbound: [],
          admin: { address: "127.0.0.1", port: 0 },
          timeouts: PATIENT_TIMEOUTS,
          bodyBytesMax: Infinity,
          reportRequests: false,
        }, planOf({ primary: primary.port, canary: canary.port }));
        try {
          // Several connections, so that with two workers both count.
          const sums: Record<number, number> = {};
          for (let connection = 0; connection < 8; connection++) {
            using client = await RawSocket.connect(proxy.outbound[0].port);
            for (let i = 0; i < 5; i++) {
              const status = await ask(client);
              sums[status] = (sums[status] ?? 0) + 1;
            }
          }
          assert.ok(sums[204] > 0 && sums[418] > 0, JSON.stringify(sums));
          const samples = await metricsOf(proxy);
          assert.deepEqual(byStatus(samples, "primary"), { 204: sums[204] });
          assert.deepEqual(byStatus(samples, "canary"), { 418: sums[418] });
          // Each backend: 24 series, its workload 19, its pod one for each status.
          const isOfRoute = ({ labels: { service, destination_name } }: Sample) =>
            service === "shop/web" || destination_name !== undefined;
          assert.equal(samples.filter(isOfRoute).length, 24 + 2 * (19 + 1));
          const labels = {
            source_namespace: "curl",
            source_kind: "Deployment",
            source_name: "curl",
            source_pod: 'c"0',
            destination_namespace: "shop",
            destination_kind: "Deployment",
            destination_name: "canary",
          };
          const ofCanary = (name: string, more = {}) => find(samples, name, { ...labels, ...more });
          assert.equal(ofCanary("osm_request_total", { destination_pod: "canary-0" }), sums[418]);
          assert.equal(ofCanary("osm_request_duration_ms_count"), sums[418]);
          assert.equal(ofCanary("osm_request_duration_ms_bucket", { le: "10000" }), sums[418]);
          assert.ok(ofCanary("osm_request_duration_ms_sum") < sums[418] * 10_000);

          // A plan that keeps a pod keeps what is counted of it; what leaves the plan leaves the metrics.
          await proxy.apply(planOf({ canary: canary.port }));
          using client = await RawSocket.connect(proxy.outbound[0].port);
          assert.equal(await ask(client), 418);
          const after = await metricsOf(proxy);
          assert.deepEqual(byStatus(after, "primary"), {});
          assert.deepEqual(byStatus(after, "canary"), { 418: sums[418] + 1 });
        } finally {
          await proxy.stop();
        }
      },
    });
  }
}

Deno.test({
  name: "metrics: an endpoint that refuses is counted as the 503 that its client gets",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const { port } = closedPort();
    const proxy = await startProxy({
      driver: "auto",
      workers: 1,
      outbound: [{ address: "127.0.0.1", port: 0, namespace: "curl", identity: "", seed: null }],
      inbound: [],
      admin: { address: "127.0.0.1", port: 0 },
      timeouts: PATIENT_TIMEOUTS,
      bodyBytesMax: Infinity,
      reportRequests: false,
    }, planOf({ canary: port }));
    try {
      using client = await RawSocket.connect(proxy.outbound[0].port);
      assert.equal(await ask(client), 503);
      const samples = await until(
        "the answer counted",
        () => metricsOf(proxy),
        (samples) => samples.some(({ name }) => name === "osm_request_total"),
      );
      assert.deepEqual(byStatus(samples, "canary"), { 503: 1 });
      const [{ labels }] = samples.filter(({ name }) => name === "osm_request_total");
      assert.equal(labels.source_name, "unknown");
    } finally {
      await proxy.stop();
    }
  },
});

Deno.test({
  name: "metrics: nothing that a client or an endpoint makes up becomes a series of its own",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    let made = 0;
    await using endpoint = new ScriptedOrigin(
      answering(() =>
        `HTTP/1.1 ${200 + made % 2} ${made}\r\nX-A-${made}: 1\r\nContent-Length: 0\r\n\r\n`
      ),
      { mayFail: true },
    );
    const proxy = await startProxy({
      driver: "auto",
      workers: 1,
      outbound: [{ address: "127.0.0.1", port: 0, namespace: "curl", identity: "", seed: null }],
      inbound: [],
      admin: { address: "127.0.0.1", port: 0 },
      timeouts: PATIENT_TIMEOUTS,
      bodyBytesMax: Infinity,
      reportRequests: false,
    }, planOf({ web: endpoint.port }));
    try {
      const series = async () => (await metricsOf(proxy)).length;
      const askAll = async (from: number, to: number) => {
        using client = await RawSocket.connect(proxy.outbound[0].port);
        for (made = from; made < to; made++) {
          for (const host of ["web.shop", `h${made}.shop`, `web.shop:${made + 1_000}`]) {
            await client.send(`M${made} /p${made}?${made} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
            await client.readResponse();
          }
        }
      };
      await askAll(0, 4);
      const before = await series();
      await askAll(4, 200);
      assert.equal(await series(), before);
    } finally {
      await proxy.stop();
    }
  },
});

Deno.test("metrics: error codes that HTTP/2 does not know share one series", () => {
  const counts = new Http2Counts("client");
  for (let code = 0; code < 1_000; code++) {
    counts.reset("peer", code * 4_000_000);
    counts.failed(14 + code);
  }
  counts.reset("peer", 8);
  const [, [, , resets], [, , failures]] = counts.samples;
  assert.deepEqual(resets.map(([key]) => key), ["NO_ERROR", "unknown", "CANCEL"].map(byPeer));
  assert.deepEqual(failures, [["unknown", 1_000]]);
});

function byPeer(error: string): string {
  return labelKey("peer", error);
}
