/**
 * Plan: what `compile` makes of a Snapshot. Plain JSON data, content-hashed, the only thing sent to proxies.
 * This file owns its shape; `plan_codec.ts` encodes, decodes with limits, and hashes it.
 */
import type { Position, ResourceRef } from "../base/finding.ts";
import type {
  EndpointSettings,
  HeaderPolicy,
  PolicySection,
  RouteSettings,
} from "../base/policy.ts";

export const PLAN_VERSION = 2;

/** In `Plan.requires` where a plan has what only routes of the Gateway API ask for: answers, kept shares, rewrites, consumers, queries. */
export const GATEWAY_ROUTES = "gateway-routes";

/** In `Plan.requires` where egress is off: a reader that did not know it would pass on everything. */
export const EGRESS_OFF = "egress-off";

/** What a port speaks, from `appProtocol`, else the port name's prefix, else HTTP (smi-facts 3.10). */
export type PortProtocol = "http" | "http2" | "grpc" | "tcp" | "tcp-server-first" | "tls";

/** Whether HTTP rules apply to requests on such a port; on the others a connection is all there is to route. */
export function carriesHttp(protocol: PortProtocol): boolean {
  return protocol === "http" || protocol === "http2" || protocol === "grpc";
}

/** Why a backend can take no request now; `ready` where it can. */
export type BackendReadiness = "ready" | "missing" | "foreign" | "no-port" | "no-endpoints";

export interface Plan {
  readonly version: typeof PLAN_VERSION;
  /**
   * Names of what a reader has to know to obey the plan; left out where there is nothing. Readers pass over fields that they do not
   * know, so whatever narrows a match, denies or limits, and came after this version, is named here, and a reader that does not know it
   * refuses the plan instead of doing more than it says.
   */
  readonly requires?: readonly string[];
  /** Of its parts' hashes (`parts.ts`), 64 hex digits. */
  readonly hash: string;
  /** For example `cluster.local`. */
  readonly clusterDomain: string;
  /** True: traffic targets are not enforced and `targets` is empty. */
  readonly permissive: boolean;
  /** Left out where every sidecar takes callers without mutual TLS, unless its own settings say otherwise. */
  readonly mtls?: PlanMtls;
  /** What the mesh does not know is refused, but for what `egress` allows. Left out: it is passed on where proxies do that. */
  readonly egressOff?: true;
  /** Sorted by namespace, then name. */
  readonly services: readonly PlanService[];
  /** Endpoint groups by id, `namespace/service:port`. Every `group` of a backend is a key here. */
  readonly groups: Readonly<Record<string, readonly PlanEndpoint[]>>;
  /** Sorted by destination, then reference. */
  readonly targets: readonly PlanTarget[];
  /** What may be called outside the mesh where egress is off, by caller; left out where nothing is said. */
  readonly egress?: Readonly<Record<string, readonly PlanEgress[]>>;
  /** Who may come in from outside the mesh, by the account of the application; left out where nothing is said. */
  readonly ingress?: Readonly<Record<string, readonly PlanIngress[]>>;
  /** ExternalName Services, sorted by namespace, then name; left out where there are none. */
  readonly aliases?: readonly PlanAlias[];
  /**
   * How the endpoints of a Service port are treated, by id as in `groups`; a group without is treated as the route's
   * own Service is. Left out where no policy says anything about endpoints.
   */
  readonly endpointPolicies?: Readonly<Record<string, PlanEndpointPolicy>>;
}

/**
 * Whether callers may do without mutual TLS, in texts as `base/mtls_mode.ts` reads them. It is for sidecars with a certificate of the mesh,
 * all of which know this field: so `requires` names it not.
 */
export interface PlanMtls {
  /** What counts last. Left out: nothing is said. */
  readonly mesh?: string;
  /** By namespace. */
  readonly namespaces: Readonly<Record<string, string>>;
}

export interface PlanService {
  readonly namespace: string;
  readonly name: string;
  readonly clusterIps: readonly string[];
  readonly ports: readonly PlanPort[];
  /** Names of single pods behind a headless Service: `pod-0` for `pod-0.service.namespace`. */
  readonly podHosts: readonly string[];
  readonly position: Position | null;
}

/** A Service that is another name of what is elsewhere. */
export interface PlanAlias {
  readonly namespace: string;
  readonly name: string;
  /** A Service or pod of the plan, or outside the cluster: no alias itself. Lower case, without a trailing dot. */
  readonly host: string;
}

/** Where requests to a port go. */
export interface PlanRouting {
  /** In match order: the first rule that a request satisfies wins. */
  readonly rules: readonly PlanRule[];
  /** Takes what no rule takes: a split without matches, else the root Service's own endpoints. */
  readonly fallback: PlanRoute;
}

