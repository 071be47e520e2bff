/** How far a split has come, by a real API server, controllers and light proxies: never said too early, and not held up for ever. */
import assert from "node:assert/strict";
import type { KubeClient } from "../../controller/kube/client.ts";
import type { RolloutAnswer } from "../../controller/rollout/answers.ts";
import { until } from "../support/until.ts";
import { APP_NAMESPACE, serviceManifest } from "./app_manifests.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";
import { LightProxy } from "./light_proxy.ts";
import { TestController } from "./test_controller.ts";

const SPLITS = "/apis/split.smi-spec.io/v1alpha4/namespaces/app/trafficsplits";
const READY = "/rollout/ready?split=app/web";

const MESH = APP_NAMESPACE + ["web", "web-v1", "web-v2"].map(serviceManifest).join("");

const backendsOf = (first: number, second: number) => [
  { service: "web-v1", weight: first },
  { service: "web-v2", weight: second },
];

/** A pod of a replica, as a node would report it. */
async function replicaPod(client: KubeClient, name: string, address: string): Promise<void> {
  const path = "/api/v1/namespaces/default/pods";
  const labels = { app: "weft-controller", "weft.dev/mesh": "weft" };
  await client.call("POST", path, {
    body: {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, labels },
      spec: { containers: [{ name: "controller", image: "weft" }] },
    },
  });
  await client.call("PATCH", `${path}/${name}/status`, {
    contentType: "application/merge-patch+json",
    body: {
      status: {
        podIPs: [{ ip: address }],
        podIP: address,
        phase: "Running",
        conditions: [{ type: "Ready", status: "True" }],
      },
    },
  });
}

Deno.test({
  name: "rollout: how far a split has come, by all controllers",
  ignore: !HAS_API_SERVER,
  sanitizeResources: false,
  sanitizeOps: false,
  async fn(t) {
    const api = await TestApiServer.start();
    const client = api.client();
    const first = TestController.prepare(api);
    const second = first.replica("127.0.0.2");
    const proxies: LightProxy[] = [];
    const proxyOf = (pod: string, { address, ports, authorityFile }: TestController) => {
      const proxy = new LightProxy({
        ...{ addresses: [address], authorityFile, pod },
        ...{ port: ports.stream, hosts: ["web.app"] },
      });
      proxies.push(proxy);
      return proxy;
    };
    const state = async (): Promise<RolloutAnswer> => JSON.parse((await first.ask(READY)).text);
    const gate = (body = "", path = READY) => first.ask(path, { method: "POST", body });
    const setWeights = async (weight: number) => {
      const written = await client.call("PATCH", `${SPLITS}/web`, {
        body: { spec: { backends: backendsOf(weight, 100 - weight) } },
        contentType: "application/merge-patch+json",
      }) as { metadata: { generation: number } };
      return written.metadata.generation;
    };
    const ready = () => until("it is ready", state, ({ ready }) => ready);
    try {
      await api.apply(MESH);
      await api.takesSplits();
      await client.call("POST", SPLITS, {
        body: {
          apiVersion: "split.smi-spec.io/v1alpha4",
          kind: "TrafficSplit",
          metadata: { name: "web" },
          spec: { service: "web", backends: backendsOf(100, 0) },
        },
      });
      await first.start();
      const [one] = [proxyOf("one", first), proxyOf("two", first)];
      await t.step("ready once all proxies that use it have it", async () => {
        const { split, programmed, proxies } = await until(
          "both have it",
          state,
          ({ ready, proxies }) => ready && proxies === 2,
        );
        assert.deepEqual([split, programmed, proxies], ["app/web", 2, 2]);
      });
      await t.step("a proxy that does not take it holds the gate, and is named", async () => {
        one.hold();
        const generation = await setWeights(50);
        const { reason, behind } = await until(
          "the other has it",
          state,
          ({ programmed, generation: seen }) => programmed === 1 && seen === generation,
        );
        assert.equal(reason, `1 of 2 proxies have generation ${generation}`);
        assert.deepEqual(behind, ["app/one"]);
        const refused = await gate();
        assert.deepEqual(refused, { status: 409, text: `${reason}\n` });
        one.release();
        await ready();
        assert.equal((await gate()).status, 200);
      });
      await t.step("Flagger's webhook names the split by its canary", async () => {
        const body = JSON.stringify({ name: "web", namespace: "app", phase: "Progressing" });
        assert.equal((await gate(body, "/rollout/ready")).status, 200);
        const unnamed = await gate("{}", "/rollout/ready");
        assert.deepEqual([unnamed.status, /^No TrafficSplit/.test(unnamed.text)], [404, true]);
      });
      await t.step(
        "asked right after a write, it never says ready for an earlier one",
        async () => {
          for (let i = 1; i <= 40; i++) {
            const generation = await setWeights(i);
            const { ready, generation: seen } = await state();
            assert.equal(seen, generation);
            if (ready) {
              for (const each of proxies) assert.deepEqual(each.weights("web"), [i, 100 - i]);
            }
          }
          await ready();
          for (const each of proxies) assert.deepEqual(each.weights("web"), [40, 60]);
        },
      );
      await t.step("proxies of another controller count, wherever one asks", async () => {
        await second.start();
        await replicaPod(client, "weft-controller-a", first.address);
        await replicaPod(client, "weft-controller-b", second.address);
        const three = proxyOf("three", second);
        await until("all three", state, ({ ready, proxies }) => ready && proxies === 3);
        three.hold();
        await setWeights(60);
        const { behind } = await until("two have it", state, ({ programmed }) => programmed === 2);
        assert.deepEqual(behind, ["app/three"]);
        three.release();
        await ready();
      });
      await t.step("a proxy that is lost with what is in force is not waited for", async () => {
        proxies.pop()?.stop();
        await ready();
      });
      await t.step("a controller that does not answer holds the gate", async () => {
        await second.stop();
        const { reason } = await until("it is missed", state, ({ ready }) => !ready);
        assert.match(reason, /^1 of 2 controllers did not answer; /);
        await client.call("DELETE", "/api/v1/namespaces/default/pods/weft-controller-b");
        await ready();
      });
      await t.step("the way of each change to the last proxy was timed", async () => {
        assert.ok(await first.metric("weft_controller_programmed_seconds_count") > 0);
      });
      await t.step("a split that is gone is not known", async () => {
        await client.call("DELETE", `${SPLITS}/web`);
        assert.equal((await first.ask(READY)).status, 404);
        assert.equal((await first.ask("/rollout/ready")).status, 400);
      });
    } finally {
      for (const each of proxies) each.stop();
      await Promise.all([first.stop(), second.stop()]);
      client.close();
      await api.stop();
    }
  },
});
