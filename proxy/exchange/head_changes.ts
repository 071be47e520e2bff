/**
 * What is changed in heads on their way: by a policy, by tracing, and by the proxy itself where it sends a request again.
 * Nothing is copied: headers are marked as dropped, and lines are added beside the head.
 */
import type { HeaderEdits } from "../policy/header_edits.ts";
import type { Head } from "../protocol/http1/head.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { ExchangeTrace } from "../tracing/tracer.ts";
import { writeAscii } from "../loop/arena.ts";
import type { Context } from "../loop/context.ts";

/**
 * Changes a head as its policy says, and adds `lines`. They are in scratch space, for the next head that is composed. False:
 * more headers are dropped than a head can lack.
 */
export function editHead(
  { arena, texts: { room } }: Context,
  head: Head,
  edits: HeaderEdits | null,
  lines: string,
): boolean {
  if (edits === null && lines === "") return true;
  const used = edits === null ? 0 : edits.apply(arena, head, room);
  if (used < 0) return false;
  head.addedStart = room;
  head.addedEnd = room + used + writeAscii(arena, room + used, lines);
  return true;
}

/** As `editHead`, with what tracing takes out and adds. */
export function editRequest(
  context: Context,
  request: Request,
  edits: HeaderEdits | null,
  trace: ExchangeTrace | null,
  lines: string,
): boolean {
  if (trace === null) return editHead(context, request, edits, lines);
  return trace.dropped.every((name) => request.dropNamed(context.arena, name)) &&
    editHead(context, request, edits, trace.lines + lines);
}

/**
 * The line that says how often a request was sent before: by a policy, and where its client says so, by the client, whose
 * line is dropped. `isCall`: by the name that gRPC has for it (gRFC A6).
 */
export function attemptLine(
  bytes: Uint8Array,
  request: Request,
  retries: number,
  isCall: boolean,
): string {
  const name = isCall ? "grpc-previous-rpc-attempts" : "x-weft-previous-attempts";
  const before = /^\d{1,4}$/.exec(request.valueOf(bytes, name));
  const isSaid = before !== null && request.dropNamed(bytes, name);
  return `${name}: ${isSaid ? Number(before[0]) + retries : retries}\r\n`;
}
