/** Requests that the route groups of an Egress or an IngressBackend take. Each only ever allows, so what is not understood allows nothing. */
import type { FieldPath, FindingCode } from "../../base/finding.ts";
import { compareText } from "../../base/order.ts";
import type { Egress, IngressBackend, Meta } from "../../schemas/resources.ts";
import type { PlanMatch } from "../plan.ts";
import { type Findings, quoted } from "./findings.ts";
import { keyOf } from "./keys.ts";
import type { GroupLookup } from "./route_groups.ts";

/** What is reported of a kind at the edge of the mesh. */
export type ReportEdge = (
  path: FieldPath,
  code: FindingCode,
  text: { readonly message: string; readonly hint: string },
) => void;

export function reportOf({ meta }: { readonly meta: Meta }, findings: Findings): ReportEdge {
  return (path, code, text) => findings.add({ code, meta, path, ...text });
}

/** Null: it is left out. */
export function sortedTexts(list: readonly string[] | undefined): readonly string[] | null {
  return list === undefined ? null : [...new Set(list)].sort(compareText);
}

/** What is wrong with the groups that one names. */
interface GroupCodes {
  readonly kind: FindingCode;
  readonly route: FindingCode;
}

export const EGRESS_CODES: GroupCodes = {
  kind: "egress-kind-unsupported",
  route: "egress-route-missing",
};
export const INGRESS_CODES: GroupCodes = {
  kind: "ingress-kind-unsupported",
  route: "ingress-route-missing",
};

/** Null: any request. */
export function groupMatches(
  { meta, matches }: Egress | IngressBackend,
  codes: GroupCodes,
  groups: GroupLookup,
  report: ReportEdge,
): readonly PlanMatch[] | null {
  if (matches === undefined) return null;
  const http = matches.flatMap(({ kind, name, at }) => {
    if (kind !== "HTTPRouteGroup") {
      report([...at, "kind"], codes.kind, {
        message: `Kind ${quoted(kind)} allows nothing: Weft knows "HTTPRouteGroup" here`,
        hint: kind === "UpstreamTrafficSetting"
          ? "Remove it: Weft limits no calls across the edge of the mesh"
          : 'Use "HTTPRouteGroup"',
      });
      return [];
    }
    const group = groups.get(keyOf(meta.namespace, name));
    if (group === undefined) {
      report([...at, "name"], codes.route, {
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
