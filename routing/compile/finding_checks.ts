/** Findings that change nothing in the plan: what is looked at for their sake alone, kept up to date. */
import type { Pod, Workload } from "../../schemas/resources.ts";
import { checkBackends } from "./check_backends.ts";
import { checkGatewayRoute, reportMixed } from "./check_gateway.ts";
import { checkPolicy } from "./check_policies.ts";
import { checkGroupUsed, checkTcpMatches } from "./check_reach.ts";
import { checkShadowed } from "./check_shadow.ts";
import { checkUnmatched } from "./check_unmatched.ts";
import { checkWorkload, mayBypassMesh } from "./check_workloads.ts";
import type { DerivedValues } from "./derived_values.ts";
import { reportIgnoredEgress } from "./egresses.ts";
import { Derived } from "./incremental.ts";
import type { ResourceChange } from "./indexes.ts";
import { keyOf } from "./keys.ts";
import { checkTargets } from "./policies.ts";
import { checkRoot, type RootSplits } from "./roots.ts";
import { reportIgnoredTarget } from "./targets.ts";

/** Each by `namespace/name`, or by the key of its kind. */
export class FindingChecks {
  readonly splits: Derived<null>;
  readonly routes: Derived<null>;
  readonly groups: Derived<null>;
  readonly policies: Derived<null>;
  readonly ignoredTargets: Derived<null>;
  readonly egresses: Derived<null>;
  /** Of the root of a split. */
  readonly ofRoot: readonly Derived<null>[];

  constructor(values: DerivedValues, { egress }: { readonly egress: boolean }) {
    const check = (report: (values: DerivedValues, key: string) => void) =>
      new Derived<null>(values.incremental, (key) => {
        report(values, key);
        return null;
      });
    this.splits = check(checkSplit);
    this.routes = check(checkRoute);
    this.groups = check(checkGroup);
    this.policies = check(checkOnePolicy);
    this.ignoredTargets = check(checkIgnoredTarget);
    this.egresses = check(egress ? checkIgnoredEgress : checkEgress);
    this.ofRoot = [check(checkReach), check(checkShadows), check(checkRootBackends)];
  }
}

/** Pods and workloads that may pass by the mesh. */
export class WorkloadChecks {
  readonly #checks: Derived<null>;
  /** Those that are looked at, by a number that is theirs. */
  readonly #sources = new Map<string, Pod | Workload>();
  readonly #keys = new Map<Pod | Workload, string>();
  #count = 0;

  constructor({ incremental, catalog, findings }: DerivedValues, permissive: boolean) {
    this.#checks = new Derived<null>(incremental, (key) => {
      const source = this.#sources.get(key);
      if (source !== undefined) checkWorkload(source, { catalog, permissive, findings });
      return null;
    });
  }

  change({ before, after }: ResourceChange<Pod | Workload>): void {
    const known = before === null ? undefined : this.#keys.get(before);
    if (before !== null && known !== undefined) {
      this.#checks.release(known);
      this.#keys.delete(before);
      this.#sources.delete(known);
    }
    if (after === null || !mayBypassMesh(after)) return;
    const key = String(this.#count++);
    this.#keys.set(after, key);
    this.#sources.set(key, after);
    this.#checks.keep(key);
  }
}

function checkSplit(values: DerivedValues, key: string): void {
  const { catalog, clusterDomain, findings } = values;
  const split = catalog.splits.at(key);
  const exists = (root: string) => values.exists.get(root) || catalog.isRefusedService(root);
  if (split === undefined) return;
  checkRoot(split, exists, clusterDomain, findings);
  const root = catalog.rootKeyOf(split);
  const routes = root === undefined ? undefined : values.ownRoutes.get(root);
  if (routes !== undefined) reportMixed(split, routes, routes.ports, findings);
}

function checkRoute(
  { catalog, compiledRoutes, gatewayLookup, findings }: DerivedValues,
  key: string,
): void {
  const compiled = compiledRoutes.get(key);
  if (compiled === undefined) return;
  const isRefused = (service: string) => catalog.isRefusedService(service);
  const routesOf = (service: string) => catalog.routesOf(service);
  checkGatewayRoute({ compiled, lookup: gatewayLookup, isRefused, routesOf, findings });
}

function checkReach({ servicePorts, rootSplits, findings }: DerivedValues, key: string): void {
  const ports = servicePorts.get(key);
  const splits = rootSplits.get(key);
  if (ports !== undefined && splits !== undefined) checkTcpMatches(ports, splits, findings);
}

function checkShadows({ servicePorts, routings, findings }: DerivedValues, key: string): void {
  const ports = servicePorts.get(key);
  const routing = routings.get(key);
  if (ports !== undefined && routing !== undefined) checkShadowed(ports, routing, findings);
}

function checkRootBackends(values: DerivedValues, key: string): void {
  const root = values.resolved.get(key);
  const splits = values.rootSplits.get(key);
  const routing = values.routings.get(key);
  if (root === undefined || splits === undefined || routing === undefined) return;
  const { catalog, findings, lookup } = values;
  // What a split or a group that cannot be read would have taken is no surprise.
  if (!namesRefused(splits, values)) checkUnmatched({ root, routing, lookup, findings });
  const used = new Set([routing.plain, ...routing.rules.map(({ split }) => split)]);
  const isRoot = (other: string) => values.isRoot.get(other);
  // A plain split that lost has no effect, so what is wrong with its backends has none either.
  for (const split of [...splits.matching, ...splits.plain.slice(0, 1)]) {
    checkBackends({
      split,
      root,
      lookup,
      isRoot,
      isRefused: (other) => catalog.isRefusedService(other),
      isUsed: used.has(split),
      findings,
    });
  }
}

function namesRefused(
  { matching: [first, ...others] }: RootSplits,
  { catalog, compiledGroups }: DerivedValues,
): boolean {
  if (first === undefined) return false;
  const { namespace } = first.meta;
  return catalog.hasRefused(namespace) ||
    [first, ...others].flatMap(({ matches = [] }) => matches)
      .some(({ name }) => compiledGroups.get(keyOf(namespace, name))?.isRefused === true);
}

function checkGroup({ catalog, compiledGroups, findings }: DerivedValues, key: string): void {
  const group = catalog.groups.at(key);
  compiledGroups.get(key);
  if (group !== undefined) checkGroupUsed(group, catalog, findings);
}

function checkOnePolicy(values: DerivedValues, key: string): void {
  const { catalog, findings, compiledGroups: groups, servicePorts: services } = values;
  const policy = catalog.policies.at(key);
  if (policy === undefined) return;
  const { policies } = values.policyInput;
  checkTargets(policy, { catalog, groups, policies, findings });
  const usedMatches = (group: string) => values.usedMatches.get(group);
  checkPolicy(policy, { catalog, services, usedMatches, findings });
}

function checkIgnoredTarget(
  { catalog, plannedTargets, findings }: DerivedValues,
  key: string,
): void {
  const target = catalog.targets.at(key);
  if (target !== undefined) reportIgnoredTarget(target, findings);
  // Its faults are said before the day on which it counts.
  plannedTargets.get(key);
}

function checkIgnoredEgress(values: DerivedValues, key: string): void {
  const egress = values.catalog.egresses.at(key);
  if (egress !== undefined) reportIgnoredEgress(egress, values.findings);
  checkEgress(values, key);
}

function checkEgress({ plannedEgresses }: DerivedValues, key: string): void {
  plannedEgresses.get(key);
}
