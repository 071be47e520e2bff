/**
 * The proxy under TLS with others at the other end: curl and `openssl s_client` as clients, nginx as endpoint. What only
 * concerns `Io` is in `io_cases.ts`.
 */
import assert from "node:assert/strict";
import { DEFAULT_TIMEOUTS, type Proxy } from "../../proxy/config.ts";
import { expiryOf } from "../../proxy/io/x509_validity.ts";
import { startProxy } from "../../proxy/proxy.ts";
import type { ProxyTls, TlsTermination } from "../../proxy/tls_config.ts";
import { compile } from "../../routing/compile/compile.ts";
import type { Plan } from "../../routing/plan.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { type Driver, DRIVERS, planOf } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import {
  certificateFor,
  CLIENT_ID,
  HAS_OPENSSL_COMMAND,
  HAS_PORTABLE_TLS,
  hasCommand,
  testCertificates,
} from "./certificates.ts";
import { runCommand as run, showing } from "./commands.ts";
import { NginxEndpoint } from "./nginx_endpoint.ts";

const HAS_CURL = hasCommand("curl");
const HAS_NGINX = hasCommand("nginx");
if (!HAS_CURL) console.warn("Tests of TLS with curl are passed over: there is none");
if (!HAS_NGINX) console.warn("Tests of TLS to endpoints are passed over: they need nginx");

interface Running {
  readonly driver: Driver;
  readonly proxy: Proxy;
  /** Echoes the body of a request, or names the method and path where there is none. */
  readonly origin: Deno.HttpServer<Deno.NetAddr>;
  metrics(): Promise<string>;
}

interface ProxyCase {
  readonly name: string;
  readonly ignore?: boolean;
  /** The portable driver resumes tickets alone, and nothing as a client. */
  readonly needsSessions?: true;
  readonly workers?: number;
  readonly tls: () => ProxyTls;
  run(running: Running): Promise<void>;
}

async function start(driver: Driver, tls: ProxyTls, workers = 1): Promise<Running> {
  const onListen = () => {};
  const origin = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, (request) => {
    if (request.body !== null) return new Response(request.body);
    return new Response(`${request.method} ${new URL(request.url).pathname}\n`);
  });
  const place = { address: "127.0.0.1", port: 0 };
  const proxy = await startProxy({
    driver,
    workers,
    outbound: [
      { ...place, namespace: "default", identity: "", seed: null },
      {
        ...place,
        namespace: "default",
        identity: "",
        seed: null,
        tcp: { namespace: "default", service: "app", port: 80 },
      },
    ],
    inbound: [{ ...place, application: { address: "127.0.0.1", port: origin.addr.port } }],
    admin: place,
    tls,
    timeouts: DEFAULT_TIMEOUTS,
    bodyBytesMax: Infinity,
    reportRequests: false,
  }, planOf([origin.addr.port]));
  const metrics = async () =>
    await (await fetch(`http://127.0.0.1:${proxy.admin?.port}/metrics`)).text();
  return { driver, proxy, origin, metrics };
}

function terminating(settings: Partial<TlsTermination> = {}): TlsTermination {
  return {
    certificate: testCertificates().server,
    clientCertificate: "ignored",
    clientAuthority: null,
    minVersion: "1.2",
    ticketKeys: null,
    ...settings,
  };
}

function mutual(): TlsTermination {
  const clientAuthority = { pem: testCertificates().authority.chainPem };
  return terminating({ clientCertificate: "required", clientAuthority });
}

/** GET `/hello` of the inbound listener. */
function curl({ proxy }: Running, ...more: readonly string[]) {
  const url = `https://localhost:${proxy.inbound[0].port}/hello`;
  const { chainFile } = testCertificates().authority;
  return run("curl", ["-sS", "--max-time", "60", "--cacert", chainFile, ...more, url]);
}

/** What `s_client` prints of a handshake and, with a request, of the answer. */
function sClient(running: Running, ...more: readonly string[]): Promise<string> {
  return sClientGet(running, "/hello", more);
}

async function sClientGet(
  { proxy }: Running,
  path: string,
  more: readonly string[],
): Promise<string> {
  const { stdout, stderr } = await run("openssl", [
    ...["s_client", "-connect", `127.0.0.1:${proxy.inbound[0].port}`, "-servername", "localhost"],
    ...["-CAfile", testCertificates().authority.chainFile, "-verify_return_error", "-ign_eof"],
    ...more,
  ], `GET ${path} HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n`);
  return stdout + stderr;
}

function exists(file: string): boolean {
  try {
    return Deno.statSync(file).isFile;
  } catch {
    return false;
  }
}

