/**
 * Two sidecars of a mesh, which know each other by its certificates: what goes between them is mutual TLS, with everything else plain
 * beside it. Certificates come late and are replaced while requests go through.
 */
import assert from "node:assert/strict";
import type { MeshCertificates, Proxy, ProxyConfig, ProxyTls } from "../../proxy/config.ts";
import type { RequestRecord } from "../../proxy/observe/request_record.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { compile } from "../../routing/compile/compile.ts";
import type { Plan } from "../../routing/plan.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { type Driver, DRIVERS } from "../support/test_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";
import { readPrometheus } from "../support/prometheus_text.ts";
import { RawSocket, statusOf } from "../support/raw_socket.ts";
import { until } from "../support/until.ts";
import {
  certificateFor,
  CLIENT_ID,
  HAS_OPENSSL_COMMAND,
  SERVER_ID,
  type TestCertificate,
  testCertificates,
} from "./certificates.ts";
import { hasCommand, runCommand } from "../support/commands.ts";

const PLACE = { address: "127.0.0.1", port: 0 };

/** The Services `app`, with a port of each protocol, at one pod, which has a sidecar with a certificate where `mutualTls`. */
function planOf(port: number, { mutualTls = true, account = "server" } = {}): Plan {
  const meta = (name: string) => ({ name, namespace: "default" });
  const names = ["http", "http2", "tcp-server-first"];
  const sidecar = { name: "weft-proxy", args: ["proxy", "--identity=controller"] };
  const documents = [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: meta("app"),
      spec: { ports: names.map((name, i) => ({ name, port: 80 + i })) },
    },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: meta("pod-0"),
      spec: { serviceAccountName: account, containers: mutualTls ? [sidecar] : [] },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      addressType: "IPv4",
      metadata: { ...meta("app-0"), labels: { "kubernetes.io/service-name": "app" } },
      ports: names.map((name) => ({ name, port })),
      endpoints: [{ addresses: ["127.0.0.1"], targetRef: { kind: "Pod", ...meta("pod-0") } }],
    },
  ];
  const text = documents.map((document) => JSON.stringify(document)).join("\n---\n");
  const { snapshot, findings } = parseManifests([{ name: "app.yaml", text }]);
  assert.deepEqual(findings, []);
  return compile(snapshot).plan;
}

function configOf(driver: Driver, sides: Pick<ProxyConfig, "inbound" | "outbound">): ProxyConfig {
  return {
    driver,
    workers: 1,
    ...sides,
    admin: PLACE,
    mutualTls: true,
    timeouts: PATIENT_TIMEOUTS,
    bodyBytesMax: Infinity,
    reportRequests: true,
  };
}

function meshOf(
  certificate: TestCertificate,
  ...authorities: readonly TestCertificate[]
): ProxyTls & { readonly mesh: MeshCertificates } {
  const pem = authorities.map(({ chainPem }) => chainPem).join("");
  return { mesh: { certificate, authority: { pem }, ticketKeys: null } };
}

class Mesh {
  private constructor(
    readonly client: Proxy,
    readonly server: Proxy,
    /** What the server's sidecar was asked. */
    readonly served: readonly RequestRecord[],
  ) {}

  /** Without certificates. */
  static async start(driver: Driver, applicationPort: number): Promise<Mesh> {
    const served: RequestRecord[] = [];
    const application = { address: "127.0.0.1", port: applicationPort };
    const server = await startProxy(
      configOf(driver, {
        inbound: [{
          ...{ ...PLACE, application, identity: "default/server", namespace: "default" },
          probes: [{ port: applicationPort, path: "/healthz" }],
        }],
        outbound: [],
      }),
      planOf(1),
      { onRequest: (record) => void served.push(record) },
    );
    const listener = { ...PLACE, namespace: "default", identity: "default/client", seed: null };
    const tcp = { namespace: "default", service: "app", port: 82 };
    const client = await startProxy(
      configOf(driver, { inbound: [], outbound: [listener, { ...listener, tcp }] }),
      planOf(server.inbound[0].port),
    );
    return new Mesh(client, server, served);
  }

