/** A controller in the process of a test, for a real API server, with certificates that the API server can be told of. */
import { createLog } from "../../base/log.ts";
import { startController } from "../../controller/controller.ts";
import { makeAuthority, makeCertificate } from "../../controller/certificates.ts";
import { DEFAULT_INJECTION } from "../../controller/inject/settings.ts";
import type { ApiObject, InstallKeys } from "../../controller/install/objects.ts";
import { kubeconfigAccess } from "../../controller/kube/kubeconfig.ts";
import { until } from "../support/until.ts";
import type { TestApiServer } from "./api_server.ts";

const HOST = "127.0.0.1";

interface Ports {
  readonly stream: number;
  readonly webhook: number;
  readonly admin: number;
}

export class TestController {
  readonly keys: InstallKeys;
  readonly ports: Ports = { stream: freePort(), webhook: freePort(), admin: freePort() };
  readonly log: string[] = [];
  readonly #api: TestApiServer;
  readonly #folder: string;
  #running: ReturnType<typeof startController> | null = null;

  private constructor(api: TestApiServer, keys: InstallKeys) {
    this.#api = api;
    this.keys = keys;
    this.#folder = Deno.makeTempDirSync({ dir: api.folder });
    this.write(keys);
    Deno.writeTextFileSync(`${this.#folder}/settings.json`, JSON.stringify(DEFAULT_INJECTION));
  }

  static async prepare(api: TestApiServer): Promise<TestController> {
    const authority = await makeAuthority();
    const controller = await makeCertificate(authority, ["localhost", HOST]);
    return new TestController(api, { authority, controller });
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
    this.#running = startController({
      access: kubeconfigAccess({ files: [kubeconfig] }),
      meshName: "weft",
      clusterDomain: "cluster.local",
      permissive: true,
      stream: { address: HOST, port: this.ports.stream },
      certFile: `${this.#folder}/tls.crt`,
      keyFile: `${this.#folder}/tls.key`,
      webhook: {
        address: HOST,
        port: this.ports.webhook,
        settingsFile: `${this.#folder}/settings.json`,
      },
      reviewsTokens,
      admin: { address: HOST, port: this.ports.admin },
      log: createLog({
        level: "debug",
        format: "json",
        sink: (line) => this.log.push(line),
        now: Date.now,
      }),
      onFailure: failed.reject,
    });
    return failed.promise;
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = null;
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  return listener.addr.port;
}
