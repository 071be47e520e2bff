/**
 * What is true of kinds that Weft does not read: whether they have a say in where requests go, and what to write or to pipe in
 * their place. By API group and kind; knows no fields.
 */

const NO_SAY = "Nothing to do: it has no say in where requests go";
const NOT_READ = "Nothing of it takes effect";

/** The hint for an object. */
export function hintForOther(group: string, kind: string): string {
  return knownOther(group, kind) ??
    `${NOT_READ}: if it makes pods or routes requests, give Weft what it makes of them`;
}

/** The same where the kind is one of those that are met beside a mesh. */
export function knownOther(group: string, kind: string): string | undefined {
  for (const { groups, kinds, hint } of OTHERS) {
    if (!groups.test(group)) continue;
    const own = Object.getOwnPropertyDescriptor(kinds ?? {}, kind)?.value;
    if (own ?? hint) return own ?? hint;
  }
  return undefined;
}

interface OtherKinds {
  readonly groups: RegExp;
  /** Of kinds by name. */
  readonly kinds?: Readonly<Record<string, string>>;
  /** Of all others of the group. */
  readonly hint?: string;
}

const SPLIT = "a TrafficSplit, with an HTTPRouteGroup for its matches";
const PIPE_KUSTOMIZE = "To count what it makes: kustomize build DIRECTORY | weft dry-run -f -";
const FROM_OUTSIDE = `${NOT_READ}: Weft routes what the sidecars of callers see, ` +
  "and a gateway counts as one only if it has a sidecar";
const NETWORK_POLICY =
  "The network of the cluster enforces it, whatever Weft says: it may refuse what a route here allows";

