/** What becomes of watches, on a real API server: cut at every event, and a namespace that is deleted while its pods serve. */
import assert from "node:assert/strict";
import type { KubeClient } from "../../controller/kube/client.ts";
import { CuttingRelay } from "../support/cutting_relay.ts";
import { until } from "../support/until.ts";
import { APP_NAMESPACE, serviceManifest } from "./app_manifests.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";
import { LightProxy } from "./light_proxy.ts";
import { TestController } from "./test_controller.ts";

const SPLITS = "/apis/split.smi-spec.io/v1alpha4/namespaces/app/trafficsplits";
const PROXIES = 20;
/** Bytes of an event that get through, of its record of TLS: none, its beginning, nearly all, all. */
const CUTS = [0, 1, 5, 40, 200, 100_000];
const ROUNDS = 2;

const MESH = APP_NAMESPACE + ["web", "web-v1", "web-v2"].map(serviceManifest).join("");

function split(weight: number): unknown {
  const backends = [
    { service: "web-v1", weight },
    { service: "web-v2", weight: 1_000 - weight },
  ];
  return {
    apiVersion: "split.smi-spec.io/v1alpha4",
    kind: "TrafficSplit",
    metadata: { name: "web" },
    spec: { service: "web", backends },
  };
}

/** Light proxies, and every weight that each has had in force. */
class Crowd {
  readonly seen: number[][] = [];
  readonly proxies: LightProxy[];

  constructor({ address, ports, authorityFile }: TestController) {
    this.proxies = Array.from({ length: PROXIES }, (_, i) => {
      const seen: number[] = [];
      this.seen.push(seen);
      const proxy: LightProxy = new LightProxy({
        ...{ addresses: [address], port: ports.stream, authorityFile },
        ...{ pod: `p${i}`, hosts: ["web.app"] },
        onChange: () => seen.push(proxy.weights("web")?.[0] ?? -1),
      });
      return proxy;
    });
  }

  /** How many have this in force; null: that the mesh has no such Service. */
  have(weight: number | null): number {
    return this.proxies.filter((proxy) => (proxy.weights("web")?.[0] ?? null) === weight).length;
  }

  async reaches(weight: number | null): Promise<void> {
    await until(`all have ${weight}`, () => this.have(weight), (count) => count === PROXIES);
  }

  stop(): void {
    for (const proxy of this.proxies) proxy.stop();
  }
}

/** As that of the API server, by another port. */
function kubeconfigBy(port: number, api: TestApiServer): string {
  const config = JSON.parse(Deno.readTextFileSync(api.kubeconfig));
  config.clusters[0].cluster.server = `https://127.0.0.1:${port}`;
  const path = `${api.folder}/relayed`;
  Deno.writeTextFileSync(path, JSON.stringify(config));
  return path;
}

async function make(api: TestApiServer, client: KubeClient): Promise<void> {
  await api.apply(MESH);
  await client.call("POST", SPLITS, { body: split(0) });
}

Deno.test({
  name:
    "watches: cut at every event, and a namespace deleted: no change is lost, and none is wrong",
  ignore: !HAS_API_SERVER,
  sanitizeResources: false,
  sanitizeOps: false,
  async fn(t) {
    const api = await TestApiServer.start();
    api.startControllers(["namespace-controller"]);
    const client = api.client();
    const relay = new CuttingRelay(Number(new URL(api.url).port));
    const controller = TestController.prepare(api);
    await api.takesSplits();
    await make(api, client);
    const launched = controller.launch({ kubeconfig: kubeconfigBy(relay.port, api) });
    const crowd = new Crowd(controller);
    try {
      await Promise.race([crowd.reaches(0), launched]);
      await t.step("every event is cut", async () => {
        let weight = 0;
        for (let round = 0; round < ROUNDS; round++) {
          for (const bytes of CUTS) {
            relay.cutAfter(bytes);
            await client.call("PATCH", `${SPLITS}/web`, {
              body: split(++weight),
              contentType: "application/merge-patch+json",
            });
            await crowd.reaches(weight);
          }
        }
        // One event may come with a watch that has just begun again, and is cut with the next.
        const { text } = await controller.ask("/metrics");
        const restarts = /_watch_restarts_total\{resource="trafficsplits v1alpha4"\} (\d+)/.exec(
          text,
        );
        assert.ok(Number(restarts?.[1]) >= weight / 2, text);
        for (const seen of crowd.seen) {
          assert.deepEqual(seen, seen.toSorted((a, b) => a - b), "no weight comes back");
          assert.ok(seen.every((weight) => weight >= 0), "the split is never away");
        }
      });
      await t.step("the namespace goes, and comes back", async () => {
        await client.call("DELETE", "/api/v1/namespaces/app");
        await crowd.reaches(null);
        const isGone = async () => {
          const { items } = await client.call("GET", "/api/v1/namespaces") as {
            items: { metadata: { name: string } }[];
          };
          return items.every(({ metadata }) => metadata.name !== "app");
        };
        await until("it is gone", isGone, (gone) => gone);
        for (const name of ["weft_controller_namespaces", "weft_controller_parts"]) {
          await until(name, () => controller.metric(name), (count) => count === 0);
        }
        await make(api, client);
        await crowd.reaches(0);
      });
    } finally {
      crowd.stop();
      await controller.stop();
      relay.stop();
      client.close();
      await api.stop();
    }
  },
});
