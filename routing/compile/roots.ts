/**
 * Which splits speak for which root Service, and which one takes what no rule takes. Knows nothing of ports.
 */
import { formatPosition, formatRef } from "../../base/finding.ts";
import type { TrafficSplit } from "../../schemas/resources.ts";
import { type Catalog, keyOf } from "./catalog.ts";
import type { ResolvedService } from "./endpoints.ts";
import { type Findings, positionOf, quoted, refOf } from "./findings.ts";
import { parseServiceName } from "./names.ts";

/** The splits of one root, each list oldest first. */
export interface RootSplits {
  readonly root: ResolvedService;
  /** Those that have `matches`, whatever the matches come to: such a split never becomes a plain one. */
  readonly matching: readonly TrafficSplit[];
  /** Those without; the first counts. */
  readonly plain: readonly TrafficSplit[];
}

/** By `namespace/name` of the root. A split that names no root or no backends has no effect. */
export function resolveRoots(
  catalog: Catalog,
  services: ReadonlyMap<string, ResolvedService>,
  clusterDomain: string,
  findings: Findings,
): ReadonlyMap<string, RootSplits> {
  const roots = new Map<string, { root: ResolvedService; splits: TrafficSplit[] }>();
  for (const split of catalog.trafficSplits) {
    const root = rootOf(split, services, clusterDomain, findings);
    if (split.backends.length === 0) reportNoBackends(split, findings);
    if (root === undefined || split.backends.length === 0) continue;
    const key = keyOf(root.service.meta.namespace, root.service.meta.name);
    const known = roots.get(key);
    if (known === undefined) roots.set(key, { root, splits: [split] });
    else known.splits.push(split);
  }
  return new Map([...roots].map(([key, { root, splits }]) => {
    const plain = splits.filter(({ matches }) => matches === undefined);
    for (const loser of plain.slice(1)) reportConflict(loser, plain[0], findings);
    return [key, { root, plain, matching: splits.filter((split) => !plain.includes(split)) }];
  }));
}

function rootOf(
  split: TrafficSplit,
  services: ReadonlyMap<string, ResolvedService>,
  clusterDomain: string,
  findings: Findings,
): ResolvedService | undefined {
  const { meta } = split;
  const path = ["spec", "service"];
  const parsed = parseServiceName(split.service, clusterDomain);
  if (parsed?.namespace !== undefined && parsed.namespace !== meta.namespace) {
    findings.add({
      code: "split-root-foreign",
      meta,
      path,
      message: `The root ${quoted(split.service)} is in namespace ${quoted(parsed.namespace)}; a ` +
        `split in namespace ${quoted(meta.namespace)} has no say over it`,
      hint: `Create the split in namespace ${quoted(parsed.namespace)}`,
    });
    return undefined;
  }
  const root = parsed && services.get(keyOf(meta.namespace, parsed.name));
  if (root === undefined) {
    findings.add({
      code: "split-root-missing",
      meta,
      path,
      message: `There is no Service ${quoted(parsed?.name ?? split.service)} in namespace ` +
        `${quoted(meta.namespace)}, so the split has no effect`,
      hint: "Create the root Service, or correct spec.service",
    });
  }
  return root;
}

function reportNoBackends({ meta }: TrafficSplit, findings: Findings): void {
  findings.add({
    code: "backends-empty",
    meta,
    path: ["spec", "backends"],
    message: `Split ${quoted(meta.name)} has no backends, so it has no effect`,
    hint: "Name at least one Service with a weight, or delete the split",
  });
}

function reportConflict(loser: TrafficSplit, winner: TrafficSplit, findings: Findings): void {
  const position = positionOf(winner.meta, []);
  findings.add({
    code: "split-conflict",
    meta: loser.meta,
    path: ["spec", "service"],
    message: `${formatRef(refOf(winner.meta))}` +
      (position === null ? "" : ` (${formatPosition(position)})`) +
      ` has the same root and no matches either, and counts; split ${quoted(loser.meta.name)} ` +
      "has no effect",
    hint: "Delete one of the two, or give one of them matches",
  });
}
