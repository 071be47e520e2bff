/**
 * Egresses as the plan has them. One only ever allows, so whatever in it is not understood, or does not show in what is spoken at a port,
 * allows nothing and takes nothing away from the rest.
 */
import { compareText } from "../../base/order.ts";
import type { Egress, EgressPort } from "../../schemas/resources.ts";
import type { PlanEgress } from "../plan.ts";
import { keyOf } from "./keys.ts";
import { type Findings, positionOf, quoted, quotedList, refOf } from "./findings.ts";
import { compareNumbers } from "./order.ts";
import {
  EGRESS_CODES,
  groupMatches,
  type ReportEdge,
  reportOf,
  sortedTexts,
} from "./group_matches.ts";
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
  const report = reportOf(egress, input.findings);
  reportSources(egress, input, report);
  const http = groupMatches(egress, EGRESS_CODES, input.groups, report);
  const ports = egress.ports.filter((port) => showsAll(egress, port, report));
  if ([hosts, ranges, http, ports].some((list) => list?.length === 0)) return undefined;
  return {
    ref: refOf(meta),
    position: positionOf(meta, []),
    hosts: sortedTexts(hosts),
    ranges: sortedTexts(ranges),
    ports: ports.map(({ port, protocol }) => ({ port, protocol }))
      .sort((a, b) => compareNumbers(a.port, b.port) || compareText(a.protocol, b.protocol)),
    http,
  };
}

function reportSources(
  { sources }: Egress,
  { runs, isKnown }: EgressInput,
  report: ReportEdge,
): void {
  for (const { kind, namespace, name, at } of sources) {
    if (kind !== "ServiceAccount") {
      report([...at, "kind"], "egress-kind-unsupported", {
        message: `Kind ${quoted(kind)} may call nothing: Weft knows "ServiceAccount" here`,
        hint: 'Use "ServiceAccount"',
      });
    } else if (isKnown(namespace) && !runs(keyOf(namespace, name))) {
      report([...at, "name"], "egress-account-unused", {
        message: `No pod runs as ${quoted(keyOf(namespace, name))}`,
        hint: "Correct the name, or deploy what runs as it into a namespace of the mesh",
      });
    }
  }
}

/** A restriction that what is spoken at a port does not show cannot be kept there, and the port is left out. */
function showsAll(
  egress: Egress,
  { port, protocol, at }: EgressPort,
  report: ReportEdge,
): boolean {
  const hidden = [
    ...(egress.hosts !== undefined && protocol === "tcp" ? ["hosts"] : []),
    ...(egress.matches !== undefined && protocol !== "http" ? ["matches"] : []),
  ];
  if (hidden.length === 0) return true;
  report(at, "egress-port-blind", {
    message: `Port ${port} (${protocol}) allows nothing: what is sent there does not show what ` +
      `${quotedList(hidden)} ask for`,
    hint: "Write the port into an Egress of its own, with ipAddresses",
  });
  return false;
}
