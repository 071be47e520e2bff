/**
 * Parts: what a plan consists of, each with a key and a content hash. What changes seldom (routes) and what changes often (endpoints) are
 * not in one part, so that a change is sent and applied for itself. A plan is composed of parts, and is taken apart into the same ones.
 */
import { canonicalJson } from "../base/canonical_json.ts";
import { fnv1a32, sha256Hex } from "../base/hash.ts";
import { compareText } from "../base/order.ts";
import type {
  Plan,
  PlanAlias,
  PlanEgress,
  PlanEndpoint,
  PlanEndpointPolicy,
  PlanIngress,
  PlanService,
  PlanTarget,
} from "./plan.ts";
import { routingsOf } from "./plan.ts";

/** What holds for all parts of a mesh. */
export type PlanHeader = Omit<
  Plan,
  "hash" | "services" | "groups" | "targets" | "egress" | "ingress" | "aliases" | "endpointPolicies"
>;

/** With the fields of later versions that it has. */
export function planHeaderOf(plan: Omit<Plan, "hash">): PlanHeader {
  const {
    hash: _,
    services: _1,
    groups: _2,
    targets: _3,
    egress: _4,
    ingress: _5,
    aliases: _6,
    endpointPolicies: _7,
    ...header
  } = plan as Plan;
  return header;
}

/** A root Service: its ports, rules and policies; or another name of something. */
export type RoutePart =
  | { readonly service: PlanService; readonly alias?: undefined }
  | { readonly alias: PlanAlias; readonly service?: undefined };

/** What stands behind one port of a Service, and how it is treated. */
export interface GroupPart {
  readonly endpoints: readonly PlanEndpoint[];
  readonly policy?: PlanEndpointPolicy;
}

/** Who may call one identity, and how; what that may call outside the mesh; and who may call it from there. */
export interface AccessPart {
  readonly targets: readonly PlanTarget[];
  /** Left out: nothing is said. */
  readonly egress?: readonly PlanEgress[];
  /** Likewise. */
  readonly ingress?: readonly PlanIngress[];
}

export type Part = RoutePart | GroupPart | AccessPart;

/** `route NAMESPACE/SERVICE`, `group NAMESPACE/SERVICE:PORT`, `access NAMESPACE/SERVICEACCOUNT`. */
export type PartKey = `${"route" | "group" | "access"} ${string}`;

export const routeKey = (service: string): PartKey => `route ${service}`;
export const groupKey = (group: string): PartKey => `group ${group}`;
export const accessKey = (identity: string): PartKey => `access ${identity}`;

/** SHA-256 over the canonical JSON of a part, 64 hex digits. */
export function hashPart(part: Part): string {
  return sha256Hex(canonicalJson(part));
}

/** A group without endpoints, or an identity, that nothing is said about is no part: absent and empty are the same. */
export function isPart(part: Part): boolean {
  if ("targets" in part) {
    return part.targets.length > 0 || part.egress !== undefined || part.ingress !== undefined;
  }
  return !("endpoints" in part) || part.endpoints.length > 0 || part.policy !== undefined;
}

/** Takes a plan apart. */
export function partsOf(plan: Omit<Plan, "hash">): Map<PartKey, Part> {
  const parts = new Map<PartKey, Part>();
  for (const service of plan.services) {
    parts.set(routeKey(`${service.namespace}/${service.name}`), { service });
  }
  for (const alias of plan.aliases ?? []) {
    parts.set(routeKey(`${alias.namespace}/${alias.name}`), { alias });
  }
  const { endpointPolicies = {} } = plan;
  for (const [id, endpoints] of Object.entries(plan.groups)) {
    const policy = Object.hasOwn(endpointPolicies, id) ? endpointPolicies[id] : undefined;
    const part = policy === undefined ? { endpoints } : { endpoints, policy };
    if (isPart(part)) parts.set(groupKey(id), part);
  }
  for (const [identity, part] of accessOf(plan)) parts.set(accessKey(identity), part);
  return parts;
}

function accessOf({ targets, egress, ingress }: Omit<Plan, "hash">): Map<string, AccessPart> {
  const access = new Map<string, AccessPart>();
  const add = (identity: string, more: Partial<AccessPart>) =>
    access.set(identity, { targets: [], ...access.get(identity), ...more });
  for (const [identity, own] of Map.groupBy(targets, ({ destination }) => destination)) {
    add(identity, { targets: own });
  }
  for (const [identity, own] of Object.entries(egress ?? {})) add(identity, { egress: own });
  for (const [identity, own] of Object.entries(ingress ?? {})) add(identity, { ingress: own });
  return access;
}

