/**
 * The one list of kinds that Weft reads: group, versions, scope, and which reader fills which list of the
 * Snapshot. A new kind is a row here, a reader, and a list in `resources.ts`.
 */
import { readEndpoints, readEndpointSlice } from "./core/endpoints.ts";
import { definitionOf } from "./crds/definitions.ts";
import { readReferenceGrant } from "./gateway/reference_grant.ts";
import { readGatewayRoute } from "./gateway/route.ts";
import { GATEWAY_GROUP } from "./gateway/shapes.ts";
import { readPod } from "./core/pod.ts";
import { readService } from "./core/service.ts";
import { makesPods, readOtherWorkload, readWorkload } from "./core/workload.ts";
import type { SourceObject } from "./object.ts";
import type { Snapshot } from "./resources.ts";
import { readHttpRouteGroup } from "./smi/http_route_group.ts";
import { readTcpRoute } from "./smi/tcp_route.ts";
import { readTrafficSplit } from "./smi/traffic_split.ts";
import { readTrafficTarget } from "./smi/traffic_target.ts";
import { readEgress } from "./weft/egress.ts";
import { readIngressBackend } from "./weft/ingress_backend.ts";
import { readTrafficPolicy } from "./weft/traffic_policy.ts";

/** A Snapshot in the making. */
export type SnapshotLists = { [List in keyof Snapshot]: Snapshot[List][number][] };

export interface Kind {
  readonly kind: string;
  /** Empty for the core group. */
  readonly group: string;
  readonly versions: readonly string[];
  readonly isNamespaced: boolean;
  /** It is checked by a schema: SMI's kinds and our own by that of the CRDs we ship. */
  readonly hasSchema: boolean;
  /** Its definition is Weft's to install. */
  readonly isShipped: boolean;
  /** That definition is what it is checked by, also where others have one of their own. */
  readonly isDefined: boolean;
  /** Others name it, so that it stays known by name where it does not count. */
  readonly canBeRefused: boolean;
  /** Reads one object and adds what it makes to the lists. */
  readInto(object: SourceObject, lists: SnapshotLists): void;
}

type Resource<List extends keyof Snapshot> = Snapshot[List][number];

function row<List extends keyof Snapshot>(
  identity: { kind: string; group: string; versions: readonly string[]; isNamespaced?: boolean },
  list: List,
  read: (object: SourceObject) => Resource<List> | readonly Resource<List>[] | undefined,
): Kind {
  const isShipped = identity.group.endsWith(".smi-spec.io") || identity.group === WEFT;
  const isDefined = isShipped || POLICY_GROUPS.includes(identity.group);
  const hasSchema = isDefined || identity.group === GATEWAY_GROUP;
  return {
    isNamespaced: true,
    hasSchema,
    isShipped,
    isDefined,
    canBeRefused: hasSchema || list === "services",
    ...identity,
    readInto(object, lists) {
      const resources: Resource<List>[] = lists[list];
      const made = read(object);
      if (isList(made)) resources.push(...made);
      else if (made !== undefined) resources.push(made);
    },
  };
}

function isList<Item>(made: Item | readonly Item[] | undefined): made is readonly Item[] {
  return Array.isArray(made);
}

const V1 = ["v1"];
const SPLIT = "split.smi-spec.io";
const SPECS = "specs.smi-spec.io";
const ACCESS = "access.smi-spec.io";
const WEFT = "weft.dev";
/** Of FSM and of OSM, which have some kinds that are ours too. */
const POLICY_GROUPS = ["policy.flomesh.io", "policy.openservicemesh.io"];
const UP_TO_3 = ["v1alpha1", "v1alpha2", "v1alpha3"];
const UP_TO_4 = [...UP_TO_3, "v1alpha4"];

const onlyMeta = ({ meta }: SourceObject) => ({ meta });

