/**
 * The shape of the policies in a plan. Ranges are those of the CRD where a table relies on them, and otherwise those
 * that keep arithmetic exact; what is sensible was decided when the policy was read.
 */
import {
  BALANCING_ALGORITHM_NAMES,
  BALANCING_ALGORITHMS,
  type ConnectionLimits,
  type Fault,
  type HeaderChanges,
  type HeaderPolicy,
  headerTextBytes,
  type HeaderValue,
  type LoadBalancing,
  type OutlierDetection,
  type Rate,
  type RateLimit,
  type RequestKey,
  type Retry,
  type SessionAffinity,
  type SlowStart,
  type Timeouts,
} from "../base/policy.ts";
import type {
  PlanEndpointPolicy,
  PlanMirror,
  PlanPathChange,
  PlanPolicySource,
  PlanPolicySources,
  PlanRewrite,
  PlanRoutePolicy,
} from "./plan.ts";
import {
  type Check,
  fail,
  list,
  name,
  nullable,
  number,
  oneOf,
  optional,
  position,
  prose,
  record,
  resource,
  shape,
  text,
  whole,
} from "./plan_shape.ts";
import { METHODS } from "./request.ts";
import {
  HEADER_TEXT_BYTES_MAX,
  NAME_LENGTH_MAX,
  PATH_TEXT_MAX,
  POLICY_DURATION_MS_MAX,
} from "../base/limits.ts";
import { POLICY_COUNT_MAX } from "./limits.ts";

