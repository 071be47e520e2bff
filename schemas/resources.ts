/**
 * The one internal shape of every resource Weft reads, whatever version it was written in, and the
 * `Snapshot` that holds them. Types only, so `routing/compile` may import
 * it and still run in a browser.
 */
import type { PortRange } from "../base/capture_lists.ts";
import type { FieldPath, Position } from "../base/finding.ts";
import type { HeaderPolicy, PolicySettings } from "../base/policy.ts";

/** Where a resource came from. For resources of a cluster `locate` returns undefined. */
export interface Origin {
  /** The position of a field, or of its nearest present ancestor. */
  locate(path: FieldPath): Position | undefined;
}

export interface Meta {
  readonly kind: string;
  /** Group and version as written, for example `split.smi-spec.io/v1alpha2`. */
  readonly apiVersion: string;
  /** Empty for cluster-scoped kinds; `default` where a namespaced resource names none. */
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** `metadata.creationTimestamp`, RFC 3339, or undefined if the input has none. */
  readonly createdAt: string | undefined;
  readonly origin: Origin;
}

export interface Namespace {
  readonly meta: Meta;
}

interface ServiceAccount {
  readonly meta: Meta;
}

export interface ServicePort {
  readonly name: string;
  readonly port: number;
  /** A number, or the name of a container port; defaults to `port`. */
  readonly targetPort: number | string;
  /** `TCP`, `UDP` or `SCTP`. */
  readonly protocol: string;
  readonly appProtocol: string | undefined;
  readonly at: FieldPath;
}

/**
 * An object that does not count, because a part of it that may restrict it cannot be read. It stays known by name: what refers to
 * it comes to nothing, and the Finding about it is the only one.
 */
interface Refusable {
  readonly isRefused?: true;
}

export interface Service extends Refusable {
  readonly meta: Meta;
  /** Undefined or empty: no selector, the endpoints are given by Endpoints or EndpointSlices. */
  readonly selector: Readonly<Record<string, string>> | undefined;
  readonly ports: readonly ServicePort[];
  /** Empty if none is assigned and for headless services. */
  readonly clusterIps: readonly string[];
  readonly headless: boolean;
  readonly publishNotReadyAddresses: boolean;
  /** `type: ExternalName`: the host that it is another name of. */
  readonly externalName?: string;
  /**
   * `sessionAffinity: ClientIP`: calls from one address go to one endpoint, for so long after the last, or for Kubernetes'
   * default (null). Undefined: they need not.
   */
  readonly clientIpAffinity?: { readonly timeoutSeconds: number | null };
}

/** One address of an Endpoints or EndpointSlice object. */
export interface SliceEndpoint {
  readonly addresses: readonly string[];
  readonly ready: boolean;
  /** Not ready only because it is ending: it still takes requests, where no other endpoint does. */
  readonly isEnding?: true;
  readonly hostname: string | undefined;
  readonly podName: string | undefined;
  readonly zone: string | undefined;
}

/** An EndpointSlice, or one subset of an Endpoints object. */
export interface EndpointSlice {
  readonly meta: Meta;
  /** Name of the Service it belongs to. */
  readonly service: string;
  readonly ports: readonly {
    readonly name: string;
    readonly port: number;
    readonly appProtocol: string | undefined;
  }[];
  readonly endpoints: readonly SliceEndpoint[];
}

export interface ContainerPort {
  readonly name: string;
  readonly containerPort: number;
  readonly protocol: string;
}

/** Numbers of a user and a group of the system, as far as they are written. */
export interface RunsAs {
  readonly user?: number;
  readonly group?: number;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  /** `command` followed by `args`. */
  readonly command: readonly string[];
  readonly ports: readonly ContainerPort[];
  /** In place of the pod's own. */
  readonly runsAs?: RunsAs;
}

/** A pod's sidecar has a certificate of the mesh, and takes connections with it. */
export interface MutualTls {
  /** Ports at which they reach the application itself. */
  readonly excludedPorts: readonly PortRange[];
}

