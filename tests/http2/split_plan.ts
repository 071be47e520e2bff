/** A plan that splits host `app` 75 to 25 over two endpoints that speak HTTP/2. */
import assert from "node:assert/strict";
import { compile } from "../../routing/compile/compile.ts";
import type { Plan } from "../../routing/plan.ts";
import { parseManifests } from "../../schemas/manifests.ts";

export function splitPlan(stable: number, canary: number): Plan {
  const documents: object[] = [{
    apiVersion: "split.smi-spec.io/v1alpha4",
    kind: "TrafficSplit",
    metadata: { name: "app", namespace: "default" },
    spec: {
      service: "app",
      backends: [{ service: "app-stable", weight: 75 }, { service: "app-canary", weight: 25 }],
    },
  }];
  const services = [["app", stable], ["app-stable", stable], ["app-canary", canary]] as const;
  for (const [name, port] of services) {
    documents.push({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace: "default" },
      spec: { ports: [{ name: "grpc", port: 80 }] },
    }, {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      addressType: "IPv4",
      metadata: {
        name,
        namespace: "default",
        labels: { "kubernetes.io/service-name": name },
      },
      ports: [{ name: "grpc", port }],
      endpoints: [{ addresses: ["127.0.0.1"] }],
    });
  }
  const text = documents.map((document) => JSON.stringify(document)).join("\n---\n");
  const { snapshot, findings } = parseManifests([{ name: "split.yaml", text }]);
  assert.deepEqual(findings, []);
  return compile(snapshot).plan;
}
