/** Two sidecars of a mesh, which know each other by its certificates, with an application behind the second. */
import assert from "node:assert/strict";
import type { MeshCertificates, Proxy, ProxyConfig, ProxyTls } from "../../proxy/config.ts";
import type { RequestRecord } from "../../proxy/observe/request_record.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { compile } from "../../routing/compile/compile.ts";
import type { Plan } from "../../routing/plan.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { runCommand } from "../support/commands.ts";
import type { Driver } from "../support/test_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";
import { until } from "../support/until.ts";
import type { TestCertificate } from "./certificates.ts";

const PLACE = { address: "127.0.0.1", port: 0 };

/** The Services `app`, with a port of each protocol, at one pod, which has a sidecar with a certificate where `mutualTls`. */
export function meshPlan(port: number, { mutualTls = true, account = "server" } = {}): Plan {
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

function configOf(
  driver: Driver,
  sides: Pick<ProxyConfig, "inbound" | "outbound" | "timeouts">,
): ProxyConfig {
  return {
    driver,
    workers: 1,
    ...sides,
    admin: PLACE,
    mutualTls: true,
    bodyBytesMax: Infinity,
    reportRequests: true,
  };
}

export function meshOf(
  certificate: TestCertificate,
  ...authorities: readonly TestCertificate[]
): ProxyTls & { readonly mesh: MeshCertificates } {
  const pem = authorities.map(({ chainPem }) => chainPem).join("");
  return { mesh: { certificate, authority: { pem }, ticketKeys: null } };
}

export class TlsMesh {
  private constructor(
    readonly client: Proxy,
    readonly server: Proxy,
    /** What the server's sidecar was asked. */
    readonly served: readonly RequestRecord[],
  ) {}

  /** Without certificates. */
  static async start(
    driver: Driver,
    applicationPort: number,
    timeouts = PATIENT_TIMEOUTS,
  ): Promise<TlsMesh> {
    const served: RequestRecord[] = [];
    const application = { address: "127.0.0.1", port: applicationPort };
    const server = await startProxy(
      configOf(driver, {
        inbound: [{
          ...{ ...PLACE, application, identity: "default/server", namespace: "default" },
          probes: [
            { port: applicationPort, path: "/healthz" },
            { port: applicationPort, path: "/grpc.health.v1.Health/Check", isCall: true },
          ],
        }],
        outbound: [],
        timeouts,
      }),
      meshPlan(1),
      { onRequest: (record) => void served.push(record) },
    );
    const listener = { ...PLACE, namespace: "default", identity: "default/client", seed: null };
    const tcp = { namespace: "default", service: "app", port: 82 };
    const client = await startProxy(
      configOf(driver, { inbound: [], outbound: [listener, { ...listener, tcp }], timeouts }),
      meshPlan(server.inbound[0].port),
    );
    return new TlsMesh(client, server, served);
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
export function startTlsApplication(): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ headers }) => {
    return new Response(`over ${headers.get("x-forwarded-proto")}\n`);
  });
}

export async function isReady({ admin }: Proxy): Promise<[status: number, text: string]> {
  const response = await fetch(`http://127.0.0.1:${admin?.port}/readyz`);
  return [response.status, await response.text()];
}

export const ANSWERED = [200, "", "over http\n"];
