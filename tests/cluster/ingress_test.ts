/** IngressBackends on a real API server, in the groups of three meshes: they are accepted, and drive the plan of the account they open. */
import { deepEqual, match, rejects } from "node:assert/strict";
import { definitions } from "../../controller/install/definitions.ts";
import { until } from "../support/until.ts";
import { APP_NAMESPACE } from "./app_manifests.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";
import { LightProxy } from "./light_proxy.ts";
import { definePolicyKinds } from "./policy_definitions.ts";
import { TestController } from "./test_controller.ts";

const ACCOUNT = "app/web";

const SOURCE = "sources: [{kind: IPRange, name: 192.0.2.0/24}]";

const ingressOf = (group: string, name: string, more = SOURCE, protocol = "http") => `
apiVersion: ${group}/v1alpha1
kind: IngressBackend
metadata: {name: ${name}, namespace: app}
spec:
  backends: [{name: web, port: {number: 8080, protocol: ${protocol}}}]
  ${more}
`;

/** A Service, with a pod of the account behind it, which no kubelet runs. */
const APPLICATION = `
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: app}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: app}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: app, labels: {app: web}}
spec: {serviceAccountName: web, containers: [{name: main, image: none}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-a, namespace: app, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints:
  - addresses: [10.1.2.3]
    targetRef: {kind: Pod, name: web-0, namespace: app}
`;

Deno.test({
  name: "ingress: objects of three groups drive the plan of the account that they open",
  ignore: !HAS_API_SERVER,
  sanitizeResources: false,
  sanitizeOps: false,
  async fn(t) {
    const api = await TestApiServer.start();
    const controller = TestController.prepare(api);
    let proxy: LightProxy | null = null;
    const become = async (names: readonly string[]) => {
      const text = JSON.stringify(names);
      await until(text, () => JSON.stringify(proxy?.ingresses(ACCOUNT)), (now) => now === text);
    };
    try {
      await api.apply(definitions().map((each) => JSON.stringify(each)).join("\n---\n"));
      await api.established("ingressbackends.weft.dev");
      await definePolicyKinds(api);
      await api.apply(APP_NAMESPACE + APPLICATION);
      await controller.start();
      proxy = new LightProxy({
        ...{ addresses: [controller.address], port: controller.ports.stream, pod: "curl" },
        ...{ authorityFile: controller.authorityFile, hosts: [], identity: ACCOUNT },
      });
      await t.step("an object of each group counts, also where two have one name", async () => {
        await api.apply(ingressOf("weft.dev", "a"));
        await become(["a 8080 from 192.0.2.0/24"]);
        await api.apply(ingressOf("policy.flomesh.io", "a"));
        await api.apply(ingressOf("policy.openservicemesh.io", "b"));
        const three = ["a", "a", "b"].map((name) => `${name} 8080 from 192.0.2.0/24`);
        await become(three);
        await api.kubectl(["delete", "ingressbackends.weft.dev", "a", "-n", "app"]);
        await become(three.slice(1));
      });
      await t.step("the endpoints of a Service are followed", async () => {
        await api.kubectl(["delete", "ingressbackends.policy.flomesh.io", "a", "-n", "app"]);
        const source = "sources: [{kind: Service, name: web}]";
        await api.apply(ingressOf("policy.openservicemesh.io", "b", source));
        await become(["b 8080 from 10.1.2.3"]);
        const moved = APPLICATION.split("---").at(-1)?.replace("10.1.2.3", "10.1.2.4") ?? "";
        await api.apply(moved);
        await become(["b 8080 from 10.1.2.4"]);
      });
      await t.step("what the definition does not allow is refused", async () => {
        await rejects(api.apply(ingressOf("weft.dev", "bad", SOURCE, "tcp")), /Unsupported value/);
      });
      await t.step("what is wrong with one is said on it", async () => {
        await api.apply(ingressOf("weft.dev", "half", SOURCE, "https"));
        const path = "jsonpath={.status.conditions[0].message}";
        const said = await until(
          "it is said",
          () => api.answer(["get", "ingressbackends.weft.dev", "half", "-n", "app", "-o", path]),
          (text) => text !== "",
        );
        match(said, /Port 8080 \(https\) lets no one in/);
        await become(["b 8080 from 10.1.2.4"]);
        deepEqual(controller.log.filter((line) => /is forbidden/.test(line)), []);
      });
    } finally {
      proxy?.stop();
      await controller.stop();
      await api.stop();
    }
  },
});