/** Puts parts together. Objects of the parts are the plan's own: what did not change is the same object in the next plan. */
export function composePlan(
  header: PlanHeader,
  parts: Iterable<readonly [PartKey, Part]>,
  hash: string,
): Plan {
  const services: PlanService[] = [];
  const aliases: PlanAlias[] = [];
  const groups = new Map<string, readonly PlanEndpoint[]>();
  const endpointPolicies = new Map<string, PlanEndpointPolicy>();
  const access: (readonly [string, readonly PlanTarget[]])[] = [];
  const egress = new Map<string, readonly PlanEgress[]>();
  const ingress = new Map<string, readonly PlanIngress[]>();
  for (const [key, part] of parts) {
    const id = key.slice(key.indexOf(" ") + 1);
    if ("targets" in part) {
      access.push([id, part.targets]);
      if (part.egress !== undefined) egress.set(id, part.egress);
      if (part.ingress !== undefined) ingress.set(id, part.ingress);
    } else if ("endpoints" in part) {
      groups.set(id, part.endpoints);
      if (part.policy !== undefined) endpointPolicies.set(id, part.policy);
    } else if (part.service !== undefined) services.push(part.service);
    else aliases.push(part.alias);
  }
  for (const service of services) {
    for (const id of groupsNamedBy(service)) if (!groups.has(id)) groups.set(id, NO_ENDPOINTS);
  }
  return {
    ...header,
    hash,
    services: services.sort(compareNames),
    groups: sortedRecord(groups),
    targets: access.sort(([a], [b]) => compareText(a, b)).flatMap(([, targets]) => targets),
    ...(egress.size === 0 ? {} : { egress: sortedRecord(egress) }),
    ...(ingress.size === 0 ? {} : { ingress: sortedRecord(ingress) }),
    ...(aliases.length === 0 ? {} : { aliases: aliases.sort(compareNames) }),
    ...(endpointPolicies.size === 0 ? {} : { endpointPolicies: sortedRecord(endpointPolicies) }),
  };
}

const NO_ENDPOINTS: readonly PlanEndpoint[] = [];

export function compareNames(
  a: Pick<PlanService, "namespace" | "name">,
  b: Pick<PlanService, "namespace" | "name">,
): number {
  return compareText(a.namespace, b.namespace) || compareText(a.name, b.name);
}

function sortedRecord<T>(entries: ReadonlyMap<string, T>): Readonly<Record<string, T>> {
  return Object.fromEntries([...entries].sort(([a], [b]) => compareText(a, b)));
}

/** Ids of the groups that a Service's routes lead to, also where nothing is behind them; some more than once. */
export function* groupsNamedBy({ ports }: PlanService): Iterable<string> {
  for (const port of ports) {
    for (const { rules, fallback } of routingsOf(port)) {
      yield* groupsOfRoute(fallback, port.policy);
      for (const rule of rules) yield* groupsOfRoute(rule.route, rule.policy);
    }
  }
}

function* groupsOfRoute(
  { backends }: PlanService["ports"][number]["fallback"],
  policy: PlanService["ports"][number]["policy"],
): Iterable<string> {
  for (const { group } of backends) yield group;
  if (policy?.mirror !== undefined) yield policy.mirror.group;
}

/** Keys of the parts that a part cannot be used without; some more than once, some of parts that are not there. */
export function* neededBy(part: Part, { permissive }: PlanHeader): Iterable<PartKey> {
  if ("targets" in part) return;
  if ("endpoints" in part) {
    if (permissive) return;
    for (const { identity } of part.endpoints) if (identity !== "") yield accessKey(identity);
    return;
  }
  if (part.service === undefined) return;
  const { namespace, name, ports } = part.service;
  // Its own endpoints also where no route leads there: clients call pods by their addresses and names.
  for (const { port } of ports) yield groupKey(`${namespace}/${name}:${port}`);
  for (const id of groupsNamedBy(part.service)) yield groupKey(id);
}

const BUCKETS = 256;

/**
 * The hash of a plan, by the hashes of its parts: of the header and of 256 buckets, each over its parts in order. A changed part costs
 * its bucket.
 */
export class PlanDigest {
  readonly #buckets = Array.from({ length: BUCKETS }, () => new Map<PartKey, string>());
  readonly #digests: (string | null)[] = new Array(BUCKETS).fill("");

  /** @param hash undefined: the part is gone */
  set(key: PartKey, hash: string | undefined): void {
    const at = fnv1a32(key) % BUCKETS;
    if (hash === undefined) this.#buckets[at].delete(key);
    else this.#buckets[at].set(key, hash);
    this.#digests[at] = null;
  }

  /** Works out some of what `hash` needs, so many buckets at most; whether there is more to do. */
  settle(most: number): boolean {
    for (const [at, digest] of this.#digests.entries()) {
      if (digest !== null) continue;
      if (most-- === 0) return true;
      this.#digests[at] = digestOf(this.#buckets[at]);
    }
    return false;
  }

  /** 64 hex digits. */
  hash(header: PlanHeader): string {
    const parts = this.#buckets.map((bucket, at) => this.#digests[at] ??= digestOf(bucket));
    // The canonical JSON of both: of a list of texts, that is what `JSON.stringify` makes.
    return sha256Hex(`{"header":${canonicalJson(header)},"parts":${JSON.stringify(parts)}}`);
  }
}

function digestOf(bucket: ReadonlyMap<PartKey, string>): string {
  if (bucket.size === 0) return "";
  return sha256Hex(JSON.stringify([...bucket].sort(([a], [b]) => compareText(a, b))));
}

/** The hash of each part, by key in order. */
export function partHashes(plan: Omit<Plan, "hash">): Map<PartKey, string> {
  const parts = [...partsOf(plan)].sort(([a], [b]) => compareText(a, b));
  return new Map(parts.map(([key, part]) => [key, hashPart(part)]));
}

/** The plan's content hash, whatever hash it carries. */
export function hashPlan(plan: Omit<Plan, "hash">): string {
  const digest = new PlanDigest();
  for (const [key, hash] of partHashes(plan)) digest.set(key, hash);
  return digest.hash(planHeaderOf(plan));
}
