/**
 * Finds policies, and sections of policies, that change nothing: empty ones, HTTP on ports that do not carry it, and
 * matches that no split uses. Changes nothing in the plan.
 */
import { type PolicySection, ROUTE_SECTIONS } from "../../base/policy.ts";
import type { PolicyTargetRef, TrafficPolicy } from "../../schemas/resources.ts";
import type { Catalog } from "./catalog.ts";
import { keyOf } from "./catalog.ts";
import type { ResolvedService } from "./endpoints.ts";
import { type Findings, plainList, quoted } from "./findings.ts";
import { sectionsOf } from "./policies.ts";
import { carriesHttp, portProtocol } from "./port_protocol.ts";
import type { RootRouting } from "./ports.ts";

interface PolicyCheckInput {
  readonly catalog: Catalog;
  readonly services: ReadonlyMap<string, ResolvedService>;
  readonly routings: Iterable<RootRouting>;
  readonly findings: Findings;
}

export function checkPolicies(input: PolicyCheckInput): void {
  if (input.catalog.trafficPolicies.length === 0) return;
  const used = usedMatches(input.routings);
  for (const policy of input.catalog.trafficPolicies) {
    if (sectionsOf(policy).length === 0) reportEmpty(policy, input.findings);
    for (const ref of policy.targets) {
      if (ref.kind === "Service") checkProtocol(policy, ref, input);
      else if (ref.kind === "HTTPRouteGroup") checkUsed(policy, ref, used, input);
    }
  }
}

function reportEmpty({ meta }: TrafficPolicy, findings: Findings): void {
  findings.add({
    code: "policy-empty",
    meta,
    path: [],
    message: `Policy ${quoted(meta.name)} asks for nothing`,
    hint: `Add a section, such as ${quoted("timeouts")}, or delete the policy`,
  });
}

function checkProtocol(
  policy: TrafficPolicy,
  ref: PolicyTargetRef,
  { services, findings }: PolicyCheckInput,
): void {
  const service = services.get(keyOf(policy.meta.namespace, ref.name));
  if (service === undefined || service.ports.length === 0) return;
  const protocols = service.ports.map(({ port }) => portProtocol(port));
  if (protocols.some(carriesHttp)) return;
  const ports = service.ports.map(({ port }, i) => `${port.port} (${protocols[i]})`);
  for (const section of sectionsOf(policy).filter((name) => isHttpOnly(name, policy))) {
    findings.add({
      code: "policy-not-http",
      meta: policy.meta,
      path: ["spec", section],
      message:
        `${quoted(section)} is about HTTP and has no effect on port ${plainList(ports)} of ` +
        `Service ${quoted(ref.name)}`,
      hint: "Set the port's appProtocol to http if it speaks HTTP, or remove the section",
    });
  }
}

/** On other ports a connection is all there is: it can be limited and can go idle. */
function isHttpOnly(section: PolicySection, { settings }: TrafficPolicy): boolean {
  if (section === "rateLimit") return settings.rateLimit?.tcp === null;
  if (section === "timeouts") return settings.timeouts?.idleMs === null;
  return ROUTE_SECTIONS.some((name) => name === section);
}

/** `namespace/group#match` and `namespace/group` of every match that is in a rule. */
function usedMatches(routings: Iterable<RootRouting>): ReadonlySet<string> {
  const used = new Set<string>();
  for (const { rules } of routings) {
    for (const { match: { plan: { group, name } } } of rules) {
      const key = keyOf(group.namespace, group.name);
      used.add(key);
      used.add(`${key}#${name}`);
    }
  }
  return used;
}

function checkUsed(
  { meta }: TrafficPolicy,
  ref: PolicyTargetRef,
  used: ReadonlySet<string>,
  { catalog, findings }: PolicyCheckInput,
): void {
  const group = catalog.httpRouteGroup(meta.namespace, ref.name);
  const hasMatch = ref.match === undefined ||
    group?.matches.some(({ name }) => name === ref.match) === true;
  if (group === undefined || !hasMatch) return;
  const suffix = ref.match === undefined ? "" : `#${ref.match}`;
  if (used.has(`${keyOf(meta.namespace, ref.name)}${suffix}`)) return;
  const what = ref.match === undefined
    ? `No match of HTTPRouteGroup ${quoted(ref.name)}`
    : `Match ${quoted(ref.match)} of HTTPRouteGroup ${quoted(ref.name)}`;
  findings.add({
    code: "policy-match-unused",
    meta,
    path: ref.at,
    message: `${what} is ${ref.match === undefined ? "" : "not "}in a rule of a split, so the ` +
      "policy has no effect there",
    hint: "Name the group in spec.matches of a TrafficSplit, or attach the policy to the Service",
  });
}
