/** Endpoints under TLS that are not ours: nginx, which wants certificates too. */
import assert from "node:assert/strict";
import type { Proxy, ProxyTls } from "../../proxy/config.ts";
import { compile } from "../../routing/compile/compile.ts";
import type { Plan } from "../../routing/plan.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { planOf } from "../support/test_proxy.ts";
import { certificateFor, testCertificates } from "./certificates.ts";
import { hasCommand, runCommand as run } from "../support/commands.ts";
import { NginxEndpoint } from "./nginx_endpoint.ts";
import {
  originating,
  type RunningProxyCase,
  testTls,
  type TlsProxyCase,
  untilMetric,
} from "./proxy_cases.ts";

const HAS_NGINX = hasCommand("nginx");
if (!HAS_NGINX) console.warn("Tests of TLS to endpoints are passed over: they need nginx");

interface Answer {
  readonly status: number;
  readonly reason: string | null;
  readonly text: string;
}

/** A request of the application, through the plain outbound listener, to nginx, which speaks TLS. */
async function throughTls(proxy: Proxy): Promise<Answer> {
  const { code, stdout, stderr } = await run("curl", [
    ...["-sS", "--max-time", "60", "-D", "-", "-H", "host: app"],
    `http://127.0.0.1:${proxy.outbound[0].port}/hello`,
  ]);
  assert.equal(code, 0, stderr);
  const [head, text] = stdout.split("\r\n\r\n");
  return {
    status: Number(/^HTTP\/1.1 (\d+)/.exec(head)?.[1]),
    reason: /^x-weft-reason: (.*)\r?$/im.exec(head)?.[1] ?? null,
    text,
  };
}

/** As `planOf`, with a pod behind the endpoint that runs as a service account of `default`. */
function planAs(port: number, serviceAccountName: string): Plan {
  const meta = (name: string) => ({ name, namespace: "default" });
  const documents = [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: meta("app"),
      spec: { ports: [{ name: "http", port: 80 }] },
    },
    { apiVersion: "v1", kind: "Pod", metadata: meta("pod-0"), spec: { serviceAccountName } },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      addressType: "IPv4",
      metadata: { ...meta("app-0"), labels: { "kubernetes.io/service-name": "app" } },
      ports: [{ name: "http", port }],
      endpoints: [{ addresses: ["127.0.0.1"], targetRef: { kind: "Pod", ...meta("pod-0") } }],
    },
  ];
  const text = documents.map((document) => JSON.stringify(document)).join("\n---\n");
  const { snapshot, findings } = parseManifests([{ name: "app.yaml", text }]);
  assert.deepEqual(findings, []);
  return compile(snapshot).plan;
}

const WELCOMED = /^verified SUCCESS of .*CN=client over HTTP\/1.1/;

