/**
 * How sidecars of a mesh speak to each other: TLS whose ALPN names say what is within. So a sidecar tells it from the TLS of applications,
 * which is not for it to end, and knows what comes without waiting for it.
 */
import type { Detection, Protocol } from "../detector.ts";
import { offersOf } from "./client_hello.ts";
import { TLS_PROTOCOL } from "./detect.ts";

/** By what is within. */
export const MESH_ALPN = {
  "h2": "weft-h2",
  "http/1.1": "weft-http/1.1",
  "": "weft-tcp",
} as const;

const NAMES: readonly string[] = Object.values(MESH_ALPN);

/** Whether the name that was agreed on is the mesh's: to those at its ends such a connection is as a plain one. */
export function isMeshAlpn(alpn: string): boolean {
  return NAMES.includes(alpn);
}

export const MESH_TLS_PROTOCOL: Protocol = protocolOf(true);

/** TLS that is not the mesh's, told once its ClientHello has all arrived, with the server name. */
export const OTHER_TLS_PROTOCOL: Protocol = protocolOf(false);

function protocolOf(isMesh: boolean): Protocol {
  const detect = (bytes: Uint8Array, start: number, end: number): Detection => {
    const isTls = TLS_PROTOCOL.detect(bytes, start, end);
    if (isTls !== "yes") return isTls;
    const offers = offersOf(bytes, start, end);
    if (offers === null) return "more";
    return offers.some(isMeshAlpn) === isMesh ? "yes" : "no";
  };
  return { detect, carries: "bytes" };
}