export interface PlanPort extends PlanRouting {
  readonly port: number;
  readonly name: string;
  readonly protocol: PortProtocol;
  /** Neither the `appProtocol` nor the name says what the port speaks, so HTTP is a guess; left out where one does. */
  readonly isGuessed?: boolean;
  /** For clients of these namespaces, in place of the port's own: routes that stand there (GEP-1324). */
  readonly consumers?: Readonly<Record<string, PlanRouting>>;
  /** What is done with requests to this port; left out where no policy is attached to the Service. */
  readonly policy?: PlanRoutePolicy;
}

export interface PlanRule {
  readonly match: PlanMatch;
  readonly route: PlanRoute;
  /** In place of the port's, whose sections it holds where the match has none; left out where it has none at all. */
  readonly policy?: PlanRoutePolicy;
}

/** One item of an HTTPRouteGroup, or of a rule of a route of the Gateway API. All conditions must hold. */
export interface PlanMatch extends MatchConditions {
  readonly group: ResourceRef;
  readonly name: string;
  readonly position: Position | null;
}

/** What a match asks of a request; `match/match.ts` has the meaning of each field. */
export interface MatchConditions {
  /** Anchored at the start only, against the path as sent without its query. Null: any path. */
  readonly path: string | null;
  /** Upper case. Null: any method. */
  readonly methods: readonly string[] | null;
  /** Searched for, in the values joined by `, `; names are lower case. A missing header never matches. */
  readonly headers: readonly NamedPattern[];
  /** As headers, each in the first parameter of the query that has the name, as sent. Left out: no parameter is asked for. */
  readonly queries?: readonly NamedPattern[];
}

/** A pattern for what has a name. */
interface NamedPattern {
  readonly name: string;
  readonly pattern: string;
}

export interface PlanRoute {
  /** Names the split sequence; stays the same while unrelated things change. */
  readonly id: string;
  /** The TrafficSplit, or the route of the Gateway API; null if this is the Service's own endpoints. */
  readonly split: ResourceRef | null;
  readonly position: Position | null;
  /** In written order. A split's all-zero weights are already replaced by the root itself. */
  readonly backends: readonly PlanBackend[];
  /** What the proxy answers by itself; left out: a backend answers. */
  readonly answer?: PlanAnswer;
  /**
   * A backend that can take nothing keeps its share, and the proxy answers in its place. Left out: the others take over its share.
   */
  readonly keepsShares?: true;
}

/** `no-rule`: there are rules, and none takes the request. */
export type PlanAnswer = { readonly kind: "no-rule" } | PlanRedirect;

/** What a client is sent elsewhere with. Null: as in its request. */
export interface PlanRedirect {
  readonly kind: "redirect";
  readonly status: number;
  readonly scheme: "http" | "https" | null;
  readonly host: string | null;
  readonly port: number | null;
  readonly path: PlanPathChange | null;
}

/** `full`: in place of the whole path. `prefix`: in place of the segments that it begins with. */
export type PlanPathChange =
  | { readonly kind: "full"; readonly value: string }
  | { readonly kind: "prefix"; readonly prefix: string; readonly value: string };

/** What is sent in place of a part of a request's target. Null: as it came. */
export interface PlanRewrite {
  readonly host: string | null;
  readonly path: PlanPathChange | null;
}

export interface PlanBackend {
  readonly namespace: string;
  readonly service: string;
  /** Relative; zero takes nothing. */
  readonly weight: number;
  readonly state: BackendReadiness;
  /** Key into `Plan.groups`; an empty group where `state` is not `ready`. */
  readonly group: string;
  /** In place of what the route's policy says of headers. */
  readonly headers?: HeaderPolicy;
}

export interface PlanEndpoint {
  /** An IP address; empty if the input gives none (a manifest without addresses). */
  readonly address: string;
  /** The resolved target port; 0 if it could not be resolved. */
  readonly port: number;
  /** What traffic targets know the port as, where the endpoint is reached at another one: on one machine. Else left out. */
  readonly targetPort?: number;
  /** For people and metrics; empty if not known. */
  readonly pod: string;
  readonly workload: string;
  /** The first DNS label of a headless pod host (`pod-0`); empty otherwise. */
  readonly hostname: string;
  /** `namespace/serviceaccount`; empty if not known. */
  readonly identity: string;
  /** A sidecar with a certificate of the mesh takes connections to this port. Left out where that is not so, or not known. */
  readonly mutualTls?: boolean;
}

/** A TrafficTarget that counts: sources may call the destination where one of the rules matches. */
export interface PlanTarget {
  readonly ref: ResourceRef;
  readonly position: Position | null;
  /** `namespace/serviceaccount`. */
  readonly destination: string;
  readonly sources: readonly string[];
  /** v1alpha1 and v1alpha2: the one port allowed; null: every port. */
  readonly port: number | null;
  /** Any of these allows an HTTP request. */
  readonly http: readonly PlanMatch[];
  /** Ports on which any TCP is allowed; null: no TCP rule; empty: every port. */
  readonly tcpPorts: readonly number[] | null;
}