async function untilMetric(running: Running, line: string): Promise<void> {
  const [name] = line.split(/[{ ]/);
  const look = async () =>
    (await running.metrics()).split("\n").filter((some) => some.startsWith(name));
  await until(line, look, (lines) => lines.includes(line));
}

const INBOUND: ProxyCase[] = [
  {
    name: "curl, TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2",
    ignore: !HAS_CURL,
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      for (const version of ["1.2", "1.3"]) {
        for (const [flag, protocol] of [["--http1.1", "http/1.1"], ["--http2", "h2"]]) {
          const { code, stdout, stderr } = await curl(
            running,
            ...["-v", flag, `--tlsv${version}`, "--tls-max", version],
          );
          assert.equal(code, 0, stderr);
          assert.equal(stdout, "GET /hello\n");
          assert.match(stderr, new RegExp(`SSL connection using TLSv${version}`));
          assert.ok(stderr.includes(`ALPN: server accepted ${protocol}`), stderr);
        }
      }
      await untilMetric(running, "weft_tls_handshakes_total 4");
    },
  },
  {
    name: "curl, many requests on one connection",
    ignore: !HAS_CURL,
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      const url = `https://localhost:${running.proxy.inbound[0].port}/more`;
      const urls = Array.from({ length: 20 }, () => url);
      const { code, stdout, stderr } = await curl(running, ...urls);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, "GET /more\n".repeat(20) + "GET /hello\n");
      await untilMetric(running, "weft_tls_handshakes_total 1");
    },
  },
  {
    name: "the oldest version can be 1.3",
    ignore: !HAS_CURL,
    tls: () => ({ inbound: terminating({ minVersion: "1.3" }) }),
    async run(running) {
      assert.equal((await curl(running)).code, 0);
      assert.equal((await curl(running, "--tls-max", "1.2")).code, 35);
      await untilMetric(running, 'weft_tls_handshake_failures_total{reason="tls-protocol"} 1');
    },
  },
  {
    name: "client certificates: verified, missing, somebody else's",
    ignore: !HAS_CURL,
    tls: () => ({ inbound: mutual() }),
    async run(running) {
      const { client, impostor } = testCertificates();
      const good = await curl(running, ...showing(client));
      assert.equal(good.stdout, "GET /hello\n", good.stderr);
      const missing = await curl(running);
      assert.notEqual(missing.code, 0);
      assert.equal(missing.stdout, "");
      await untilMetric(
        running,
        'weft_tls_handshake_failures_total{reason="tls-no-certificate"} 1',
      );
      const bad = await curl(running, ...showing(impostor));
      assert.notEqual(bad.code, 0);
      assert.equal(bad.stdout, "");
      await untilMetric(running, 'weft_tls_handshake_failures_total{reason="tls-certificate"} 1');
    },
  },
  {
    name: "s_client: chain, ALPN, close_notify at the end",
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      const text = await sClient(running, "-alpn", "http/1.1", "-msg");
      assert.match(text, /ALPN protocol: http\/1.1/);
      assert.match(text, /Verify return code: 0 \(ok\)/);
      assert.match(text, /GET \/hello\n/);
      assert.match(text, /<<< .*Alert.*warning close_notify/);
    },
  },
  {
    name: "s_client: sessions are resumed in TLS 1.2 and 1.3, until certificates are replaced",
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      for (const version of ["-tls1_2", "-tls1_3"]) {
        const file = `${testCertificates().folder}/session${version}`;
        assert.match(await sClient(running, version, "-sess_out", file), /^New, TLSv1/m);
        assert.match(await sClient(running, version, "-sess_in", file), /^Reused, TLSv1/m);
      }
      await untilMetric(running, "weft_tls_resumptions_total 2");
      // The keys of tickets are Deno's own in the portable driver, and nothing changes them.
      if (running.driver === "portable") return;
      await running.proxy.replaceCertificates({ inbound: terminating() });
      for (const version of ["-tls1_2", "-tls1_3"]) {
        const file = `${testCertificates().folder}/session${version}`;
        assert.match(await sClient(running, version, "-sess_in", file), /^New, TLSv1/m);
      }
    },
  },
  {
    name: "s_client: without tickets, TLS 1.2 resumes what the server remembers",
    needsSessions: true,
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      const file = `${testCertificates().folder}/session-without-ticket`;
      const without = ["-tls1_2", "-no_ticket"];
      assert.match(await sClient(running, ...without, "-sess_out", file), /^New, TLSv1/m);
      assert.match(await sClient(running, ...without, "-sess_in", file), /^Reused, TLSv1/m);
      await untilMetric(running, "weft_tls_resumptions_total 1");
    },
  },
  {
    name: "s_client: a session that began with a certificate that is refused is of no use",
    tls: () => ({ inbound: mutual() }),
    async run(running) {
      const { impostor } = testCertificates();
      const show = ["-cert", impostor.chainFile, "-key", impostor.keyFile];
      for (const version of ["-tls1_2", "-tls1_3"]) {
        const file = `${testCertificates().folder}/session-refused${version}`;
        const first = await sClient(running, version, ...show, "-sess_out", file);
        assert.doesNotMatch(first, /GET \/hello\n/);
        // Where it was given something to come back with.
        if (!exists(file)) continue;
        const again = await sClient(running, version, ...show, "-sess_in", file);
        assert.doesNotMatch(again, /GET \/hello\n|^Reused/m);
      }
      assert.match(await running.metrics(), /^weft_tls_resumptions_total 0$/m);
    },
  },
  {
    name: "s_client: a session counts only as long as who vouched for its client is trusted",
    tls: () => ({ inbound: mutual() }),
    async run(running) {
      const { otherAuthority, folder } = testCertificates();
      const { chainFile, keyFile } = certificateFor(`URI:${CLIENT_ID}`);
      const show = ["-cert", chainFile, "-key", keyFile];
      const served = /GET \/hello\n/;
      const versions = ["-tls1_2", "-tls1_3"];
      for (const version of versions) {
        const file = `${folder}/session-trusted${version}`;
        assert.match(await sClient(running, version, ...show, "-sess_out", file), served);
        assert.match(await sClient(running, version, ...show, "-sess_in", file), served);
      }
      await untilMetric(running, "weft_tls_resumptions_total 2");
      const clientAuthority = { pem: otherAuthority.chainPem };
      await running.proxy.replaceCertificates({ inbound: { ...mutual(), clientAuthority } });
      for (const version of versions) {
        const file = `${folder}/session-trusted${version}`;
        assert.doesNotMatch(await sClient(running, version, ...show, "-sess_in", file), served);
      }
      await untilMetric(running, "weft_tls_resumptions_total 2");
    },
  },
  {
    name: "s_client: a client that wants small records gets them, and the whole answer",
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      const path = `/${"long".repeat(1_500)}`;
      const text = await sClientGet(running, path, ["-tls1_2", "-maxfraglen", "512"]);
      assert.ok(text.includes(`GET ${path}\n`), text.slice(0, 2_000));
    },
  },
  {
    name: "one worker resumes what another began",
    needsSessions: true,
    workers: 2,
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      const file = `${testCertificates().folder}/session-of-one`;
      assert.match(await sClient(running, "-sess_out", file), /^New, TLSv1/m);
      // The kernel draws who accepts: that all eight come to the same loop is one chance in 128.
      for (let i = 0; i < 8; i++) {
        assert.match(await sClient(running, "-sess_in", file), /^Reused, TLSv1/m);
      }
    },
  },
  {
    name: "renegotiation is refused",
    tls: () => ({ inbound: terminating() }),
    async run({ proxy }) {
      const { stdout, stderr } = await run("openssl", [
        ...["s_client", "-connect", `127.0.0.1:${proxy.inbound[0].port}`, "-tls1_2"],
      ], "R\n");
      assert.match(stdout + stderr, /no renegotiation|handshake failure/i);
    },
  },
  {
    name: "curl: 50 MB up and down again",
    ignore: !HAS_CURL,
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      const { folder } = testCertificates();
      const bytes = new Uint8Array(50_000_000);
      for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 31 + (i >> 11)) & 255;
      Deno.writeFileSync(`${folder}/up`, bytes);
      const { code, stderr } = await curl(
        running,
        ...["--data-binary", `@${folder}/up`, "-o", `${folder}/down`, "-H", "Expect:"],
      );
      assert.equal(code, 0, stderr);
      const down = Deno.readFileSync(`${folder}/down`);
      assert.equal(down.length, bytes.length);
      assert.equal(down.findIndex((byte, i) => byte !== bytes[i]), -1);
    },
  },
  {
    name: "plain HTTP to a port that speaks TLS is cut, counted and does no harm",
    ignore: !HAS_CURL,
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      const plain = await run("curl", [
        ...["-sS", "--max-time", "60", `http://127.0.0.1:${running.proxy.inbound[0].port}/`],
      ]);
      assert.notEqual(plain.code, 0);
      await untilMetric(running, 'weft_tls_handshake_failures_total{reason="tls-plaintext"} 1');
      assert.equal((await curl(running)).code, 0);
    },
  },
  {
    name: "plain HTTP is taken beside TLS where callers may do without",
    ignore: !HAS_CURL,
    tls: () => ({ inbound: { ...mutual(), acceptsPlain: true } }),
    async run(running) {
      const { client } = testCertificates();
      const { port } = running.proxy.inbound[0];
      const plain = ["-sS", "--max-time", "20", `http://127.0.0.1:${port}/hello`];
      for (const version of [["--http1.1"], ["--http2-prior-knowledge"]]) {
        assert.equal((await run("curl", [...version, ...plain])).stdout, "GET /hello\n");
      }
      for (const version of ["--http1.1", "--http2"]) {
        const secured = await curl(running, version, ...showing(client));
        assert.equal(secured.stdout, "GET /hello\n", secured.stderr);
      }
      // TLS is no less strict for it.
      assert.notEqual((await curl(running)).code, 0);
      await untilMetric(running, "weft_tls_handshakes_total 2");
      // A byte at a time, and one that goes away without a word.
      using slow = await RawSocket.connect(port);
      using _silent = await RawSocket.connect(port);
      for (const byte of "GET /slow HTTP/1.1\r\nHost: app\r\n\r\n") await slow.send(byte);
      assert.equal((await slow.readResponse()).body, "GET /slow\n");
    },
  },
  {
    name: "an outbound listener speaks TLS where it is told to",
    ignore: !HAS_CURL,
    tls: () => ({ outbound: terminating() }),
    async run({ proxy }) {
      const { code, stdout, stderr } = await run("curl", [
        ...["-sS", "--max-time", "60", "--cacert", testCertificates().authority.chainFile],
        ...["-H", "host: app", `https://localhost:${proxy.outbound[0].port}/hello`],
      ]);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, "GET /hello\n");
    },
  },
  {
    name: "an outbound listener that relays speaks TLS too, and connects once it has been spoken",
    tls: () => ({ outbound: terminating() }),
    async run(running) {
      const [, { port }] = running.proxy.outbound;
      const { stdout } = await run("openssl", [
        ...["s_client", "-quiet", "-connect", `127.0.0.1:${port}`],
        ...["-CAfile", testCertificates().authority.chainFile, "-verify_return_error"],
      ], "GET /relayed HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n");
      assert.match(stdout, /GET \/relayed\n/);
      using plain = await RawSocket.connect(port);
      await plain.send("GET / HTTP/1.1\r\nHost: app\r\n\r\n");
      await untilMetric(running, 'weft_tls_handshake_failures_total{reason="tls-plaintext"} 1');
      await untilMetric(running, "weft_upstream_connects_total 1");
    },
  },
  {
    name: "certificates are replaced under load, and no request fails",
    tls: () => ({ inbound: terminating() }),
    async run({ proxy }) {
      const { authority, server, renewed } = testCertificates();
      let isLoading = true;
      let answers = 0;
      const load = async () => {
        while (isLoading) {
          // A connection each, so a handshake each.
          const client = Deno.createHttpClient({ caCerts: [authority.chainPem] });
          const url = `https://localhost:${proxy.inbound[0].port}/hello`;
          const response = await fetch(url, { client });
          assert.equal(await response.text(), "GET /hello\n");
          client.close();
          answers++;
        }
      };
      const loads = [load(), load(), load(), load()];
      const failed = Promise.all(loads);
      for (let i = 0; i < 10; i++) {
        const certificate = i % 2 === 0 ? renewed : server;
        await proxy.replaceCertificates({ inbound: terminating({ certificate }) });
        const wanted = answers + 10;
        await Promise.race([failed, until("answers", () => answers, (count) => count >= wanted)]);
      }
      await proxy.replaceCertificates({ inbound: terminating({ certificate: renewed }) });
      isLoading = false;
      await failed;
      const place = `127.0.0.1:${proxy.inbound[0].port}`;
      const { stdout } = await run("openssl", ["s_client", "-connect", place]);
      assert.match(stdout, /subject=CN = renewed/);
      // What is of no use changes nothing.
      const broken = { chainPem: renewed.chainPem, keyPem: server.keyPem };
      const useless = { inbound: terminating({ certificate: broken }) };
      await assert.rejects(proxy.replaceCertificates(useless), /private key/);
      assert.match((await run("openssl", ["s_client", "-connect", place])).stdout, /CN = renewed/);
    },
  },
];

