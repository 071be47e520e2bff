/**
 * The protocols that can be told by the first bytes of a client. To add one: its folder, and its line in `PROTOCOLS`. The type
 * checker asks what its connections carry.
 */
import type { Protocol } from "./detector.ts";
import { HTTP1_PROTOCOL, HTTP1_PROXY } from "./http1/detect.ts";
import { HTTP2_PROTOCOL } from "./http2/detect.ts";
import { TLS_PROTOCOL } from "./tls/detect.ts";
import { MESH_TLS_PROTOCOL, OTHER_TLS_PROTOCOL } from "./tls/mesh.ts";

/** In order: where two say yes, the first is taken. */
const PROTOCOLS = {
  http2: HTTP2_PROTOCOL,
  tls: TLS_PROTOCOL,
  "http1-proxy": HTTP1_PROXY,
  http1: HTTP1_PROTOCOL,
} as const satisfies Readonly<Record<string, Protocol>>;

export type ProtocolName = keyof typeof PROTOCOLS | "mesh-tls";

/** Which protocols are told apart; bytes of all others are opaque. */
export type Protocols = readonly (readonly [ProtocolName, Protocol])[];

export const ALL_PROTOCOLS = Object.entries(PROTOCOLS) as readonly [ProtocolName, Protocol][];

export const TLS_ALONE: Protocols = [["tls", TLS_PROTOCOL]];

/** Other TLS is the application's, and not told from what else it may be. */
export const MESH_TLS_ALONE: Protocols = [["mesh-tls", MESH_TLS_PROTOCOL]];

/** Where TLS that is not the mesh's may be for the sidecar to end. */
export const MESH_OR_OTHER_TLS: Protocols = [...MESH_TLS_ALONE, ["tls", OTHER_TLS_PROTOCOL]];

/**
 * What a client speaks that begins with `bytes[start, end)`. `opaque`: none of ours, so its bytes are passed on unread;
 * `undecided`: it takes more bytes to tell.
 * @param isAll no more bytes are waited for
 */
export function detectProtocol(
  bytes: Uint8Array,
  start: number,
  end: number,
  isAll = false,
  among: Protocols = ALL_PROTOCOLS,
): ProtocolName | "opaque" | "undecided" {
  if (start === end) return isAll ? "opaque" : "undecided";
  let isUndecided = false;
  for (const [name, protocol] of among) {
    const verdict = protocol.detect(bytes, start, end);
    if (verdict === "yes" || (verdict === "likely" && isAll)) return name;
    if (verdict !== "no") isUndecided = true;
  }
  return isUndecided && !isAll ? "undecided" : "opaque";
}

/** True where what was detected is a protocol whose requests are routed one by one. */
export function carriesRequests(detected: string): boolean {
  return ALL_PROTOCOLS.some(([name, { carries }]) => name === detected && carries === "requests");
}
