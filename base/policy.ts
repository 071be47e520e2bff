/**
 * What a TrafficPolicy asks for, once every default is filled in and every duration is in milliseconds: the one
 * shape that schemas read, plans carry and proxies obey. Knows nothing of where a policy is attached.
 */

/**
 * How an endpoint may be chosen, and whether that goes by a hash of the request. To add one: its line here, its name in
 * the CRD, and its balancer, for which `proxy/balance/algorithms.ts` does not type-check without it.
 */
export const BALANCING_ALGORITHMS = {
  RoundRobin: { isHashing: false },
  LeastRequest: { isHashing: false },
  PeakEwma: { isHashing: false },
  RingHash: { isHashing: true },
} as const;

export type BalancingAlgorithm = keyof typeof BALANCING_ALGORITHMS;

export const BALANCING_ALGORITHM_NAMES = Object.keys(
  BALANCING_ALGORITHMS,
) as readonly BalancingAlgorithm[];

/** What tells one caller from another. */
export interface RequestKey {
  readonly source: "header" | "cookie" | "source-ip";
  /** Lower case for a header, as written for a cookie, empty for the client's address. */
  readonly name: string;
}

export interface LoadBalancing {
  readonly algorithm: BalancingAlgorithm;
  /** Null for every algorithm that does not hash. */
  readonly hashKey: RequestKey | null;
  /**
   * Where the algorithm hashes: what an endpoint may have under way, of the average, above 100; beyond it requests go on
   * to the next one. Left out: any number.
   */
  readonly maxLoadPercent?: number;
}

export interface OutlierDetection {
  /** This many in a row eject an endpoint: status 5xx, resets, timeouts, connections that fail. */
  readonly consecutiveFailures: number;
  /** The first ejection lasts as long, the second in a row twice, and so on. */
  readonly ejectionTimeMs: number;
  /** Of the endpoints of a backend, 0 to 100; rounded down, so that it is never exceeded. */
  readonly maxEjectedPercent: number;
  /** With a smaller share of endpoints left than this, ejections are passed over. 0: never. */
  readonly panicThresholdPercent: number;
}

export interface SlowStart {
  /** Over this long a new endpoint's share grows from a tenth to the whole. */
  readonly windowMs: number;
}

/**
 * For the endpoints of one backend together, counted by each outbound listener of a proxy, whatever else has these endpoints.
 * Null: no limit.
 */
export interface ConnectionLimits {
  readonly maxConnections: number | null;
  /** Requests that wait for a connection while `maxConnections` are open. */
  readonly maxPending: number;
  /** Requests under way, whatever the number of connections that carry them. */
  readonly maxRequests: number | null;
}

/** Of the kinds of failure that name no status. */
export type RetryCondition = "5xx" | "gateway-error" | "reset" | "connect-failure" | "timeout";

export interface Retry {
  /** After the first attempt; 0: there is only a limit on the time of that. */
  readonly attempts: number;
  readonly conditions: readonly RetryCondition[];
  /** Statuses beside those of the conditions. */
  readonly statuses: readonly number[];
  /** Methods that may be sent twice; others only where the endpoint surely saw nothing of the request. */
  readonly methods: readonly string[];
  readonly perTryTimeoutMs: number | null;
  /** Retries to requests, over time, 0 to 100. */
  readonly budgetPercent: number;
  /** Before the first retry, at most; doubled for each further one. */
  readonly backoffMs: number;
}

/**
 * Each in place of what the proxy does by default, longer or shorter. Null: the default stays. 0, in a manifest `0s`: no
 * limit (GEP-1742).
 */
export interface Timeouts {
  /** From the head of a request to the end of its answer, all attempts included. */
  readonly requestMs: number | null;
  /** Without a byte in either direction. */
  readonly idleMs: number | null;
}

/** So many in each period on average, and at most `burst` at once. */
export interface Rate {
  readonly count: number;
  readonly perMs: number;
  readonly burst: number;
}

export interface RateLimit {
  readonly http: Rate | null;
  readonly tcp: Rate | null;
  /** Of the answer to a request over the limit. */
  readonly status: number;
  /** Added to that answer. */
  readonly headers: readonly HeaderValue[];
}

export interface HeaderValue {
  /** Lower case. */
  readonly name: string;
  readonly value: string;
}

export interface HeaderChanges {
  /** In place of every header of the name. */
  readonly set: readonly HeaderValue[];
  /** After the headers that are there. */
  readonly add: readonly HeaderValue[];
  /** Lower case. */
  readonly remove: readonly string[];
}

export interface HeaderPolicy {
  readonly request: HeaderChanges;
  readonly response: HeaderChanges;
}

export interface Fault {
  /** Percents are 0 to 100, with fractions. */
  readonly delay: { readonly percent: number; readonly durationMs: number } | null;
  readonly abort: { readonly percent: number; readonly status: number } | null;
}

export interface Mirror {
  /** A Service, as written. */
  readonly service: string;
  readonly percent: number;
}

export interface SessionAffinity {
  readonly key: RequestKey & { readonly source: "header" | "cookie" };
  /** How long a client keeps the cookie, in whole seconds; null: until it ends its session. */
  readonly ttlSeconds: number | null;
}

/** How one proxy treats the endpoints of a backend. A Service alone can have these. */
export interface EndpointSettings {
  readonly loadBalancing?: LoadBalancing;
  readonly outlierDetection?: OutlierDetection;
  readonly slowStart?: SlowStart;
  readonly connectionLimits?: ConnectionLimits;
}

/** What is done with requests on their way. A Service can have these, and a match of an HTTPRouteGroup. */
export interface RouteSettings {
  readonly retry?: Retry;
  readonly timeouts?: Timeouts;
  readonly rateLimit?: RateLimit;
  readonly headers?: HeaderPolicy;
  readonly fault?: Fault;
  readonly mirror?: Mirror;
  readonly sessionAffinity?: SessionAffinity;
}

export interface PolicySettings extends EndpointSettings, RouteSettings {}

type EndpointSection = keyof EndpointSettings;
export type RouteSection = keyof RouteSettings;
export type PolicySection = EndpointSection | RouteSection;

export const ENDPOINT_SECTIONS: readonly EndpointSection[] = [
  "loadBalancing",
  "outlierDetection",
  "slowStart",
  "connectionLimits",
];

export const ROUTE_SECTIONS: readonly RouteSection[] = [
  "retry",
  "timeouts",
  "rateLimit",
  "headers",
  "fault",
  "mirror",
  "sessionAffinity",
];

/** Bytes of these headers as lines: a colon, a space and a line's end each. */
export function headerTextBytes(headers: readonly HeaderValue[]): number {
  return headers.reduce((sum, { name, value }) => sum + name.length + value.length + 4, 0);
}