  /** The status, the reason, and what the application said. */
  async get(url = "http://app/"): Promise<[status: number, reason: string, body: string]> {
    const { host } = new URL(url);
    const { code, stdout, stderr } = await runCommand("curl", [
      ...["-sS", "--max-time", "60", "-D", "-", "-H", `host: ${host}`],
      `http://127.0.0.1:${this.client.outbound[0].port}/`,
    ]);
    assert.equal(code, 0, stderr);
    const [head, body] = stdout.split("\r\n\r\n");
    const [, status] = /^HTTP\/1.1 (\d+)/.exec(head) ?? [];
    return [Number(status), /^x-weft-reason: (.*)\r?$/im.exec(head)?.[1] ?? "", body];
  }

  /** Whom the server's sidecar knows as the caller of its last request. */
  async lastCaller(count: number): Promise<string> {
    await until("a record", () => this.served.length, (length) => length >= count);
    return this.served[count - 1].source;
  }

  /** Bytes of an answer to a client that says nothing. */
  async hear(): Promise<string> {
    const port = this.client.outbound[1].port;
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    return await new Response(connection.readable).text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const proxy of [this.client, this.server]) {
      const metrics = await fetch(`http://127.0.0.1:${proxy.admin?.port}/metrics`);
      assert.match(await metrics.text(), /^weft_faults_total 0$/m);
      await proxy.stop();
    }
  }
}

/** What it was told of how its client came, which is nothing of the mesh's own TLS. */
function startApplication(): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ headers }) => {
    return new Response(`over ${headers.get("x-forwarded-proto")}\n`);
  });
}

async function isReady({ admin }: Proxy): Promise<[status: number, text: string]> {
  const response = await fetch(`http://127.0.0.1:${admin?.port}/readyz`);
  return [response.status, await response.text()];
}

const ANSWERED = [200, "", "over http\n"];

