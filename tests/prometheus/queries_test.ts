/** A real Prometheus over a proxy: what Flagger's OSM provider asks it, what the SMI metrics API is made of, and what it takes at all. */
import assert from "node:assert/strict";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { readPrometheus } from "../support/prometheus_text.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { answering, ScriptedOrigin } from "../support/scripted_origin.ts";
import { until } from "../support/until.ts";
import { configOf, podinfoPlan, startPodinfo } from "./podinfo.ts";
import { HAS_PROMETHEUS, Prometheus, promtoolSays } from "./prometheus.ts";

/** What Flagger's provider `osm` selects, by its two built-in metrics; and an interval that is over soon. */
function selected(target: string, more = ""): string {
  const labels = `destination_namespace="test",destination_kind="Deployment"`;
  return `{${labels},destination_name="${target}"${more}}[30s]`;
}

const successRate = (target: string) =>
  `sum(rate(osm_request_total${selected(target, ',response_code!~"5.*"')}))` +
  ` / sum(rate(osm_request_total${selected(target)})) * 100`;

const quantile = (share: number, target: string, more = "") =>
  `histogram_quantile(${share}, ` +
  `sum(rate(osm_request_duration_ms_bucket${selected(target, more)})) by (le))`;

/** What its provider `linkerd` selects: what the sidecar beside the application counts. */
function inbound(target: string, more = ""): string {
  return `{namespace="test",deployment=~"${target}"${more},direction="inbound"}[30s]`;
}

/** Of an edge, as the SMI metrics API has it: by who asks and who answers. */
const EDGE = ',source_namespace="test",source_kind="Deployment",source_name="loadtester"';

const NEEDS = HAS_PROMETHEUS ? "" : ": needs prometheus and promtool";

Deno.test({
  name: "metrics: the first use of a split brings the series of all its backends, at zero",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using origin = new ScriptedOrigin(
      answering(() => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
      { mayFail: true },
    );
    const { port } = origin;
    const proxy = await startPodinfo(
      podinfoPlan({ "podinfo-primary": port, "podinfo-canary": port }, [100, 0]),
    );
    try {
      using client = await RawSocket.connect(proxy.outbound[0].port);
      await client.send("GET / HTTP/1.1\r\nHost: podinfo.test:9898\r\n\r\n");
      await client.readResponse();
      const response = await fetch(`http://127.0.0.1:${proxy.admin?.port}/metrics`);
      const samples = readPrometheus(await response.text());
      const counted = (name: string, labels: Readonly<Record<string, string>>) =>
        samples.filter((sample) =>
          sample.name === name &&
          Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
        ).map(({ value }) => value);
      for (const [name, count] of [["podinfo-primary", 1], ["podinfo-canary", 0]] as const) {
        const answers = counted("osm_request_total", { destination_name: name });
        assert.deepEqual(answers, [count], name);
        const backend = `test/${name}`;
        const codes = counted("weft_requests_total", { backend, split: "test/podinfo" });
        assert.deepEqual(codes, [0, count, 0, 0, 0]);
      }
    } finally {
      await proxy.stop();
    }
  },
});

Deno.test({
  name: `Prometheus: the queries of Flagger's OSM provider and of SMI metrics${NEEDS}`,
  ignore: !HAS_PROMETHEUS,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const answerWith = (status: () => string, delayMs: number) =>
      new ScriptedOrigin(
        answering(async () => {
          await new Promise((resolve) => setTimeout(resolve, delayMs));
          return `HTTP/1.1 ${status()}\r\nContent-Length: 0\r\n\r\n`;
        }),
        { mayFail: true },
      );
    let count = 0;
    await using primary = answerWith(() => "200 OK", 0);
    await using canary = answerWith(() => count++ % 2 === 0 ? "200 OK" : "500 Bad", 30);
    const proxy = await startPodinfo(
      podinfoPlan({ "podinfo-primary": primary.port, "podinfo-canary": canary.port }),
    );
    let isAsking = true;
    const asking = (async () => {
      using client = await RawSocket.connect(proxy.outbound[0].port);
      while (isAsking) {
        await client.send("GET / HTTP/1.1\r\nHost: podinfo.test:9898\r\n\r\n");
        await client.readResponse();
      }
    })();
    try {
      await using prometheus = await Prometheus.start(`127.0.0.1:${proxy.admin?.port}`);
      const value = (query: string, least: number, most: number) =>
        until(
          `${query} from ${least} to ${most}`,
          () => prometheus.query(query),
          (seen) => seen !== null && seen >= least && seen <= most,
        );
      await value(successRate("podinfo-primary"), 100, 100);
      await value(successRate("podinfo-canary"), 40, 60);
      await value(quantile(0.99, "podinfo-primary"), 0.1, 250);
      await value(quantile(0.99, "podinfo-canary"), 25, 500);
      for (const share of [0.5, 0.9, 0.99]) {
        await value(quantile(share, "podinfo-canary", EDGE), 25, 500);
      }
      const counted = (code: string) =>
        `sum(increase(osm_request_total${selected("podinfo-canary", EDGE + code)}))`;
      await value(counted(',response_code!~"5.*"'), 1, Infinity);
      await value(counted(',response_code=~"5.*"'), 1, Infinity);
      // By split and backend, which neither of them knows.
      const ofRoute = '{service="test/podinfo",split="test/podinfo",backend="test/podinfo-canary"}';
      await value(`sum(rate(weft_requests_total${ofRoute}[30s])) > 0`, 0, Infinity);
      await value(
        `histogram_quantile(0.9, sum(rate(weft_request_duration_seconds_bucket${ofRoute}[30s])) by (le))`,
        0.025,
        0.5,
      );
      // A label's value comes through, whatever is in it.
      await value(`count(osm_request_total{source_pod="load\\"tester\\\\0\\n"}) > 0`, 1, 99);
    } finally {
      isAsking = false;
      await asking;
      await proxy.stop();
    }
  },
});

