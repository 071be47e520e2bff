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

const ENTRIES = Object.entries(DETECTORS) as readonly [ProtocolName, Detector][];

/**
 * What a client speaks that begins with `bytes[start, end)`. `opaque`: none of ours, so its bytes are passed on unread;
 * `undecided`: it takes more bytes to tell.
 */
export function detectProtocol(
  bytes: Uint8Array,
  start: number,
  end: number,
): ProtocolName | "opaque" | "undecided" {
  if (start === end) return "undecided";
  let isUndecided = false;
  for (const [name, detect] of ENTRIES) {
    const verdict = detect(bytes, start, end);
    if (verdict === "yes") return name;
    if (verdict === "more") isUndecided = true;
  }
  return isUndecided ? "undecided" : "opaque";
}