const CASES: readonly TlsProxyCase[] = [
  {
    name: "both ends are verified, connections kept, sessions resumed",
    needsSessions: true,
    tls: () => originating(),
    async run(running) {
      await using nginx = await NginxEndpoint.start(testCertificates());
      await running.proxy.apply(planOf([nginx.port]));
      for (let i = 0; i < 3; i++) assert.match((await throughTls(running.proxy)).text, WELCOMED);
      await untilMetric(running, "weft_tls_handshakes_total 1");
      await nginx.dropConnections();
      await untilMetric(running, "weft_upstream_connections_open 0");
      assert.match((await throughTls(running.proxy)).text, WELCOMED);
      await untilMetric(running, "weft_tls_handshakes_total 2");
      await untilMetric(running, "weft_tls_resumptions_total 1");
    },
  },
  {
    name: "connections to an endpoint that is known by its name are kept too",
    tls: () => originating({ target: { serverName: "app", uriSans: [] } }),
    async run(running) {
      await using nginx = await NginxEndpoint.start({
        ...testCertificates(),
        server: certificateFor("DNS:app"),
      });
      await running.proxy.apply(planOf([nginx.port]));
      for (let i = 0; i < 3; i++) assert.match((await throughTls(running.proxy)).text, WELCOMED);
      await untilMetric(running, "weft_tls_handshakes_total 1");
    },
  },
  {
    name: "an endpoint of the wanted identity is talked to",
    tls: () =>
      originating({
        target: { serverName: null, uriSans: ["spiffe://cluster.local/ns/default/sa/server"] },
      }),
    async run({ proxy }) {
      await using nginx = await NginxEndpoint.start(testCertificates());
      await proxy.apply(planOf([nginx.port]));
      assert.match((await throughTls(proxy)).text, WELCOMED);
    },
  },
  ...[
    ["of another name", () => originating({ target: { serverName: "other", uriSans: [] } })],
    [
      "of another identity",
      () => originating({ target: { serverName: null, uriSans: ["spiffe://cluster.local/x"] } }),
    ],
    [
      "of another authority",
      () => originating({ authority: { pem: testCertificates().otherAuthority.chainPem } }),
    ],
  ].map(([what, tls]) => ({
    name: `an endpoint ${what} gets no request, the client a 503 with the reason`,
    tls: tls as () => ProxyTls,
    async run(running: RunningProxyCase) {
      await using nginx = await NginxEndpoint.start(testCertificates());
      await running.proxy.apply(planOf([nginx.port]));
      const { status, reason } = await throughTls(running.proxy);
      assert.deepEqual([status, reason], [503, "upstream-tls-failed"]);
      assert.equal(nginx.requestCount(), 0);
      assert.match(await running.metrics(), /weft_tls_handshake_failures_total{reason="tls-/);
    },
  })),
  {
    name: "each endpoint must be the service account that the plan says, as the plan changes",
    tls: () => originating({ target: null }),
    async run({ proxy, metrics }) {
      await using nginx = await NginxEndpoint.start(testCertificates());
      await proxy.apply(planAs(nginx.port, "server"));
      assert.match((await throughTls(proxy)).text, WELCOMED);
      // Another workload has the address now, says the plan: connections to the one before are not for it.
      await proxy.apply(planAs(nginx.port, "other"));
      const { status, reason } = await throughTls(proxy);
      assert.deepEqual([status, reason], [503, "upstream-tls-failed"]);
      assert.match(
        await metrics(),
        /weft_tls_handshake_failures_total{reason="tls-identity"} [1-9]/,
      );
      assert.equal(nginx.requestCount(), 1);
      // If the plan says nothing of an endpoint, no certificate is right.
      await proxy.apply(planOf([nginx.port]));
      assert.equal((await throughTls(proxy)).reason, "upstream-tls-failed");
      await proxy.apply(planAs(nginx.port, "server"));
      assert.match((await throughTls(proxy)).text, WELCOMED);
    },
  },
  {
    name: "HTTP/2, where the port says so: verified, and refused if it has another identity",
    tls: () => originating(),
    async run({ proxy }) {
      await using nginx = await NginxEndpoint.start(testCertificates());
      await proxy.apply(planOf([nginx.port], "http2"));
      const { text } = await throughTls(proxy);
      assert.match(text, /^verified SUCCESS of .*CN=client over HTTP\/2/);
      await using plain = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen() {} },
        () => new Response("plain"),
      );
      await proxy.apply(planOf([plain.addr.port], "http2"));
      const { status, reason } = await throughTls(proxy);
      assert.deepEqual([status, reason], [503, "upstream-tls-failed"]);
    },
  },
  {
    name: "an endpoint that speaks no TLS gets no request",
    tls: () => originating(),
    async run(running) {
      const { status, reason } = await throughTls(running.proxy);
      assert.deepEqual([status, reason], [503, "upstream-tls-failed"]);
    },
  },
  {
    name: "an endpoint that wants no part of our certificate refuses, and that is said",
    tls: () => originating({ certificate: testCertificates().impostor }),
    async run({ proxy }) {
      await using nginx = await NginxEndpoint.start(testCertificates());
      await proxy.apply(planOf([nginx.port]));
      const { text, status } = await throughTls(proxy);
      // In TLS 1.3 the client is done before it is refused; nginx then answers 400 itself.
      assert.ok(status === 400 || status === 503 || status === 502, `${status} ${text}`);
      assert.equal(nginx.requestCount(), 0);
    },
  },
];

testTls("endpoints", CASES.map((each) => ({ ...each, ignore: !HAS_NGINX })));
