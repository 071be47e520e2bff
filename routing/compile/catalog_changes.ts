/** Takes a change of any list of a Snapshot into the catalog. */
import type { Snapshot } from "../../schemas/resources.ts";
import type { Catalog } from "./catalog.ts";
import type { ResourceChange } from "./indexes.ts";

/** Kinds of resources that a Snapshot has. */
export type ResourceKind = keyof Snapshot;
export type ResourceOf<Kind extends ResourceKind> = Snapshot[Kind][number];

export function changeCatalog<Kind extends ResourceKind>(
  catalog: Catalog,
  kind: Kind,
  change: ResourceChange<ResourceOf<Kind>>,
): void {
  CHANGES[kind](catalog, change as ResourceChange<never>);
}

const CHANGES: {
  readonly [Kind in ResourceKind]: (
    catalog: Catalog,
    change: ResourceChange<ResourceOf<Kind>>,
  ) => void;
} = {
  namespaces: (catalog, change) => catalog.namespaces.change(change),
  // Nothing depends on whether an account is there.
  serviceAccounts: () => {},
  services: (catalog, change) => catalog.changeService(change),
  endpointSlices: (catalog, change) => catalog.changeSlice(change),
  pods: (catalog, change) => catalog.changePod(change),
  workloads: (catalog, change) => catalog.changeWorkload(change),
  trafficSplits: (catalog, change) => catalog.splits.change(change),
  httpRouteGroups: (catalog, change) => catalog.groups.change(change),
  tcpRoutes: (catalog, change) => catalog.tcpRoutes.change(change),
  trafficTargets: (catalog, change) => catalog.targets.change(change),
  trafficPolicies: (catalog, change) => catalog.policies.change(change),
  egresses: (catalog, change) => catalog.egresses.change(change),
  ingressBackends: (catalog, change) => catalog.ingresses.change(change),
  gatewayRoutes: (catalog, change) => catalog.routes.change(change),
  referenceGrants: (catalog, change) => catalog.grants.change(change),
};
