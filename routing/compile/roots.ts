/**
 * Which splits speak for which root Service, and which one takes what no rule takes. Knows nothing of ports.
 */
import { formatPosition, formatRef } from "../../base/finding.ts";
import type { TrafficSplit } from "../../schemas/resources.ts";
import { keyOf } from "./keys.ts";
import { type Findings, positionOf, quoted, refOf } from "./findings.ts";
import { parseServiceName } from "./names.ts";

/** The splits of one root that have backends, each list oldest first. */
export interface RootSplits {
  /** Those that have `matches`, whatever the matches come to: such a split never becomes a plain one. */
  readonly matching: readonly TrafficSplit[];
  /** Those without; the first counts. */
  readonly plain: readonly TrafficSplit[];
}

/** @param splits of one root, oldest first */
export function rootSplits(splits: readonly TrafficSplit[], findings: Findings): RootSplits {
  const plain = splits.filter(({ matches }) => matches === undefined);
  for (const loser of plain.slice(1)) reportConflict(loser, plain[0], findings);
  return { plain, matching: splits.filter((split) => !plain.includes(split)) };
}

/** Reports a split that has no effect: it names no root that is there, or no backends. */
export function checkRoot(
  split: TrafficSplit,
  exists: (root: string) => boolean,
  clusterDomain: string,
  findings: Findings,
): void {
  const { meta } = split;
  if (split.isRefused === true) return;
  if (split.backends.length === 0) reportNoBackends(split, findings);
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
  } else if (parsed === undefined || !exists(keyOf(meta.namespace, parsed.name))) {
    findings.add({
      code: "split-root-missing",
      meta,
      path,
      message: `There is no Service ${quoted(parsed?.name ?? split.service)} in namespace ` +
        `${quoted(meta.namespace)}, so the split has no effect`,
      hint: "Create the root Service, or correct spec.service",
    });
  }
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