/** What a Pod and a pod template share. */
export interface PodTemplate {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly containers: readonly Container[];
  readonly runsAs?: RunsAs;
  /** The pod has the addresses and the ports of its node, and shares its iptables. */
  readonly hostNetwork?: boolean;
  /** Left out: it has no sidecar that others know by a certificate. */
  readonly mutualTls?: MutualTls;
  readonly hostname: string | undefined;
  readonly subdomain: string | undefined;
}

export interface Pod {
  readonly meta: Meta;
  readonly template: PodTemplate;
  /** `status.podIPs`; empty if the input gives none (a manifest, a pending pod). */
  readonly ips: readonly string[];
  /** False if the input says so; a manifest's pod counts as ready. */
  readonly ready: boolean;
  /** The workload that made it, `Deployment/httpbin-v1`, where known. */
  readonly owner: { readonly kind: string; readonly name: string } | undefined;
}

/** Anything that makes pods of a template: a kind of Kubernetes' own, an Argo Rollout, … */
export interface Workload {
  readonly meta: Meta;
  readonly kind: string;
  readonly replicas: number;
  readonly template: PodTemplate;
  /** Where the template stands; `spec.template` where it is left out. */
  readonly templateAt?: FieldPath;
  /** A workload of the same namespace whose template it takes. */
  readonly templateOf?: { readonly kind: string; readonly name: string };
  /** StatefulSet only: the governing headless Service. */
  readonly serviceName: string | undefined;
  /** The workload that made it, where known: the Deployment of a ReplicaSet. */
  readonly owner?: { readonly kind: string; readonly name: string } | undefined;
}

export interface SplitBackend {
  /** As written: a Service name, or FSM's `namespace/name`. */
  readonly service: string;
  /**
   * Whole, zero or more. v1alpha1 quantities are milli-values when any weight of the split has a fraction,
   * else whole units; only ratios matter (smi-facts 2.1).
   */
  readonly weight: number;
  /** As written, for people: `500m`, `75`. */
  readonly weightText: string;
  readonly at: FieldPath;
}

/** TrafficSplit, v1alpha1 to v1alpha4. One that is refused has no backends. */
export interface TrafficSplit extends Refusable {
  readonly meta: Meta;
  /** The root Service as written: `web`, `web.app`, `web.app.svc.cluster.local`. */
  readonly service: string;
  readonly backends: readonly SplitBackend[];
  /**
   * Undefined: the split has no `matches` field, or an empty one. An empty list: it has, and none of its items
   * could be read; the split then matches nothing.
   */
  readonly matches: readonly RouteGroupRef[] | undefined;
}

export interface HeaderCondition {
  /** As written; names are compared case-insensitively. */
  readonly name: string;
  readonly pattern: string;
  readonly at: FieldPath;
}

export interface HttpRouteMatch {
  readonly name: string;
  /** Undefined: any path. */
  readonly pathRegex: string | undefined;
  /** Undefined: any method (omitted, empty, or containing `*`). */
  readonly methods: readonly string[] | undefined;
  /** All must hold. Two conditions on one name: both must hold. */
  readonly headers: readonly HeaderCondition[];
  readonly at: FieldPath;
}

/** HTTPRouteGroup, v1alpha1 to v1alpha4. One that is refused has no matches. */
export interface HttpRouteGroup extends Refusable {
  readonly meta: Meta;
  readonly matches: readonly HttpRouteMatch[];
  /** Names of matches that cannot be read and are left out; empty where even the name cannot. */
  readonly unreadable?: readonly string[];
}

/** TCPRoute, v1alpha1 to v1alpha4. */
export interface TcpRoute extends Refusable {
  readonly meta: Meta;
  /** Empty: every port, or none if the route is refused. */
  readonly ports: readonly number[];
}

export interface TargetSubject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly at: FieldPath;
}

export interface TargetRule {
  readonly kind: string;
  readonly name: string;
  /** Names of matches of the group; undefined: all of them; an empty list: none could be read. */
  readonly matches: readonly string[] | undefined;
  readonly at: FieldPath;
}

