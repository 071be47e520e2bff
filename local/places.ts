/**
 * Where on this machine a pod's port can listen. The pod's own loopback address and port wherever that works; else
 * the nearest thing that does, and the mesh redirects to it.
 */
import type { HostPort } from "../console/values.ts";

/**
 * `wanted` itself if it can be listened on now; a free port of the same address where the port is taken (another
 * mesh runs the same manifests) or privileged; a free port of 127.0.0.1 where the system has no such address
 * (macOS has 127.0.0.1 only).
 */
export function usablePlace(wanted: HostPort): HostPort {
  const candidates = [
    wanted,
    { address: wanted.address, port: 0 },
    { address: "127.0.0.1", port: 0 },
  ];
  for (const { address, port } of candidates) {
    try {
      const listener = Deno.listen({ hostname: address, port });
      const found = { address, port: listener.addr.port };
      listener.close();
      return found;
    } catch (error) {
      if (!isAddressProblem(error)) throw error;
    }
  }
  throw new Deno.errors.AddrNotAvailable("No port of 127.0.0.1 is free");
}

function isAddressProblem(error: unknown): boolean {
  return error instanceof Deno.errors.AddrInUse ||
    error instanceof Deno.errors.AddrNotAvailable ||
    error instanceof Deno.errors.PermissionDenied;
}

/** True once something accepts a connection there. Never throws for a refusal. */
export async function isAccepting(place: HostPort): Promise<boolean> {
  try {
    const connection = await Deno.connect({ hostname: place.address, port: place.port });
    connection.close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return false;
  }
}
