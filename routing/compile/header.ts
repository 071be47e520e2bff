/** What holds for all parts of a plan, and what a reader has to know to obey them. */
import { compareText } from "../../base/order.ts";
import type { PlanHeader } from "../parts.ts";
import { EGRESS_OFF, GATEWAY_ROUTES, PLAN_VERSION } from "../plan.ts";

interface HeaderInput {
  readonly clusterDomain: string;
  readonly permissive: boolean;
  readonly egress: boolean;
  readonly hasGatewayRoutes: boolean;
  /** By namespace, where it says something. */
  readonly mtls: ReadonlyMap<string, string>;
}

export function compiledHeader(
  { clusterDomain, permissive, egress, hasGatewayRoutes, mtls }: HeaderInput,
): PlanHeader {
  const requires = [...(egress ? [] : [EGRESS_OFF]), ...(hasGatewayRoutes ? [GATEWAY_ROUTES] : [])];
  const namespaces = Object.fromEntries([...mtls].sort(([a], [b]) => compareText(a, b)));
  return {
    version: PLAN_VERSION,
    ...(requires.length === 0 ? {} : { requires }),
    clusterDomain,
    permissive,
    ...(egress ? {} : { egressOff: true }),
    ...(mtls.size === 0 ? {} : { mtls: { namespaces } }),
  };
}
