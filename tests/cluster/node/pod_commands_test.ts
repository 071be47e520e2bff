/**
 * What a person asks the sidecar of a pod, on a real node: `weft proxy get`, `explain --pod`, `tap --pod`, through the API server, the
 * kubelet and the container runtime to a port on the pod's loopback.
 */
import assert from "node:assert/strict";
import { until } from "../../support/until.ts";
import { insist, NODE, OFF_NODE, runOnNode } from "./on_node.ts";

const MANIFESTS = `
apiVersion: v1
kind: Service
metadata: {name: server, namespace: asked}
spec: {selector: {app: server}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: server, namespace: asked, labels: {app: server}}
spec:
  containers:
  - name: pipy
    image: flomesh/pipy:latest
    command: [pipy, -e, "pipy().listen(8080).serveHTTP(new Message('Hi'))"]
---
apiVersion: v1
kind: Pod
metadata: {name: server-2, namespace: asked, labels: {app: server}}
spec:
  containers:
  - name: pipy
    image: flomesh/pipy:latest
    command: [pipy, -e, "pipy().listen(8080).serveHTTP(new Message('Hi'))"]
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: asked}
spec:
  containers: [{name: curl, image: curlimages/curl, command: [sleep, 365d]}]
---
apiVersion: v1
kind: Pod
metadata: {name: plain, namespace: asked, labels: {weft.dev/inject: "false"}}
spec:
  containers: [{name: curl, image: curlimages/curl, command: [sleep, 365d]}]
`;

const TARGET = `
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: all, namespace: asked}
spec: {matches: [{name: any, pathRegex: ".*", methods: ["*"]}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: all, namespace: asked}
spec:
  destination: {kind: ServiceAccount, name: default, namespace: asked}
  sources: [{kind: ServiceAccount, name: default, namespace: asked}]
  rules: [{kind: HTTPRouteGroup, name: all, matches: [any]}]
`;

const CALL = "kubectl exec -n asked client -c curl -- curl -s http://server.asked:8080/";

Deno.test({
  name: `a pod's sidecar is asked from outside${OFF_NODE}`,
  ignore: NODE === undefined,
  async fn(t) {
    await insist("weft install --image localhost/weft:test --timeout 120s");
    await insist("kubectl create namespace asked && weft namespace add asked");
    await insist("kubectl apply -f -", MANIFESTS);
    await insist("kubectl wait -n asked --for condition=Ready --timeout 100s pod --all");
    await until(
      "the server answers through the mesh",
      () => runOnNode(CALL),
      ({ stdout }) => stdout === "Hi",
    );
    await t.step("proxy get: what it holds", async () => {
      const get = (query: string) => insist(`weft proxy get ${query} client -n asked`);
      assert.match(
        await get("routes"),
        /asked\/server +8080 +http +- +everything else +asked\/server/,
      );
      assert.match(
        await get("clusters"),
        /asked\/server +8080 +- +asked\/server +100% +ready +2\n/,
      );
      assert.match(await get("endpoints"), /asked\/server:8080 +10\.244\.\S+:8080 +server/);
      assert.match(await get("stats"), /^weft_requests_total\{.*asked.* [1-9]/m);
      assert.equal(await get("ready"), "ready\n");
      assert.match(JSON.parse(await get("config")).hash, /^[0-9a-f]{64}$/);
      const [route] = JSON.parse(await get("routes -o json"));
      assert.equal(route["goes to"], "asked/server");
    });
    await t.step("explain --pod: where a request of it goes", async () => {
      const out = await insist("weft explain --pod asked/client GET http://server.asked:8080/");
      assert.match(out, /server/);
    });
    await t.step("tap --pod: requests as they end", async () => {
      const tapped = insist("weft tap --pod client -n asked --limit 1 -o json");
      let isOver = false;
      const over = tapped.finally(() => isOver = true);
      await until("a request is seen", () => runOnNode(CALL), () => isOver);
      assert.equal(JSON.parse(await tapped).status, 200);
      await over;
    });
    await t.step("tap --pod service/NAME: requests of all its pods, by pod", async () => {
      const tapped = insist("weft tap --pod service/server -n asked --limit 8 -o json");
      let isOver = false;
      const over = tapped.finally(() => isOver = true);
      await until("requests are seen", () => runOnNode(CALL), () => isOver);
      const lines = (await tapped).trim().split("\n").map((line) => JSON.parse(line));
      assert.equal(lines.length, 8);
      assert.deepEqual([...new Set(lines.map(({ sidecar }) => sidecar))].toSorted(), [
        "server",
        "server-2",
      ]);
      await over;
    });
    await t.step("a Service that has no pods, or is none, is said to", async () => {
      const none = await runOnNode("weft tap --pod deployment/server -n asked");
      assert.match(none.text, /There is no deployment asked\/server\n/);
      assert.notEqual(none.code, 0);
    });
    await t.step("check: all is well", async () => {
      const out = await insist("weft check");
      assert.match(out, /ok +A pod of namespace \S+ would get a sidecar\n/);
      assert.match(out, /ok +[1-9]\d* sidecars are connected, none behind\n/);
      assert.match(out, / 0 errors\n/);
    });
    await t.step("policy check-pods: what is in force at the called pod", async () => {
      const ask = () => runOnNode("weft policy check-pods asked/client asked/server");
      const allowed = await ask();
      assert.match(allowed.text, /Permissive mode is on.*\n.*is allowed to communicate/);
      assert.equal(allowed.code, 0);
      await insist("weft upgrade --timeout 120s --set enablePermissiveTrafficPolicy=false");
      const denied = await until("it is enforced", ask, ({ code }) => code === 1);
      assert.match(denied.text, /is not allowed to communicate to pod 'asked\/server', missing/);
      await insist("kubectl apply -f -", TARGET);
      const again = await until("the target is in force", ask, ({ code }) => code === 0);
      assert.match(again.text, /via the SMI TrafficTarget policy "all" in namespace asked/);
      await insist("weft upgrade --timeout 120s --reset-values --image localhost/weft:test");
    });
    await t.step("support bug-report: with what a sidecar holds", async () => {
      await insist(
        "cd $(mktemp -d) && weft support bug-report -o r.tar.gz --pod asked/client && " +
          "tar -xzf r.tar.gz && grep -q weft_requests_total pods/asked.client.metrics.txt && " +
          "grep -q clusterDomain pods/asked.client.plan.json && grep -q 'Proxy started' pods/asked.client.log && " +
          "grep -q 'Controller started' controllers/*.log && grep -q weft_controller_proxies controllers/*.metrics.txt",
      );
    });
    await t.step("what cannot be asked is said", async () => {
      const plain = await runOnNode("weft proxy get config plain -n asked");
      assert.match(plain.text, /Pod asked\/plain has no sidecar/);
      const missing = await runOnNode("weft proxy get config missing -n asked");
      assert.match(missing.text, /There is no pod asked\/missing/);
    });
  },
});
