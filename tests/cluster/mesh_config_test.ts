/** A MeshConfig that comes, changes, cannot be used and goes, on a real API server: at once, for new pods, and never a denial by its absence. */
import assert from "node:assert/strict";
import { webhooks } from "../../controller/install/webhooks.ts";
import { readValues } from "../../controller/install/values.ts";
import { definitions } from "../../controller/install/definitions.ts";
import { until } from "../support/until.ts";
import { APP_NAMESPACE, serviceManifest } from "./app_manifests.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";
import { LightProxy } from "./light_proxy.ts";
import { TestController } from "./test_controller.ts";

const MESH = APP_NAMESPACE + serviceManifest("web");

const POD = `
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: app}
spec: {serviceAccountName: default, containers: [{name: web, image: web}]}
`;

const NEW_PORT = JSON.stringify({ spec: { ports: [{ name: "more", port: 81 }] } });

/** @param spec in YAML's flow style */
const configOf = (spec: string) => `
apiVersion: weft.dev/v1alpha1
kind: MeshConfig
metadata: {name: weft-mesh-config, namespace: default}
spec: ${spec}
`;

Deno.test({
  name: "mesh config: at once, for new pods, and gone",
  ignore: !HAS_API_SERVER,
  sanitizeResources: false,
  sanitizeOps: false,
  async fn(t) {
    const api = await TestApiServer.start();
    const client = api.client();
    const controller = TestController.prepare(api);
    let proxy: LightProxy | null = null;
    const isPermissive = () => proxy?.permissive;
    const becomes = (value: boolean) =>
      until(`permissive: ${value}`, isPermissive, (found) => found === value);
    /** Of a pod that would be made now. */
    const sidecar = async () => {
      const text = await api.kubectl(["create", "--dry-run=server", "-o", "json", "-f", "-"], POD);
      const { initContainers = [], containers } = JSON.parse(text).spec;
      return JSON.stringify([initContainers, containers]);
    };
    const status = async () => {
      const path = "/apis/weft.dev/v1alpha1/namespaces/default/meshconfigs/weft-mesh-config";
      const { status } = await client.call("GET", path) as {
        status?: { conditions: { status: string; message: string }[] };
      };
      return status?.conditions[0];
    };
    try {
      await api.apply(definitions().map((each) => JSON.stringify(each)).join("\n---\n"));
      await api.established("meshconfigs.weft.dev");
      await api.apply(MESH);
      for (const object of webhooks(readValues({}), controller.keys)) {
        await api.apply(JSON.stringify(controller.atAddress(object)));
      }
      await controller.start();
      proxy = new LightProxy({
        ...{ addresses: [controller.address], port: controller.ports.stream, pod: "p" },
        ...{ authorityFile: controller.authorityFile, hosts: ["web.app"] },
      });
      await t.step("without one, what was installed", async () => {
        await becomes(true);
        await until("pods are injected", sidecar, (text) => text.includes("weft:"));
      });
      await t.step("enforcement acts at once, settings of sidecars on new pods", async () => {
        const sidecarOf = "{image: registry.test/weft:9, resources: {limits: {memory: 1Gi}}}";
        await api.apply(configOf(
          `{traffic: {enablePermissiveTrafficPolicyMode: false}, sidecar: ${sidecarOf}}`,
        ));
        await becomes(false);
        const text = await until("a new image", sidecar, (made) => made.includes("weft:9"));
        assert.match(text, /"memory":"1Gi"/);
      });
      await t.step(
        "a value that cannot be used leaves the last good one, and is said",
        async () => {
          await api.apply(configOf("{sidecar: {image: '', resources: {limits: {memory: much}}}}"));
          await becomes(true);
          const said = await until("it is said", status, (found) => found?.status === "False");
          assert.match(said?.message ?? "", /spec\.sidecar\.image: image cannot be ""/);
          assert.match(await sidecar(), /registry\.test\/weft:9/);
          const logged = controller.log.filter((line) => /image cannot be/.test(line));
          assert.equal(logged.length, 1, "its own word on the object is no news");
        },
      );
      await t.step("mended, it is well", async () => {
        await api.apply(configOf("{traffic: {enablePermissiveTrafficPolicyMode: false}}"));
        await becomes(false);
        await until("it is well", status, (found) => found?.status === "True");
      });
      await t.step("spans of new pods, and the controller's own log", async () => {
        const tracing = "{endpoint: 'http://collector.test:4318', sampledFraction: 0.5}";
        await api.apply(configOf(
          `{traffic: {enablePermissiveTrafficPolicyMode: false}, observability: {controllerLogLevel: debug, tracing: ${tracing}}}`,
        ));
        const text = await until("a collector", sidecar, (made) => /collector\.test/.test(made));
        assert.match(text, /"--trace-sample=0\.5"/);
        const compiles = () => controller.log.filter((line) => /"Compiled"/.test(line)).length;
        await api.kubectl(["patch", "service", "web", "-n", "app", "-p", NEW_PORT]);
        await until("it logs what it compiles", compiles, (found) => found > 0);
      });
      await t.step("a controller that starts reads it before any proxy is told", async () => {
        await controller.stop();
        await controller.start();
        await until(
          "it is connected",
          () => controller.metric("weft_controller_proxies"),
          (is) => is === 1,
        );
        assert.equal(proxy?.permissive, false);
      });
      await t.step("gone, all is as it was installed", async () => {
        await api.kubectl(["delete", "meshconfig", "weft-mesh-config"]);
        await becomes(true);
        assert.doesNotMatch(await sidecar(), /weft:9/);
      });
    } finally {
      proxy?.stop();
      await controller.stop();
      client.close();
      await api.stop();
    }
  },
});
