/**
 * TCPRoute v1alpha1 to v1alpha4 to the one internal shape (smi-spec traffic-specs).
 */
import { isRecord } from "../fields.ts";
import type { SourceObject } from "../object.ts";
import type { TcpRoute } from "../resources.ts";

/**
 * Reads a route. Up to v1alpha3, and where nothing is said of ports, it stands for every port; where something is said that cannot
 * be read, for none. The schema of its version has been checked.
 */
export function readTcpRoute(object: SourceObject): TcpRoute {
  const ports = object.isRefused ? undefined : readPorts(object);
  return ports === undefined
    ? { meta: object.meta, ports: [], isRefused: true }
    : { meta: object.meta, ports };
}

/** Empty: every port. Undefined: something is said of ports, and none of it can be read. */
function readPorts({ version, root }: SourceObject): readonly number[] | undefined {
  if (version !== "v1alpha4") return [];
  const spec = root.at("spec");
  const matches = spec.at("matches");
  const list = matches.at("ports");
  if ([spec, matches].some((field) => field.isPresent && !isRecord(field.value))) return undefined;
  if (!list.isPresent) return [];
  if (!Array.isArray(list.value)) return undefined;
  if (list.value.length === 0) return [];
  const ports = list.list().flatMap((item) => item.port() ?? []);
  return ports.length === 0 ? undefined : [...new Set(ports)];
}
