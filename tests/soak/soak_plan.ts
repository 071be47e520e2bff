/** The soak's Services, and a plan that sends each to the endpoints it has just now. */
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

/** Clients may use any. */
export const APP_HOSTS = ["app", "app.default", "app.default.svc", "app.default.svc.cluster.local"];

/** Another Service takes some of `app`'s requests. */
export interface SoakCanary {
  /** Of 100. */
  readonly weight: number;
  readonly endpoints: readonly number[];
}

/**
 * @param endpoints ports by Service; one that is left out is not in the mesh
 * @param canary null: `app` is not split
 */
export function soakPlanOf(
  endpoints: ReadonlyMap<ServiceName, readonly number[]>,
  canary: SoakCanary | null,
): Plan {
  const services: (readonly [string, typeof SERVICES[ServiceName], readonly number[]])[] = [
    ...Array.from(endpoints, ([name, ports]) => [name, SERVICES[name], ports] as const),
    ...(canary === null ? [] : [["app-canary", SERVICES.app, canary.endpoints] as const]),
  ];
  const split = (weight: number) => ({
    apiVersion: "split.smi-spec.io/v1alpha4",
    kind: "TrafficSplit",
    metadata: { name: "app", namespace: "default" },
    spec: {
      service: "app",
      backends: [{ service: "app", weight: 100 - weight }, { service: "app-canary", weight }],
    },
  });
  const documents: object[] = services.flatMap(([service, { name, port }, targets]) => [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: service, namespace: "default" },
      spec: { ports: [{ name, port }] },
    },
    ...targets.map((target, i) => ({
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
  if (canary !== null) documents.push(split(canary.weight));
  const text = documents.map((document) => JSON.stringify(document)).join("\n---\n");
  const { snapshot, findings } = parseManifests([{ name: "soak.yaml", text }]);
  assert.deepEqual(findings, []);
  return compile(snapshot).plan;
}
