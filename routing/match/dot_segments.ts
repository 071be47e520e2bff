/**
 * Paths that an application may take for other ones than they are written as: `/public/../admin` is `/admin` to a server that removes dot
 * segments (RFC 3986 5.2.4). Patterns see paths as they were sent, so what such a path is allowed would be a guess.
 */
import type { PlanMatch } from "../plan.ts";
import { PathPattern } from "./pattern.ts";

const DOT = 46;
const SLASH = 47;
const SEMICOLON = 59;
const BACKSLASH = 92;
const PERCENT = 37;

/**
 * Whether a segment is `.` or `..`, in any spelling that servers are known to decode: percent-encoded dots and separators,
 * backslashes, and parameters after the dots (`..;x`).
 */
export function hasDotSegment(bytes: Uint8Array, start: number, end: number): boolean {
  let dots = 0;
  // What has been read of the segment is dots alone.
  let isDots = true;
  for (let at = start; at < end;) {
    const isEncoded = bytes[at] === PERCENT && at + 2 < end;
    const byte = isEncoded ? decoded(bytes[at + 1], bytes[at + 2]) : bytes[at];
    at += isEncoded ? 3 : 1;
    if (byte === SLASH || byte === BACKSLASH) {
      if (isDots && dots > 0) return true;
      dots = 0;
      isDots = true;
    } else if (byte === SEMICOLON) {
      if (isDots && dots > 0) return true;
      isDots = false;
    } else if (byte === DOT && dots < 2) dots++;
    else isDots = false;
  }
  return isDots && dots > 0;
}

/** Whether matches take some paths and not others: what an application makes of a path decides then. */
export function judgesPaths(matches: readonly Pick<PlanMatch, "path">[]): boolean {
  return matches.some(({ path }) => path !== null && !new PathPattern(path).isCatchAll());
}

/** The byte that two hexadecimal digits stand for; -1 where they are none. */
function decoded(high: number, low: number): number {
  const [first, second] = [digitOf(high), digitOf(low)];
  return first < 0 || second < 0 ? -1 : 16 * first + second;
}

function digitOf(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
