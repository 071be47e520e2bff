/** The soak's Services and a plan that sends each to the endpoints it has just now. */
import assert from "node:assert/strict";
import { compile } from "../../routing/compile/compile.ts";
import type { Plan } from "../../routing/plan.ts";
import { parseManifests } from "../../schemas/manifests.ts";

/** Name and number of a Service's one port, which says what its endpoints speak. */
export const SERVICES = {
  app: { name: "http", port: 80 },
  two: { name: "http2", port: 80 },
  rpc: { name: "grpc", port: 80 },
  chat: { name: "http", port: 80 },
  db: { name: "tcp", port: 5432 },
} as const;
export type ServiceName = keyof typeof SERVICES;

export function soakPlanOf(endpoints: Readonly<Record<ServiceName, readonly number[]>>): Plan {
  const documents = Object.entries(SERVICES).flatMap(([service, { name, port }]) => [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: service, namespace: "default" },
      spec: { ports: [{ name, port }] },
    },
    ...endpoints[service as ServiceName].map((target, i) => ({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      addressType: "IPv4",
      metadata: {
        name: `${service}-${i}`,
        namespace: "default",
        labels: { "kubernetes.io/service-name": service },
      },
      ports: [{ name, port: target }],
      endpoints: [{ addresses: ["127.0.0.1"] }],
    })),
  ]);
  const text = documents.map((document) => JSON.stringify(document)).join("\n---\n");
  const { snapshot, findings } = parseManifests([{ name: "soak.yaml", text }]);
  assert.deepEqual(findings, []);
  return compile(snapshot).plan;
}
