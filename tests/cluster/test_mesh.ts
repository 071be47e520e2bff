/**
 * TestMesh: a real API server, `weft controller` and `weft proxy` as processes, and applications, in a network that a test has for itself.
 */
import { ADMIN_PORT } from "../../controller/install/objects.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import { requestThrough } from "../../sidecar/sidecar_for_test.ts";
import { WeftProcess } from "../e2e/weft_process.ts";
import { until } from "../support/until.ts";
import { certificateFor, testCertificates } from "../tls/certificates.ts";
import { endpointsManifest, serviceManifest } from "./app_manifests.ts";
import { LAB_ADDRESS, type TestApiServer } from "./api_server.ts";
import { freePort } from "../support/free_port.ts";

/** A Service `NAME.app:80` in front of an application on this machine. */
export function appService(name: string, port: number): string {
  return serviceManifest(name) + endpointsManifest(name, port, LAB_ADDRESS);
}

export const backendsOf = (first: unknown, second: unknown) => [
  { service: "web-v1", weight: first },
  { service: "web-v2", weight: second },
];

export function appSplit(version: string, first: unknown, second: unknown): string {
  return JSON.stringify({
    apiVersion: `split.smi-spec.io/${version}`,
    kind: "TrafficSplit",
    metadata: { name: "web", namespace: "app" },
    spec: { service: "web", backends: backendsOf(first, second) },
  });
}

/** Everything that one test runs; ended in the other order. */
export class TestMesh {
  readonly api: TestApiServer;
  readonly client: KubeClient;
  readonly streamPort = freePort();
  readonly #certificate = certificateFor("DNS:localhost,IP:127.0.0.1");
  readonly #tokenFile: string;
  readonly #running: WeftProcess[] = [];
  #outbound = 0;

  constructor(api: TestApiServer) {
    this.api = api;
    this.client = api.client();
    this.#tokenFile = `${api.folder}/token`;
  }

  /** @param executable left out: what is under test */
  async startController(executable?: string): Promise<WeftProcess> {
    const { chainFile, keyFile } = this.#certificate;
    const controller = this.#run([
      "controller",
      ...["--kubeconfig", this.api.kubeconfig, "--tls-cert", chainFile, "--tls-key", keyFile],
      ...["--stream", `127.0.0.1:${this.streamPort}`, "--admin", `${LAB_ADDRESS}:${ADMIN_PORT}`],
    ], executable);
    await controller.printed(/Controller started/);
    return controller;
  }

  /** @param token as the kubelet projects it */
  startProxy(token: string, args: readonly string[] = [], executable?: string): WeftProcess {
    Deno.writeTextFileSync(this.#tokenFile, token);
    return this.#run([
      "proxy",
      ...["--outbound", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--namespace", "app"],
      ...["--controller", `127.0.0.1:${this.streamPort}`, "--controller-token", this.#tokenFile],
      ...["--controller-ca", testCertificates().authority.chainFile, ...args],
    ], executable);
  }

  async serving(proxy: WeftProcess): Promise<void> {
    const { match } = await proxy.printed(/"Proxy started".*?"outbound":"127\.0\.0\.1:(\d+)"/);
    this.#outbound = Number(match[1]);
  }

  /** Who answers; the status where that is not 200. */
  async ask(host = "web.app"): Promise<string> {
    const { status, body } = await requestThrough(this.#outbound, host);
    // Answers come in pieces that say how long they are.
    return status === 200 ? body.replace(/^[0-9a-f]+\r\n([^]*?)\r\n0\r\n\r\n$/, "$1") : `${status}`;
  }

  async answers(name: string): Promise<void> {
    await until(`${name} answers`, () => this.ask(), (body) => body === name);
  }

  /** From a change of an object until a request is answered so. */
  async timed(what: string, path: string, patch: unknown, answer: string): Promise<void> {
    const startMs = performance.now();
    await this.client.call("PATCH", path, {
      body: patch,
      contentType: "application/merge-patch+json",
    });
    await this.answers(answer);
    console.log(`${what}: ${Math.round(performance.now() - startMs)} ms from change to request`);
  }

  async stop(): Promise<void> {
    this.client.close();
    for (const each of this.#running.reverse()) await each.stop("SIGKILL");
    await this.api.stop();
  }

  #run(args: readonly string[], executable?: string): WeftProcess {
    const weft = new WeftProcess(args, executable);
    this.#running.push(weft);
    return weft;
  }
}

/** Answers with its name. */
export function application(name: string): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve(
    { hostname: LAB_ADDRESS, port: 0, onListen() {} },
    () => new Response(name),
  );
}
