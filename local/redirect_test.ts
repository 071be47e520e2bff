// Tests of redirecting a plan's endpoints.
import assert from "node:assert/strict";
import { compile } from "../routing/compile/compile.ts";
import { decodePlan, encodePlan } from "../routing/plan_codec.ts";
import { parseManifests } from "../schemas/manifests.ts";
import { PodAddresses } from "./pod_addresses.ts";
import { localSnapshot } from "./manifests.ts";
import { endpointPorts, redirectEndpoints } from "./redirect.ts";

const TEXT = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec:
  selector: { app: web }
  ports: [{ name: http, port: 80, targetPort: 8080 }]
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
`;

function planOf(text: string) {
  const { snapshot } = parseManifests([{ name: "a.yaml", text }]);
  return compile(localSnapshot(snapshot, new PodAddresses())).plan;
}

Deno.test("redirectEndpoints: moves what has another place, and the plan is still a plan", () => {
  const plan = planOf(TEXT);
  const [first, second] = plan.groups["shop/web:80"];
  const moved = redirectEndpoints(
    plan,
    (address, port) =>
      address === first.address ? { address: "127.0.0.1", port: 9_000 } : { address, port },
  );
  assert.deepEqual(moved.groups["shop/web:80"], [
    // Traffic targets go on to name the port that the pod has in a cluster.
    { ...first, address: "127.0.0.1", port: 9_000, targetPort: 8_080 },
    second,
  ]);
  assert.notEqual(moved.hash, plan.hash);
  // The hash is checked on decoding.
  assert.equal(decodePlan(encodePlan(moved)).ok, true);
});

Deno.test("redirectEndpoints: a plan where nothing moves is the same plan", () => {
  const plan = planOf(TEXT);
  assert.equal(redirectEndpoints(plan, () => undefined), plan);
  assert.equal(redirectEndpoints(plan, (address, port) => ({ address, port })), plan);
});

Deno.test("endpointPorts: what Services send to, by address", () => {
  const ports = endpointPorts(planOf(TEXT));
  assert.equal(ports.size, 2);
  for (const numbers of ports.values()) assert.deepEqual([...numbers], [8080]);
});
