/**
 * The shape of a plan, field by field, and the references inside it. Owns what is acceptable from outside;
 * `plan_codec.ts` owns text, version and hash.
 */
import { MTLS_FORM, parseMtlsRules } from "../base/mtls_mode.ts";
import { assert } from "../base/assert.ts";
import { parseIpRange } from "../base/capture_lists.ts";
import { canonicalIp } from "../base/ip.ts";
import { parseWorkloadId } from "../base/spiffe.ts";
import { checkPattern } from "./match/pattern.ts";
import {
  type Plan,
  PLAN_VERSION,
  type PlanAlias,
  type PlanAnswer,
  type PlanBackend,
  type PlanEgress,
  type PlanEgressPort,
  type PlanEndpoint,
  type PlanIngress,
  type PlanIngressFrom,
  type PlanIngressService,
  type PlanMatch,
  type PlanMtls,
  type PlanPort,
  type PlanRedirect,
  type PlanRoute,
  type PlanRoutePolicy,
  type PlanRouting,
  type PlanRule,
  type PlanService,
  type PlanTarget,
} from "./plan.ts";
import type { AccessPart, GroupPart, Part, PartKey, PlanHeader } from "./parts.ts";
import {
  endpointPolicy,
  headerPolicy,
  hostName,
  pathChange,
  routePolicy,
} from "./plan_check_policy.ts";
import {
  type Check,
  fail,
  isBoolean,
  label,
  list,
  name,
  nullable,
  oneOf,
  optional,
  port,
  position,
  prose,
  record,
  resource,
  shape,
  ShapeError,
  text,
  whole,
} from "./plan_shape.ts";
import { METHODS } from "./request.ts";
import { NAME_LENGTH_MAX, PORT_MAX } from "../base/limits.ts";
import { WEIGHT_TOTAL_MAX } from "./limits.ts";

const serviceAccount = text(
  2 * NAME_LENGTH_MAX + 1,
  /^[^\s/\p{Cc}]+\/[^\s/\p{Cc}]+$/u,
  "namespace/name",
);
const pattern: Check<string> = (value, path) => {
  const source = prose(value, path);
  const problem = checkPattern(source);
  if (!problem.ok) fail(path, `a pattern that Weft takes (${problem.message})`);
  return source;
};

