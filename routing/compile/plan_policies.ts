/**
 * TrafficPolicies as the plan has them: the treatment of each port's requests, of each rule's, and of the endpoints
 * of each Service. Knows which policy counts from `policies.ts`.
 */
import {
  ENDPOINT_SECTIONS,
  type LoadBalancing,
  type PolicySection,
  ROUTE_SECTIONS,
} from "../../base/policy.ts";
import type { PlanEndpointPolicy, PlanMirror, PlanPolicySource, PlanRoutePolicy } from "../plan.ts";
import type { Service, TrafficPolicy } from "../../schemas/resources.ts";
import { planBackend, type ServiceLookup } from "./backends.ts";
import { keyOf, targetText } from "./keys.ts";
import type { ResolvedService } from "./endpoints.ts";
import { type Findings, positionOf, quoted, refOf } from "./findings.ts";
import { parseServiceName } from "./names.ts";
import {
  type AttachedPolicy,
  layerOfMatch,
  layerOfService,
  type Policies,
  type PolicyLayer,
} from "./policies.ts";
import type { CompiledMatch } from "./route_groups.ts";

export interface PlanPolicyInput {
  readonly policies: Policies;
  readonly lookup: ServiceLookup;
  readonly findings: Findings;
}

/** What `sessionAffinity: ClientIP` asks for. */
const BY_CLIENT_IP: LoadBalancing = {
  algorithm: "RingHash",
  hashKey: { source: "source-ip", name: "" },
};

/** What is done with requests to a port of a Service. Undefined: nothing. */
export function planPortPolicy(
  root: ResolvedService,
  port: number,
  input: PlanPolicyInput,
): PlanRoutePolicy | undefined {
  return planRoutePolicy(layerOf(root, input), root, port, input);
}

/** What is done with requests that a rule takes. Undefined: what is done with all of the port's. */
export function planRulePolicy(
  { plan: { group, name } }: CompiledMatch,
  root: ResolvedService,
  port: number,
  input: PlanPolicyInput,
): PlanRoutePolicy | undefined {
  const own = layerOfMatch(input.policies, group.namespace, group.name, name);
  if (own.size === 0) return undefined;
  return planRoutePolicy(new Map([...layerOf(root, input), ...own]), root, port, input);
}

/** How the endpoints of a Service are treated. Undefined: no policy says. */
export function planEndpointPolicy(
  service: Service,
  { policies, findings }: PlanPolicyInput,
): PlanEndpointPolicy | undefined {
  const { namespace, name } = service.meta;
  const policy = endpointPolicy(service, layerOfService(policies, namespace, name));
  if (policy?.loadBalancing === BY_CLIENT_IP) checkAffinityTimeout(service, findings);
  return policy;
}

/** The proxy keeps no list of callers, so it cannot forget one. */
function checkAffinityTimeout({ meta, clientIpAffinity }: Service, findings: Findings): void {
  const seconds = clientIpAffinity?.timeoutSeconds ?? null;
  if (seconds === null) return;
  findings.add({
    code: "affinity-timeout-ignored",
    meta,
    path: ["spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"],
    message: "Calls from one address go to one endpoint for as long as it is there, not until " +
      `${seconds} s after the last`,
    hint: 'Remove "timeoutSeconds", which changes nothing',
  });
}

function layerOf({ service: { meta } }: ResolvedService, { policies }: PlanPolicyInput) {
  return layerOfService(policies, meta.namespace, meta.name);
}

function endpointPolicy(
  { meta, headless, clientIpAffinity }: Service,
  layer: PolicyLayer,
): PlanEndpointPolicy | undefined {
  const policy: Record<string, unknown> = {};
  const sources: Record<string, PlanPolicySource> = {};
  // Of a headless Service clients choose the endpoint, also without a mesh.
  if (clientIpAffinity !== undefined && !headless) {
    policy.loadBalancing = BY_CLIENT_IP;
    sources.loadBalancing = {
      policy: refOf(meta),
      target: targetText("Service", meta.namespace, meta.name),
      position: positionOf(meta, ["spec", "sessionAffinity"]),
    };
  }
  for (const section of ENDPOINT_SECTIONS) {
    const attached = layer.get(section);
    if (attached === undefined) continue;
    policy[section] = attached.policy.settings[section];
    sources[section] = sourceOf(attached, section);
  }
  return Object.keys(sources).length === 0 ? undefined : { ...policy, sources };
}

function planRoutePolicy(
  layer: PolicyLayer,
  root: ResolvedService,
  port: number,
  input: PlanPolicyInput,
): PlanRoutePolicy | undefined {
  const policy: Record<string, unknown> = {};
  const sources: Record<string, PlanPolicySource> = {};
  for (const section of ROUTE_SECTIONS) {
    const attached = layer.get(section);
    if (attached === undefined) continue;
    const value = section === "mirror"
      ? planMirror(attached.policy, root, port, input)
      : attached.policy.settings[section];
    if (value === undefined) continue;
    policy[section] = value;
    sources[section] = sourceOf(attached, section);
  }
  return Object.keys(sources).length === 0 ? undefined : { ...policy, sources };
}

function sourceOf({ policy: { meta }, target }: AttachedPolicy, section: PolicySection) {
  return { policy: refOf(meta), target, position: positionOf(meta, ["spec", section]) };
}

/** Undefined: it can take nothing, which is reported. */
function planMirror(
  { meta, settings: { mirror } }: TrafficPolicy,
  root: ResolvedService,
  port: number,
  { lookup, findings }: PlanPolicyInput,
): PlanMirror | undefined {
  if (mirror === undefined) return undefined;
  const parsed = parseServiceName(mirror.service, lookup.clusterDomain);
  const namespace = parsed?.namespace ?? meta.namespace;
  const name = parsed?.name ?? mirror.service;
  const isForeign = namespace !== meta.namespace;
  const { state, group } = planBackend(
    { namespace, name, weight: 1, isForeign },
    port,
    root,
    lookup,
  );
  if (state === "ready") return { namespace, service: name, group, percent: mirror.percent };
  const service = `Service ${quoted(keyOf(namespace, name))}`;
  const reasons = {
    "missing": `There is no ${service}`,
    "foreign": `${service} is not in the policy's namespace`,
    "no-port": `${service} has no port ${port}`,
    "no-endpoints": `${service} has no endpoints on port ${port}`,
  };
  findings.add({
    code: "policy-mirror-unavailable",
    meta,
    path: ["spec", "mirror", "service"],
    message: `${reasons[state]}, so no requests are copied to it`,
    hint: state === "no-endpoints"
      ? "Start a pod that its selector picks"
      : `Name a Service of namespace ${quoted(meta.namespace)} that has the same port`,
  });
  return undefined;
}
