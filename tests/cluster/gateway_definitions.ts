/** Definitions of the Gateway API as far as an API server needs them: what it checks is not what is tried here. */
import type { TestApiServer } from "./api_server.ts";

export const GATEWAY_GROUP_NAME = "gateway.networking.k8s.io";

const KINDS = [
  ["HTTPRoute", "httproutes", "v1"],
  ["GRPCRoute", "grpcroutes", "v1"],
  ["TCPRoute", "tcproutes", "v1alpha2"],
  ["ReferenceGrant", "referencegrants", "v1beta1"],
] as const;

/** Makes them, and waits until objects of the kinds can be made. */
export async function defineGatewayKinds(api: TestApiServer): Promise<void> {
  const objects = KINDS.map(([kind, plural, version]) => ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${plural}.${GATEWAY_GROUP_NAME}`,
      annotations: {
        "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api",
      },
    },
    spec: {
      group: GATEWAY_GROUP_NAME,
      scope: "Namespaced",
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [{
        name: version,
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        },
      }],
    },
  }));
  await api.apply(objects.map((each) => JSON.stringify(each)).join("\n---\n"));
  for (const [, plural] of KINDS) await api.established(`${plural}.${GATEWAY_GROUP_NAME}`);
}
