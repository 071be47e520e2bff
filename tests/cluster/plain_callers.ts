/** Who calls in plain, by the API server's own pods: sidecars have only addresses. */
import { deepEqual } from "node:assert/strict";
import { plainCallers } from "../../cli/status/plain.ts";
import { KubeClient } from "../../controller/kube/client.ts";
import { kubeconfigAccess } from "../../controller/kube/kubeconfig.ts";
import type { TestApiServer } from "./api_server.ts";

/** By pod: what its sidecar counts. */
const METRICS: Readonly<Record<string, string>> = {
  "web-5d4f-a": `# TYPE weft_inbound_plaintext_total counter
weft_inbound_plaintext_total{source="10.9.0.7",outcome="accepted"} 3
weft_inbound_plaintext_total{source="10.9.0.7",outcome="refused"} 1
weft_inbound_plaintext_total{source="10.9.0.1",outcome="accepted"} 2
weft_inbound_denied_total{source="10.9.0.7",destination="shop/cart",reason="mtls-required"} 1
`,
  "web-5d4f-b": `weft_inbound_plaintext_total{source="10.9.0.7",outcome="accepted"} 4
weft_inbound_plaintext_total{source="10.9.0.99",outcome="accepted"} 1
`,
};

class Cluster extends KubeClient {
  override async text(...given: Parameters<KubeClient["text"]>): Promise<string> {
    const [, path] = given;
    const [, name] = /\/pods\/http:([^:]+):15010\/proxy\/metrics$/.exec(path) ?? [];
    return name === undefined ? await super.text(...given) : METRICS[name];
  }
}

const owner = {
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  name: "web-5d4f",
  uid: "u",
  controller: true,
};
const sidecar = { name: "weft-proxy", image: "none" };

function podOf(namespace: string, name: string, spec: object, metadata: object = {}): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, ...metadata },
    spec: { containers: [{ name: "c", image: "none" }], ...spec },
  };
}

const OWNED = { labels: { "pod-template-hash": "5d4f" }, ownerReferences: [owner] };
const PODS = [
  [podOf("shop", "web-5d4f-a", { containers: [sidecar] }, OWNED), "10.9.0.3"],
  [podOf("shop", "web-5d4f-b", { containers: [sidecar] }, OWNED), "10.9.0.4"],
  [podOf("default", "outsider", {}), "10.9.0.7"],
  [podOf("default", "agent", { hostNetwork: true, nodeName: "first" }), "10.9.0.1"],
] as const;

export async function namePlainCallers(api: TestApiServer): Promise<void> {
  await api.apply(PODS.map(([pod]) => JSON.stringify(pod)).join("\n---\n"));
  for (const [pod, podIP] of PODS) {
    const { metadata: { name, namespace } } = pod as { metadata: Record<string, string> };
    const status = JSON.stringify({ status: { phase: "Running", podIP, podIPs: [{ ip: podIP }] } });
    await api.kubectl(
      ["patch", "pod", name, "-n", namespace, "--subresource", "status", "-p", status],
    );
  }
  const client = new Cluster(kubeconfigAccess({ files: [api.kubeconfig] }));
  try {
    const { callers, silent } = await plainCallers(client, "shop");
    const called = "shop/Deployment/web";
    const line = { called, hasSidecar: false };
    deepEqual(silent, 0);
    deepEqual(callers, [
      { ...line, address: "10.9.0.7", accepted: 7, refused: 1, caller: "default/Pod/outsider" },
      { ...line, address: "10.9.0.1", accepted: 2, refused: 0, caller: "node/first" },
      { ...line, address: "10.9.0.99", accepted: 1, refused: 0, caller: null },
    ]);
  } finally {
    client.close();
  }
}
