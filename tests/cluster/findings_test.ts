/** What is wrong with an object is said on it, once, by one of several controllers; and no more once it is mended. On a real API server. */
import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import { APP_NAMESPACE, endpointsManifest, serviceManifest } from "./app_manifests.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";
import { TestController } from "./test_controller.ts";

const SPLITS = "/apis/split.smi-spec.io/v1alpha4/namespaces/app/trafficsplits";

/** A pod of a Deployment, made before anything could give it a sidecar. */
const BARE_POD = `---
apiVersion: v1
kind: Pod
metadata:
  name: shop-5d4f-x
  namespace: app
  labels: {pod-template-hash: 5d4f}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: shop-5d4f, uid: u, controller: true}]
spec: {serviceAccountName: default, containers: [{name: app, image: app}]}
`;

const MESH = APP_NAMESPACE + BARE_POD + serviceManifest("web") + endpointsManifest("web");

interface Split {
  readonly metadata: {
    readonly resourceVersion: string;
    readonly generation: number;
    readonly managedFields: readonly { readonly manager: string }[];
  };
  readonly status?: {
    readonly conditions: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }[];
  };
}

Deno.test({
  name: "findings: on the objects that they are about, by one of several controllers",
  ignore: !HAS_API_SERVER,
  sanitizeResources: false,
  sanitizeOps: false,
  async fn(t) {
    const api = await TestApiServer.start();
    const client = api.client();
    const first = TestController.prepare(api);
    const second = first.replica("127.0.0.2");
    const split = (name = "web") => client.call("GET", `${SPLITS}/${name}`) as Promise<Split>;
    const conditionOf = async (name = "web") => (await split(name)).status?.conditions[0];
    const create = (name: string, service: string) =>
      client.call("POST", SPLITS, {
        body: {
          apiVersion: "split.smi-spec.io/v1alpha4",
          kind: "TrafficSplit",
          metadata: { name },
          spec: { service, backends: [{ service: "web", weight: 1 }] },
        },
      });
    const setRoot = (service: string) =>
      client.call("PATCH", `${SPLITS}/web`, {
        body: { spec: { service } },
        contentType: "application/merge-patch+json",
      });
    /** Of ours: the API server itself may have one on the Service. */
    const events = async (name = "web") => {
      const { items } = await client.call("GET", "/api/v1/namespaces/app/events") as {
        items: {
          reason: string;
          source: { component: string };
          involvedObject: { name: string };
        }[];
      };
      return items.filter(({ source, involvedObject }) =>
        source.component === "weft-controller" && involvedObject.name === name
      ).map(({ reason }) => reason).sort();
    };
    const leaders = async () =>
      (await Promise.all([first, second].map((each) => each.metric("weft_controller_leader"))))
        .join();
    try {
      await api.apply(MESH);
      await api.takesSplits();
      await create("web", "none");
      await first.start();
      await until(
        "the first leads",
        () => first.metric("weft_controller_leader"),
        (is) => is === 1,
      );
      await second.start();
      await t.step("what is wrong is a condition and an Event", async () => {
        const condition = await until("it is said", conditionOf, (found) => found !== undefined);
        assert.deepEqual(
          [condition?.type, condition?.status, condition?.reason],
          ["Accepted", "False", "SplitRootMissing"],
        );
        assert.match(condition?.message ?? "", /^spec\.service: .*"none"/);
        assert.deepEqual(await events(), ["SplitRootMissing"]);
        const described = await api.kubectl(["describe", "trafficsplit", "web", "-n", "app"]);
        assert.match(described, /Warning +SplitRootMissing .*weft-controller/);
      });
      await t.step("a pod that has no sidecar has an Event, with the way out", async () => {
        await until("it is said", () => events("shop-5d4f-x"), ({ length }) => length > 0);
        const described = await api.kubectl(["describe", "pod", "shop-5d4f-x", "-n", "app"]);
        assert.match(
          described,
          /Warning +SidecarMissing .*weft-controller.*kubectl rollout restart -n app deployment shop/,
        );
      });
      await t.step(
        "an object without faults is not touched, nor one that was written",
        async () => {
          const { metadata: before } = await split();
          await create("later", "web");
          await create("other", "none");
          await until(
            "the last is said",
            () => conditionOf("other"),
            (found) => found !== undefined,
          );
          assert.equal((await split("later")).metadata.managedFields.length, 1);
          assert.equal((await split()).metadata.resourceVersion, before.resourceVersion);
          assert.equal(before.generation, 1);
        },
      );
      await t.step("what is mended is said to be well", async () => {
        await client.call("DELETE", `${SPLITS}/later`);
        await setRoot("web");
        const isWell = (found: Awaited<ReturnType<typeof conditionOf>>) => found?.status === "True";
        await until("it is well", conditionOf, isWell);
      });
      await t.step(
        "a leader that ends is followed by the other, which repeats nothing",
        async () => {
          assert.equal(await leaders(), "1,0");
          const before = await events();
          await first.stop();
          const leads = () => second.metric("weft_controller_leader");
          await until("the second leads", leads, (is) => is === 1);
          await setRoot("gone");
          await until("it is said", conditionOf, (found) => found?.status === "False");
          await until(
            "an Event for another root",
            events,
            (found) => found.filter((each) => each === "SplitRootMissing").length === 2,
          );
          await setRoot("none");
          await until("it is said", conditionOf, (found) => /none/.test(found?.message ?? ""));
          // The first leader's Event says the same.
          assert.equal((await events()).length, before.length + 1);
          assert.deepEqual(await events("shop-5d4f-x"), ["SidecarMissing"]);
        },
      );
      await t.step("a definition without status is left alone, and has its Events", async () => {
        const [crd] = [`crd/trafficsplits.split.smi-spec.io`];
        await api.kubectl([
          ...["patch", crd, "--type", "json", "-p"],
          JSON.stringify([0, 1, 2, 3].map((i) => ({
            op: "remove",
            path: `/spec/versions/${i}/subresources`,
          }))),
        ]);
        const isGone = () =>
          client.call("GET", `${SPLITS}/web/status`).then(() => false, () => true);
        await until("there is no status", isGone, (gone) => gone);
        const before = (await events()).length;
        await setRoot("somewhere");
        await until("an Event", events, (found) => found.length > before);
      });
    } finally {
      await Promise.all([first.stop(), second.stop()]);
      client.close();
      await api.stop();
    }
  },
});