/** TrafficTarget, v1alpha1 to v1alpha3. */
export interface TrafficTarget extends Refusable {
  readonly meta: Meta;
  readonly destination: TargetSubject;
  /** v1alpha1 and v1alpha2 may restrict the destination to one port. */
  readonly port: number | undefined;
  readonly sources: readonly TargetSubject[];
  readonly rules: readonly TargetRule[];
}

export interface PolicyTargetRef {
  /** As written; `Service` and `HTTPRouteGroup` count. */
  readonly kind: string;
  readonly name: string;
  /** Name of a match of the route group; undefined: all of them. */
  readonly match: string | undefined;
  readonly at: FieldPath;
}

/** TrafficPolicy v1alpha1 of `weft.dev`. */
export interface TrafficPolicy {
  readonly meta: Meta;
  /** In the namespace of the policy. */
  readonly targets: readonly PolicyTargetRef[];
  /** A section stands at `spec.<its name>`. One that cannot be read in full is left out. */
  readonly settings: PolicySettings;
  /** A section was left out. */
  readonly isPartial?: true;
}

/** What an Egress lets one kind of protocol do at a port. */
export interface EgressPort {
  readonly port: number;
  /** By the host of a request, by the server name of TLS, or by nothing but the address. */
  readonly protocol: "http" | "https" | "tcp";
  readonly at: FieldPath;
}

/** Egress v1alpha1, of `weft.dev`, FSM or OSM. It only ever allows. */
export interface Egress {
  readonly meta: Meta;
  readonly sources: readonly TargetSubject[];
  /** In lower case, `*.example.com` for all below it. Undefined: any; an empty list: none could be read. */
  readonly hosts: readonly string[] | undefined;
  /** As `parseIpRange` writes them. Undefined: any; an empty list: none could be read. */
  readonly ranges: readonly string[] | undefined;
  readonly ports: readonly EgressPort[];
  /** Undefined: any request; an empty list: none could be read. */
  readonly matches: readonly RouteGroupRef[] | undefined;
}

/** What a split, an Egress or an IngressBackend names in its `matches`. */
export interface RouteGroupRef {
  /** As written; `HTTPRouteGroup` counts. */
  readonly kind: string;
  readonly name: string;
  readonly at: FieldPath;
}

/** A Service that an IngressBackend opens, at one port of its pods. */
export interface IngressPort {
  readonly service: string;
  readonly port: number;
  readonly protocol: "http" | "https";
  /** `https`: clients need no certificate. */
  readonly skipsCertificate: boolean;
  /** `https`: in lower case, `*.example.com` for all below it. Undefined: any; an empty list: none could be read. */
  readonly serverNames: readonly string[] | undefined;
  readonly at: FieldPath;
}

/** Where the callers of an IngressBackend come from, or who they are. */
export interface IngressSource {
  /** As written; `Service`, `IPRange` and `AuthenticatedPrincipal` count. Null: it cannot be read. */
  readonly kind: string | null;
  /** Of an `IPRange` as `parseIpRange` writes it; empty: it cannot be read. */
  readonly name: string;
  /** Of a `Service`. */
  readonly namespace: string;
  readonly at: FieldPath;
}

/** IngressBackend v1alpha1, of `weft.dev`, FSM or OSM. It only ever allows. */
export interface IngressBackend {
  readonly meta: Meta;
  /** Those that can be read. */
  readonly backends: readonly IngressPort[];
  /** All, also those that cannot be read. */
  readonly sources: readonly IngressSource[];
  /** Undefined: any request; an empty list: none could be read. */
  readonly matches: readonly RouteGroupRef[] | undefined;
}

/** A Service that a route speaks for. */
export interface GatewayParent {
  readonly namespace: string;
  readonly name: string;
  /** Undefined: every port. */
  readonly port: number | undefined;
  /** The name of the port. Undefined: any. */
  readonly sectionName: string | undefined;
  readonly at: FieldPath;
}

/** What a header, or a parameter of the query, is to be. */
export interface NamedCondition {
  /** Of a header in lower case. */
  readonly name: string;
  readonly kind: "exact" | "regex";
  readonly value: string;
  readonly at: FieldPath;
}

