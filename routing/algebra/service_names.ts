/** The names by which clients call a port of a Service: what a witness is addressed to, and what rules about hosts are judged by. */
import type { PlanService } from "../plan.ts";
import { DEFAULT_PORT } from "../request.ts";
import { nameSuffixes } from "../table/host_index.ts";

/** The usual one first: `service.namespace:port`, without the port where it is that of HTTP. */
export function authoritiesOf(
  { namespace, name, clusterIps, ports }: PlanService,
  port: number,
  clusterDomain: string,
): readonly [string, ...string[]] {
  const qualified = `${name}.${namespace}`;
  const suffixed = nameSuffixes(clusterDomain).map((suffix) => `${qualified}${suffix}`);
  const addresses = clusterIps.map((ip) => ip.includes(":") ? `[${ip}]` : ip);
  const hosts = [qualified, ...suffixed, name, ...addresses];
  const withPort = hosts.map((host) => `${host}:${port}`);
  if (port === DEFAULT_PORT) return [qualified, ...hosts.slice(1), ...withPort];
  // A Service with one port needs no name of it.
  const bare = ports.length === 1 ? hosts : [];
  return [withPort[0], ...withPort.slice(1), ...bare];
}
