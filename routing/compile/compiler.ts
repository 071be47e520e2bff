/**
 * Compiler: holds the resources of a mesh, takes their changes, and keeps what they come to: the parts of a plan, and Findings. A change
 * costs what depends on it (`incremental.ts`). `compile.ts` is the same for a Snapshot that is there at once.
 */
import type { Finding } from "../../base/finding.ts";
import { parseIp } from "../../base/ip.ts";
import type {
  Egress,
  Meta,
  Pod,
  Snapshot,
  TrafficSplit,
  TrafficTarget,
  Workload,
} from "../../schemas/resources.ts";
import {
  accessKey,
  type AccessPart,
  groupKey,
  type GroupPart,
  isPart,
  type Part,
  type PartKey,
  type PlanHeader,
  routeKey,
  type RoutePart,
} from "../parts.ts";
import { needsGatewayRoutes, type PlanEgress, type PlanService, type PlanTarget } from "../plan.ts";
import { mtlsOfNamespace } from "./mtls_modes.ts";
import { planEgress, reportIgnoredEgress } from "./egresses.ts";
import { planAlias, resolveAlias } from "./aliases.ts";
import {
  accountCalledBy,
  Catalog,
  keyOf,
  keyOfEgress,
  keyOfKind,
  keyOfMeta,
  type ResourceChange,
  sourceAccount,
} from "./catalog.ts";
import { changeCatalog, type ResourceKind, type ResourceOf } from "./catalog_changes.ts";
import { Counter, keepAll } from "./kept.ts";
import { checkBackends } from "./check_backends.ts";
import { checkGatewayRoute, reportMixed } from "./check_gateway.ts";
import { checkPolicy } from "./check_policies.ts";
import { checkGroupUsed, checkTcpMatches } from "./check_reach.ts";
import { checkShadowed } from "./check_shadow.ts";
import { checkUnmatched } from "./check_unmatched.ts";
import { checkWorkload, mayBypassMesh } from "./check_workloads.ts";
import { type ResolvedService, resolveService, type ServicePorts } from "./endpoints.ts";
import { Findings, orderFindings, positionOf } from "./findings.ts";
import type { GatewayLookup } from "./gateway_backends.ts";
import { type Attachment, meansPort } from "./gateway_ports.ts";
import { type CompiledRoute, compileGatewayRoute } from "./gateway_routes.ts";
import { compiledHeader } from "./header.ts";
import { Derived, Incremental } from "./incremental.ts";
import { planEndpointPolicy } from "./plan_policies.ts";
import { checkTargets, layerAt, type PolicyLayer } from "./policies.ts";
import { planPorts, type RootRouting } from "./ports.ts";
import { checkRoot, type RootSplits, rootSplits } from "./roots.ts";
import { type CompiledGroup, compileGroup } from "./route_groups.ts";
import { rootRules } from "./rules.ts";
import { isSameData } from "../../base/same_data.ts";
import { planTarget, reportIgnoredTarget } from "./targets.ts";

export interface CompileOptions {
  /** The cluster's DNS domain; default `cluster.local`. */
  readonly clusterDomain?: string | undefined;
  /** Default true: traffic targets are not enforced. */
  readonly permissive?: boolean;
  /** Default true: what the mesh does not know is passed on. */
  readonly egress?: boolean;
}

/** What changes came to. */
interface CompiledChanges {
  /** Keys of parts that are new, different or gone. */
  readonly parts: ReadonlySet<PartKey>;
  readonly findings: { readonly came: readonly Finding[]; readonly went: readonly Finding[] };
}

interface OwnRoutes {
  readonly compiled: CompiledRoute;
  readonly ports: readonly number[];
  /** They are all ports. */
  readonly isWhole: boolean;
}

const NO_RULES: RootRouting = { rules: [], plain: undefined };

