/** Tells callers apart by their address, for what keeps each of them on one endpoint. */
import { fnv1a32, mix32 } from "../../base/hash.ts";

/**
 * 0 to 2^32 - 1. A loopback address is that of the application beside a sidecar, and says nothing of which one. Without the
 * proxy's `seed` all sidecars of a cluster would send to one endpoint.
 */
export function callerHash(peer: string, seed: number | null): number {
  const hash = fnv1a32(peer);
  return mix32(isLoopback(peer) ? hash ^ (seed ?? 0) : hash);
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}
