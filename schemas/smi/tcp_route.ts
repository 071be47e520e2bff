/**
 * TCPRoute v1alpha1 to v1alpha4 to the one internal shape (smi-spec traffic-specs).
 */
import { isRecord } from "../fields.ts";
import type { SourceObject } from "../object.ts";
import type { TcpRoute } from "../resources.ts";

/**
 * Reads a route. Up to v1alpha3, and where nothing is said of ports, it stands for every port; undefined if
 * something is said that cannot be read. The schema of its version has been checked.
 */
export function readTcpRoute(object: SourceObject): TcpRoute | undefined {
  const everyPort = { meta: object.meta, ports: [] };
  if (object.version !== "v1alpha4") return everyPort;
  const spec = object.root.at("spec");
  const matches = spec.at("matches");
  const list = matches.at("ports");
  if ([spec, matches].some((field) => field.isPresent && !isRecord(field.value))) return undefined;
  if (!list.isPresent) return everyPort;
  if (!Array.isArray(list.value)) return undefined;
  if (list.value.length === 0) return everyPort;
  const ports = list.list().flatMap((item) => item.port() ?? []);
  return ports.length === 0 ? undefined : { meta: object.meta, ports: [...new Set(ports)] };
}