INBOUND.push({
  name: "certificates are replaced all together or not at all, and the message names the file",
  ignore: !HAS_CURL,
  tls: () => ({ inbound: mutual(), outbound: terminating(), ...originating() }),
  async run(running) {
    const { proxy } = running;
    const { renewed, server, client, otherAuthority } = testCertificates();
    const served = async (port: number) => {
      const { stdout } = await run("openssl", [
        ...["s_client", "-connect", `127.0.0.1:${port}`],
        ...["-cert", client.chainFile, "-key", client.keyFile],
      ]);
      return /subject=CN = (\S+)/.exec(stdout)?.[1];
    };
    const all = async () => [
      await served(proxy.inbound[0].port),
      await served(proxy.outbound[0].port),
      (await curl(running, ...showing(client))).code,
    ];
    const before = ["server", "server", 0];
    assert.deepEqual(await all(), before);
    const good = {
      inbound: { ...mutual(), certificate: renewed },
      outbound: terminating({ certificate: renewed }),
      ...originating(),
    };
    const mismatch = { ...renewed, keyPem: server.keyPem, keyFile: "/etc/weft/tls.key" };
    const noTrust = { pem: "-----BEGIN CERTIFICATE-----\nnone", file: "/etc/weft/ca.crt" };
    const { upstream } = originating();
    assert.ok(upstream !== undefined);
    // Whatever is wrong comes last, after what would have been replaced.
    const bad: [ProxyTls, RegExp][] = [
      [
        { ...good, upstream: { ...upstream, certificate: mismatch } },
        /^Error: Cannot use the private key "\/etc\/weft\/tls\.key" with the certificate ".*renewed\.crt": key/,
      ],
      [
        { ...good, upstream: { ...upstream, authority: noTrust } },
        /^Error: Cannot read the trusted certificates "\/etc\/weft\/ca\.crt": /,
      ],
      [
        { ...good, outbound: terminating({ certificate: { ...renewed, chainPem: "" } }) },
        /^Error: Cannot read the certificate ".*renewed\.crt": there is none in PEM form$/,
      ],
    ];
    for (const [tls, message] of bad) {
      await assert.rejects(proxy.replaceCertificates(tls), (error) => {
        assert.match(String(error).replace(/^IoError/, "Error"), message);
        return true;
      });
      assert.deepEqual(await all(), before);
    }
    await proxy.replaceCertificates(good);
    assert.deepEqual(await all(), ["renewed", "renewed", 0]);
    const expiry = (expiryOf(renewed.chainPem) ?? NaN) / 1_000;
    const name = "weft_tls_certificate_expiry_timestamp_seconds";
    assert.ok((await running.metrics()).includes(`${name}{side="inbound"} ${expiry}\n`));
    // Whom callers are vouched for by is replaced with the rest.
    const clientAuthority = { pem: otherAuthority.chainPem };
    await proxy.replaceCertificates({ ...good, inbound: { ...mutual(), clientAuthority } });
    assert.notEqual((await curl(running, ...showing(client))).code, 0);
  },
});

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

