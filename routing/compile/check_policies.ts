/**
 * Finds policies, and sections of policies, that change nothing: empty ones, HTTP on ports that do not carry it, and
 * matches that no split uses. Changes nothing in the plan.
 */
import { type PolicySection, ROUTE_SECTIONS } from "../../base/policy.ts";
import type { PolicyTargetRef, TrafficPolicy } from "../../schemas/resources.ts";
import type { Catalog } from "./catalog.ts";
import { keyOf } from "./keys.ts";
import type { ServicePorts } from "./endpoints.ts";
import { type Findings, plainList, quoted } from "./findings.ts";
import { sectionsOf } from "./policies.ts";
import { portProtocol } from "./port_protocol.ts";
import { carriesHttp } from "../plan.ts";

interface PolicyCheckInput {
  readonly catalog: Catalog;
  readonly services: { get(key: string): ServicePorts | undefined };
  /** Names of the matches of a group, by `namespace/name`, that are in a rule. */
  readonly usedMatches: (group: string) => ReadonlySet<string>;
  readonly findings: Findings;
}

export function checkPolicy(policy: TrafficPolicy, input: PolicyCheckInput): void {
  if (sectionsOf(policy).length === 0 && policy.isPartial !== true) {
    reportEmpty(policy, input.findings);
  }
  for (const ref of policy.targets) {
    if (ref.kind === "Service") checkProtocol(policy, ref, input);
    else if (ref.kind === "HTTPRouteGroup") checkUsed(policy, ref, input);
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

function checkUsed(
  { meta }: TrafficPolicy,
  ref: PolicyTargetRef,
  { catalog, usedMatches, findings }: PolicyCheckInput,
): void {
  const group = catalog.groups.get(meta.namespace, ref.name);
  const hasMatch = ref.match === undefined ||
    group?.matches.some(({ name }) => name === ref.match) === true;
  if (group === undefined || group.isRefused === true || !hasMatch) return;
  if (catalog.hasRefused(meta.namespace)) return;
  const used = usedMatches(keyOf(meta.namespace, ref.name));
  if (ref.match === undefined ? used.size > 0 : used.has(ref.match)) return;
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
