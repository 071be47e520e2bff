/** What the controller may do, each rule for what asks for it, and what users of the mesh may. */

import { KEY_SECRETS } from "../identity/root_certificate.ts";

/** A rule of a ClusterRole. */
interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  /** Left out: all of them. */
  readonly resourceNames?: readonly string[];
}

/** A rule of the controller's, with what cannot be done without it. */
interface OwnRule extends Rule {
  readonly why: string;
}

const WATCH = ["get", "list", "watch"];

/** The kinds of SMI and of Weft. */
export const MESH_KINDS: readonly Omit<Rule, "verbs">[] = [
  { apiGroups: ["split.smi-spec.io"], resources: ["trafficsplits"] },
  { apiGroups: ["specs.smi-spec.io"], resources: ["httproutegroups", "tcproutes"] },
  { apiGroups: ["access.smi-spec.io"], resources: ["traffictargets"] },
  { apiGroups: ["weft.dev"], resources: ["trafficpolicies", "ingressbackends", "meshconfigs"] },
];

/** What may leave a mesh without egress: not for all who may write routes. */
const EGRESSES = { apiGroups: ["weft.dev"], resources: ["egresses"] };

/** Kinds of FSM and of OSM, whose definitions are theirs to install. */
const POLICIES = {
  apiGroups: ["policy.flomesh.io", "policy.openservicemesh.io"],
  resources: ["egresses", "ingressbackends"],
};

/** Kinds of the Gateway API, whose definitions are others' to install. */
const GATEWAY_API = "gateway.networking.k8s.io";
const GATEWAY_ROUTES = ["httproutes", "grpcroutes", "tcproutes"];

/** Whom proxies trust: not for all who may write routes. */
const ROOTS = { apiGroups: ["weft.dev"], resources: ["meshrootcertificates"] };

/** Those whose definitions have a status. */
const WITH_STATUS: readonly Omit<Rule, "verbs">[] = [
  { apiGroups: ["split.smi-spec.io"], resources: ["trafficsplits/status"] },
  {
    apiGroups: ["weft.dev"],
    resources: [
      ...["trafficpolicies/status", "egresses/status", "ingressbackends/status"],
      ...["meshconfigs/status", "meshrootcertificates/status"],
    ],
  },
];

/** `controller/cluster_watch.ts` lists and watches; the stream asks about tokens. */
export const CONTROLLER_RULES: readonly OwnRule[] = [
  {
    apiGroups: [""],
    resources: ["namespaces"],
    verbs: ["list", "watch"],
    why: "which are in the mesh",
  },
  {
    apiGroups: [""],
    resources: ["services"],
    verbs: ["list", "watch"],
    why: "routes",
  },
  {
    apiGroups: [""],
    resources: ["pods"],
    verbs: ["list", "watch"],
    why: "identity and workload of endpoints",
  },
  {
    apiGroups: [""],
    resources: ["nodes"],
    verbs: ["list"],
    why: "whether every kubelet knows native sidecars",
  },
  {
    apiGroups: ["discovery.k8s.io"],
    resources: ["endpointslices"],
    verbs: ["list", "watch"],
    why: "endpoints",
  },
  {
    apiGroups: ["apiextensions.k8s.io"],
    resources: ["customresourcedefinitions"],
    verbs: WATCH,
    why: "which kinds there are, in which versions",
  },
  ...MESH_KINDS.map((kind) => ({ ...kind, verbs: ["list", "watch"], why: "rules" })),
  {
    apiGroups: [GATEWAY_API],
    resources: [...GATEWAY_ROUTES, "referencegrants"],
    verbs: ["list", "watch"],
    why: "rules, where the cluster has the Gateway API",
  },
  { ...EGRESSES, verbs: ["list", "watch"], why: "what may leave the mesh" },
  {
    ...POLICIES,
    verbs: ["list", "watch"],
    why: "what may leave and enter the mesh, where the cluster has the kinds of FSM or OSM",
  },
  { ...ROOTS, verbs: ["list", "watch"], why: "whom proxies trust, and who signs for them" },
  {
    apiGroups: ["authentication.k8s.io"],
    resources: ["tokenreviews"],
    verbs: ["create"],
    why: "whose sidecar connects",
  },
  ...WITH_STATUS.map((kind) => ({
    ...kind,
    verbs: ["patch"],
    why: "a condition that says what is wrong with an object",
  })),
  {
    apiGroups: [GATEWAY_API],
    resources: GATEWAY_ROUTES.map((name) => `${name}/status`),
    verbs: ["patch"],
    why: "whether a route of the Gateway API is accepted",
  },
  {
    apiGroups: [""],
    resources: ["events"],
    verbs: ["create"],
    why: "what is wrong with an object, as Events",
  },
  {
    apiGroups: ["split.smi-spec.io"],
    resources: ["trafficsplits"],
    verbs: ["get"],
    why: "the generation that a rollout is asked about",
  },
];

/** In their own namespace. */
export const NAMESPACE_RULES: readonly OwnRule[] = [
  {
    apiGroups: ["coordination.k8s.io"],
    resources: ["leases"],
    verbs: ["create", "get", "update"],
    why: "which controller writes conditions and Events",
  },
  {
    apiGroups: [""],
    resources: ["secrets"],
    verbs: ["get"],
    resourceNames: KEY_SECRETS,
    why: "the key that signs certificates of proxies",
  },
  {
    apiGroups: [""],
    resources: ["secrets"],
    verbs: ["create"],
    why: "the first authority of a mesh, where it has none",
  },
  {
    apiGroups: ["cert-manager.io"],
    resources: ["certificaterequests"],
    verbs: ["create", "get", "delete"],
    why: "certificates of proxies, where cert-manager signs",
  },
  { ...ROOTS, verbs: ["create"], why: "the first authority of a mesh, where it has none" },
];

export const READER_RULES: readonly Rule[] = [...MESH_KINDS, EGRESSES, ROOTS]
  .map((kind) => ({ ...kind, verbs: WATCH }));

export const WRITER_RULES: readonly Rule[] = MESH_KINDS.map((kind) => ({
  ...kind,
  verbs: ["create", "update", "patch", "delete", "deletecollection"],
}));

/** As a ClusterRole has them. */
export function rulesOf(rules: readonly Rule[]): Rule[] {
  return rules.map(({ apiGroups, resources, verbs, resourceNames }) => ({
    ...{ apiGroups, resources, verbs },
    ...(resourceNames === undefined ? {} : { resourceNames }),
  }));
}