export class Compiler {
  readonly clusterDomain: string;
  readonly permissive: boolean;
  readonly egress: boolean;
  readonly #incremental = new Incremental();
  readonly #findings = new Findings((finding) => this.#incremental.report(finding));
  readonly #catalog: Catalog;
  readonly #parts = new Map<PartKey, Part>();
  /** By namespace, whether callers may do without mutual TLS, where it says. */
  readonly #mtls = new Map<string, string>();
  /** Those that have what only routes of the Gateway API ask for. */
  readonly #gatewayParts = new Set<PartKey>();
  /** The ids of a Service's groups, by `namespace/name`. */
  readonly #groupsOf = new Map<string, readonly string[]>();
  /** How many splits name a root, and how many targets or Egresses an account. */
  readonly #splitCounts = new Counter();
  readonly #accessCounts = new Counter();
  /** Pods and workloads that are looked at, by a number that is theirs. */
  readonly #sources = new Map<string, Pod | Workload>();
  readonly #sourceKeys = new Map<Pod | Workload, string>();
  #sourceCount = 0;
  #changed = new Set<PartKey>();

  constructor({ clusterDomain, permissive = true, egress = true }: CompileOptions = {}) {
    this.clusterDomain = clusterDomain?.toLowerCase() ?? "cluster.local";
    this.permissive = permissive;
    this.egress = egress;
    this.#catalog = new Catalog(this.#incremental, this.clusterDomain, {
      namespace: (change, key) => keepAll(change, key, [this.#namespaceModes]),
      service: (change, key) => keepAll(change, key, [this.#routeParts, this.#serviceGroups]),
      split: (change, key) => this.#splitChanged(change, key),
      group: (change, key) => keepAll(change, key, [this.#groupChecks]),
      target: (change, key) => this.#targetChanged(change, key),
      policy: (change, key) => keepAll(change, key, [this.#policyChecks]),
      egress: (change, key) => this.#egressChanged(change, key),
      route: (change, key) => keepAll(change, key, [this.#routeChecks]),
      pod: (change) => this.#sourceChanged(change),
      workload: (change) => this.#sourceChanged(change),
    });
  }

  // Changes.

  /** Takes all of a Snapshot. */
  add(snapshot: Snapshot): void {
    for (const kind of Object.keys(snapshot) as ResourceKind[]) {
      for (const after of snapshot[kind]) this.change(kind, null, after);
    }
  }

  /**
   * A resource is new (`before` null), gone (`after` null), or another now. Costs little: what depends on it is worked out by
   * `refresh`, once for all changes.
   *
   * @param before the very object that it was given as
   */
  change<Kind extends ResourceKind>(
    kind: Kind,
    before: ResourceOf<Kind> | null,
    after: ResourceOf<Kind> | null,
  ): void {
    changeCatalog(this.#catalog, kind, { before, after });
  }

  /** Brings the parts and the Findings up to date; what is different since the last call. */
  refresh(): CompiledChanges {
    this.#incremental.refresh();
    const parts = this.#changed;
    this.#changed = new Set();
    return { parts, findings: this.#incremental.takeFindingChanges() };
  }

  /** The Findings that a change would make come and go. It is not made; the next `refresh` may name parts that are as before. */
  tryChange<Kind extends ResourceKind>(
    kind: Kind,
    before: ResourceOf<Kind> | null,
    after: ResourceOf<Kind> | null,
  ): CompiledChanges["findings"] {
    return this.#incremental.tried(
      () => this.change(kind, before, after),
      () => this.change(kind, after, before),
    );
  }

  /** As of the last `refresh`, in no order. */
  get parts(): ReadonlyMap<PartKey, Part> {
    return this.#parts;
  }

  /** What holds for all parts, as of the last `refresh`. */
  get header(): PlanHeader {
    const { clusterDomain, permissive, egress } = this;
    const hasGatewayRoutes = this.#gatewayParts.size > 0;
    return compiledHeader({
      clusterDomain,
      permissive,
      egress,
      hasGatewayRoutes,
      mtls: this.#mtls,
    });
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

  /** As of the last `refresh`, by file, line and column. */
  get findings(): Finding[] {
    return orderFindings(this.#incremental.findings());
  }

  #splitChanged({ before, after }: ResourceChange<TrafficSplit>, key: string): void {
    keepAll({ before, after }, key, [this.#splitChecks]);
    const checks = [this.#reachChecks, this.#shadowChecks, this.#backendChecks];
    const rootOf = (split: TrafficSplit | null) =>
      split === null ? undefined : this.#catalog.rootKeyOf(split);
    this.#splitCounts.move(rootOf(before), rootOf(after), checks);
  }

  #targetChanged({ before, after }: ResourceChange<TrafficTarget>, key: string): void {
    if (this.permissive) return keepAll({ before, after }, key, [this.#ignoredTargets]);
    const accountOf = (target: TrafficTarget | null) =>
      target === null ? undefined : accountCalledBy(target);
    this.#accessCounts.move(accountOf(before), accountOf(after), [this.#accessParts]);
  }

  #egressChanged({ before, after }: ResourceChange<Egress>, key: string): void {
    keepAll({ before, after }, key, [this.#egressChecks]);
    const kept = [this.#accessParts];
    // First what is added: what both have is not worked out twice.
    for (const each of after?.sources ?? []) {
      this.#accessCounts.move(undefined, sourceAccount(each), kept);
    }
    for (const each of before?.sources ?? []) {
      this.#accessCounts.move(sourceAccount(each), undefined, kept);
    }
  }

  #sourceChanged({ before, after }: ResourceChange<Pod | Workload>): void {
    const known = before === null ? undefined : this.#sourceKeys.get(before);
    if (before !== null && known !== undefined) {
      this.#sourceChecks.release(known);
      this.#sourceKeys.delete(before);
      this.#sources.delete(known);
    }
    if (after === null || !mayBypassMesh(after)) return;
    const key = String(this.#sourceCount++);
    this.#sourceKeys.set(after, key);
    this.#sources.set(key, after);
    this.#sourceChecks.keep(key);
  }

  // What is derived, by `namespace/name` where nothing else is said.

  #derived<T>(compute: (key: string) => T, isSame?: (before: T, after: T) => boolean): Derived<T> {
    return new Derived(this.#incremental, compute, isSame === undefined ? {} : { isSame });
  }

  readonly #own = this.#derived<ResolvedService | undefined>((key) => {
    const service = this.#catalog.services.at(key);
    return service && resolveService(service, this.#catalog, this.#findings);
  }, isSameData);

  /** With the endpoints of what the Service is another name of. */
  readonly #resolved = this.#derived<ResolvedService | undefined>((key) => {
    const service = this.#catalog.services.at(key);
    if (service === undefined) return undefined;
    return resolveAlias(service, this.#catalog, (other) => this.#own.get(other)) ??
      this.#own.get(key);
  }, isSameData);

  readonly #servicePorts = this.#derived<ServicePorts | undefined>((key) => {
    const resolved = this.#resolved.get(key);
    return resolved &&
      { service: resolved.service, ports: resolved.ports.map(({ port }) => ({ port })) };
  }, isSameData);

  readonly #exists = this.#derived((key) => this.#resolved.get(key) !== undefined);

  readonly #compiledGroups = this.#derived<CompiledGroup | undefined>((key) => {
    const group = this.#catalog.groups.at(key);
    return group && compileGroup(group, this.#findings);
  });

  /** By target. */
  readonly #layers = this.#derived<PolicyLayer>((target) =>
    layerAt(target, this.#catalog.policiesAt(target))
  );

  /** By `kind namespace/name`. */
  readonly #compiledRoutes = this.#derived<CompiledRoute | undefined>((key) => {
    const route = this.#catalog.routes.at(key);
    return route && compileGatewayRoute(route, this.#findings);
  });

  /** What routes of the Gateway API are of a Service, the oldest first. */
  #attachmentsOf(key: string): Attachment[] {
    return this.#catalog.routesOf(key).flatMap((route) => {
      const compiled = this.#compiledRoutes.get(keyOfKind(route.meta));
      const parents = route.parents.filter(({ namespace, name }) => keyOf(namespace, name) === key);
      return compiled === undefined ? [] : parents.map((parent) => ({ compiled, parent }));
    });
  }

  /** The first route of a Service's own namespace, and for which of its ports there is one; undefined: for none. */
  readonly #ownRoutes = this.#derived<OwnRoutes | undefined>((key) => {
    const { ports = [] } = this.#servicePorts.get(key) ?? {};
    const own = this.#attachmentsOf(key)
      .filter(({ compiled }) => key.startsWith(`${compiled.route.meta.namespace}/`));
    const spoken = ports.filter(({ port }) => own.some(({ parent }) => meansPort(parent, port)));
    const [first] = own;
    if (first === undefined || spoken.length === 0) return undefined;
    const isWhole = spoken.length === ports.length;
    return { compiled: first.compiled, ports: spoken.map(({ port }) => port.port), isWhole };
  });

  readonly #rootSplits = this.#derived<RootSplits | undefined>((key) => {
    const splits = this.#catalog.splitsOfRoot(key);
    if (splits.length === 0 || !this.#exists.get(key)) return undefined;
    if (this.#ownRoutes.get(key)?.isWhole === true) return undefined;
    return rootSplits(splits, this.#findings);
  }, isSameData);

  readonly #isRoot = this.#derived((key) => this.#rootSplits.get(key) !== undefined);

  readonly #routings = this.#derived<RootRouting | undefined>((key) => {
    const splits = this.#rootSplits.get(key);
    if (splits === undefined) return undefined;
    const input = {
      catalog: this.#catalog,
      groups: this.#compiledGroups,
      findings: this.#findings,
    };
    return { rules: rootRules(splits.matching, input), plain: splits.plain[0] };
  });

  /** Names of a group's matches that are in a rule. */
  readonly #usedMatches = this.#derived<ReadonlySet<string>>((group) => {
    const used = new Set<string>();
    for (const split of this.#catalog.splitsNaming(group)) {
      const root = this.#catalog.rootKeyOf(split);
      const routing = root === undefined ? undefined : this.#routings.get(root);
      for (const { match: { meta, plan } } of routing?.rules ?? []) {
        if (keyOfMeta(meta) === group) used.add(plan.name);
      }
    }
    return used;
  }, (before, after) => before.size === after.size && [...before].every((name) => after.has(name)));

  readonly #plannedTargets = this.#derived<PlanTarget | undefined>((key) => {
    const target = this.#catalog.targets.at(key);
    return target && planTarget(target, {
      catalog: this.#catalog,
      groups: this.#compiledGroups,
      runs: (account) => this.#runs.get(account),
      findings: this.#findings,
    });
  }, isSameData);

