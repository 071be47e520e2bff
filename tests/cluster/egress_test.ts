/** Egresses on a real API server, in the groups of three meshes: they are accepted, drive the plan, and what is wrong with one is said on it. */
import { deepEqual, match, rejects } from "node:assert/strict";
import { definitions } from "../../controller/install/definitions.ts";
import { until } from "../support/until.ts";
import { APP_NAMESPACE } from "./app_manifests.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";
import { LightProxy } from "./light_proxy.ts";
import { definePolicyKinds } from "./policy_definitions.ts";
import { TestController } from "./test_controller.ts";

const CALLER = "app/curl";

const configOf = (enableEgress: boolean) => `
---
apiVersion: weft.dev/v1alpha1
kind: MeshConfig
metadata: {name: weft-mesh-config, namespace: default}
spec: {traffic: {enableEgress: ${enableEgress}}}
`;

const egressOf = (group: string, name: string, spec = "ports: [{number: 80, protocol: http}]") => `
apiVersion: ${group}/v1alpha1
kind: Egress
metadata: {name: ${name}, namespace: app}
spec:
  sources: [{kind: ServiceAccount, name: curl, namespace: app}]
  hosts: [api.example.com]
  ${spec}
`;

Deno.test({
  name: "egress: objects of three groups drive the plan of their caller",
  ignore: !HAS_API_SERVER,
  sanitizeResources: false,
  sanitizeOps: false,
  async fn(t) {
    const api = await TestApiServer.start();
    const controller = TestController.prepare(api);
    let proxy: LightProxy | null = null;
    const become = async (names: readonly string[] | null) => {
      const text = JSON.stringify(names);
      await until(text, () => JSON.stringify(proxy?.egresses(CALLER)), (now) => now === text);
    };
    try {
      await api.apply(definitions().map((each) => JSON.stringify(each)).join("\n---\n"));
      await api.established("meshconfigs.weft.dev");
      await api.established("egresses.weft.dev");
      await definePolicyKinds(api);
      await api.apply(APP_NAMESPACE + configOf(false));
      await controller.start();
      proxy = new LightProxy({
        ...{ addresses: [controller.address], port: controller.ports.stream, pod: "curl" },
        ...{ authorityFile: controller.authorityFile, hosts: [], identity: CALLER },
      });
      await t.step("without egress, and without an object, nothing is allowed", async () => {
        await become([]);
      });
      await t.step("an object of each group counts, also where two have one name", async () => {
        await api.apply(egressOf("weft.dev", "a"));
        await become(["a"]);
        await api.apply(egressOf("policy.flomesh.io", "a"));
        await api.apply(egressOf("policy.openservicemesh.io", "b"));
        await become(["a", "a", "b"]);
        await api.kubectl(["delete", "egresses.weft.dev", "a", "-n", "app"]);
        await become(["a", "b"]);
      });
      await t.step("what the definition does not allow is refused", async () => {
        const bad = egressOf("weft.dev", "bad", "ports: [{number: 80, protocol: udp}]");
        await rejects(api.apply(bad), /Unsupported value/);
      });
      await t.step("what is wrong with one is said on it", async () => {
        const spec = "ports: [{number: 80, protocol: http}, {number: 22, protocol: tcp}]";
        await api.apply(egressOf("weft.dev", "half", spec));
        await become(["a", "b", "half"]);
        const path = "jsonpath={.status.conditions[0].message}";
        const said = await until(
          "it is said",
          () => api.answer(["get", "egresses.weft.dev", "half", "-n", "app", "-o", path]),
          (text) => text !== "",
        );
        match(said, /Port 22 \(tcp\) allows nothing/);
      });
      await t.step("with egress on again the plan says so", async () => {
        await api.apply(configOf(true));
        await become(null);
        deepEqual(controller.log.filter((line) => /is forbidden/.test(line)), []);
      });
    } finally {
      proxy?.stop();
      await controller.stop();
      await api.stop();
    }
  },
});