function originating(settings: Partial<ProxyTls["upstream"] & object> = {}): ProxyTls {
  const { authority, client } = testCertificates();
  return {
    upstream: {
      certificate: client,
      authority: { pem: authority.chainPem },
      target: { serverName: "localhost", uriSans: [] },
      minVersion: "1.2",
      ...settings,
    },
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

const UPSTREAM: readonly ProxyCase[] = [
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
    async run(running: Running) {
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
      // Of whom the plan says nothing, nobody is right.
      await proxy.apply(planOf([nginx.port]));
      assert.equal((await throughTls(proxy)).reason, "upstream-tls-failed");
      await proxy.apply(planAs(nginx.port, "server"));
      assert.match((await throughTls(proxy)).text, WELCOMED);
    },
  },
  {
    name: "HTTP/2, where the port says so: verified, and refused where it is somebody else",
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

for (const driver of DRIVERS) {
  for (const [side, cases] of [["inbound", INBOUND], ["upstream", UPSTREAM]] as const) {
    for (const { name, ignore, needsSessions, workers, tls, run } of cases) {
      Deno.test({
        name: `TLS, proxy (${driver}), ${side}: ${name}`,
        ignore: !HAS_OPENSSL_COMMAND || ignore === true || (side === "upstream" && !HAS_NGINX) ||
          (driver === "portable" && (needsSessions === true || !HAS_PORTABLE_TLS)),
        // The libraries stay open.
        sanitizeResources: false,
        async fn() {
          const running = await start(driver, tls(), workers);
          try {
            await run(running);
            assert.match(await running.metrics(), /^weft_faults_total 0$/m);
          } finally {
            await running.proxy.stop();
            await running.origin.shutdown();
          }
        },
      });
    }
  }
}
