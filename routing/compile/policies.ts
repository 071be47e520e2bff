/**
 * TrafficPolicies by what they are attached to: which policy each section of a Service's or a match's treatment
 * comes from. The most specific target wins (match, then group, then Service), then the oldest policy.
 */
import { formatPosition, formatRef } from "../../base/finding.ts";
import { ENDPOINT_SECTIONS, type PolicySection, ROUTE_SECTIONS } from "../../base/policy.ts";
import type { PolicyTargetRef, TrafficPolicy } from "../../schemas/resources.ts";
import type { Catalog } from "./catalog.ts";
import { keyOf, targetText } from "./keys.ts";
import { type Findings, positionOf, quoted, quotedList, refOf } from "./findings.ts";
import type { GroupLookup } from "./route_groups.ts";

/** By section, the policy that counts. */
export type PolicyLayer = ReadonlyMap<PolicySection, AttachedPolicy>;

export interface AttachedPolicy {
  readonly policy: TrafficPolicy;
  /** What it is attached to: `Service app/web`, `HTTPRouteGroup app/group#match`. */
  readonly target: string;
}

/** No policy says anything. */
const NO_LAYER: PolicyLayer = new Map();

/** What policies say of each target. */
export interface Policies {
  /** @param target as `AttachedPolicy.target` */
  at(target: string): PolicyLayer;
}

/** What is attached to a Service. */
export function layerOfService(policies: Policies, namespace: string, name: string): PolicyLayer {
  return policies.at(targetText("Service", namespace, name));
}

/** What is attached to a match, or to the whole of its group. */
export function layerOfMatch(
  policies: Policies,
  namespace: string,
  group: string,
  match: string,
): PolicyLayer {
  const ofGroup = policies.at(targetText("HTTPRouteGroup", namespace, group));
  const ofMatch = policies.at(targetText("HTTPRouteGroup", namespace, group, match));
  return ofGroup.size === 0
    ? ofMatch
    : ofMatch.size === 0
    ? ofGroup
    : new Map([...ofGroup, ...ofMatch]);
}

/** What the policies that name a target come to: of each section the oldest counts. */
export function layerAt(target: string, policies: readonly TrafficPolicy[]): PolicyLayer {
  if (policies.length === 0) return NO_LAYER;
  const layer = new Map<PolicySection, AttachedPolicy>();
  const isOfService = target.startsWith("Service ");
  for (const policy of policies) {
    for (const section of sectionsOf(policy)) {
      if (layer.has(section) || (!isOfService && isOfEndpoints(section))) continue;
      layer.set(section, { policy, target });
    }
  }
  return layer;
}

interface PolicyInput {
  readonly catalog: Catalog;
  readonly groups: GroupLookup;
  readonly policies: Policies;
  readonly findings: Findings;
}

/** Reports targets that do not exist, sections that a target cannot have, and sections that lose to an older policy's. */
export function checkTargets(policy: TrafficPolicy, input: PolicyInput): void {
  const sections = sectionsOf(policy);
  for (const ref of policy.targets) {
    const target = resolveTarget(policy, ref, input);
    if (target === undefined) continue;
    const layer = input.policies.at(target);
    for (const section of attachable(policy, ref, sections, input.findings)) {
      const counting = layer.get(section);
      if (counting === undefined || counting.policy === policy) continue;
      reportConflict(policy, counting, section, input.findings);
    }
  }
}

/** The sections that a policy has, in the order of the lists. */
export function sectionsOf({ settings }: TrafficPolicy): PolicySection[] {
  return [...ENDPOINT_SECTIONS, ...ROUTE_SECTIONS].filter((name) => settings[name] !== undefined);
}

/** Undefined: it does not exist, and there is a Finding that says so. */
function resolveTarget(
  policy: TrafficPolicy,
  ref: PolicyTargetRef,
  { catalog, groups, findings }: PolicyInput,
): string | undefined {
  const { meta } = policy;
  const { namespace } = meta;
  const missing = (field: string, message: string, hint: string) =>
    findings.add({
      code: "policy-target-missing",
      meta,
      path: [...ref.at, field],
      message: `${message}, so the policy has no effect there`,
      hint,
    });
  if (ref.kind === "Service") {
    const key = keyOf(namespace, ref.name);
    if (catalog.services.at(key) !== undefined || catalog.isRefusedService(key)) {
      return targetText("Service", namespace, ref.name);
    }
    missing(
      "name",
      `There is no Service ${quoted(ref.name)} in namespace ${quoted(namespace)}`,
      "Create the Service, or correct the name",
    );
    return undefined;
  }
  if (ref.kind !== "HTTPRouteGroup") {
    findings.add({
      code: "policy-target-kind-unsupported",
      meta,
      path: [...ref.at, "kind"],
      message: `A policy is attached to a Service or an HTTPRouteGroup, not to ${quoted(ref.kind)}`,
      hint: 'Use "Service" or "HTTPRouteGroup"',
    });
    return undefined;
  }
  const group = groups.get(keyOf(namespace, ref.name));
  if (group === undefined) {
    missing(
      "name",
      `There is no HTTPRouteGroup ${quoted(ref.name)} in namespace ${quoted(namespace)}`,
      "Create the group, or correct the name",
    );
    return undefined;
  }
  if (ref.match !== undefined && !group.isRefused && !group.names.has(ref.match)) {
    missing(
      "match",
      `HTTPRouteGroup ${quoted(ref.name)} has no match named ${quoted(ref.match)}`,
      group.names.size === 0
        ? "Add the match to the group"
        : `Its matches are ${quotedList([...group.names])}`,
    );
    return undefined;
  }
  return targetText("HTTPRouteGroup", namespace, ref.name, ref.match);
}

function isOfEndpoints(section: PolicySection): boolean {
  return ENDPOINT_SECTIONS.some((name) => name === section);
}

/** The sections that the target can have; those about endpoints are a Service's alone. */
function attachable(
  { meta }: TrafficPolicy,
  ref: PolicyTargetRef,
  sections: readonly PolicySection[],
  findings: Findings,
): PolicySection[] {
  if (ref.kind === "Service") return [...sections];
  for (const section of sections.filter(isOfEndpoints)) {
    findings.add({
      code: "policy-section-unsupported",
      meta,
      path: ["spec", section],
      message: `${quoted(section)} is about endpoints, which belong to a Service, and has no ` +
        `effect on HTTPRouteGroup ${quoted(ref.name)}`,
      hint: `Attach a policy with ${quoted(section)} to the Service`,
    });
  }
  return sections.filter((section) => !isOfEndpoints(section));
}

function reportConflict(
  { meta }: TrafficPolicy,
  older: AttachedPolicy,
  section: PolicySection,
  findings: Findings,
): void {
  const position = positionOf(older.policy.meta, ["spec", section]);
  findings.add({
    code: "policy-conflict",
    meta,
    path: ["spec", section],
    message: `${formatRef(refOf(older.policy.meta))}` +
      (position === null ? "" : ` (${formatPosition(position)})`) +
      ` has ${quoted(section)} for ${older.target} too and counts; ` +
      `that of policy ${quoted(meta.name)} has no effect there`,
    hint: `Keep ${quoted(section)} in one of the two policies`,
  });
}
