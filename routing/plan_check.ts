/**
 * The shape of a plan, field by field, and the references inside it. Owns what is acceptable from outside;
 * `plan_codec.ts` owns text, version and hash.
 */
import { assert } from "../base/assert.ts";
import { parseIp } from "../base/ip.ts";
import type { Position, ResourceRef } from "../base/finding.ts";
import { checkPattern } from "./match/pattern.ts";
import {
  type Plan,
  PLAN_VERSION,
  type PlanBackend,
  type PlanEndpoint,
  type PlanMatch,
  type PlanPort,
  type PlanRoute,
  type PlanRule,
  type PlanService,
  type PlanTarget,
} from "./plan.ts";
import { METHODS } from "./request.ts";

/** The longest name that Kubernetes takes. */
const NAME_MAX = 253;
const PORT_MAX = 65535;

/** The sum of a route's weights: places of a split sequence are numbered in 32 bits. */
export const WEIGHT_TOTAL_MAX = 2 ** 31 - 1;

/** Says what is wrong and where; never leaves this file. */
class ShapeError extends Error {}

/** Returns the value itself, now known to have the type, or throws a ShapeError. */
type Check<T> = (value: unknown, path: string) => T;

const port = whole(1, PORT_MAX);
const name = text(NAME_MAX, /^[^\s/:\p{Cc}]+$/u, "a name");
/** Namespaces of cluster-scoped kinds are empty. */
const namespace = text(NAME_MAX, /^[^\s/:\p{Cc}]*$/u, "a namespace");
const label = text(NAME_MAX, /^[^\s\p{Cc}]*$/u, "a short text");
/** What people write freely, as the name of a match; bounded by the size of the plan. */
const prose: Check<string> = (value, path) => {
  if (typeof value !== "string") fail(path, "a text");
  return value;
};
const serviceAccount = text(2 * NAME_MAX + 1, /^[^\s/\p{Cc}]+\/[^\s/\p{Cc}]+$/u, "namespace/name");
const pattern: Check<string> = (value, path) => {
  const source = prose(value, path);
  const problem = checkPattern(source);
  if (!problem.ok) fail(path, `a pattern that Weft takes (${problem.message})`);
  return source;
};

const resource = shape<ResourceRef>({ kind: name, namespace, name });
const position = nullable(
  shape<Position>({
    file: prose,
    line: whole(1, Number.MAX_SAFE_INTEGER),
    column: whole(1, Number.MAX_SAFE_INTEGER),
  }),
);

