/** What is wrong or surprising about a route of the Gateway API, said once a route and not once a port. Changes nothing in the plan. */
import type { FieldPath, FindingCode } from "../../base/finding.ts";
import type {
  GatewayObjectRef,
  GatewayParent,
  GatewayRoute,
  GatewayRule,
  TrafficSplit,
} from "../../schemas/resources.ts";
import { carriesHttp } from "../plan.ts";
import type { ResolvedService } from "./endpoints.ts";
import { keyOf } from "./keys.ts";
import { type Findings, plainList, quoted, refOf } from "./findings.ts";
import { type GatewayLookup, planObject } from "./gateway_backends.ts";
import { canReplacePrefix, meansPort } from "./gateway_ports.ts";
import type { CompiledRoute } from "./gateway_routes.ts";
import { formatRef } from "../../base/finding.ts";
import { portProtocol } from "./port_protocol.ts";

interface RouteCheck {
  readonly compiled: CompiledRoute;
  readonly lookup: GatewayLookup;
  /** Whether a Service, by `namespace/name`, cannot be read, which is reported. */
  readonly isRefused: (key: string) => boolean;
  /** Routes of a Service, by `namespace/name`, in the order in which they count. */
  readonly routesOf: (key: string) => readonly GatewayRoute[];
  readonly findings: Findings;
}

export function checkGatewayRoute(check: RouteCheck): void {
  const { compiled: { route }, lookup, isRefused } = check;
  const { meta, parents, hostnamesAt } = route;
  if (parents.length === 0 || route.isRefused === true) return;
  const roots = parents.map((parent) => {
    const root = lookup.services.get(keyOf(parent.namespace, parent.name));
    if (root !== undefined) checkParent(parent, root, check);
    else if (!isRefused(keyOf(parent.namespace, parent.name))) reportMissing(parent, check);
    return root;
  });
  if (hostnamesAt !== undefined) {
    check.findings.add({
      code: "route-hostnames-ignored",
      meta,
      path: hostnamesAt,
      message: "Host names of a route say nothing of a Service: its requests are told by address",
      hint: 'Match the header "Host" if only some hosts are meant, or remove "hostnames"',
    });
  }
  const root = roots.find((each) => each !== undefined);
  if (root !== undefined) { for (const rule of route.rules) checkRule(rule, root, check); }
  checkMatches(check);
}

function reportMissing(parent: GatewayParent, { compiled: { route }, findings }: RouteCheck): void {
  findings.add({
    code: "route-parent-missing",
    meta: route.meta,
    path: [...parent.at, "name"],
    message: `There is no Service ${quoted(parent.name)} in namespace ` +
      `${quoted(parent.namespace)}, so the route has no effect there`,
    hint: "Create the Service, or correct the parent's name and namespace",
  });
}

function checkParent(
  parent: GatewayParent,
  { service, ports }: ResolvedService,
  check: RouteCheck,
): void {
  const { compiled: { route: { meta } }, findings } = check;
  const meant = ports.filter(({ port }) => meansPort(parent, port));
  if (meant.length === 0) {
    findings.add({
      code: "route-parent-missing",
      meta,
      path: [...parent.at, parent.port === undefined ? "sectionName" : "port"],
      message: `Service ${quoted(service.meta.name)} has no such port, so the route has no effect`,
      hint: `Its ports are ${plainList(ports.map(({ port }) => port.port))}`,
    });
    return;
  }
  const dumb = meant.filter(({ port }) => !carriesHttp(portProtocol(port)));
  if (meta.kind === "TCPRoute") return checkConflict(parent, meant[0].port, check);
  if (dumb.length < meant.length) return;
  findings.add({
    code: "route-not-http",
    meta,
    path: parent.at,
    message: `Port ${plainList(dumb.map(({ port }) => port.port))} of Service ` +
      `${quoted(service.meta.name)} does not speak HTTP, so the route has no effect there`,
    hint: "Write a TCPRoute, or correct the port's name or appProtocol",
  });
}

/** A connection has nothing by which one of several routes could be told. */
function checkConflict(
  parent: GatewayParent,
  port: { readonly port: number; readonly name: string },
  { compiled: { route }, routesOf, findings }: RouteCheck,
): void {
  const [winner] = routesOf(keyOf(parent.namespace, parent.name)).filter(({ meta, parents }) =>
    meta.kind === "TCPRoute" && meta.namespace === route.meta.namespace &&
    parents.some((other) =>
      other.namespace === parent.namespace && other.name === parent.name && meansPort(other, port)
    )
  );
  if (winner === undefined || winner === route) return;
  findings.add({
    code: "route-conflict",
    meta: route.meta,
    path: parent.at,
    message: `${formatRef(refOf(winner.meta))} speaks for port ${port.port} of Service ` +
      `${quoted(parent.name)} too, and counts: this route has no effect there`,
    hint: "Delete one of the two, or name another port",
  });
}