const percent = number(0, 100);
const durationMs = whole(1, POLICY_DURATION_MS_MAX);
/** 0: unlimited. */
const timeoutMs = whole(0, POLICY_DURATION_MS_MAX);
const count = whole(1, POLICY_COUNT_MAX);
const token = text(NAME_LENGTH_MAX, /^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/, "a token");
const headerName = text(NAME_LENGTH_MAX, /^[-!#$%&'*+.^_`|~0-9a-z]+$/, "a lower-case header name");
/** A value with a line's end in it would be another header. */
const headerValue = text(1_024, /^([!-~]([ -~]*[!-~])?)?$/, "a header value");

const header = shape<HeaderValue>({ name: headerName, value: headerValue });
const anyChanges = shape<HeaderChanges>({
  set: list(header),
  add: list(header),
  remove: list(headerName),
});
const headerChanges: Check<HeaderChanges> = (value, path) => {
  const changes = anyChanges(value, path);
  headersThatFit([...changes.set, ...changes.add], path);
  return changes;
};

/** The room for them in a head is fixed. */
const headersThatFit: Check<readonly HeaderValue[]> = (value, path) => {
  const headers = list(header)(value, path);
  if (headerTextBytes(headers) > HEADER_TEXT_BYTES_MAX) {
    fail(path, `of ${HEADER_TEXT_BYTES_MAX} bytes of header lines at most`);
  }
  return headers;
};

const anyKey = shape<RequestKey>({
  source: oneOf(["header", "cookie", "source-ip"]),
  name: prose,
});

/** Names are compared as they stand, so a header's is in lower case. */
const requestKey: Check<RequestKey> = (value, path) => {
  const key = anyKey(value, path);
  const checkName = key.source === "header" ? headerName : key.source === "cookie" ? token : noName;
  checkName(key.name, `${path}.name`);
  return key;
};

const noName: Check<string> = (value, path) => {
  if (value !== "") fail(path, "empty");
  return "";
};

const affinityKey: Check<SessionAffinity["key"]> = (value, path) => {
  const { source, name } = requestKey(value, path);
  if (source === "source-ip") fail(`${path}.source`, "one of header, cookie");
  return { source, name };
};

const rate = shape<Rate>({ count, perMs: durationMs, burst: count });

const source = shape<PlanPolicySource>({ policy: resource, target: prose, position });
const sources: Check<PlanPolicySources> = record(source);

const loadBalancing: Check<LoadBalancing> = (value, path) => {
  const checked = shape<LoadBalancing>({
    algorithm: oneOf(BALANCING_ALGORITHM_NAMES),
    hashKey: nullable(requestKey),
    maxLoadPercent: optional(number(101, 100_000)),
  })(value, path);
  const { isHashing } = BALANCING_ALGORITHMS[checked.algorithm];
  if (isHashing !== (checked.hashKey !== null)) {
    fail(`${path}.hashKey`, "there just where the algorithm hashes");
  }
  if (!isHashing && checked.maxLoadPercent !== undefined) {
    fail(`${path}.maxLoadPercent`, "there only where the algorithm hashes");
  }
  return checked;
};

/** @see Plan.endpointPolicies */
export const endpointPolicy: Check<PlanEndpointPolicy> = withSources(shape<PlanEndpointPolicy>({
  sources,
  loadBalancing: optional(loadBalancing),
  outlierDetection: optional(shape<OutlierDetection>({
    consecutiveFailures: count,
    ejectionTimeMs: durationMs,
    maxEjectedPercent: percent,
    panicThresholdPercent: percent,
  })),
  slowStart: optional(shape<SlowStart>({ windowMs: durationMs })),
  connectionLimits: optional(shape<ConnectionLimits>({
    maxConnections: nullable(count),
    maxPending: whole(0, POLICY_COUNT_MAX),
    maxRequests: nullable(count),
  })),
}));

const retry = shape<Retry>({
  attempts: whole(0, 100),
  conditions: list(oneOf(["5xx", "gateway-error", "reset", "connect-failure", "timeout"])),
  statuses: list(whole(400, 599)),
  methods: list(oneOf(METHODS)),
  perTryTimeoutMs: nullable(durationMs),
  budgetPercent: percent,
  backoffMs: durationMs,
});

export const headerPolicy = shape<HeaderPolicy>({
  request: headerChanges,
  response: headerChanges,
});

/** Of a URL; what is not of these characters would end its line, or its path. */
export const hostName = text(NAME_LENGTH_MAX, /^[-.0-9a-z]+$/, "a host name in lower case");
const pathText = text(PATH_TEXT_MAX, /^\/[!-"$->@-~]*$/, "a path");
const pathKind = shape<Pick<PlanPathChange, "kind">>({ kind: oneOf(["full", "prefix"]) });
const fullPath = shape<Extract<PlanPathChange, { kind: "full" }>>({
  kind: oneOf(["full"]),
  value: pathText,
});
const prefixPath = shape<Extract<PlanPathChange, { kind: "prefix" }>>({
  kind: oneOf(["prefix"]),
  prefix: pathText,
  value: pathText,
});
export const pathChange: Check<PlanPathChange> = (value, path) =>
  pathKind(value, path).kind === "full" ? fullPath(value, path) : prefixPath(value, path);

/** @see PlanPort.policy */
export const routePolicy: Check<PlanRoutePolicy> = withSources(shape<PlanRoutePolicy>({
  sources,
  retry: optional(retry),
  timeouts: optional(shape<Timeouts>({
    requestMs: nullable(timeoutMs),
    idleMs: nullable(timeoutMs),
  })),
  rateLimit: optional(shape<RateLimit>({
    http: nullable(rate),
    tcp: nullable(rate),
    status: whole(400, 599),
    headers: headersThatFit,
  })),
  headers: optional(headerPolicy),
  rewrite: optional(shape<PlanRewrite>({
    host: nullable(hostName),
    path: nullable(pathChange),
  })),
  fault: optional(shape<Fault>({
    delay: nullable(shape<NonNullable<Fault["delay"]>>({ percent, durationMs })),
    abort: nullable(shape<NonNullable<Fault["abort"]>>({ percent, status: whole(200, 599) })),
  })),
  mirror: optional(shape<PlanMirror>({ namespace: name, service: name, group: prose, percent })),
  sessionAffinity: optional(shape<SessionAffinity>({
    key: affinityKey,
    ttlSeconds: nullable(whole(1, POLICY_DURATION_MS_MAX / 1_000)),
  })),
}));

/** Every section has a source, and nothing else has. */
function withSources<T extends { readonly sources: PlanPolicySources }>(check: Check<T>): Check<T> {
  return (value, path) => {
    const policy = check(value, path);
    const sections = Object.keys(policy).filter((key) => key !== "sources").sort().join(", ");
    if (Object.keys(policy.sources).sort().join(", ") !== sections) {
      fail(`${path}.sources`, `about just ${sections || "nothing"}`);
    }
    return policy;
  };
}
