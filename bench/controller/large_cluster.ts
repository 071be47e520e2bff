/**
 * LargeCluster: a real API server with the objects of a large cluster, which no node runs, and a controller of it on a core of its own. The
 * API server and etcd share the load's core.
 */
import { DEFAULT_INJECTION } from "../../controller/inject/settings.ts";
import { readValues } from "../../controller/install/values.ts";
import { webhooks } from "../../controller/install/webhooks.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import { HAS_API_SERVER, TestApiServer } from "../../tests/cluster/api_server.ts";
import { freePort } from "../../tests/support/free_port.ts";
import { readPrometheus } from "../../tests/support/prometheus_text.ts";
import { until } from "../../tests/support/until.ts";
import { certificateFor, testCertificates } from "../../tests/tls/certificates.ts";
import { WEFTS } from "../contenders/weft.ts";
import { PinnedProcess, Unavailable } from "../process.ts";
import { proxyCores } from "../session.ts";
import {
  CLUSTER_ENDPOINTS,
  CLUSTER_NAMESPACE,
  clusterNode,
  clusterPod,
  clusterService,
  clusterSlice,
  clusterSplit,
  nodeCount,
  podName,
  podStatus,
  sliceName,
  splitName,
} from "./cluster_objects.ts";

/** Calls at once: an API server takes 200 that write. */
const CALLS_AT_ONCE = 32;

const CORE = `/api/v1/namespaces/${CLUSTER_NAMESPACE}`;
const SLICES = `/apis/discovery.k8s.io/v1/namespaces/${CLUSTER_NAMESPACE}/endpointslices`;
const SPLITS = `/apis/split.smi-spec.io/v1alpha4/namespaces/${CLUSTER_NAMESPACE}/trafficsplits`;

/** A Service with ten pods, and its number. */
type Made = readonly [path: string, body: unknown];

export class LargeCluster {
  readonly services: number;
  readonly streamPort = freePort();
  readonly #webhookPort = freePort();
  readonly #adminPort = freePort();
  readonly authority = testCertificates().authority.chainPem;
  readonly #api: TestApiServer;
  readonly #client: KubeClient;
  readonly #certificate = certificateFor("IP:127.0.0.1");
  #controllers = 0;

  private constructor(api: TestApiServer, services: number) {
    this.services = services;
    this.#api = api;
    this.#client = api.client();
  }

