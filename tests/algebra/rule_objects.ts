/** Drawn rules, and Services behind them, as the objects of manifests. */
import type { MatchConditions } from "../../routing/plan.ts";

/** An item of an HTTPRouteGroup, which has no word for conditions of the query. */
export function matchItem(name: string, { path, methods, headers }: MatchConditions) {
  return {
    name,
    ...(path === null ? {} : { pathRegex: path }),
    methods: methods ?? ["*"],
    ...(headers.length === 0
      ? {}
      : { headers: headers.map(({ name, pattern }) => ({ [name]: pattern })) }),
  };
}

/** A Service at port 80 with one endpoint. */
export function serviceWithEndpoint(
  metadata: { readonly name: string; readonly namespace?: string },
  { address, port }: { readonly address: string; readonly port: number },
) {
  return [
    { apiVersion: "v1", kind: "Service", metadata, spec: { ports: [{ port: 80 }] } },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { ...metadata, labels: { "kubernetes.io/service-name": metadata.name } },
      addressType: "IPv4",
      ports: [{ port }],
      endpoints: [{ addresses: [address] }],
    },
  ];
}
