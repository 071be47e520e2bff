/** What the controller may do, each rule for what asks for it, and what users of the mesh may. */

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const WATCH = ["get", "list", "watch"];

/** The kinds of SMI and of Weft. */
export const MESH_KINDS: readonly Omit<Rule, "verbs">[] = [
  { apiGroups: ["split.smi-spec.io"], resources: ["trafficsplits"] },
  { apiGroups: ["specs.smi-spec.io"], resources: ["httproutegroups", "tcproutes"] },
  { apiGroups: ["access.smi-spec.io"], resources: ["traffictargets"] },
  { apiGroups: ["weft.dev"], resources: ["trafficpolicies"] },
];

/** `controller/cluster_watch.ts` lists and watches; the stream asks about tokens. It writes nothing. */
export const CONTROLLER_RULES: readonly Rule[] = [
  {
    apiGroups: [""],
    resources: ["namespaces", "services", "pods", "nodes"],
    verbs: ["list", "watch"],
  },
  { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] },
  {
    apiGroups: ["apiextensions.k8s.io"],
    resources: ["customresourcedefinitions"],
    verbs: WATCH,
  },
  ...MESH_KINDS.map((kind) => ({ ...kind, verbs: ["list", "watch"] })),
  { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
];

export const READER_RULES: readonly Rule[] = MESH_KINDS.map((kind) => ({ ...kind, verbs: WATCH }));

export const WRITER_RULES: readonly Rule[] = MESH_KINDS.map((kind) => ({
  ...kind,
  verbs: ["create", "update", "patch", "delete", "deletecollection"],
}));