  static async start(services: number): Promise<LargeCluster> {
    if (!HAS_API_SERVER) throw new Unavailable("KUBEBUILDER_ASSETS names no API server");
    const cluster = new LargeCluster(await TestApiServer.start(), services);
    try {
      await cluster.#make();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async #make(): Promise<void> {
    await this.#api.takesSplits();
    await this.#api.apply(Deno.readTextFileSync("schemas/crds/meshrootcertificates.yaml"));
    await this.#api.established("meshrootcertificates.weft.dev");
    const labels = { "weft.dev/monitored-by": "weft" };
    await this.#create("/api/v1/namespaces", {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: CLUSTER_NAMESPACE, labels },
    });
    await this.#create(`${CORE}/serviceaccounts`, {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "default" },
    });
    await inParallel(this.#objects(), ([path, body]) => this.#create(path, body));
    await inParallel(this.#pods(), async ([service, endpoint]) => {
      await this.#create(`${CORE}/pods`, clusterPod(service, endpoint));
      await this.setPod(service, endpoint, true);
    });
  }

  *#objects(): Iterable<Made> {
    for (let i = 0; i < nodeCount(this.services); i++) yield ["/api/v1/nodes", clusterNode(i)];
    for (let i = 0; i < this.services; i++) {
      yield [`${CORE}/services`, clusterService(i)];
      yield [SLICES, clusterSlice(i)];
    }
    for (let i = 0; i < this.services / 5; i++) yield [SPLITS, clusterSplit(i, 10)];
  }

  *#pods(): Iterable<readonly [service: number, endpoint: number]> {
    for (let i = 0; i < this.services * CLUSTER_ENDPOINTS; i++) {
      yield [Math.floor(i / CLUSTER_ENDPOINTS), i % CLUSTER_ENDPOINTS];
    }
  }

  async #create(path: string, body: unknown): Promise<void> {
    await this.#client.call("POST", path, { body });
  }

  async #patch(path: string, body: unknown): Promise<void> {
    await this.#client.call("PATCH", path, { body, contentType: "application/merge-patch+json" });
  }

  /** Resolves once the API server has it. */
  async setWeight(split: number, weight: number): Promise<void> {
    await this.#patch(`${SPLITS}/${splitName(split)}`, clusterSplit(split, weight));
  }

  /** @param missing the endpoint that is gone; left out: all are there */
  async setEndpoints(service: number, missing?: number): Promise<void> {
    await this.#patch(`${SLICES}/${sliceName(service)}`, clusterSlice(service, missing));
  }

  async setPod(service: number, endpoint: number, isReady: boolean): Promise<void> {
    await this.#patch(`${CORE}/pods/${podName(service, endpoint)}/status`, {
      status: podStatus(service, endpoint, isReady),
    });
  }

  /** A token for each of the first pods, as the kubelet projects it. */
  async tokens(count: number): Promise<readonly string[]> {
    const tokens: string[] = [];
    const first = [...this.#pods()].slice(0, count).entries();
    await inParallel(first, async ([i, [service, endpoint]]) => {
      tokens[i] = await this.#token(podName(service, endpoint));
    });
    return tokens;
  }

  async #token(pod: string): Promise<string> {
    const { metadata } = await this.#client.call("GET", `${CORE}/pods/${pod}`) as {
      metadata: { uid: string };
    };
    const request = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: {
        audiences: ["weft"],
        expirationSeconds: 7_200,
        boundObjectRef: { apiVersion: "v1", kind: "Pod", name: pod, uid: metadata.uid },
      },
    };
    const { status } = await this.#client.call("POST", `${CORE}/serviceaccounts/default/token`, {
      body: request,
    }) as { status: { token: string } };
    return status.token;
  }

  /** Has the API server ask the controller about pods from now on. */
  async askAboutPods(): Promise<void> {
    const pair = { cert: this.authority, key: "" };
    const [{ kind, apiVersion, metadata, ...object }] = webhooks(
      readValues({}),
      { authority: pair, controller: pair },
    );
    const [hook] = object["webhooks"] as { clientConfig: { caBundle: string } }[];
    const url = `https://127.0.0.1:${this.#webhookPort}/mutate`;
    const clientConfig = { caBundle: hook.clientConfig.caBundle, url };
    const body = { kind, apiVersion, metadata, webhooks: [{ ...hook, clientConfig }] };
    const path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
    await this.#client.call("POST", path, { body });
    // The API server learns of it by a watch of its own.
    const name = "is-asked-about";
    const isAsked = async () => (await this.#tryPod(name)).spec.initContainers?.length === 2;
    await until("the webhook is asked", isAsked, (asked) => asked);
  }

  /** Pods as applications make them, some at once; none is kept. */
  async tryPods(count: number): Promise<void> {
    const names = Array.from({ length: count }, (_, i) => `tried-${i}`);
    await inParallel(names, async (name) => void await this.#tryPod(name));
  }

  async #tryPod(name: string) {
    return await this.#client.call("POST", `${CORE}/pods?dryRun=All`, {
      body: clusterPod(0, 0, { name, isInjected: false }),
    }) as { spec: { initContainers?: readonly unknown[] } };
  }

  /** TokenReviews of good tokens, of the controller that runs. */
  async goodReviews(): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.#adminPort}/metrics`)).text();
    return readPrometheus(text).find(({ name, labels }) =>
      name === "weft_controller_token_reviews_total" && labels["result"] === "good"
    )?.value ?? 0;
  }

  /** The shortest of the times that the controller counts by, which so much of its answers about pods were not above. */
  async answeredWithinMs(share: number): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.#adminPort}/metrics`)).text();
    const buckets = readPrometheus(text).filter(({ name, labels }) =>
      name === "weft_controller_admission_seconds_bucket" && labels["webhook"] === "inject"
    );
    const all = Math.max(...buckets.map(({ value }) => value));
    const bound = buckets.find(({ value }) => value >= share * all)?.labels["le"];
    return Number(bound) * 1_000;
  }

  #settings(): string {
    const file = `${this.#api.folder}/settings.json`;
    Deno.writeTextFileSync(file, JSON.stringify(DEFAULT_INJECTION));
    return file;
  }

  /** Begins to run one. */
  startController(): PinnedProcess {
    const { chainFile, keyFile } = this.#certificate;
    return new PinnedProcess(
      [
        ...[...WEFTS[0].command, "controller", "--kubeconfig", this.#api.kubeconfig],
        ...["--tls-cert", chainFile, "--tls-key", keyFile],
        ...["--stream", `127.0.0.1:${this.streamPort}`, "--admin", `127.0.0.1:${this.#adminPort}`],
        ...["--webhook", `127.0.0.1:${this.#webhookPort}`, "--injection", this.#settings()],
      ],
      proxyCores(1),
      `${this.#api.folder}/controller-${this.#controllers++}.log`,
    );
  }

  async stop(): Promise<void> {
    this.#client.close();
    await this.#api.stop();
  }
}

/** Does all of it, some at once. */
async function inParallel<T>(all: Iterable<T>, one: (item: T) => Promise<void>): Promise<void> {
  const items = all[Symbol.iterator]();
  const work = async () => {
    for (let item = items.next(); item.done !== true; item = items.next()) await one(item.value);
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, work));
}