export interface GatewayMatch {
  /** Null: any path. `grpc-method`: the method of any service of gRPC. */
  readonly path:
    | {
      readonly kind: "exact" | "prefix" | "regex" | "grpc-method";
      readonly value: string;
      readonly at: FieldPath;
    }
    | null;
  /** Null: any method. */
  readonly method: string | null;
  readonly headers: readonly NamedCondition[];
  readonly queries: readonly NamedCondition[];
  readonly at: FieldPath;
}

export interface GatewayPathChange {
  /** Of the whole path, or of the prefix that the match names. */
  readonly kind: "full" | "prefix";
  readonly value: string;
}

export interface GatewayRedirect {
  readonly status: number;
  /** Null here and below: as in the request. */
  readonly scheme: "http" | "https" | null;
  readonly host: string | null;
  readonly port: number | null;
  readonly path: GatewayPathChange | null;
}

/** An object that a route sends to; only Services can be. */
export interface GatewayObjectRef {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly port: number | undefined;
  readonly at: FieldPath;
}

/** What is done with requests on their way. */
export interface GatewayFilters {
  readonly headers?: HeaderPolicy;
  readonly redirect?: GatewayRedirect;
  readonly rewrite?: {
    readonly host: string | null;
    readonly path: GatewayPathChange | null;
    readonly at: FieldPath;
  };
  readonly mirror?: GatewayObjectRef & { readonly percent: number };
  readonly at?: FieldPath;
}

export interface GatewayBackend extends GatewayObjectRef {
  readonly weight: number;
  readonly headers?: HeaderPolicy;
}

/** What a rule asks for and Weft cannot do: its requests are answered with an error. */
export interface UnsupportedField {
  readonly at: FieldPath;
  /** Begins a sentence. */
  readonly what: string;
}

export interface GatewayRule {
  readonly name: string | undefined;
  /** Any of them. */
  readonly matches: readonly GatewayMatch[];
  readonly filters: GatewayFilters;
  readonly backends: readonly GatewayBackend[];
  /** 0: no limit. */
  readonly requestMs?: number;
  readonly backendRequestMs?: number;
  readonly retry?: {
    readonly codes: readonly number[];
    readonly attempts: number;
    readonly backoffMs: number;
  };
  readonly unsupported?: UnsupportedField;
  readonly at: FieldPath;
}

/** HTTPRoute, GRPCRoute or TCPRoute of the Gateway API, by `meta.kind`. */
export interface GatewayRoute extends Refusable {
  readonly meta: Meta;
  /** Those that are Services. */
  readonly parents: readonly GatewayParent[];
  /** Where it names hosts, which says nothing of a Service. */
  readonly hostnamesAt?: FieldPath;
  readonly rules: readonly GatewayRule[];
}

/** What of its namespace may be named from another one. */
export interface ReferenceGrant {
  readonly meta: Meta;
  readonly from: readonly {
    readonly group: string;
    readonly kind: string;
    readonly namespace: string;
  }[];
  readonly to: readonly {
    readonly group: string;
    readonly kind: string;
    /** Undefined: all of the kind. */
    readonly name: string | undefined;
  }[];
}

/** An immutable set of watched resources. Order carries no meaning. */
export interface Snapshot {
  readonly namespaces: readonly Namespace[];
  readonly serviceAccounts: readonly ServiceAccount[];
  readonly services: readonly Service[];
  readonly endpointSlices: readonly EndpointSlice[];
  readonly pods: readonly Pod[];
  readonly workloads: readonly Workload[];
  readonly trafficSplits: readonly TrafficSplit[];
  readonly httpRouteGroups: readonly HttpRouteGroup[];
  readonly tcpRoutes: readonly TcpRoute[];
  readonly trafficTargets: readonly TrafficTarget[];
  readonly trafficPolicies: readonly TrafficPolicy[];
  readonly egresses: readonly Egress[];
  readonly ingressBackends: readonly IngressBackend[];
  readonly gatewayRoutes: readonly GatewayRoute[];
  readonly referenceGrants: readonly ReferenceGrant[];
}