// Where there is a mesh, connections are captured, which only the native driver can.
for (const driver of DRIVERS.filter((each) => each === "native")) {
  const ignore = !HAS_OPENSSL_COMMAND || !hasCommand("curl");

  Deno.test({
    name:
      `mesh (${driver}): plain until there are certificates, then mutual TLS, and no request lost`,
    ignore,
    async fn() {
      await using application = startApplication();
      await using mesh = await Mesh.start(driver, application.addr.port);
      const { authority, otherAuthority, impostor } = testCertificates();
      const [own, other] = [certificateFor(`URI:${CLIENT_ID}`), certificateFor(`URI:${SERVER_ID}`)];
      assert.deepEqual(await mesh.get(), ANSWERED);
      assert.deepEqual(await mesh.get("http://app:81/"), ANSWERED);
      assert.deepEqual(await isReady(mesh.server), [503, "not ready: waiting for a certificate\n"]);
      await mesh.server.replaceCertificates(meshOf(other, authority));
      assert.deepEqual(await isReady(mesh.server), [200, "ready\n"]);
      assert.deepEqual(await mesh.get(), ANSWERED);
      await mesh.client.replaceCertificates(meshOf(own, authority));
      assert.deepEqual(await mesh.get(), ANSWERED);
      assert.deepEqual(await mesh.get("http://app:81/"), ANSWERED);
      assert.equal(await mesh.lastCaller(5), "default/client");
      assert.deepEqual(
        mesh.served.map(({ source }) => source),
        ["", "", "", "default/client", "default/client"],
      );
      // Another authority: both are trusted by all before one signs with it.
      const both = [authority, otherAuthority];
      await mesh.client.replaceCertificates(meshOf(own, ...both));
      await mesh.server.replaceCertificates(meshOf(other, ...both));
      await mesh.client.replaceCertificates(meshOf(impostor, ...both));
      assert.deepEqual(await mesh.get(), ANSWERED);
      assert.equal(await mesh.lastCaller(6), "default/client");
    },
  });

  Deno.test({
    name: `mesh (${driver}): a server that speaks first is heard at once, by whom the plan names`,
    ignore,
    async fn() {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const greeting = (async () => {
        for await (const connection of listener) {
          await connection.write(new TextEncoder().encode("220 ready\n"));
          await connection.closeWrite();
          // What is left to be read makes an orderly end a reset.
          await new Response(connection.readable).text().catch(() => {});
        }
      })();
      await using mesh = await Mesh.start(driver, listener.addr.port);
      const { authority } = testCertificates();
      const [own, other] = [certificateFor(`URI:${CLIENT_ID}`), certificateFor(`URI:${SERVER_ID}`)];
      await mesh.server.replaceCertificates(meshOf(other, authority));
      await mesh.client.replaceCertificates(meshOf(own, authority));
      assert.equal(await mesh.hear(), "220 ready\n");
      assert.equal(await mesh.lastCaller(1), "default/client");
      listener.close();
      await greeting;
    },
  });

  Deno.test({
    name: `mesh (${driver}): nothing goes to another identity than the plan names`,
    ignore,
    async fn() {
      await using application = startApplication();
      await using mesh = await Mesh.start(driver, application.addr.port);
      const { authority, impostor } = testCertificates();
      const [own, other] = [certificateFor(`URI:${CLIENT_ID}`), certificateFor(`URI:${SERVER_ID}`)];
      const { port } = mesh.server.inbound[0];
      await mesh.server.replaceCertificates(meshOf(other, authority));
      await mesh.client.replaceCertificates(meshOf(own, authority));
      await mesh.client.apply(planOf(port, { account: "stranger" }));
      assert.deepEqual((await mesh.get()).slice(0, 2), [503, "upstream-tls-failed"]);
      await mesh.client.apply(planOf(port));
      assert.deepEqual(await mesh.get(), ANSWERED);
      // A pod without a sidecar, by the plan, is spoken to in plain.
      await mesh.client.apply(planOf(port, { mutualTls: false }));
      assert.deepEqual(await mesh.get(), ANSWERED);
      assert.equal(await mesh.lastCaller(2), "");
      await mesh.client.apply(planOf(port));
      // Of an authority that is not trusted.
      await mesh.client.replaceCertificates(meshOf(impostor, authority));
      assert.equal((await mesh.get("http://app:81/"))[0], 503);
      assert.equal(mesh.served.length, 2);
    },
  });

  Deno.test({
    name: `mesh (${driver}): who must come by mutual TLS, switched while connections are open`,
    ignore,
    async fn() {
      await using application = startApplication();
      await using mesh = await Mesh.start(driver, application.addr.port);
      const { port } = mesh.server.inbound[0];
      const { authority } = testCertificates();
      const client = certificateFor(`URI:${CLIENT_ID}`);
      const server = certificateFor(`URI:${SERVER_ID}`);
      await mesh.server.replaceCertificates(meshOf(server, authority));
      const strict = (mtls: NonNullable<Plan["mtls"]>) => mesh.server.apply({ ...planOf(1), mtls });
      const plain = await RawSocket.connect(port);
      /** The status of the next request of one connection. */
      const status = async (path: string, method = "GET") => {
        await plain.send(`${method} ${path} HTTP/1.1\r\nHost: app\r\n\r\n`);
        return statusOf(await plain.readResponse());
      };
      assert.equal(await status("/"), 200);
      await strict({ mesh: "strict", namespaces: {} });
      assert.equal(await status("/"), 403);
      assert.equal(await status("/healthz"), 200);
      assert.equal(await status("/healthz", "POST"), 403);
      await strict({ mesh: "strict", namespaces: { default: "permissive" } });
      assert.equal(await status("/"), 200);
      await strict({ namespaces: { default: `permissive,${application.addr.port}=strict` } });
      assert.equal(await status("/"), 403);
      assert.deepEqual((await mesh.get()).slice(0, 2), [403, "mtls-required"]);
      await mesh.client.replaceCertificates(meshOf(client, authority));
      assert.deepEqual(await mesh.get(), ANSWERED);
      await strict({ mesh: "permissive", namespaces: { other: "strict" } });
      assert.equal(await status("/"), 200);
      plain.close();
      const metrics = await (await fetch(`http://127.0.0.1:${mesh.server.admin?.port}/metrics`))
        .text();
      const counted = (name: string) =>
        readPrometheus(metrics).filter((each) => each.name === name)
          .map(({ labels, value }) => [...Object.values(labels), value].join(" ")).sort();
      assert.deepEqual(counted("weft_inbound_denied_total"), [
        "127.0.0.1 default/server mtls-required 4",
      ]);
      assert.deepEqual(counted("weft_inbound_plaintext_total"), [
        "127.0.0.1 accepted 3",
        "127.0.0.1 refused 4",
      ]);
    },
  });
}
