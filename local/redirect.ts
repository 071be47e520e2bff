/**
 * Sends a plan's endpoints where their pods really listen on this machine. Changes addresses and nothing else: traffic
 * targets go on to know the ports as declared, so a request is decided exactly as it would be in a cluster.
 */
import type { HostPort } from "../console/values.ts";
import type { Plan, PlanEndpoint } from "../routing/plan.ts";
import { hashPlan } from "../routing/parts.ts";

/** The same plan where every endpoint for which `placeOf` knows a place has moved there. */
export function redirectEndpoints(
  plan: Plan,
  placeOf: (address: string, port: number) => HostPort | undefined,
): Plan {
  let hasMoved = false;
  const move = (endpoint: PlanEndpoint): PlanEndpoint => {
    const place = placeOf(endpoint.address, endpoint.port);
    if (place === undefined) return endpoint;
    if (place.address === endpoint.address && place.port === endpoint.port) return endpoint;
    hasMoved = true;
    const { port, targetPort = port } = endpoint;
    const known = place.port === targetPort ? {} : { targetPort };
    return { ...endpoint, ...place, ...known };
  };
  const groups = Object.fromEntries(
    Object.entries(plan.groups).map(([id, endpoints]) => [id, endpoints.map(move)]),
  );
  if (!hasMoved) return plan;
  const { hash: _, ...rest } = plan;
  return { ...rest, groups, hash: hashPlan({ ...rest, groups }) };
}

/** The ports that the plan's endpoints name, by address. */
export function endpointPorts(plan: Plan): ReadonlyMap<string, ReadonlySet<number>> {
  const ports = new Map<string, Set<number>>();
  for (const { address, port } of Object.values(plan.groups).flat()) {
    if (address === "" || port === 0) continue;
    const known = ports.get(address);
    if (known === undefined) ports.set(address, new Set([port]));
    else known.add(port);
  }
  return ports;
}
