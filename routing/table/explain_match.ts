/**
 * Says which of a list of matches a request satisfies and where the others fail. One match and one
 * pattern after the other, on purpose: it shares no shortcut with `MatchIndex`, and a test holds
 * the two against each other.
 */
import { AUTHORITY, headerName } from "../match/header_index.ts";
import { patternTest } from "../match/pattern.ts";
import type { PlanMatch } from "../plan.ts";
import { METHODS } from "../request.ts";
import type { RequestHead } from "../request.ts";
import type { FailedClause } from "./explanation.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The text at `bytes[start, end)`; what is not UTF-8 shows as U+FFFD. */
export function textOf(head: RequestHead, start: number, end: number): string {
  return decoder.decode(head.bytes.subarray(start, end));
}

/** The first clause of `match` that the request does not satisfy; null where it satisfies all. */
export function firstFailure(match: PlanMatch, head: RequestHead): FailedClause | null {
  if (match.path !== null) {
    const path = head.bytes.subarray(head.pathStart, head.pathEnd);
    if (!patternTest(match.path, "anchored")(path)) {
      const seen = textOf(head, head.pathStart, head.pathEnd);
      return { clause: "path", header: null, expected: match.path, seen };
    }
  }
  if (match.methods !== null && !match.methods.includes(METHODS[head.method - 1])) {
    const seen = textOf(head, head.methodStart, head.methodEnd);
    return { clause: "method", header: null, expected: match.methods.join(","), seen };
  }
  for (const { name, pattern } of match.headers) {
    const value = headerValue(head, headerName(name));
    if (value !== null && patternTest(pattern, "search")(value)) continue;
    const seen = value === null ? null : decoder.decode(value);
    return { clause: "header", header: name, expected: pattern, seen };
  }
  return null;
}

/** All values of a header, joined by `, `; null where there is none. */
function headerValue(head: RequestHead, name: string): Uint8Array | null {
  const { bytes, headers } = head;
  if (name === AUTHORITY) {
    if (head.authorityStart === head.authorityEnd) return null;
    return bytes.subarray(head.authorityStart, head.authorityEnd);
  }
  const values: Uint8Array[] = [];
  for (let i = 0; i < 4 * head.headerCount; i += 4) {
    if (textOf(head, headers[i], headers[i + 1]).toLowerCase() !== name) continue;
    if (values.length > 0) values.push(encoder.encode(", "));
    values.push(bytes.subarray(headers[i + 2], headers[i + 3]));
  }
  if (values.length === 0) return null;
  return Uint8Array.from(values.flatMap((value) => [...value]));
}