function checkRule(rule: GatewayRule, root: ResolvedService, check: RouteCheck): void {
  const { compiled: { route }, findings } = check;
  const { meta } = route;
  const { unsupported, filters, backends } = rule;
  if (unsupported !== undefined) {
    reportUnsupported(unsupported.at, `${unsupported.what} is not for Weft to do`, check);
    return;
  }
  for (const backend of backends) {
    const effect = backend.weight === 0
      ? "its weight is zero, so nothing is lost"
      : "its share of the requests is answered with";
    checkObject(backend, effect, backend.weight === 0, root, check);
  }
  if (filters.mirror !== undefined) {
    const { state } = planObject(route, filters.mirror, 1, root, check.lookup);
    if (state !== "ready") {
      findings.add({
        code: "policy-mirror-unavailable",
        meta,
        path: filters.mirror.at,
        message: `Service ${quoted(keyOf(filters.mirror.namespace, filters.mirror.name))} can ` +
          "take nothing on this port, or may not be named, so no requests are copied to it",
        hint: "Name a Service that is there, with its port; one of another namespace takes a " +
          "ReferenceGrant",
      });
    }
  }
  const takesNothing = backends.every(({ weight }) => weight === 0) &&
    filters.redirect === undefined;
  if (!takesNothing) return;
  findings.add({
    code: "backends-empty",
    meta,
    path: [...rule.at, "backendRefs"],
    message: "The rule has no backend with a weight above zero: its requests are answered with 500",
    hint: "Name a Service with a weight, or a redirect",
  });
}

function reportUnsupported(
  path: FieldPath,
  what: string,
  { compiled: { route }, findings }: RouteCheck,
): void {
  findings.add({
    code: "route-unsupported",
    meta: route.meta,
    path,
    message: `${what}: requests that the rule takes are answered with 500`,
    hint: "Remove it, or write the rule without it",
  });
}

function checkMatches(check: RouteCheck): void {
  for (const { rule, matches } of check.compiled.rules) {
    if (matches.every((match) => canReplacePrefix(rule, match))) continue;
    reportUnsupported(rule.at, "A prefix is replaced that no match names", check);
  }
}

const STATES = {
  "missing": "backend-missing",
  "foreign": "backend-foreign",
  "no-port": "backend-port-missing",
  "no-endpoints": "backend-no-endpoints",
} as const satisfies Record<string, FindingCode>;

function checkObject(
  ref: GatewayObjectRef,
  effect: string,
  isHarmless: boolean,
  root: ResolvedService,
  { compiled: { route }, lookup, isRefused, findings }: RouteCheck,
): void {
  const { meta } = route;
  const { state } = planObject(route, ref, 1, root, lookup);
  if (state === "ready" || isRefused(keyOf(ref.namespace, ref.name))) return;
  const isService = ref.group === "" && ref.kind === "Service";
  const status = state === "no-endpoints" ? "503" : "500";
  const told = isHarmless ? effect : `${effect} ${status}`;
  const name = quoted(keyOf(ref.namespace, ref.name));
  const [message, hint] = !isService
    ? [`A backend of kind ${quoted(ref.kind)} is none that Weft knows`, "Name a Service"]
    : ref.port === undefined
    ? [`Backend ${name} has no port`, 'Add "port": a Service is named with one']
    : state === "missing"
    ? [`There is no Service ${name}`, "Create the Service, or correct the name"]
    : state === "foreign"
    ? [
      `Service ${name} is in another namespace, and no ReferenceGrant there lets ` +
      `${meta.kind}s of namespace ${quoted(meta.namespace)} name it`,
      `Create a ReferenceGrant in namespace ${quoted(ref.namespace)}`,
    ]
    : state === "no-port"
    ? [`Service ${name} has no port ${ref.port}`, "Name a port of the Service"]
    : [
      `Service ${name} has no ready endpoint for port ${ref.port}`,
      "Start a pod that its selector picks, or set the weight to zero",
    ];
  findings.add({
    code: STATES[state],
    meta,
    path: ref.at,
    message: `${message}; ${told}`,
    hint,
    ...(isHarmless && { severity: "info" as const }),
  });
}

/** A split whose root has routes of its own namespace. @param ports those that they speak for, of all that there are */
export function reportMixed(
  split: TrafficSplit,
  { compiled: { route } }: { readonly compiled: CompiledRoute },
  ports: readonly number[],
  findings: Findings,
): void {
  findings.add({
    code: "route-split-mixed",
    meta: split.meta,
    path: ["spec", "service"],
    message: `Routes of the Gateway API (${formatRef(refOf(route.meta))}) speak for port ` +
      `${plainList(ports)} of Service ${quoted(split.service)}, where the split does not count`,
    hint: "Keep either the split or the route",
  });
}