Deno.test({
  name: `Prometheus: the queries of Flagger's Linkerd provider${NEEDS}`,
  ignore: !HAS_PROMETHEUS,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    let count = 0;
    await using origin = new ScriptedOrigin(
      answering(() =>
        `HTTP/1.1 ${count++ % 4 === 0 ? "500 Bad" : "404 None"}\r\nContent-Length: 0\r\n\r\n`
      ),
      { mayFail: true },
    );
    const proxy = await startProxy({
      ...configOf(),
      inbound: [{
        address: "127.0.0.1",
        port: 0,
        application: { address: "127.0.0.1", port: origin.port },
        identity: "test/podinfo",
        workload: "Deployment/podinfo-canary",
        pod: "podinfo-canary-x",
      }],
    }, podinfoPlan({}));
    let isAsking = true;
    const asking = (async () => {
      using client = await RawSocket.connect(proxy.inbound[0].port);
      while (isAsking) {
        await client.send("GET / HTTP/1.1\r\nHost: podinfo.test:9898\r\n\r\n");
        await client.readResponse();
      }
    })();
    try {
      await using prometheus = await Prometheus.start(`127.0.0.1:${proxy.admin?.port}`);
      const rate = (more: string) => `sum(rate(response_total${inbound("podinfo-canary", more)}))`;
      const success = `${rate(',classification!="failure"')} / ${rate("")} * 100`;
      const buckets = `rate(response_latency_ms_bucket${inbound("podinfo-canary")})`;
      for (
        const [query, least, most] of [
          [success, 74, 76],
          [`histogram_quantile(0.99, sum(${buckets}) by (le))`, 0.1, 250],
        ] as const
      ) {
        await until(
          `${query} from ${least} to ${most}`,
          () => prometheus.query(query),
          (seen) => seen !== null && seen >= least && seen <= most,
        );
      }
    } finally {
      isAsking = false;
      await asking;
      await proxy.stop();
    }
  },
});

Deno.test({
  name: `Prometheus: a bucket names the trace of a request${NEEDS}`,
  ignore: !HAS_PROMETHEUS,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using origin = new ScriptedOrigin(
      answering(() => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
      { mayFail: true },
    );
    const { port } = origin;
    const proxy = await startProxy({
      ...configOf(),
      spans: {
        // Where they go does not matter here.
        url: "http://127.0.0.1:1/v1/traces",
        ...{
          headers: [],
          resource: {},
          queueMax: 1,
          batchMax: 1,
          delayMs: 1_000,
          timeoutMs: 1_000,
        },
      },
    }, podinfoPlan({ "podinfo-primary": port, "podinfo-canary": port }));
    try {
      await using prometheus = await Prometheus.start(`127.0.0.1:${proxy.admin?.port}`);
      const trace = "0af7651916cd43dd8448eb211c80319c";
      using client = await RawSocket.connect(proxy.outbound[0].port);
      await client.send(
        `GET / HTTP/1.1\r\nHost: podinfo.test:9898\r\ntraceparent: 00-${trace}-b7ad6b7169203331-01\r\n\r\n`,
      );
      await client.readResponse();
      await until(
        "the exemplar",
        () => prometheus.exemplars("weft_request_duration_seconds_bucket"),
        (traces) => traces.includes(trace),
      );
    } finally {
      await proxy.stop();
    }
  },
});

Deno.test({
  name: `Prometheus: promtool finds nothing wrong with the metrics but one name${NEEDS}`,
  ignore: !HAS_PROMETHEUS,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using origin = new ScriptedOrigin(
      answering(() => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
      { mayFail: true },
    );
    const proxy = await startPodinfo(
      podinfoPlan({ "podinfo-primary": origin.port, "podinfo-canary": 1 }),
    );
    try {
      using client = await RawSocket.connect(proxy.outbound[0].port);
      for (const host of ["podinfo.test:9898", "podinfo.test:9898", "unknown", "podinfo:1"]) {
        await client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
        await client.readResponse();
      }
      const response = await fetch(`http://127.0.0.1:${proxy.admin?.port}/metrics`);
      // The name is Open Service Mesh's, and what Flagger asks for.
      assert.equal(
        await promtoolSays(await response.text()),
        "exit 3: osm_request_duration_ms metric names should not contain abbreviated units\n",
      );
      assert.notEqual(await promtoolSays("x 1\nx 2\n"), "", "it does look");
    } finally {
      await proxy.stop();
    }
  },
});