const match = shape<PlanMatch>({
  group: resource,
  name: prose,
  path: nullable(pattern),
  methods: nullable(list(oneOf(METHODS))),
  headers: list(
    shape({ name: text(NAME_LENGTH_MAX, /^[!-9;-@[-~]+$/, "a lower-case name"), pattern }),
  ),
  queries: optional(
    list(shape({ name: text(NAME_LENGTH_MAX, /^[!-%'-<>-~]+$/, "a parameter's name"), pattern })),
  ),
  position,
});

const backend = shape<PlanBackend>({
  namespace: name,
  service: prose,
  weight: whole(0, WEIGHT_TOTAL_MAX),
  state: oneOf(["ready", "missing", "foreign", "no-port", "no-endpoints"]),
  group: prose,
  headers: optional(headerPolicy),
});

const redirect = shape<PlanRedirect>({
  kind: oneOf(["redirect"]),
  status: oneOf([301, 302, 303, 307, 308]),
  scheme: nullable(oneOf(["http", "https"])),
  host: nullable(hostName),
  port: nullable(port),
  path: nullable(pathChange),
});
const noRule = shape<Extract<PlanAnswer, { kind: "no-rule" }>>({ kind: oneOf(["no-rule"]) });
const answer: Check<PlanAnswer> = (value, path) =>
  isRedirect(value) ? redirect(value, path) : noRule(value, path);

function isRedirect(value: unknown): boolean {
  return typeof value === "object" && value !== null && "kind" in value &&
    value.kind === "redirect";
}

const isTrue: Check<true> = (value, path) => {
  if (value !== true) fail(path, "true, or left out");
  return true;
};

const route = shape<PlanRoute>({
  id: prose,
  split: nullable(resource),
  position,
  backends: list(backend),
  answer: optional(answer),
  keepsShares: optional(isTrue),
});

const rule = shape<PlanRule>({ match, route, policy: optional(routePolicy) });
const routing = { rules: list(rule), fallback: route } as const;

const planPort = shape<PlanPort>({
  port,
  name: label,
  protocol: oneOf(["http", "http2", "grpc", "tcp", "tcp-server-first", "tls"]),
  isGuessed: optional(isBoolean),
  ...routing,
  consumers: optional(record(shape<PlanRouting>(routing))),
  policy: optional(routePolicy),
});

const address: Check<string> = (value, path) => {
  const source = label(value, path);
  if (source !== "" && canonicalIp(source) === null) fail(path, "an IP address, or empty");
  return source;
};

const service = shape<PlanService>({
  namespace: name,
  name,
  clusterIps: list(address),
  ports: list(planPort),
  podHosts: list(name),
  position,
});

const endpoint = shape<PlanEndpoint>({
  address,
  port: whole(0, PORT_MAX),
  targetPort: optional(port),
  pod: label,
  workload: label,
  hostname: label,
  identity: label,
  mutualTls: optional(isBoolean),
});

const target = shape<PlanTarget>({
  ref: resource,
  position,
  destination: serviceAccount,
  sources: list(serviceAccount),
  port: nullable(port),
  http: list(match),
  tcpPorts: nullable(list(port)),
});

const host = text(
  NAME_LENGTH_MAX,
  /^(\*|(\*\.)?[-a-z0-9_]+(\.[-a-z0-9_]+)*)$/,
  "a host in lower case, or *.host",
);

const range: Check<string> = (value, path) => {
  const source = label(value, path);
  if (parseIpRange(source)?.text !== source) fail(path, "a range of addresses");
  return source;
};

const egress = list(shape<PlanEgress>({
  ref: resource,
  position,
  source: serviceAccount,
  hosts: nullable(list(host)),
  ranges: nullable(list(range)),
  ports: list(shape<PlanEgressPort>({ port, protocol: oneOf(["http", "https", "tcp"]) })),
  http: nullable(list(match)),
}));

const workloadId: Check<string> = (value, path) => {
  const source = prose(value, path);
  if (parseWorkloadId(source) === null) fail(path, "the SPIFFE id of a service account");
  return source;
};

const ingressShape = shape<PlanIngress>({
  ref: resource,
  position,
  destination: serviceAccount,
  pods: nullable(list(address)),
  port,
  protocol: oneOf(["http", "https"]),
  from: nullable(shape<PlanIngressFrom>({
    ranges: list(range),
    services: list(shape<PlanIngressService>({ service: label, addresses: list(address) })),
  })),
  principals: nullable(list(workloadId)),
  serverNames: nullable(list(host)),
  http: nullable(list(match)),
});

/** In plain there is nothing but where a caller comes from. */
const ingress = list<PlanIngress>((value, path) => {
  const checked = ingressShape(value, path);
  const { protocol, from, principals, serverNames } = checked;
  if (protocol === "http" && (from === null || principals !== null || serverNames !== null)) {
    fail(path, "with from, and without principals and serverNames, where it is http");
  }
  return checked;
});

const alias = shape<PlanAlias>({ namespace: name, name, host: name });

const mtlsText: Check<string> = (value, path) => {
  const source = prose(value, path);
  if (parseMtlsRules(source) === null) fail(path, MTLS_FORM);
  return source;
};

const header = {
  version: oneOf([PLAN_VERSION]),
  requires: optional(list(name)),
  clusterDomain: text(NAME_LENGTH_MAX, /^[a-z0-9][-a-z0-9.]*$/, "a domain name in lower case"),
  permissive: isBoolean,
  egressOff: optional(isTrue),
  mtls: optional(shape<PlanMtls>({ mesh: optional(mtlsText), namespaces: record(mtlsText) })),
} as const;

export const isHash = text(64, /^[0-9a-f]{64}$/, "64 hex digits");

const plan = shape<Plan>({
  hash: isHash,
  ...header,
  services: list(service),
  groups: record(list(endpoint)),
  targets: list(target),
  egress: optional(record(egress)),
  ingress: optional(record(ingress)),
  aliases: optional(list(alias)),
  endpointPolicies: optional(record(endpointPolicy)),
});

/** The shape of what holds for all parts of a plan. */
export const isPlanHeader: Check<PlanHeader> = shape<PlanHeader>(header);

/** The shape of the part with a key; that it is of what the key says, too. */
export function checkPart(key: PartKey, value: unknown, path: string): Part {
  const [kind, id] = key.split(" ");
  switch (kind) {
    case "route":
      return checkRoute(id, value, path);
    case "group":
      return groupPart(value, path);
    default: {
      const part = accessPart(value, path);
      checkDestination(id, part.targets, `${path}.targets`);
      checkSource(id, part.egress ?? [], `${path}.egress`);
      checkDestination(id, part.ingress ?? [], `${path}.ingress`);
      return part;
    }
  }
}

function checkSource(id: string, egress: readonly PlanEgress[], path: string): void {
  if (egress.some(({ source }) => source !== id)) fail(path, `of the source "${id}"`);
}

function checkDestination(
  id: string,
  list: readonly { readonly destination: string }[],
  path: string,
): void {
  if (list.some(({ destination }) => destination !== id)) fail(path, `of the destination "${id}"`);
}

const groupPart = shape<GroupPart>({ endpoints: list(endpoint), policy: optional(endpointPolicy) });
const accessPart = shape<AccessPart>({
  targets: list(target),
  egress: optional(egress),
  ingress: optional(ingress),
});
const servicePart = shape<{ readonly service: PlanService }>({ service });
const aliasPart = shape<{ readonly alias: PlanAlias }>({ alias });

function checkRoute(id: string, value: unknown, path: string): Part {
  const isAlias = typeof value === "object" && value !== null && "alias" in value;
  const part = isAlias ? aliasPart(value, path) : servicePart(value, path);
  const { namespace, name } = "service" in part ? part.service : part.alias;
  if (`${namespace}/${name}` !== id) fail(path, `of the Service "${id}"`);
  if ("service" in part) checkRoutes(part.service, `${path}.service`);
  return part;
}

/** Checks everything that a table takes for granted. Never throws. */
export function checkPlan(
  value: unknown,
): { readonly ok: true; readonly plan: Plan } | { readonly ok: false; readonly message: string } {
  try {
    const checked = plan(value, "");
    checkReferences(checked);
    return { ok: true, plan: checked };
  } catch (error) {
    assert(error instanceof ShapeError, `Checking a plan failed: ${String(error)}`);
    return { ok: false, message: error.message };
  }
}

function checkReferences(checked: Plan): void {
  const { services, aliases = [], groups, permissive, targets, endpointPolicies = {} } = checked;
  for (const group of Object.keys(endpointPolicies)) {
    if (!Object.hasOwn(groups, group)) {
      fail(`endpointPolicies["${group}"]`, "about a key of groups");
    }
  }
  const known = new Set<string>();
  const addKnown = ({ namespace, name }: ServiceName, path: string) => {
    const key = `${namespace}/${name}`;
    if (known.has(key)) fail(path, `a Service that is not there yet ("${key}")`);
    known.add(key);
  };
  for (const [index, service] of services.entries()) {
    const path = `services[${index}]`;
    addKnown(service, path);
    checkRoutes(service, path);
    checkGroups(service, groups, path);
  }
  for (const [index, alias] of aliases.entries()) addKnown(alias, `aliases[${index}]`);
  for (const [source, egress] of Object.entries(checked.egress ?? {})) {
    checkSource(source, egress, `egress["${source}"]`);
  }
  for (const [destination, own] of Object.entries(checked.ingress ?? {})) {
    checkDestination(destination, own, `ingress["${destination}"]`);
  }
  if (permissive && targets.length > 0) fail("targets", "empty where permissive is true");
}

type ServiceName = Pick<PlanAlias, "namespace" | "name">;

/** What has to be so within one Service. */
function checkRoutes(service: PlanService, path: string): void {
  const { namespace, name, ports } = service;
  const numbers = new Set(ports.map(({ port }) => port));
  if (numbers.size < ports.length) fail(`${path}.ports`, "different numbers");
  const ids = new Set<string>();
  for (const { port, route, place } of routesOf(service, path)) {
    checkRouteId(route.id, `${namespace}/${name}:${port}`, ids, `${place}.id`);
    const total = route.backends.reduce((sum, { weight }) => sum + weight, 0);
    if (total > WEIGHT_TOTAL_MAX) {
      fail(`${place}.backends`, `of a weight of ${WEIGHT_TOTAL_MAX} at most together`);
    }
  }
}

/** And what it has to do with the groups of its plan. */
function checkGroups(service: PlanService, groups: Plan["groups"], path: string): void {
  for (const [at, port] of service.ports.entries()) {
    checkMirror(port.policy, groups, `${path}.ports[${at}].policy`);
    for (const { rules, place } of placedRoutings(port, `${path}.ports[${at}]`)) {
      for (const [i, { policy }] of rules.entries()) {
        checkMirror(policy, groups, `${place}.rules[${i}].policy`);
      }
    }
  }
  for (const { route, place } of routesOf(service, path)) {
    for (const [index, { state, group }] of route.backends.entries()) {
      if (!Object.hasOwn(groups, group)) {
        fail(`${place}.backends[${index}].group`, "a key of groups");
      }
      if ((state === "ready") !== groups[group].length > 0) {
        fail(`${place}.backends[${index}].state`, "ready just where the group has endpoints");
      }
    }
  }
}

interface PlacedRoute {
  readonly port: number;
  readonly route: PlanRoute;
  /** Where it stands. */
  readonly place: string;
}

function* routesOf({ ports }: PlanService, path: string): Iterable<PlacedRoute> {
  for (const [at, planned] of ports.entries()) {
    const { port } = planned;
    for (const { rules, fallback, place } of placedRoutings(planned, `${path}.ports[${at}]`)) {
      yield { port, route: fallback, place: `${place}.fallback` };
      for (const [i, { route }] of rules.entries()) {
        yield { port, route, place: `${place}.rules[${i}].route` };
      }
    }
  }
}

/** With where each stands. */
function placedRoutings(port: PlanPort, path: string) {
  const { rules, fallback, consumers = {} } = port;
  const ofConsumers = Object.entries(consumers).map(([namespace, routing]) => ({
    ...routing,
    place: `${path}.consumers["${namespace}"]`,
  }));
  return [{ rules, fallback, place: path }, ...ofConsumers];
}

function checkMirror(
  policy: PlanRoutePolicy | undefined,
  groups: Plan["groups"],
  path: string,
): void {
  const group = policy?.mirror?.group;
  if (group === undefined) return;
  if (!Object.hasOwn(groups, group) || groups[group].length === 0) {
    fail(`${path}.mirror.group`, "a key of groups that has endpoints");
  }
}

/** Sequences are carried from plan to plan by id, so an id stands for one route and tells whose it is. */
function checkRouteId(id: string, port: string, known: Set<string>, path: string): void {
  if (id !== port && !id.startsWith(`${port}/`)) fail(path, `"${port}", or that and a slash first`);
  if (known.has(id)) fail(path, "an id that no other route has");
  known.add(id);
}
