/** A proxy before two Deployments, each with a pod on loopback, as Flagger would have them. */
import { compile } from "../../routing/compile/compile.ts";
import type { Plan } from "../../routing/plan.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import type { Proxy, ProxyConfig } from "../../proxy/config.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";

/** Service `podinfo` of namespace `test`, split over the Services of two Deployments, each with one pod. */
export function podinfoPlan(pods: Readonly<Record<string, number>>, weights = [50, 50]): Plan {
  const service = (name: string) => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "test" },
    spec: { ports: [{ name: "http", port: 9898 }] },
  });
  const documents: unknown[] = [service("podinfo"), {
    apiVersion: "split.smi-spec.io/v1alpha2",
    kind: "TrafficSplit",
    metadata: { name: "podinfo", namespace: "test" },
    spec: {
      service: "podinfo",
      backends: Object.keys(pods).map((service, i) => ({ service, weight: weights[i] })),
    },
  }];
  for (const [name, port] of Object.entries(pods)) {
    documents.push(service(name), {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: `${name}-x`,
        namespace: "test",
        ownerReferences: [{ apiVersion: "apps/v1", kind: "Deployment", name, uid: "1" }],
      },
      spec: { containers: [{ name: "podinfo" }] },
      status: { podIP: "127.0.0.1" },
    }, {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      addressType: "IPv4",
      metadata: { name, namespace: "test", labels: { "kubernetes.io/service-name": name } },
      ports: [{ name: "http", port }],
      endpoints: [{
        addresses: ["127.0.0.1"],
        targetRef: { kind: "Pod", name: `${name}-x`, namespace: "test" },
      }],
    });
  }
  const text = documents.map((each) => JSON.stringify(each)).join("\n---\n");
  return compile(parseManifests([{ name: "podinfo.yaml", text }]).snapshot).plan;
}

export function startPodinfo(plan: Plan): Promise<Proxy> {
  return startProxy(configOf(), plan);
}

export function configOf(): ProxyConfig {
  return {
    driver: "auto",
    workers: 2,
    outbound: [{
      address: "127.0.0.1",
      port: 0,
      namespace: "test",
      identity: "test/loadtester",
      workload: "Deployment/loadtester",
      pod: 'load"tester\\0\n',
      seed: null,
    }],
    inbound: [],
    admin: { address: "127.0.0.1", port: 0 },
    timeouts: PATIENT_TIMEOUTS,
    bodyBytesMax: Infinity,
    reportRequests: false,
  };
}
