/**
 * The parts of a plan that the resources of a mesh come to, kept up to date. What a part is made of is derived elsewhere
 * (`derived_values.ts`).
 */
import { parseIp } from "../../base/ip.ts";
import { isSameData } from "../../base/same_data.ts";
import {
  accessKey,
  type AccessPart,
  groupKey,
  type GroupPart,
  isPart,
  type Part,
  type PartKey,
  routeKey,
  type RoutePart,
} from "../parts.ts";
import {
  needsGatewayRoutes,
  type PlanEgress,
  type PlanIngress,
  type PlanService,
} from "../plan.ts";
import { planAlias } from "./aliases.ts";
import type { DerivedValues } from "./derived_values.ts";
import type { ResolvedService } from "./endpoints.ts";
import { positionOf } from "./findings.ts";
import { Derived } from "./incremental.ts";
import { Counter } from "./kept.ts";
import { keyInGroup, keyOfMeta } from "./keys.ts";
import { mtlsOfNamespace } from "./mtls_modes.ts";
import { planEndpointPolicy } from "./plan_policies.ts";
import { planPorts, type RootRouting } from "./ports.ts";

/** A group of endpoints, by its id. */
type ServiceGroup = readonly [id: string, group: GroupPart];

const NO_RULES: RootRouting = { rules: [], plain: undefined };

export class CompiledParts {
  readonly #values: DerivedValues;
  readonly #permissive: boolean;
  readonly #parts = new Map<PartKey, Part>();
  /** By namespace, whether callers may do without mutual TLS, where it says. */
  readonly #mtls = new Map<string, string>();
  /** Those that have what only routes of the Gateway API ask for. */
  readonly #gatewayParts = new Set<PartKey>();
  /** The ids of a Service's groups, by `namespace/name`. */
  readonly #groupsOf = new Map<string, readonly string[]>();
  /** How many targets, Egresses and IngressBackends name an account. */
  readonly #accessCounts = new Counter();
  /** The accounts that an IngressBackend opens, by its key. */
  readonly #openedBy = new Map<string, ReadonlySet<string>>();
  #changed = new Set<PartKey>();

  // What is kept, by `namespace/name` where nothing else is said.

  readonly routes: Derived<RoutePart | undefined>;
  readonly serviceGroups: Derived<readonly ServiceGroup[]>;
  /** By `keyInGroup`. */
  readonly ingresses: Derived<readonly PlanIngress[]>;
  /** By account. */
  readonly #access: Derived<AccessPart>;
  /** By the key of a namespace: whether callers may do without mutual TLS there; empty: it does not say. */
  readonly namespaceModes: Derived<string>;

