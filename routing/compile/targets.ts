/**
 * TrafficTargets as the plan has them (smi-facts 2.4, 3.11). A target only ever adds permission, so whatever in it
 * is not understood allows nothing and takes nothing away from the rest.
 */
import type { FieldPath } from "../../base/finding.ts";
import type { PlanMatch, PlanTarget } from "../plan.ts";
import type { TargetRule, TargetSubject, TrafficTarget } from "../../schemas/resources.ts";
import type { Catalog } from "./catalog.ts";
import { accountCalledBy, accountOf, keyOf } from "./keys.ts";
import { type Findings, positionOf, quoted, quotedList, refOf } from "./findings.ts";
import { compareText } from "../../base/order.ts";
import { compareNumbers } from "./order.ts";
import type { GroupLookup } from "./route_groups.ts";

interface TargetInput {
  /** Whether a pod runs as an account (`namespace/serviceaccount`). */
  readonly runs: (account: string) => boolean;
  readonly catalog: Catalog;
  readonly groups: GroupLookup;
  readonly findings: Findings;
}

/** In permissive mode nothing is enforced: each target gets one Finding that says so. */
export function reportIgnoredTarget({ meta, isRefused }: TrafficTarget, findings: Findings): void {
  if (isRefused === true) return;
  findings.add({
    code: "target-ignored",
    meta,
    path: [],
    message: `TrafficTarget ${quoted(meta.name)} is not enforced: permissive mode is on`,
    hint: "Turn permissive mode off to enforce traffic targets",
  });
}

/** Undefined: it counts for nothing, which is reported. */
export function planTarget(target: TrafficTarget, input: TargetInput): PlanTarget | undefined {
  const { meta, destination } = target;
  if (target.isRefused === true) return undefined;
  // Not "||": both are checked, so that everything that is wrong is reported at once.
  const isKnownKind = isServiceAccount(target, destination, input.findings);
  const isLocal = isOwnNamespace(target, input.findings);
  const sources = target.sources.filter((source) =>
    isServiceAccount(target, source, input.findings)
  );
  const http: PlanMatch[] = [];
  let tcpPorts: readonly number[] | null = null;
  for (const rule of target.rules) {
    if (rule.kind === "HTTPRouteGroup") http.push(...httpMatches(target, rule, input));
    else if (rule.kind === "TCPRoute") tcpPorts = withPorts(tcpPorts, tcpRule(target, rule, input));
    else reportKind(target, [...rule.at, "kind"], rule.kind, RULE_KINDS, input.findings);
  }
  if (!isKnownKind || !isLocal) return undefined;
  reportNobody(target, sources, input);
  return {
    ref: refOf(meta),
    position: positionOf(meta, []),
    destination: accountCalledBy(target),
    sources: [...new Set(sources.map((source) => accountOf(target, source)))].sort(compareText),
    port: target.port ?? null,
    http: [...new Set(http)],
    tcpPorts,
  };
}

const SUBJECT_KINDS = ["ServiceAccount"];
const RULE_KINDS = ["HTTPRouteGroup", "TCPRoute"];

function isServiceAccount(
  target: TrafficTarget,
  subject: TargetSubject,
  findings: Findings,
): boolean {
  if (SUBJECT_KINDS.includes(subject.kind)) return true;
  reportKind(target, [...subject.at, "kind"], subject.kind, SUBJECT_KINDS, findings);
  return false;
}

function isOwnNamespace({ meta, destination }: TrafficTarget, findings: Findings): boolean {
  if (destination.namespace === "" || destination.namespace === meta.namespace) return true;
  findings.add({
    code: "target-foreign",
    meta,
    path: [...destination.at, "namespace"],
    message: `The destination is in namespace ${quoted(destination.namespace)}; a target in ` +
      `namespace ${quoted(meta.namespace)} has no say over it`,
    hint: `Create the target in namespace ${quoted(destination.namespace)}`,
  });
  return false;
}

