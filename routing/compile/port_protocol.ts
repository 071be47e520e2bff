/**
 * What a Service port speaks: its `appProtocol`, else its name's prefix, else HTTP (smi-facts 3.10).
 */
import type { PortProtocol } from "../plan.ts";

/** What a port may say of itself. */
interface DeclaringPort {
  readonly name: string;
  readonly appProtocol: string | undefined;
}

/** Kubernetes' own names (KEP-3726), IANA's, and those that SMI meshes take. */
const BY_APP_PROTOCOL: ReadonlyMap<string, PortProtocol> = new Map([
  ["http", "http"],
  ["ws", "http"],
  ["kubernetes.io/ws", "http"],
  ["http2", "http2"],
  ["h2c", "http2"],
  ["kubernetes.io/h2c", "http2"],
  ["grpc", "grpc"],
  ["https", "tls"],
  ["tls", "tls"],
  ["wss", "tls"],
  ["kubernetes.io/wss", "tls"],
  ["tcp", "tcp"],
  ["amqp", "tcp"],
  ["kafka", "tcp"],
  ["mongo", "tcp"],
  ["postgresql", "tcp"],
  ["redis", "tcp"],
  ["tcp-server-first", "tcp-server-first"],
  // In these the server speaks first; a proxy that waits for the client would wait for ever.
  ["mysql", "tcp-server-first"],
  ["smtp", "tcp-server-first"],
  ["ssh", "tcp-server-first"],
]);

/** The longer of two prefixes that both fit comes first. */
const BY_NAME: readonly (readonly [string, PortProtocol])[] = [
  ["tcp-server-first", "tcp-server-first"],
  ["http2", "http2"],
  ["https", "tls"],
  ["http", "http"],
  ["grpc", "grpc"],
  ["tls", "tls"],
  ["tcp", "tcp"],
];

export function portProtocol(port: DeclaringPort): PortProtocol {
  return declaredProtocol(port) ?? "http";
}

/**
 * What a port says that it speaks; undefined: nothing. An `appProtocol` that is not known says nothing, and the name
 * counts.
 */
export function declaredProtocol({ name, appProtocol }: DeclaringPort): PortProtocol | undefined {
  const declared = BY_APP_PROTOCOL.get(appProtocol?.toLowerCase() ?? "");
  if (declared !== undefined) return declared;
  const lower = name.toLowerCase();
  return BY_NAME.find(([word]) => lower === word || lower.startsWith(`${word}-`))?.[1];
}