const match = shape<PlanMatch>({
  group: resource,
  name: prose,
  path: nullable(pattern),
  methods: nullable(list(oneOf(METHODS))),
  headers: list(shape({ name: text(NAME_MAX, /^[!-9;-@[-~]+$/, "a lower-case name"), pattern })),
  position,
});

const backend = shape<PlanBackend>({
  namespace: name,
  service: prose,
  weight: whole(0, WEIGHT_TOTAL_MAX),
  state: oneOf(["ready", "missing", "foreign", "no-port", "no-endpoints"]),
  group: prose,
});

const route = shape<PlanRoute>({
  id: prose,
  split: nullable(resource),
  position,
  backends: list(backend),
});

const planPort = shape<PlanPort>({
  port,
  name: label,
  protocol: oneOf(["http", "http2", "grpc", "tcp", "tcp-server-first", "tls"]),
  rules: list(shape<PlanRule>({ match, route })),
  fallback: route,
});

const address: Check<string> = (value, path) => {
  const source = label(value, path);
  if (source !== "" && parseIp(source) === null) fail(path, "an IP address, or empty");
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
  pod: label,
  workload: label,
  hostname: label,
  identity: label,
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

const plan = shape<Plan>({
  version: oneOf([PLAN_VERSION]),
  hash: text(64, /^[0-9a-f]{64}$/, "64 hex digits"),
  clusterDomain: text(NAME_MAX, /^[a-z0-9][-a-z0-9.]*$/, "a domain name in lower case"),
  permissive: isBoolean,
  services: list(service),
  groups: record(list(endpoint)),
  targets: list(target),
});

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

function checkReferences({ services, groups, permissive, targets }: Plan): void {
  const known = new Set<string>();
  const routeIds = new Set<string>();
  for (const [index, { namespace, name, ports }] of services.entries()) {
    const path = `services[${index}]`;
    const key = `${namespace}/${name}`;
    if (known.has(key)) fail(path, `a Service that is not there yet ("${key}")`);
    known.add(key);
    const numbers = new Set(ports.map(({ port }) => port));
    if (numbers.size < ports.length) fail(`${path}.ports`, "different numbers");
    for (const [at, { port, rules, fallback }] of ports.entries()) {
      const routes: [place: string, route: PlanRoute][] = [
        ["fallback", fallback],
        ...rules.map(({ route }, i): [string, PlanRoute] => [`rules[${i}].route`, route]),
      ];
      for (const [place, route] of routes) {
        const routePath = `${path}.ports[${at}].${place}`;
        checkRouteId(route.id, `${key}:${port}`, routeIds, `${routePath}.id`);
        checkBackends(route, groups, routePath);
      }
    }
  }
  if (permissive && targets.length > 0) fail("targets", "empty where permissive is true");
}

/** Sequences are carried from plan to plan by id, so an id stands for one route and tells whose it is. */
function checkRouteId(id: string, port: string, known: Set<string>, path: string): void {
  if (id !== port && !id.startsWith(`${port}/`)) fail(path, `"${port}", or that and a slash first`);
  if (known.has(id)) fail(path, "an id that no other route has");
  known.add(id);
}

function checkBackends(route: PlanRoute, groups: Plan["groups"], path: string): void {
  let weightTotal = 0;
  for (const [index, { state, group, weight }] of route.backends.entries()) {
    if (!Object.hasOwn(groups, group)) fail(`${path}.backends[${index}].group`, "a key of groups");
    if ((state === "ready") !== groups[group].length > 0) {
      fail(`${path}.backends[${index}].state`, "ready just where the group has endpoints");
    }
    weightTotal += weight;
  }
  if (weightTotal > WEIGHT_TOTAL_MAX) {
    fail(`${path}.backends`, `of a weight of ${WEIGHT_TOTAL_MAX} at most together`);
  }
}

function fail(path: string, expected: string): never {
  throw new ShapeError(`The plan is not valid: "${path}" must be ${expected}`);
}

function text(lengthMax: number, form: RegExp, description: string): Check<string> {
  return (value, path) => {
    if (typeof value !== "string" || value.length > lengthMax || !form.test(value)) {
      fail(path, `${description} of at most ${lengthMax} characters`);
    }
    return value;
  };
}

function whole(min: number, max: number): Check<number> {
  return (value, path) => {
    const isWhole = typeof value === "number" && Number.isSafeInteger(value);
    if (!isWhole || value < min || value > max) fail(path, `a whole number, ${min} to ${max}`);
    return value;
  };
}

function isBoolean(value: unknown, path: string): boolean {
  if (typeof value !== "boolean") fail(path, "true or false");
  return value;
}

function oneOf<const T extends string | number>(values: readonly T[]): Check<T> {
  return (value, path) => {
    if (!values.includes(value as T)) fail(path, `one of ${values.join(", ")}`);
    return value as T;
  };
}

function nullable<T>(check: Check<T>): Check<T | null> {
  return (value, path) => value === null ? null : check(value, path);
}

/** The text's limit bounds the length of every list. */
function list<T>(check: Check<T>): Check<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) fail(path, "a list");
    for (const [index, item] of value.entries()) check(item, `${path}[${index}]`);
    return value as readonly T[];
  };
}

/** Exactly these fields: one that is not known would be hashed and carried, and never looked at. */
function shape<T extends object>(fields: { readonly [K in keyof T]-?: Check<T[K]> }): Check<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  return (value, path) => {
    const members = membersOf(value, path);
    for (const name of names) {
      const fieldPath = path === "" ? name : `${path}.${name}`;
      if (!Object.hasOwn(members, name)) fail(fieldPath, "present");
      fields[name](members[name], fieldPath);
    }
    if (Object.keys(members).length > names.length) {
      fail(path === "" ? "." : path, `free of fields other than ${names.join(", ")}`);
    }
    return value as T;
  };
}

function record<T>(check: Check<T>): Check<Readonly<Record<string, T>>> {
  return (value, path) => {
    const members = membersOf(value, path);
    for (const key of Object.keys(members)) {
      prose(key, `${path} key`);
      check(members[key], `${path}[${JSON.stringify(key)}]`);
    }
    return members as Readonly<Record<string, T>>;
  };
}

function membersOf(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(path, "an object");
  return value as Record<string, unknown>;
}