/** An account that no pod runs as neither calls nor is called; one in a namespace outside the mesh has no identity. */
function reportNobody(
  target: TrafficTarget,
  sources: readonly TargetSubject[],
  { catalog, runs, findings }: TargetInput,
): void {
  const { meta, destination } = target;
  const report = (path: FieldPath, message: string) =>
    findings.add({
      code: "target-account-unused",
      meta,
      path,
      message: `${message}, so the target allows nothing`,
      hint: "Correct the name, or deploy what runs as it into a namespace of the mesh",
    });
  const called = accountCalledBy(target);
  // Of a namespace that is not in the input nothing is known.
  const isKnown = ({ namespace }: TargetSubject) =>
    catalog.namespaces.get("", namespace || meta.namespace) !== undefined;
  if (isKnown(destination) && !runs(called)) {
    report([...destination.at, "name"], `No pod runs as the destination ${quoted(called)}`);
  }
  const accounts = sources.map((source) => accountOf(target, source));
  if (sources.length === 0 || !sources.every(isKnown) || accounts.some(runs)) return;
  report([...sources[0].at, "name"], `No pod runs as a source: ${quotedList(accounts)}`);
}

/** The matches that a rule names; without names, all of the group's (FSM takes none; the SMI text takes all). */
function httpMatches(
  target: TrafficTarget,
  rule: TargetRule,
  { groups, findings }: TargetInput,
): PlanMatch[] {
  const { meta } = target;
  const group = groups.get(keyOf(meta.namespace, rule.name));
  if (group?.isRefused === true) return [];
  if (group === undefined) {
    reportMissing(target, [...rule.at, "name"], `HTTPRouteGroup ${quoted(rule.name)}`, findings);
    return [];
  }
  const { matches: wanted } = rule;
  if (wanted === undefined) return group.matches.map(({ plan }) => plan);
  for (const [index, name] of wanted.entries()) {
    if (group.names.has(name)) continue;
    findings.add({
      code: "target-route-missing",
      meta,
      path: [...rule.at, "matches", index],
      message:
        `HTTPRouteGroup ${quoted(rule.name)} has no match named ${quoted(name)}, so nothing ` +
        "is allowed by it",
      hint: group.names.size === 0
        ? "Add the match to the group"
        : `Its matches are ${quotedList([...group.names])}`,
    });
  }
  return group.matches.filter(({ plan }) => wanted.includes(plan.name)).map(({ plan }) => plan);
}

/** Undefined: the rule allows nothing. */
function tcpRule(
  target: TrafficTarget,
  rule: TargetRule,
  { catalog, findings }: TargetInput,
): readonly number[] | undefined {
  const route = catalog.tcpRoutes.get(target.meta.namespace, rule.name);
  if (route !== undefined) return route.isRefused === true ? undefined : route.ports;
  reportMissing(target, [...rule.at, "name"], `TCPRoute ${quoted(rule.name)}`, findings);
  return undefined;
}

/** Rules are OR-ed, and an empty list stands for every port. */
function withPorts(
  allowed: readonly number[] | null,
  added: readonly number[] | undefined,
): readonly number[] | null {
  if (added === undefined) return allowed;
  if (allowed === null) return [...new Set(added)].sort(compareNumbers);
  if (allowed.length === 0 || added.length === 0) return [];
  return [...new Set([...allowed, ...added])].sort(compareNumbers);
}

function reportMissing(
  { meta }: TrafficTarget,
  path: FieldPath,
  route: string,
  findings: Findings,
): void {
  findings.add({
    code: "target-route-missing",
    meta,
    path,
    message: `There is no ${route} in namespace ${quoted(meta.namespace)}, so this rule allows ` +
      "nothing",
    hint: "Create the route, or correct the name",
  });
}

function reportKind(
  { meta }: TrafficTarget,
  path: FieldPath,
  kind: string,
  kinds: readonly string[],
  findings: Findings,
): void {
  findings.add({
    code: "target-kind-unsupported",
    meta,
    path,
    message: `Kind ${quoted(kind)} allows nothing: Weft knows ${quotedList(kinds)} here`,
    hint: `Use ${kinds.map(quoted).join(" or ")}`,
  });
}