export const KINDS: readonly Kind[] = [
  row({ kind: "Namespace", group: "", versions: V1, isNamespaced: false }, "namespaces", onlyMeta),
  row({ kind: "ServiceAccount", group: "", versions: V1 }, "serviceAccounts", onlyMeta),
  row({ kind: "Service", group: "", versions: V1 }, "services", readService),
  row({ kind: "Endpoints", group: "", versions: V1 }, "endpointSlices", readEndpoints),
  row(
    { kind: "EndpointSlice", group: "discovery.k8s.io", versions: V1 },
    "endpointSlices",
    readEndpointSlice,
  ),
  row({ kind: "Pod", group: "", versions: V1 }, "pods", readPod),
  ...["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"].map((kind) =>
    row({ kind, group: "apps", versions: V1 }, "workloads", readWorkload)
  ),
  row({ kind: "ReplicationController", group: "", versions: V1 }, "workloads", readWorkload),
  row({ kind: "Job", group: "batch", versions: V1 }, "workloads", readWorkload),
  row({ kind: "CronJob", group: "batch", versions: V1 }, "workloads", readWorkload),
  row(
    { kind: "TrafficSplit", group: SPLIT, versions: UP_TO_4 },
    "trafficSplits",
    readTrafficSplit,
  ),
  row(
    { kind: "HTTPRouteGroup", group: SPECS, versions: UP_TO_4 },
    "httpRouteGroups",
    readHttpRouteGroup,
  ),
  row({ kind: "TCPRoute", group: SPECS, versions: UP_TO_4 }, "tcpRoutes", readTcpRoute),
  row(
    { kind: "TrafficTarget", group: ACCESS, versions: UP_TO_3 },
    "trafficTargets",
    readTrafficTarget,
  ),
  row(
    { kind: "TrafficPolicy", group: WEFT, versions: ["v1alpha1"] },
    "trafficPolicies",
    readTrafficPolicy,
  ),
  ...[WEFT, ...POLICY_GROUPS].map((group) =>
    row({ kind: "Egress", group, versions: ["v1alpha1"] }, "egresses", readEgress)
  ),
  ...[WEFT, ...POLICY_GROUPS].map((group) =>
    row(
      { kind: "IngressBackend", group, versions: ["v1alpha1"] },
      "ingressBackends",
      readIngressBackend,
    )
  ),
  ...["HTTPRoute", "GRPCRoute"].map((kind) =>
    row(
      { kind, group: GATEWAY_GROUP, versions: ["v1beta1", "v1"] },
      "gatewayRoutes",
      readGatewayRoute,
    )
  ),
  row(
    { kind: "TCPRoute", group: GATEWAY_GROUP, versions: ["v1alpha2", "v1"] },
    "gatewayRoutes",
    readGatewayRoute,
  ),
  row(
    { kind: "ReferenceGrant", group: GATEWAY_GROUP, versions: ["v1alpha2", "v1beta1", "v1"] },
    "referenceGrants",
    readReferenceGrant,
  ),
  // Settings of a mesh are for its controllers, and no resource of a Snapshot.
  ...["MeshConfig", "MeshRootCertificate"].map((kind): Kind => ({
    ...{ kind, group: WEFT, versions: ["v1alpha1"] },
    ...{ isNamespaced: true, hasSchema: true, canBeRefused: false },
    ...{ isShipped: true, isDefined: true },
    readInto() {},
  })),
];

/** The row for an object of another kind that makes pods, as an Argo Rollout does; undefined if it makes none. */
export function otherWorkload(
  value: unknown,
  identity: { readonly kind: string; readonly group: string; readonly version: string },
): Kind | undefined {
  if (!makesPods(value)) return undefined;
  const { kind, group, version } = identity;
  return row({ kind, group, versions: [version] }, "workloads", readOtherWorkload);
}

/** A Snapshot without anything in it. */
export function emptyLists(): SnapshotLists {
  return {
    namespaces: [],
    serviceAccounts: [],
    services: [],
    endpointSlices: [],
    pods: [],
    workloads: [],
    trafficSplits: [],
    httpRouteGroups: [],
    tcpRoutes: [],
    trafficTargets: [],
    trafficPolicies: [],
    egresses: [],
    ingressBackends: [],
    gatewayRoutes: [],
    referenceGrants: [],
  };
}

/** What the API server calls objects of a custom kind in its paths; undefined: it is Kubernetes' own. */
export function pluralOf({ kind, hasSchema, isDefined }: Kind): string | undefined {
  if (isDefined) return definitionOf(kind)?.spec.names.plural;
  return hasSchema ? `${kind.toLowerCase()}s` : undefined;
}

/** Kinds whose name another group has too, by the name: those groups. */
const OTHER_GROUPS = new Map<string, readonly string[]>([
  ["TCPRoute", [GATEWAY_GROUP]],
  ["Egress", POLICY_GROUPS],
  ["IngressBackend", POLICY_GROUPS],
]);

/** A kind as a name that no other kind has: there is a TCPRoute in two groups. */
export function kindKey(kind: string, apiVersion: string): string {
  const group = OTHER_GROUPS.get(kind)?.find((each) => apiVersion.split("/")[0] === each);
  return group === undefined ? kind : `${kind}.${group}`;
}

/** All that `kindKey` may call a kind of this name. */
export function kindKeys(kind: string): readonly string[] {
  return [kind, ...(OTHER_GROUPS.get(kind) ?? []).map((group) => `${kind}.${group}`)];
}
