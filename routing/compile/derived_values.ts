/**
 * What is derived of the resources of a mesh on the way to parts of a plan and to Findings, by `namespace/name` where nothing else is said.
 * Each value is computed when something asks for it, and anew when what it read has changed.
 */
import { isSameData } from "../../base/same_data.ts";
import type { PlanEgress, PlanIngress, PlanTarget } from "../plan.ts";
import { resolveAlias } from "./aliases.ts";
import { Catalog, type CatalogEvents } from "./catalog.ts";
import { planEgress } from "./egresses.ts";
import { type ResolvedService, resolveService, type ServicePorts } from "./endpoints.ts";
import { Findings } from "./findings.ts";
import type { GatewayLookup } from "./gateway_backends.ts";
import { type Attachment, meansPort } from "./gateway_ports.ts";
import { type CompiledRoute, compileGatewayRoute } from "./gateway_routes.ts";
import { Derived, Incremental } from "./incremental.ts";
import { planIngress } from "./ingresses.ts";
import { keyOf, keyOfKind, keyOfMeta } from "./keys.ts";
import { layerAt, type PolicyLayer } from "./policies.ts";
import type { RootRouting } from "./ports.ts";
import { type RootSplits, rootSplits } from "./roots.ts";
import { type CompiledGroup, compileGroup } from "./route_groups.ts";
import { rootRules } from "./rules.ts";
import { planTarget } from "./targets.ts";

interface OwnRoutes {
  readonly compiled: CompiledRoute;
  readonly ports: readonly number[];
  /** They are all ports. */
  readonly isWhole: boolean;
}

export class DerivedValues {
  readonly incremental = new Incremental();
  readonly findings = new Findings((finding) => this.incremental.report(finding));
  readonly catalog: Catalog;
  readonly clusterDomain: string;

  constructor(clusterDomain: string, events: CatalogEvents) {
    this.clusterDomain = clusterDomain;
    this.catalog = new Catalog(this.incremental, clusterDomain, events);
  }

