/**
 * What is changed in heads on their way: by a policy, by tracing, and by the proxy itself, which counts hops and attempts.
 * Nothing is copied: headers are marked as dropped, and lines are added beside the head.
 *
 * Proxies of the mesh count in the header `x-weft-hops`, so that a request that goes in a circle comes to an end. They count two
 * a hop, even numbers on the caller's side and odd ones on the other: a hop counts the same with one sidecar or with two. An
 * application that passes a request on copies its headers; one that does not makes a new request. `Max-Forwards` is the client's
 * own bound (RFC 9110 7.6.2).
 */
import type { HeaderEdits } from "../policy/header_edits.ts";
import type { Head } from "../protocol/http1/head.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { ExchangeTrace } from "../tracing/tracer.ts";
import { writeAscii } from "../loop/arena.ts";
import type { Loop } from "../loop/loop.ts";
import type { Response } from "../protocol/http1/response.ts";
import { type Refusal, REFUSALS } from "../../base/refusals.ts";
import { HOPS_MAX } from "../limits.ts";
import type { PlanRewrite } from "../../routing/plan.ts";
import { changedPath } from "../../routing/table/target_change.ts";
import type { Place } from "../route/router.ts";
import { CALL_TIMEOUT, callTimeoutLine } from "./call_timeout.ts";

/**
 * Changes a head as its policy says, and adds `lines` and those of its trace, which are written to `room` of `arena` for the next head
 * that is composed. False: more headers are dropped than a head can lack.
 */
export function editHead(
  arena: Uint8Array,
  room: number,
  head: Head,
  edits: HeaderEdits | null,
  lines: string,
  trace: ExchangeTrace | null = null,
): boolean {
  if (edits === null && trace === null && lines === "") return true;
  const used = edits === null ? 0 : edits.apply(arena, head, room);
  if (used < 0) return false;
  let at = room + used;
  if (trace !== null) at += trace.writeLines(arena, at);
  head.addedStart = room;
  head.addedEnd = at + writeAscii(arena, at, lines);
  return true;
}

/** What is changed in the head of a request. */
interface RequestChanges {
  readonly place: Place;
  /** Of its policy; null: none. */
  readonly edits: HeaderEdits | null;
  readonly rewrite: PlanRewrite | null;
  /** Null: it goes on with what its client says of traces. */
  readonly trace: ExchangeTrace | null;
  /** How often the proxy has sent it before. */
  readonly retries: number;
  /** It is a call by gRPC. */
  readonly isCall: boolean;
  /** How much longer its caller waits; `Infinity`: it did not say. */
  readonly callLeftMs: number;
}

/** As `editHead`, also with what tracing, hops, retries and the time that is left take out and add. */
export function editRequest(
  { arena, texts: { room, rewriteRoom } }: Loop,
  request: Request,
  { place, edits, rewrite, trace, retries, isCall, callLeftMs }: RequestChanges,
): boolean {
  if (rewrite !== null) rewriteTarget(arena, rewriteRoom, request, rewrite);
  let lines = hopLines(arena, request, place);
  if (retries > 0) lines += attemptLine(arena, request, retries, isCall);
  // A policy that removes or sets it has the last word.
  if (callLeftMs < Infinity && edits?.drops(CALL_TIMEOUT) !== true) {
    if (!request.drop(request.grpcTimeoutHeader)) return false;
    lines += callTimeoutLine(callLeftMs);
  }
  if (trace !== null) {
    for (const name of trace.dropped) if (!request.dropNamed(arena, name)) return false;
  }
  return editHead(arena, room, request, edits, lines, trace);
}

/** Puts a host and a path in place of the client's; their texts are written to `room`. */
function rewriteTarget(
  arena: Uint8Array,
  room: number,
  request: Request,
  { host, path }: PlanRewrite,
): void {
  const changed = path === null ? null : changedPath(path, request.routed);
  if (host === null && changed === null) return;
  const hostEnd = room + writeAscii(arena, room, host ?? "");
  const pathEnd = hostEnd + writeAscii(arena, hostEnd, changed?.text ?? "");
  request.rewrite(
    host === null ? null : { offset: room, length: hostEnd - room },
    changed === null ? null : { offset: hostEnd, length: pathEnd - hostEnd },
    changed?.from ?? request.originStart,
  );
}

/** What a CONNECT is answered whose connection is there. */
export function establishedResponse(loop: Loop): Response {
  const { arena, scratch: { response }, texts: { established } } = loop;
  response.parse(arena, established.offset, established.offset + established.length);
  return response;
}

/**
 * The line that says how often a request was sent before: by a policy, and by the client if it says so. The client's own line is
 * dropped. `isCall`: by the name that gRPC has for it (gRFC A6).
 */
function attemptLine(
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

const HOPS_LINES = Array.from(
  { length: 2 * HOPS_MAX + 2 },
  (_, hops) => hops === 0 ? "" : `x-weft-hops: ${hops}\r\n`,
);

/** The answer to a request that this proxy does not pass on, whatever it asks for; null: it goes on. */
export function lastWordOn(request: Request | null, place: Place): Refusal | null {
  if (request === null || place === "copy") return null;
  // An https URL must not go on in plain text, and TLS in the name of a client is not for a proxy to make.
  if (request.isForTls && place === "outbound") return REFUSALS["scheme-unsupported"];
  if (request.forwardsLeft === 0) return REFUSALS["max-forwards"];
  return hopsAfter(request, place) < HOPS_LINES.length ? null : REFUSALS["loop"];
}

/** The lines that tell the next one how far the request has come; those before are dropped. */
function hopLines(bytes: Uint8Array, request: Request, place: Place): string {
  const hops = HOPS_LINES[hopsAfter(request, place)];
  const { forwardsLeft } = request;
  if (place === "copy" || forwardsLeft < 0 || !request.dropNamed(bytes, "max-forwards")) {
    return hops;
  }
  return `${hops}max-forwards: ${forwardsLeft - 1}\r\n`;
}

/**
 * What the next one is told, 0 for nothing. The first proxy on the caller's side says nothing, so that a client's own request
 * goes out as it came. The next one knows by the forwarding headers that there was one.
 */
function hopsAfter(request: Request, place: Place): number {
  const { hops, forwardedForHeader, forwardedProtoHeader } = request;
  if (place === "copy") return hops;
  if (place === "inbound") return hops === 0 ? 3 : (hops + 1) | 1;
  if (hops > 0) return (hops + 2) & ~1;
  return forwardedForHeader >= 0 || forwardedProtoHeader >= 0 ? 4 : 0;
}
