/**
 * What breaks around a controller, on a real API server with two controllers and a crowd of light proxies: each keeps the last good plan while
 * it is broken, and has what is right afterwards.
 */
import assert from "node:assert/strict";
import type { KubeClient } from "../../controller/kube/client.ts";
import { until } from "../support/until.ts";
import { APP_NAMESPACE, endpointsManifest, serviceManifest } from "./app_manifests.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";
import { LightProxy } from "./light_proxy.ts";
import { TestController, testKeys } from "./test_controller.ts";

const SPLITS = "/apis/split.smi-spec.io/v1alpha4/namespaces/app/trafficsplits";
const SLICES = "/apis/discovery.k8s.io/v1/namespaces/app/endpointslices";
const CROWD = 200;
/** How long the API server is frozen. `WEFT_TEST_FREEZE_SECONDS=60`, or 120, tries it against the real deadlines, by hand. */
const FREEZE_MS = Number(Deno.env.get("WEFT_TEST_FREEZE_SECONDS") ?? 2) * 1_000;
/** Backends of a split of about a megabyte. */
const MANY = 9_000;

const MESH = APP_NAMESPACE + ["web", "web-v1", "web-v2"].map(serviceManifest).join("") +
  endpointsManifest("web-v1");

class Lab {
  readonly api: TestApiServer;
  readonly client: KubeClient;
  readonly first: TestController;
  readonly second: TestController;
  readonly proxies: LightProxy[] = [];
  #weight = 0;

  constructor(api: TestApiServer) {
    this.api = api;
    this.client = api.client();
    this.first = TestController.prepare(api);
    this.second = this.first.replica("127.0.0.2");
  }

  /** A name that stands for both, as a Service does, which proxies are spread over. */
  addCrowd(): void {
    for (let i = 0; i < CROWD; i++) {
      this.proxies.push(this.proxy(`p${i}`, ["web.app", "web-v1.app"]));
    }
  }

  proxy(pod: string, hosts: readonly string[]): LightProxy {
    return new LightProxy({
      ...{ addresses: [this.first.address, this.second.address], pod, hosts },
      ...{ port: this.first.ports.stream, authorityFile: this.first.authorityFile },
    });
  }

  async write(weight: number): Promise<void> {
    await this.client.call("PATCH", `${SPLITS}/web`, {
      body: {
        spec: {
          backends: [
            { service: "web-v1", weight },
            { service: "web-v2", weight: 1_000 - weight },
          ],
        },
      },
      contentType: "application/merge-patch+json",
    });
  }

  /** How many have these weights in force. */
  have(weight: number): number {
    return this.proxies.filter((proxy) => proxy.weights("web")?.[0] === weight).length;
  }

  /** Another split than before reaches all. */
  async works(): Promise<void> {
    const weight = ++this.#weight;
    const startMs = performance.now();
    await until(
      "the API server takes it",
      () => this.write(weight).then(() => true, () => false),
      (taken) => taken,
    );
    await this.reaches(weight);
    console.log(`all ${CROWD} proxies after ${Math.round(performance.now() - startMs)} ms`);
  }

  async reaches(weight: number): Promise<void> {
    await until(
      `all have ${weight}`,
      () => this.have(weight),
      (count) => count === this.proxies.length,
    );
  }

