/**
 * Finds what no request can reach: HTTP matches on ports that do not carry HTTP, and route groups that nothing
 * names.
 */
import type { HttpRouteGroup } from "../../schemas/resources.ts";
import type { Catalog } from "./catalog.ts";
import { keyOfMeta } from "./keys.ts";
import type { ServicePorts } from "./endpoints.ts";
import { type Findings, plainList, quoted } from "./findings.ts";
import { portProtocol } from "./port_protocol.ts";
import { carriesHttp } from "../plan.ts";
import type { RootSplits } from "./roots.ts";

/** SMI's matches are about HTTP; on a TCP port only a split without matches applies. */
export function checkTcpMatches(
  { service: { meta: { name } }, ports: all }: ServicePorts,
  { matching, plain }: RootSplits,
  findings: Findings,
): void {
  const ports = all.map(({ port }) => ({ port, protocol: portProtocol(port) }))
    .filter(({ protocol }) => !carriesHttp(protocol));
  if (ports.length === 0) return;
  const numbers = plainList(ports.map(({ port, protocol }) => `${port.port} (${protocol})`));
  const destination = plain.length === 0
    ? `the own endpoints of ${quoted(name)}`
    : `the backends of split ${quoted(plain[0].meta.name)}`;
  for (const { meta } of matching) {
    findings.add({
      code: "split-tcp-matches",
      meta,
      path: ["spec", "matches"],
      message:
        `Split ${quoted(meta.name)} has HTTP matches and does not apply to port ${numbers} ` +
        `of ${quoted(name)}: connections there go to ${destination}`,
      hint: "Add a split without matches for TCP, or set the port's appProtocol to http",
    });
  }
}

export function checkGroupUsed(
  { meta }: HttpRouteGroup,
  catalog: Catalog,
  findings: Findings,
): void {
  const key = keyOfMeta(meta);
  if (catalog.hasRefused(meta.namespace)) return;
  if (catalog.splitsNaming(key).length > 0 || catalog.isNamedByTarget(key)) return;
  if (catalog.isNamedAtEdge(key)) return;
  findings.add({
    code: "route-group-unused",
    meta,
    path: [],
    message:
      `No split, target, Egress or IngressBackend in namespace ${quoted(meta.namespace)} names ` +
      `route group ${quoted(meta.name)}`,
    hint: "Name it in spec.matches of a TrafficSplit, or delete it",
  });
}
