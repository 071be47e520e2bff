/** Whether a connection begins with HTTP/2's preface, sent by a client that knows beforehand (RFC 9113 3.4). */
import type { Detection, Protocol } from "../detector.ts";
import { PREFACE } from "./frame.ts";

/** `PRI`: a method that HTTP/1 keeps free for this (RFC 9113 3.4). */
const METHOD_BYTES = 3;

export const HTTP2_PROTOCOL: Protocol = { detect: detectHttp2, carries: "requests" };

export function detectHttp2(bytes: Uint8Array, start: number, end: number): Detection {
  const length = Math.min(end - start, PREFACE.length);
  for (let i = 0; i < length; i++) if (bytes[start + i] !== PREFACE[i]) return "no";
  if (length === PREFACE.length) return "yes";
  return length > METHOD_BYTES ? "likely" : "more";
}
