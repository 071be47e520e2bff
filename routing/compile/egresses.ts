/**
 * Egresses as the plan has them. One only ever allows, so whatever in it is not understood, or does not show in what is spoken at a port,
 * allows nothing and takes nothing away from the rest.
 */
import type { FieldPath, FindingCode } from "../../base/finding.ts";
import { compareText } from "../../base/order.ts";
import type { Egress, EgressPort } from "../../schemas/resources.ts";
import type { PlanEgress, PlanMatch } from "../plan.ts";
import { keyOf } from "./keys.ts";
import { type Findings, positionOf, quoted, quotedList, refOf } from "./findings.ts";
import { compareNumbers } from "./order.ts";
import type { GroupLookup } from "./route_groups.ts";

interface EgressInput {
  readonly groups: GroupLookup;
  /** Whether a pod runs as an account (`namespace/serviceaccount`). */
  readonly runs: (account: string) => boolean;
  /** Whether a namespace is in the input: of others nothing is known. */
  readonly isKnown: (namespace: string) => boolean;
  readonly findings: Findings;
}

/** Where egress is on nothing is refused: each object gets one Finding that says so. */
export function reportIgnoredEgress({ meta }: Egress, findings: Findings): void {
  findings.add({
    code: "egress-ignored",
    meta,
    path: [],
    message: `Egress ${quoted(meta.name)} allows nothing more: egress is on`,
    hint: "Turn egress off to refuse what no Egress allows",
  });
}

/** For any of its sources. Undefined: it allows nothing. */
export function planEgress(
  egress: Egress,
  input: EgressInput,
): Omit<PlanEgress, "source"> | undefined {
  const { meta, hosts, ranges } = egress;
  reportSources(egress, input);
  const http = httpMatches(egress, input);
  const ports = egress.ports.filter((port) => showsAll(egress, port, input.findings));
  if ([hosts, ranges, http, ports].some((list) => list?.length === 0)) return undefined;
  return {
    ref: refOf(meta),
    position: positionOf(meta, []),
    hosts: sorted(hosts),
    ranges: sorted(ranges),
    ports: ports.map(({ port, protocol }) => ({ port, protocol }))
      .sort((a, b) => compareNumbers(a.port, b.port) || compareText(a.protocol, b.protocol)),
    http,
  };
}

function sorted(list: readonly string[] | undefined): readonly string[] | null {
  return list === undefined ? null : [...new Set(list)].sort(compareText);
}

function reportSources(egress: Egress, { runs, isKnown, findings }: EgressInput): void {
  for (const { kind, namespace, name, at } of egress.sources) {
    if (kind !== "ServiceAccount") {
      report(egress, [...at, "kind"], "egress-kind-unsupported", findings, {
        message: `Kind ${quoted(kind)} may call nothing: Weft knows "ServiceAccount" here`,
        hint: 'Use "ServiceAccount"',
      });
    } else if (isKnown(namespace) && !runs(keyOf(namespace, name))) {
      report(egress, [...at, "name"], "egress-account-unused", findings, {
        message: `No pod runs as ${quoted(keyOf(namespace, name))}`,
        hint: "Correct the name, or deploy what runs as it into a namespace of the mesh",
      });
    }
  }
}

/** Null: any request. */
function httpMatches(
  egress: Egress,
  { groups, findings }: EgressInput,
): readonly PlanMatch[] | null {
  const { meta, matches } = egress;
  if (matches === undefined) return null;
  const http = matches.flatMap(({ kind, name, at }) => {
    if (kind !== "HTTPRouteGroup") {
      report(egress, [...at, "kind"], "egress-kind-unsupported", findings, {
        message: `Kind ${quoted(kind)} allows nothing: Weft knows "HTTPRouteGroup" here`,
        hint: kind === "UpstreamTrafficSetting"
          ? "Remove it: Weft limits no calls that leave the mesh"
          : 'Use "HTTPRouteGroup"',
      });
      return [];
    }
    const group = groups.get(keyOf(meta.namespace, name));
    if (group === undefined) {
      report(egress, [...at, "name"], "egress-route-missing", findings, {
        message:
          `There is no HTTPRouteGroup ${quoted(name)} in namespace ${quoted(meta.namespace)}, ` +
          "so nothing is allowed by it",
        hint: "Create the route group, or correct the name",
      });
    }
    return group?.isRefused === true ? [] : group?.matches.map(({ plan }) => plan) ?? [];
  });
  return [...new Set(http)];
}

/** A restriction that what is spoken at a port does not show cannot be kept there, and the port is left out. */
function showsAll(egress: Egress, { port, protocol, at }: EgressPort, findings: Findings): boolean {
  const hidden = [
    ...(egress.hosts !== undefined && protocol === "tcp" ? ["hosts"] : []),
    ...(egress.matches !== undefined && protocol !== "http" ? ["matches"] : []),
  ];
  if (hidden.length === 0) return true;
  report(egress, at, "egress-port-blind", findings, {
    message: `Port ${port} (${protocol}) allows nothing: what is sent there does not show what ` +
      `${quotedList(hidden)} ask for`,
    hint: "Write the port into an Egress of its own, with ipAddresses",
  });
  return false;
}

function report(
  { meta }: Egress,
  path: FieldPath,
  code: FindingCode,
  findings: Findings,
  text: { readonly message: string; readonly hint: string },
): void {
  findings.add({ code, meta, path, ...text });
}