  #derived<T>(compute: (key: string) => T, isSame?: (before: T, after: T) => boolean): Derived<T> {
    return new Derived(this.incremental, compute, isSame === undefined ? {} : { isSame });
  }

  readonly #own = this.#derived<ResolvedService | undefined>((key) => {
    const service = this.catalog.services.at(key);
    return service && resolveService(service, this.catalog, this.findings);
  }, isSameData);

  /** With the endpoints of what the Service is another name of. */
  readonly resolved = this.#derived<ResolvedService | undefined>((key) => {
    const service = this.catalog.services.at(key);
    if (service === undefined) return undefined;
    return resolveAlias(service, this.catalog, (other) => this.#own.get(other)) ??
      this.#own.get(key);
  }, isSameData);

  readonly servicePorts = this.#derived<ServicePorts | undefined>((key) => {
    const resolved = this.resolved.get(key);
    return resolved &&
      { service: resolved.service, ports: resolved.ports.map(({ port }) => ({ port })) };
  }, isSameData);

  readonly exists = this.#derived((key) => this.resolved.get(key) !== undefined);

  readonly compiledGroups = this.#derived<CompiledGroup | undefined>((key) => {
    const group = this.catalog.groups.at(key);
    return group && compileGroup(group, this.findings);
  });

  /** By target. */
  readonly layers = this.#derived<PolicyLayer>((target) =>
    layerAt(target, this.catalog.policiesAt(target))
  );

  /** By `kind namespace/name`. */
  readonly compiledRoutes = this.#derived<CompiledRoute | undefined>((key) => {
    const route = this.catalog.routes.at(key);
    return route && compileGatewayRoute(route, this.findings);
  });

  /** What routes of the Gateway API are of a Service, the oldest first. */
  attachmentsOf(key: string): Attachment[] {
    return this.catalog.routesOf(key).flatMap((route) => {
      const compiled = this.compiledRoutes.get(keyOfKind(route.meta));
      const parents = route.parents.filter(({ namespace, name }) => keyOf(namespace, name) === key);
      return compiled === undefined ? [] : parents.map((parent) => ({ compiled, parent }));
    });
  }

  /** The first route of a Service's own namespace, and for which of its ports there is one; undefined: for none. */
  readonly ownRoutes = this.#derived<OwnRoutes | undefined>((key) => {
    const { ports = [] } = this.servicePorts.get(key) ?? {};
    const own = this.attachmentsOf(key)
      .filter(({ compiled }) => key.startsWith(`${compiled.route.meta.namespace}/`));
    const spoken = ports.filter(({ port }) => own.some(({ parent }) => meansPort(parent, port)));
    const [first] = own;
    if (first === undefined || spoken.length === 0) return undefined;
    const isWhole = spoken.length === ports.length;
    return { compiled: first.compiled, ports: spoken.map(({ port }) => port.port), isWhole };
  });

  readonly rootSplits = this.#derived<RootSplits | undefined>((key) => {
    const splits = this.catalog.splitsOfRoot(key);
    if (splits.length === 0 || !this.exists.get(key)) return undefined;
    if (this.ownRoutes.get(key)?.isWhole === true) return undefined;
    return rootSplits(splits, this.findings);
  }, isSameData);

  readonly isRoot = this.#derived((key) => this.rootSplits.get(key) !== undefined);

  readonly routings = this.#derived<RootRouting | undefined>((key) => {
    const splits = this.rootSplits.get(key);
    if (splits === undefined) return undefined;
    const input = {
      catalog: this.catalog,
      groups: this.compiledGroups,
      findings: this.findings,
    };
    return { rules: rootRules(splits.matching, input), plain: splits.plain[0] };
  });

  /** Names of a group's matches that are in a rule. */
  readonly usedMatches = this.#derived<ReadonlySet<string>>((group) => {
    const used = new Set<string>();
    for (const split of this.catalog.splitsNaming(group)) {
      const root = this.catalog.rootKeyOf(split);
      const routing = root === undefined ? undefined : this.routings.get(root);
      for (const { match: { meta, plan } } of routing?.rules ?? []) {
        if (keyOfMeta(meta) === group) used.add(plan.name);
      }
    }
    return used;
  }, (before, after) => before.size === after.size && [...before].every((name) => after.has(name)));

  readonly plannedTargets = this.#derived<PlanTarget | undefined>((key) => {
    const target = this.catalog.targets.at(key);
    return target && planTarget(target, {
      catalog: this.catalog,
      groups: this.compiledGroups,
      runs: (account) => this.runs.get(account),
      findings: this.findings,
    });
  }, isSameData);

  readonly plannedEgresses = this.#derived<Omit<PlanEgress, "source"> | undefined>((key) => {
    const egress = this.catalog.egresses.at(key);
    return egress && planEgress(egress, {
      groups: this.compiledGroups,
      runs: (account) => this.runs.get(account),
      isKnown: (namespace) => this.catalog.namespaces.get("", namespace) !== undefined,
      findings: this.findings,
    });
  }, isSameData);

  readonly plannedIngresses = this.#derived<readonly PlanIngress[]>((key) => {
    const ingress = this.catalog.ingresses.at(key);
    return ingress === undefined ? [] : planIngress(ingress, {
      groups: this.compiledGroups,
      services: this.resolved,
      hasAllOf: (account, service) => this.catalog.hasAllOf(account, service),
      findings: this.findings,
    });
  }, isSameData);

  /** By account, whether a pod runs as it. */
  readonly runs = this.#derived<boolean>((account) => this.catalog.runsAs(account));

  get lookup() {
    return { services: this.resolved, clusterDomain: this.clusterDomain };
  }

  get gatewayLookup(): GatewayLookup {
    return { ...this.lookup, isGranted: (from, to) => this.catalog.isGranted(from, to) };
  }

  get policyInput() {
    return {
      policies: { at: (target: string) => this.layers.get(target) },
      lookup: this.lookup,
      findings: this.findings,
    };
  }
}