/** The first group that has something to say of a kind counts. */
const OTHERS: readonly OtherKinds[] = [
  // Of Kubernetes itself.
  {
    groups: /^$/,
    kinds: Object.fromEntries(
      [
        "Binding",
        "ComponentStatus",
        "ConfigMap",
        "Event",
        "LimitRange",
        "Node",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "PodTemplate",
        "ResourceQuota",
        "Secret",
      ].map((kind) => [kind, NO_SAY]),
    ),
  },
  {
    groups: /^(networking\.k8s\.io|extensions)$/,
    kinds: {
      NetworkPolicy: NETWORK_POLICY,
      Ingress: FROM_OUTSIDE,
      IngressClass: NO_SAY,
      IPAddress: NO_SAY,
      ServiceCIDR: NO_SAY,
    },
  },
  { groups: /^policy\.networking\.k8s\.io$/, hint: NETWORK_POLICY },
  {
    groups: /^autoscaling(\.k8s\.io)?$|^keda\.sh$/,
    hint: "It changes how many pods there are in a cluster; here the workload's own number counts",
  },
  { groups: /^apps$/, kinds: { ControllerRevision: NO_SAY } },
  {
    groups:
      /^(policy|internal\.apiserver\.k8s\.io|(admissionregistration|apiextensions|apiregistration|authentication|authorization|certificates|coordination|events|flowcontrol\.apiserver|metrics|node|rbac\.authorization|resource|scheduling|snapshot\.storage|storage|storagemigration)\.k8s\.io)$/,
    hint: NO_SAY,
  },
  // What makes manifests.
  {
    groups: /^(kustomize|source)\.toolkit\.fluxcd\.io$/,
    kinds: { Kustomization: PIPE_KUSTOMIZE },
    hint: NO_SAY,
  },
  {
    groups: /^helm\.(toolkit\.fluxcd|cattle)\.io$/,
    hint: "To count what it makes: helm template CHART -f VALUES | weft dry-run -f -",
  },
  {
    groups: /^argoproj\.io$/,
    kinds: {
      Application: `${NOT_READ}: give Weft the manifests that it points at`,
      ApplicationSet: `${NOT_READ}: give Weft the manifests that it points at`,
      Rollout: "It has neither a pod template nor a workloadRef, so Weft makes no pods of it",
    },
    hint: NO_SAY,
  },
  {
    groups: /^flagger\.app$/,
    kinds: {
      Canary: "Flagger makes Services and a TrafficSplit of it: give Weft those of the cluster",
    },
    hint: NO_SAY,
  },
  {
    groups: /(^|\.)knative\.dev$/,
    hint: `${NOT_READ}: Knative routes to its revisions by itself`,
  },
  { groups: /^(cert-manager\.io|monitoring\.coreos\.com|external-secrets\.io)$/, hint: NO_SAY },
  // Other kinds of the SMI.
  {
    groups: /(^|\.)smi-spec\.io$/,
    kinds: {
      UDPRoute: "Weft carries no UDP: a rule that names it allows nothing",
      IdentityBinding: "Weft takes identities from service accounts: name those in a TrafficTarget",
      TrafficMetrics: NO_SAY,
    },
  },
  // The Gateway API.
  {
    groups: /^gateway\.networking\.(x-)?k8s\.io$/,
    kinds: {
      TLSRoute: `${NOT_READ}: write a TCPRoute`,
      UDPRoute: "Weft carries no UDP",
      BackendTLSPolicy: NOT_READ,
      XMesh: NO_SAY,
      Gateway: FROM_OUTSIDE,
      GatewayClass: FROM_OUTSIDE,
      ListenerSet: FROM_OUTSIDE,
      XListenerSet: FROM_OUTSIDE,
    },
  },
  // Open Service Mesh and Flomesh.
  {
    groups: /^config\.(openservicemesh|flomesh)\.io$/,
    kinds: {
      MeshConfig: `${NOT_READ}: Weft has options for it, such as --enforce-access for its ` +
        "permissive mode",
    },
    hint: NO_SAY,
  },
  {
    groups: /^policy\.(openservicemesh|flomesh)\.io$/,
    kinds: {
      EgressGateway: `${NOT_READ}: weft proxy passes on what leaves the mesh by itself`,
      AccessControl: `${NOT_READ}: write a TrafficTarget`,
      Isolation: `${NOT_READ}: write a TrafficTarget`,
      Retry: `${NOT_READ}: write "retry" in a TrafficPolicy`,
      UpstreamTrafficSetting:
        `${NOT_READ}: write "connectionLimits" and "rateLimit" in a TrafficPolicy`,
      TrafficWarmup: `${NOT_READ}: write "slowStart" in a TrafficPolicy`,
    },
    hint: NOT_READ,
  },
  {
    groups: /^traffic\.flomesh\.io$/,
    hint: `${NOT_READ}: write it in split.smi-spec.io/v1alpha4 and specs.smi-spec.io/v1alpha4`,
  },
  {
    groups: /(^|\.)(openservicemesh|flomesh)\.io$/,
    hint: NOT_READ,
  },
  // Other meshes, and what routes beside them.
  {
    groups: /^networking\.istio\.io$/,
    kinds: {
      VirtualService:
        `${NOT_READ}: write ${SPLIT}, and a TrafficPolicy for its timeouts and retries`,
      DestinationRule:
        `${NOT_READ}: write a Service for each subset, and a TrafficPolicy for its trafficPolicy`,
      Gateway: FROM_OUTSIDE,
    },
    hint: NOT_READ,
  },
  {
    groups: /^security\.istio\.io$/,
    kinds: { AuthorizationPolicy: `${NOT_READ}: write a TrafficTarget` },
    hint: NOT_READ,
  },
  { groups: /(^|\.)istio\.io$/, hint: NOT_READ },
  {
    groups: /^policy\.linkerd\.io$/,
    kinds: {
      HTTPRoute: `${NOT_READ}: write ${SPLIT}`,
      HTTPLocalRateLimitPolicy: `${NOT_READ}: write "rateLimit" in a TrafficPolicy`,
      EgressNetwork: NOT_READ,
    },
    hint: `${NOT_READ}: write a TrafficTarget`,
  },
  {
    groups: /^(.+\.)?linkerd\.io$/,
    kinds: {
      ServiceProfile:
        `${NOT_READ}: write an HTTPRouteGroup, and a TrafficPolicy for its timeouts and retries`,
    },
    hint: NOT_READ,
  },
  {
    groups: /^consul\.hashicorp\.com$/,
    kinds: {
      ServiceSplitter: `${NOT_READ}: write a TrafficSplit`,
      ServiceRouter: `${NOT_READ}: write ${SPLIT}`,
      ServiceIntentions: `${NOT_READ}: write a TrafficTarget`,
    },
    hint: NOT_READ,
  },
  {
    groups: /(^|\.)(cilium\.io|projectcalico\.org)$/,
    kinds: {
      CiliumNetworkPolicy: NETWORK_POLICY,
      CiliumClusterwideNetworkPolicy: NETWORK_POLICY,
      NetworkPolicy: NETWORK_POLICY,
      GlobalNetworkPolicy: NETWORK_POLICY,
    },
    hint: "It belongs to the network of the cluster, which acts whatever Weft says",
  },
  {
    groups:
      /^(traefik\.io|traefik\.containo\.us|projectcontour\.io|k8s\.nginx\.org|getambassador\.io|gateway\.(envoyproxy|kgateway)\.(io|dev)|configuration\.konghq\.com|apisix\.apache\.org)$/,
    hint: FROM_OUTSIDE,
  },
  { groups: /^kuma\.io$|^specs\.smi\.nginx\.com$/, hint: NOT_READ },
];