/** What an Egress lets a caller do outside the mesh: one of the ports, and what else is asked for. */
export interface PlanEgress {
  readonly ref: ResourceRef;
  readonly position: Position | null;
  /** `namespace/serviceaccount` of the caller. */
  readonly source: string;
  /** In lower case, `*.example.com` for all below it. Null: any. */
  readonly hosts: readonly string[] | null;
  /** Such as `192.0.2.0/24`. Null: any. */
  readonly ranges: readonly string[] | null;
  readonly ports: readonly PlanEgressPort[];
  /** Any of these allows a request. Null: any request. */
  readonly http: readonly PlanMatch[] | null;
}

export interface PlanEgressPort {
  readonly port: number;
  /** `http`: requests, by their host. `https`: TLS, by its server name. `tcp`: anything. */
  readonly protocol: "http" | "https" | "tcp";
}

/**
 * Who may come in from outside the mesh to a port of an account's pods, without the certificate or the TrafficTarget that they would need.
 * It only ever allows: `requires` names it not.
 */
export interface PlanIngress {
  readonly ref: ResourceRef;
  readonly position: Position | null;
  /** `namespace/serviceaccount` of the application. */
  readonly destination: string;
  /** Addresses of the pods that are meant. Null: all of the account. */
  readonly pods: readonly string[] | null;
  /** Where the application listens. */
  readonly port: number;
  /** `http`: requests in plain. `https`: requests by TLS, which the sidecar ends. */
  readonly protocol: "http" | "https";
  /** Where callers come from: one of all of these. Null: anywhere, which `http` never says. */
  readonly from: PlanIngressFrom | null;
  /** `https`: SPIFFE ids, one of which the client's certificate has to show. Null: it needs none. */
  readonly principals: readonly string[] | null;
  /** `https`: server names, as `hosts` of an Egress. Null: any. */
  readonly serverNames: readonly string[] | null;
  /** Any of these lets a request in. Null: any request. */
  readonly http: readonly PlanMatch[] | null;
}

export interface PlanIngressFrom {
  /** Such as `192.0.2.0/24`. */
  readonly ranges: readonly string[];
  readonly services: readonly PlanIngressService[];
}

/** A Service from whose endpoints callers come. */
export interface PlanIngressService {
  /** `namespace/name`. */
  readonly service: string;
  /** Of its endpoints, as far as they are known. */
  readonly addresses: readonly string[];
}

/** Where a section of a policy comes from. */
export interface PlanPolicySource {
  /** A TrafficPolicy, a route of the Gateway API; for the load balancing that `sessionAffinity: ClientIP` asks for, the Service. */
  readonly policy: ResourceRef;
  /** What the policy is attached to: `Service app/web`, `HTTPRouteGroup app/group#match`. */
  readonly target: string;
  readonly position: Position | null;
}

/** By the name of the section; one for each that is there. */
export type PlanPolicySources = Readonly<Record<string, PlanPolicySource>>;

/** How one proxy treats the endpoints of a backend. */
export interface PlanEndpointPolicy extends EndpointSettings {
  readonly sources: PlanPolicySources;
}

/** What is done with requests on their way. */
export interface PlanRoutePolicy extends Omit<RouteSettings, "mirror"> {
  readonly sources: PlanPolicySources;
  readonly mirror?: PlanMirror;
  readonly rewrite?: PlanRewrite;
}

/** The name of a section: a TrafficPolicy has all but `rewrite`, which only routes of the Gateway API ask for. */
export type PlanSectionName = PolicySection | "rewrite";

/** What one section of a policy asks for. */
export type PlanSection =
  | NonNullable<EndpointSettings[keyof EndpointSettings]>
  | NonNullable<Omit<RouteSettings, "mirror">[keyof Omit<RouteSettings, "mirror">]>
  | PlanMirror
  | PlanRewrite;

/** Where copies of requests go; a mirror that could take none is left out. */
export interface PlanMirror {
  readonly namespace: string;
  readonly service: string;
  /** Key into `Plan.groups`; never empty. */
  readonly group: string;
  /** Of the requests, 0 to 100. */
  readonly percent: number;
}

/** A port as clients of a namespace see it. */
export function portFor(port: PlanPort, namespace: string): PlanPort {
  const { consumers = {} } = port;
  return Object.hasOwn(consumers, namespace) ? { ...port, ...consumers[namespace] } : port;
}

/** Where requests of any clients go. */
export function routingsOf({ rules, fallback, consumers = {} }: PlanPort): readonly PlanRouting[] {
  return [{ rules, fallback }, ...Object.values(consumers)];
}

/** Whether a Service has what a reader without {@link GATEWAY_ROUTES} would pass over. */
export function needsGatewayRoutes({ ports }: PlanService): boolean {
  return ports.some((port) =>
    port.consumers !== undefined ||
    routesIn(port).some(({ answer, keepsShares }) => answer !== undefined || keepsShares === true)
  );
}

function routesIn({ rules, fallback }: PlanRouting): readonly PlanRoute[] {
  return [fallback, ...rules.map(({ route }) => route)];
}
