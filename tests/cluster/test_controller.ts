/** A controller in the process of a test, for a real API server, with certificates that the API server can be told of. */
import { createLog } from "../../base/log.ts";
import { Controller } from "../../controller/controller.ts";
import { DEFAULT_INJECTION } from "../../controller/inject/settings.ts";
import type { ApiObject, InstallKeys } from "../../controller/install/objects.ts";
import { kubeconfigAccess } from "../../controller/kube/kubeconfig.ts";
import { until } from "../support/until.ts";
import { certificateOf, testCertificates } from "../tls/certificates.ts";
import type { TestApiServer } from "./api_server.ts";
import { freePort } from "../support/free_port.ts";

const LOOPBACK = "127.0.0.1";

interface Ports {
  readonly stream: number;
  readonly webhook: number;
  readonly admin: number;
}

export class TestController {
  readonly keys: InstallKeys;
  readonly address: string;
  /** Its authority's certificate. */
  readonly authorityFile: string;
  readonly ports: Ports;
  readonly log: string[] = [];
  readonly #api: TestApiServer;
  readonly #folder: string;
  #running: Controller | null = null;

  private constructor(
    api: TestApiServer,
    { keys, address, ports }: Pick<TestController, "keys" | "address" | "ports">,
  ) {
    this.#api = api;
    this.keys = keys;
    this.address = address;
    this.ports = ports;
    this.#folder = Deno.makeTempDirSync({ dir: api.folder });
    this.write(keys);
    this.authorityFile = `${this.#folder}/ca.crt`;
    Deno.writeTextFileSync(this.authorityFile, keys.authority.cert);
    Deno.writeTextFileSync(`${this.#folder}/settings.json`, JSON.stringify(DEFAULT_INJECTION));
  }

  static prepare(api: TestApiServer): TestController {
    const ports = { stream: freePort(), webhook: freePort(), admin: freePort() };
    return new TestController(api, { keys: testKeys("first"), address: LOOPBACK, ports });
  }

  /** Another one, at the same ports of another address. */
  replica(address: string): TestController {
    return new TestController(this.#api, { keys: this.keys, address, ports: this.ports });
  }

  /** As a Secret that is replaced. */
  write({ controller: { cert, key } }: InstallKeys): void {
    Deno.writeTextFileSync(`${this.#folder}/tls.crt`, cert);
    Deno.writeTextFileSync(`${this.#folder}/tls.key`, key);
  }

  /** The configuration of a webhook, with this controller in place of a Service. */
  atAddress(object: ApiObject): unknown {
    const hooks = object["webhooks"] as {
      clientConfig: { caBundle: string; service: { path: string } };
    }[];
    const at = ({ caBundle, service: { path } }: (typeof hooks)[number]["clientConfig"]) => ({
      caBundle,
      url: `https://localhost:${this.ports.webhook}${path}`,
    });
    const webhooks = hooks.map((hook) => ({ ...hook, clientConfig: at(hook.clientConfig) }));
    return { ...object, webhooks };
  }

  async start(): Promise<void> {
    const failed = this.launch();
    const isUp = () => this.log.some((line) => line.includes("Controller started"));
    await Promise.race([until("the controller serves", isUp, (up) => up), failed]);
  }

  /** Begins to start it, as the user of a kubeconfig; rejects where it cannot go on. */
  launch(
    { kubeconfig = this.#api.kubeconfig, reviewsTokens = false }: {
      readonly kubeconfig?: string;
      readonly reviewsTokens?: boolean;
    } = {},
  ): Promise<never> {
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => {});
    this.#running = new Controller({
      access: kubeconfigAccess({ files: [kubeconfig] }),
      meshName: "weft",
      clusterDomain: "cluster.local",
      permissive: true,
      egress: true,
      trustDomain: "cluster.local",
      stream: { address: this.address, port: this.ports.stream },
      certFile: `${this.#folder}/tls.crt`,
      keyFile: `${this.#folder}/tls.key`,
      webhook: {
        address: this.address,
        port: this.ports.webhook,
        settingsFile: `${this.#folder}/settings.json`,
      },
      reviewsTokens,
      rejoinMs: 0,
      admin: { address: this.address, port: this.ports.admin },
      log: createLog({
        level: "debug",
        format: "json",
        sink: (line) => this.log.push(line),
        now: Date.now,
      }),
      onFailure: failed.reject,
    });
    this.#running.start();
    return failed.promise;
  }

  /** Of its admin port. */
  async ask(path: string, init: RequestInit = {}): Promise<{ status: number; text: string }> {
    const response = await fetch(`http://${this.address}:${this.ports.admin}${path}`, init);
    return { status: response.status, text: await response.text() };
  }

  async metric(name: string): Promise<number> {
    const { text } = await this.ask("/metrics");
    return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? 0);
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = null;
  }
}

/** For a controller at any of the addresses that tests use. */
export function testKeys(name: string): InstallKeys {
  const { authority } = testCertificates();
  const own = certificateOf(`/CN=${name}`, `DNS:localhost,IP:${LOOPBACK},IP:127.0.0.2`);
  const pair = ({ chainFile, keyFile }: typeof own) => ({
    cert: Deno.readTextFileSync(chainFile),
    key: Deno.readTextFileSync(keyFile),
  });
  return { authority: pair(authority), controller: pair(own) };
}