  constructor(values: DerivedValues, permissive: boolean) {
    this.#values = values;
    this.#permissive = permissive;
    const { incremental } = values;
    this.routes = new Derived(incremental, (key) => this.#routePart(key), {
      isSame: isSameData,
      onChange: (key, part) => this.#setPart(routeKey(key), part),
    });
    this.serviceGroups = new Derived(incremental, (key) => this.#groupParts(key), {
      isSame: isSameData,
      onChange: (key, groups) => this.#groupsChanged(key, groups ?? []),
    });
    this.ingresses = new Derived(incremental, (key) => values.plannedIngresses.get(key), {
      onChange: (key, ingresses) => this.#ingressChanged(key, ingresses ?? []),
    });
    this.#access = new Derived(incremental, (account) => this.#accessPart(account), {
      isSame: isSameData,
      onChange: (account, part) =>
        this.#setPart(accessKey(account), part !== undefined && isPart(part) ? part : undefined),
    });
    this.namespaceModes = new Derived(incremental, (key) => this.#namespaceMode(key), {
      onChange: (key, text) => this.#modeChanged(key, text ?? ""),
    });
  }

  /** In no order. */
  get all(): ReadonlyMap<PartKey, Part> {
    return this.#parts;
  }

  get mtls(): ReadonlyMap<string, string> {
    return this.#mtls;
  }

  get hasGatewayRoutes(): boolean {
    return this.#gatewayParts.size > 0;
  }

  /** Keys of parts that are new, different or gone since the last call. */
  takeChanged(): ReadonlySet<PartKey> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  /** @param part undefined: there is none */
  #setPart(key: PartKey, part: Part | undefined): void {
    this.#changed.add(key);
    const isGateway = part !== undefined && "service" in part && part.service !== undefined &&
      needsGatewayRoutes(part.service);
    if (isGateway) this.#gatewayParts.add(key);
    else this.#gatewayParts.delete(key);
    if (part === undefined) this.#parts.delete(key);
    else this.#parts.set(key, part);
  }

  #routePart(key: string): RoutePart | undefined {
    const values = this.#values;
    const resolved = values.resolved.get(key);
    if (resolved === undefined) return undefined;
    const planned = this.#planService(resolved, values.routings.get(key) ?? NO_RULES);
    const isRoot = (other: string) => values.isRoot.get(other);
    const alias = planAlias(resolved.service, values.catalog, isRoot, values.findings);
    return alias === null ? { service: planned } : { alias };
  }

  #planService(resolved: ResolvedService, routing: RootRouting): PlanService {
    const { meta, clusterIps } = resolved.service;
    const { policyInput, gatewayLookup: lookup } = this.#values;
    const routes = { attachments: this.#values.attachmentsOf(keyOfMeta(meta)), lookup };
    return {
      namespace: meta.namespace,
      name: meta.name,
      clusterIps: clusterIps.filter((ip) => parseIp(ip) !== null),
      ports: planPorts(resolved, routing, routes, policyInput),
      podHosts: resolved.podHosts,
      position: positionOf(meta, []),
    };
  }

  #groupParts(key: string): readonly ServiceGroup[] {
    const resolved = this.#values.resolved.get(key);
    if (resolved === undefined) return [];
    const policy = planEndpointPolicy(resolved.service, this.#values.policyInput);
    return resolved.ports.map(({ group, endpoints }) => [
      group,
      policy === undefined ? { endpoints } : { endpoints, policy },
    ]);
  }

  #groupsChanged(key: string, groups: readonly ServiceGroup[]): void {
    const now = new Map(groups.filter(([, group]) => isPart(group)));
    for (const id of this.#groupsOf.get(key) ?? []) {
      if (!now.has(id)) this.#setPart(groupKey(id), undefined);
    }
    for (const [id, group] of now) {
      const known = this.#parts.get(groupKey(id));
      if (!isSameData(known, group)) this.#setPart(groupKey(id), group);
    }
    if (now.size === 0) this.#groupsOf.delete(key);
    else this.#groupsOf.set(key, [...now.keys()]);
  }

  #accessPart(account: string): AccessPart {
    const { catalog, plannedEgresses, plannedIngresses, plannedTargets } = this.#values;
    const egress = catalog.egressesOf(account).flatMap(({ meta }): PlanEgress[] => {
      const planned = plannedEgresses.get(keyInGroup(meta));
      return planned === undefined ? [] : [{ ...planned, source: account }];
    });
    const targets = this.#permissive ? [] : catalog.targetsCalling(account)
      .flatMap(({ meta }) => plannedTargets.get(keyOfMeta(meta)) ?? []);
    const [namespace] = account.split("/");
    const ingress = catalog.ingressesOf(namespace)
      .flatMap(({ meta }) => plannedIngresses.get(keyInGroup(meta)))
      .filter(({ destination }) => destination === account);
    return {
      targets,
      ...(egress.length === 0 ? {} : { egress }),
      ...(ingress.length === 0 ? {} : { ingress }),
    };
  }

  /** An account is named by something, `after`, or no longer, `before`: what may call it, and what it may call, is kept. */
  moveAccess(before: string | undefined, after: string | undefined): void {
    this.#accessCounts.move(before, after, [this.#access]);
  }

  #ingressChanged(key: string, ingresses: readonly PlanIngress[]): void {
    const before = this.#openedBy.get(key) ?? [];
    const after = new Set(ingresses.map(({ destination }) => destination));
    // First what is added: what both have is not worked out twice.
    for (const account of after) this.moveAccess(undefined, account);
    for (const account of before) this.moveAccess(account, undefined);
    if (after.size === 0) this.#openedBy.delete(key);
    else this.#openedBy.set(key, after);
  }

  #namespaceMode(key: string): string {
    const namespace = this.#values.catalog.namespaces.at(key);
    return namespace === undefined ? "" : mtlsOfNamespace(namespace.meta, this.#values.findings);
  }

  #modeChanged(key: string, text: string): void {
    const name = key.slice(1);
    if (text === "") this.#mtls.delete(name);
    else this.#mtls.set(name, text);
  }
}