  /** While something is broken all keep what they have. */
  keep(): void {
    assert.equal(this.have(this.#weight), this.proxies.length);
  }

  async stop(): Promise<void> {
    for (const proxy of this.proxies) proxy.stop();
    await Promise.all([this.first.stop(), this.second.stop()]);
    this.client.close();
    await this.api.stop();
  }
}

Deno.test({
  name: "faults: the last good plan is kept, and what is right comes afterwards",
  ignore: !HAS_API_SERVER,
  sanitizeResources: false,
  sanitizeOps: false,
  async fn(t) {
    const lab = new Lab(await TestApiServer.start());
    const { api, client, first, second } = lab;
    const step = (name: string, run: () => Promise<void>) => t.step(name, run);
    const restarts = async () => {
      const { text } = await first.ask("/metrics");
      return [...text.matchAll(/^weft_controller_watch_restarts_total\{.*\} (\d+)$/gm)]
        .reduce((sum, [, count]) => sum + Number(count), 0);
    };
    try {
      await api.apply(MESH);
      await api.takesSplits();
      await client.call("POST", SPLITS, {
        body: {
          apiVersion: "split.smi-spec.io/v1alpha4",
          kind: "TrafficSplit",
          metadata: { name: "web" },
          spec: {
            service: "web",
            backends: [{ service: "web-v1", weight: 1 }, { service: "web-v2", weight: 999 }],
          },
        },
      });
      await Promise.all([first.start(), second.start()]);
      lab.addCrowd();
      await step("proxies are told by two controllers", () => lab.works());
      await step("API server killed and started again", async () => {
        await api.kill();
        await until(
          "it is noticed",
          () => first.log,
          (log) => log.some((line) => /Cannot read the cluster/.test(line)),
        );
        lab.keep();
        await api.resume();
        await lab.works();
      });
      await step("API server frozen", async () => {
        const before = await restarts();
        api.freeze();
        const asked = client.call("GET", SLICES, { limitMs: FREEZE_MS });
        await assert.rejects(asked, /did not answer within/);
        lab.keep();
        // Proxies do not depend on it.
        assert.equal(await first.metric("weft_controller_synced"), 1);
        assert.equal((await first.ask("/healthz")).status, 200);
        api.thaw();
        await lab.works();
        assert.ok(await restarts() - before < 20);
      });
      await step("etcd killed and started again", async () => {
        await api.killStore();
        lab.keep();
        await api.resumeStore();
        await lab.works();
      });
      await step("every watch cut, again and again", async () => {
        for (let i = 0; i < 3; i++) {
          await api.kill();
          await api.resume();
        }
        await lab.works();
      });
      await step("a certificate of the stream replaced while proxies are connected", async () => {
        const keys = testKeys("renewed");
        first.write(keys);
        await until(
          "it is in use",
          () => first.log,
          (log) => log.some((line) => /Certificate replaced/.test(line)),
        );
        lab.keep();
        await lab.works();
      });
      await step("one controller ended: its proxies move to the other", async () => {
        await first.stop();
        lab.keep();
        await lab.works();
        assert.equal(await second.metric("weft_controller_proxies"), CROWD);
      });
      await step("both ended, and started: all come back at once", async () => {
        await second.stop();
        lab.keep();
        await lab.write(999);
        await Promise.all([first.start(), second.start()]);
        await lab.reaches(999);
        await lab.works();
      });
      await step("a split of a megabyte", async () => {
        const backends = Array.from({ length: MANY }, (_, i) => ({
          service: `backend-${String(i).padStart(60, "0")}`,
          weight: 1,
        }));
        const body = {
          apiVersion: "split.smi-spec.io/v1alpha4",
          kind: "TrafficSplit",
          metadata: { name: "large" },
          spec: { service: "web-v2", backends },
        };
        assert.ok(JSON.stringify(body).length > 800_000);
        const proxy = lab.proxy("user", ["web-v2.app"]);
        await client.call("POST", SPLITS, { body });
        // It is told to who uses it, and delays nothing for the others.
        const backendsOf = () => proxy.weights("web-v2")?.length;
        await until("it is in force", backendsOf, (count) => count === MANY);
        proxy.stop();
        await lab.works();
        const events = async () => {
          const { items } = await client.call("GET", "/api/v1/namespaces/app/events") as {
            items: { involvedObject: { name: string } }[];
          };
          return items.filter(({ involvedObject }) => involvedObject.name === "large").length;
        };
        await until("its faults are said, the first of them", events, (count) => count === 10);
        await client.call("DELETE", `${SPLITS}/large`);
      });
      await step(
        "an address that another pod has now, and the last pod that is ending",
        async () => {
          const set = (endpoints: unknown) =>
            client.call("PATCH", `${SLICES}/web-v1`, {
              body: { endpoints },
              contentType: "application/merge-patch+json",
            });
          const pod = (name: string, uid: string) => ({
            addresses: ["192.0.2.9"],
            targetRef: { kind: "Pod", name, namespace: "app", uid },
          });
          const [some] = lab.proxies;
          const pods = () => some.pods("web-v1").join();
          await set([pod("old", "1")]);
          await until("the first", pods, (found) => found === "old");
          const ending = { ready: false, serving: true, terminating: true };
          await set([{ ...pod("old", "1"), conditions: ending }]);
          await set([{ ...pod("old", "1"), conditions: ending }, pod("new", "2")]);
          await until("the other", pods, (found) => found === "new");
          await set([{ ...pod("new", "2"), conditions: ending }]);
          await lab.works();
          assert.equal(pods(), "new");
        },
      );
    } finally {
      await lab.stop();
    }
  },
});
