/**
 * How long a caller of gRPC waits for the end of its answer: `grpc-timeout`, at most eight digits and a unit. It is the deadline of
 * the exchange, and each attempt is told what is left of it.
 */
import type { Request } from "../protocol/http1/request.ts";
import { isGrpcContentType } from "../protocol/http2/grpc.ts";

export const CALL_TIMEOUT = "grpc-timeout";

/** Units in milliseconds, the finest first. */
const HOURS = ["H", 3_600_000] as const;
const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ["n", 1e-6],
  ["u", 1e-3],
  ["m", 1],
  ["S", 1_000],
  ["M", 60_000],
  HOURS,
];
/** Eight digits. */
const COUNT_END = 100_000_000;

/**
 * Milliseconds; `Infinity`: the caller says nothing of it, or nothing that is well-formed, which is passed on as it is: it is for the
 * endpoint to judge. Zero is not positive, but callers say it whose time has run out, and servers take it for that.
 */
export function callTimeoutMs(bytes: Uint8Array, request: Request): number {
  if (request.grpcTimeoutHeader < 0 || !isCall(bytes, request)) return Infinity;
  const text = request.valueOf(bytes, CALL_TIMEOUT);
  const [, count, unit] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
  const ms = UNITS.find(([name]) => name === unit)?.[1];
  return ms === undefined ? Infinity : Number(count) * ms;
}

function isCall(bytes: Uint8Array, request: Request): boolean {
  const { headers } = request;
  const type = request.indexOf(bytes, "content-type");
  return type >= 0 && isGrpcContentType(bytes, headers[4 * type + 2], headers[4 * type + 3]);
}

/** The line that tells the next what is left, in the finest unit that holds it: never more than that, and never nothing. */
export function callTimeoutLine(leftMs: number): string {
  const [unit, ms] = UNITS.find(([, ms]) => leftMs / ms < COUNT_END) ?? HOURS;
  return `${CALL_TIMEOUT}: ${Math.max(1, Math.floor(leftMs / ms))}${unit}\r\n`;
}
