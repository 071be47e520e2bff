/**
 * The protocols that can be told by the first bytes of a client. To add one: its detector, in a folder of its own, and one line
 * here; the type then asks `accept/capture.ts` what serves it.
 */
import type { Detector } from "./detector.ts";
import { detectHttp1 } from "./http1/detect.ts";
import { detectHttp2 } from "./http2/detect.ts";
import { detectTls } from "./tls/detect.ts";

/** In order: where two say yes, the first is taken. */
const DETECTORS = {
  http2: detectHttp2,
  tls: detectTls,
  http1: detectHttp1,
} as const satisfies Readonly<Record<string, Detector>>;

export type ProtocolName = keyof typeof DETECTORS;

/** Which protocols are told apart; bytes of all others are opaque. */
export type Detectors = readonly (readonly [ProtocolName, Detector])[];

export const ALL_PROTOCOLS = Object.entries(DETECTORS) as readonly [ProtocolName, Detector][];

export const TLS_ALONE: Detectors = [["tls", detectTls]];

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
  among: Detectors = ALL_PROTOCOLS,
): ProtocolName | "opaque" | "undecided" {
  if (start === end) return "undecided";
  let isUndecided = false;
  for (const [name, detect] of among) {
    const verdict = detect(bytes, start, end);
    if (verdict === "yes" || (verdict === "likely" && isAll)) return name;
    if (verdict !== "no") isUndecided = true;
  }
  return isUndecided && !isAll ? "undecided" : "opaque";
}