  readonly #plannedEgresses = this.#derived<Omit<PlanEgress, "source"> | undefined>((key) => {
    const egress = this.#catalog.egresses.at(key);
    return egress && planEgress(egress, {
      groups: this.#compiledGroups,
      runs: (account) => this.#runs.get(account),
      isKnown: (namespace) => this.#catalog.namespaces.get("", namespace) !== undefined,
      findings: this.#findings,
    });
  }, isSameData);

  /** By account, whether a pod runs as it. */
  readonly #runs = this.#derived<boolean>((account) => this.#catalog.runsAs(account));

  // Parts of the plan.

  readonly #routeParts = new Derived<RoutePart | undefined>(this.#incremental, (key) => {
    const resolved = this.#resolved.get(key);
    if (resolved === undefined) return undefined;
    const { service } = resolved;
    const planned = this.#planService(resolved, this.#routings.get(key) ?? NO_RULES);
    const isRoot = (other: string) => this.#isRoot.get(other);
    const alias = planAlias(service, this.#catalog, isRoot, this.#findings);
    return alias === null ? { service: planned } : { alias };
  }, {
    isSame: isSameData,
    onChange: (key, part) => this.#setPart(routeKey(key), part),
  });

  readonly #serviceGroups = new Derived<readonly (readonly [string, GroupPart])[]>(
    this.#incremental,
    (key) => {
      const resolved = this.#resolved.get(key);
      if (resolved === undefined) return [];
      const policy = planEndpointPolicy(resolved.service, this.#policyInput);
      return resolved.ports.map(({ group, endpoints }) =>
        [group, policy === undefined ? { endpoints } : { endpoints, policy }] as const
      );
    },
    { isSame: isSameData, onChange: (key, groups) => this.#groupsChanged(key, groups ?? []) },
  );

  #groupsChanged(key: string, groups: readonly (readonly [string, GroupPart])[]): void {
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

  /** By the key of a namespace: whether callers may do without mutual TLS there; empty: it does not say. */
  readonly #namespaceModes = new Derived<string>(
    this.#incremental,
    (key) => {
      const namespace = this.#catalog.namespaces.at(key);
      return namespace === undefined ? "" : mtlsOfNamespace(namespace.meta, this.#findings);
    },
    {
      onChange: (key, text = "") => {
        const name = key.slice(1);
        if (text === "") this.#mtls.delete(name);
        else this.#mtls.set(name, text);
      },
    },
  );

  /** By account. */
  readonly #accessParts = new Derived<AccessPart>(
    this.#incremental,
    (account) => {
      const egress = this.#catalog.egressesOf(account)
        .flatMap(({ meta }): PlanEgress[] => {
          const planned = this.#plannedEgresses.get(keyOfEgress(meta));
          return planned === undefined ? [] : [{ ...planned, source: account }];
        });
      const targets = this.permissive ? [] : this.#catalog.targetsCalling(account)
        .flatMap(({ meta }) => this.#plannedTargets.get(keyOfMeta(meta)) ?? []);
      return egress.length === 0 ? { targets } : { targets, egress };
    },
    {
      isSame: isSameData,
      onChange: (account, part) =>
        this.#setPart(accessKey(account), part !== undefined && isPart(part) ? part : undefined),
    },
  );

  get #lookup() {
    return { services: this.#resolved, clusterDomain: this.clusterDomain };
  }

  get #gatewayLookup(): GatewayLookup {
    return { ...this.#lookup, isGranted: (from, to) => this.#catalog.isGranted(from, to) };
  }

  get #policyInput() {
    return {
      policies: { at: (target: string) => this.#layers.get(target) },
      lookup: this.#lookup,
      findings: this.#findings,
    };
  }

  #planService(resolved: ResolvedService, routing: RootRouting): PlanService {
    const { meta, clusterIps } = resolved.service;
    return {
      namespace: meta.namespace,
      name: meta.name,
      clusterIps: clusterIps.filter((ip) => parseIp(ip) !== null),
      ports: planPorts(resolved, routing, this.#rootRoutes(meta), this.#policyInput),
      podHosts: resolved.podHosts,
      position: positionOf(meta, []),
    };
  }

  #rootRoutes(meta: Meta) {
    return { attachments: this.#attachmentsOf(keyOfMeta(meta)), lookup: this.#gatewayLookup };
  }

  // Findings that change nothing in the plan.

  readonly #splitChecks = this.#derived<null>((key) => {
    const split = this.#catalog.splits.at(key);
    const exists = (root: string) => this.#exists.get(root) || this.#catalog.isRefusedService(root);
    if (split === undefined) return null;
    checkRoot(split, exists, this.clusterDomain, this.#findings);
    const root = this.#catalog.rootKeyOf(split);
    const routes = root === undefined ? undefined : this.#ownRoutes.get(root);
    if (routes !== undefined) reportMixed(split, routes, routes.ports, this.#findings);
    return null;
  });

  readonly #routeChecks = this.#derived<null>((key) => {
    const compiled = this.#compiledRoutes.get(key);
    const isRefused = (service: string) => this.#catalog.isRefusedService(service);
    const lookup = this.#gatewayLookup;
    if (compiled !== undefined) {
      const routesOf = (service: string) => this.#catalog.routesOf(service);
      checkGatewayRoute({ compiled, lookup, isRefused, routesOf, findings: this.#findings });
    }
    return null;
  });

  readonly #reachChecks = this.#derived<null>((key) => {
    const ports = this.#servicePorts.get(key);
    const splits = this.#rootSplits.get(key);
    if (ports !== undefined && splits !== undefined) checkTcpMatches(ports, splits, this.#findings);
    return null;
  });

  readonly #shadowChecks = this.#derived<null>((key) => {
    const ports = this.#servicePorts.get(key);
    const routing = this.#routings.get(key);
    if (ports !== undefined && routing !== undefined) checkShadowed(ports, routing, this.#findings);
    return null;
  });

  readonly #backendChecks = this.#derived<null>((key) => {
    const root = this.#resolved.get(key);
    const splits = this.#rootSplits.get(key);
    const routing = this.#routings.get(key);
    if (root === undefined || splits === undefined || routing === undefined) return null;
    const findings = this.#findings;
    const lookup = this.#lookup;
    // What a split or a group that cannot be read would have taken is no surprise.
    if (!this.#namesRefused(splits)) checkUnmatched({ root, routing, lookup, findings });
    const used = new Set([routing.plain, ...routing.rules.map(({ split }) => split)]);
    const isRoot = (other: string) => this.#isRoot.get(other);
    // A plain split that lost has no effect, so what is wrong with its backends has none either.
    for (const split of [...splits.matching, ...splits.plain.slice(0, 1)]) {
      checkBackends({
        split,
        root,
        lookup,
        isRoot,
        isRefused: (other) => this.#catalog.isRefusedService(other),
        isUsed: used.has(split),
        findings,
      });
    }
    return null;
  });

  #namesRefused({ matching: [first, ...others] }: RootSplits): boolean {
    if (first === undefined) return false;
    const { namespace } = first.meta;
    return this.#catalog.hasRefused(namespace) ||
      [first, ...others].flatMap(({ matches = [] }) => matches)
        .some(({ name }) => this.#compiledGroups.get(keyOf(namespace, name))?.isRefused === true);
  }

  readonly #groupChecks = this.#derived<null>((key) => {
    const group = this.#catalog.groups.at(key);
    this.#compiledGroups.get(key);
    if (group !== undefined) checkGroupUsed(group, this.#catalog, this.#findings);
    return null;
  });

  readonly #policyChecks = this.#derived<null>((key) => {
    const policy = this.#catalog.policies.at(key);
    if (policy === undefined) return null;
    const catalog = this.#catalog;
    const findings = this.#findings;
    const { policies } = this.#policyInput;
    checkTargets(policy, { catalog, groups: this.#compiledGroups, policies, findings });
    const usedMatches = (group: string) => this.#usedMatches.get(group);
    checkPolicy(policy, { catalog, services: this.#servicePorts, usedMatches, findings });
    return null;
  });

  readonly #ignoredTargets = this.#derived<null>((key) => {
    const target = this.#catalog.targets.at(key);
    if (target !== undefined) reportIgnoredTarget(target, this.#findings);
    // Its faults are said before the day on which it counts.
    this.#plannedTargets.get(key);
    return null;
  });

  readonly #egressChecks = this.#derived<null>((key) => {
    const egress = this.#catalog.egresses.at(key);
    if (egress !== undefined && this.egress) reportIgnoredEgress(egress, this.#findings);
    this.#plannedEgresses.get(key);
    return null;
  });

  readonly #sourceChecks = this.#derived<null>((key) => {
    const source = this.#sources.get(key);
    const check = {
      catalog: this.#catalog,
      permissive: this.permissive,
      findings: this.#findings,
    };
    if (source !== undefined) checkWorkload(source, check);
    return null;
  });
}
