// Tests of what a cluster on this machine would look like.
import assert from "node:assert/strict";
import { compile } from "../routing/compile/compile.ts";
import { parseManifests } from "../schemas/manifests.ts";
import { loopbackAddress, PodAddresses } from "./pod_addresses.ts";
import { clientsOf, localPods, localSnapshot, withReadiness } from "./manifests.ts";

function snapshotOf(text: string) {
  const { snapshot, findings } = parseManifests([{ name: "a.yaml", text }]);
  assert.deepEqual(findings.filter(({ severity }) => severity === "error"), []);
  return localSnapshot(snapshot, new PodAddresses());
}

Deno.test("localSnapshot: addresses of a real cluster are left out", () => {
  const snapshot = snapshotOf(`
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: outside, namespace: shop }
spec: { ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Endpoints
metadata: { name: web, namespace: shop }
subsets: [{ addresses: [{ ip: 10.0.0.1 }], ports: [{ port: 80 }] }]
---
apiVersion: v1
kind: Endpoints
metadata: { name: outside, namespace: shop }
subsets: [{ addresses: [{ ip: 10.0.0.2 }], ports: [{ port: 80 }] }]
---
apiVersion: v1
kind: Pod
metadata: { name: web-0, namespace: shop, labels: { app: web } }
spec: { containers: [{ name: c, image: i }] }
status: { podIP: 10.0.0.1, podIPs: [{ ip: 10.0.0.1 }], conditions: [{ type: Ready, status: "False" }] }
`);
  const { groups } = compile(snapshot).plan;
  const addresses = (group: string) => groups[group].map(({ address }) => address);
  assert.deepEqual(addresses("shop/web:80"), [loopbackAddress("shop", "web-0")]);
  assert.deepEqual(addresses("shop/outside:80"), ["10.0.0.2"]);
});

Deno.test("localPods: container ports first, then what Services send to; UDP is none", () => {
  const snapshot = snapshotOf(`
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ name: a, port: 80, targetPort: http }, { name: b, port: 81 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
spec:
  containers:
    - name: c
      image: i
      ports: [{ name: http, containerPort: 8080 }, { containerPort: 53, protocol: UDP }]
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: shop }
spec: { containers: [{ name: c, image: i }] }
`);
  const pods = localPods(snapshot, compile(snapshot).plan);
  const ports = new Map(pods.map(({ name, ports }) => [name, ports]));
  assert.deepEqual(ports.get("web"), [8080, 81]);
  assert.deepEqual(ports.get("client"), []);
});

Deno.test("withReadiness: a pod that is not ready is no endpoint", () => {
  const snapshot = snapshotOf(`
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ port: 80 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: c, image: i }] }
`);
  const ready = loopbackAddress("shop", "web-1");
  const { groups } = compile(withReadiness(snapshot, (address) => address === ready)).plan;
  assert.deepEqual(groups["shop/web:80"].map(({ pod }) => pod), ["web-1"]);
});

Deno.test("clientsOf: sorted, and with namespaces that only resources name", () => {
  const snapshot = snapshotOf(`
apiVersion: v1
kind: Namespace
metadata: { name: web }
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: app }
spec: { containers: [{ name: c, image: i }] }
`);
  assert.deepEqual(clientsOf(snapshot).map(({ namespace }) => namespace), ["app", "web"]);
});

Deno.test("clientsOf: who calls is known where only one workload, or one pod, could", () => {
  const deployment = (name: string, namespace: string, replicas: number) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec: { containers: [{ name: c, image: i }] }
`;
  const pod = `
apiVersion: v1
kind: Pod
metadata: { name: alone, namespace: bare }
spec: { containers: [{ name: c, image: i }] }
`;
  const snapshot = snapshotOf(
    [
      deployment("curl", "one", 1),
      deployment("web", "many", 2),
      deployment("a", "mixed", 1),
      deployment("b", "mixed", 1),
      pod,
    ].join("---"),
  );
  const known = clientsOf(snapshot).map(({ namespace, workload, pod }) =>
    `${namespace}: ${workload} ${pod === "" ? "-" : "one pod"}`
  );
  assert.deepEqual(known, [
    "bare:  one pod",
    "many: Deployment/web -",
    "mixed:  -",
    "one: Deployment/curl one pod",
  ]);
});
