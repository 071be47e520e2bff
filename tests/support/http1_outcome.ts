/**
 * What the HTTP/1.1 machines make of bytes, as text to compare: for cases in Markdown and for fuzzing. The bytes
 * arrive in an arena, with a guarded strip behind them.
 */
import assert from "node:assert/strict";
import { BufferPool, Texts } from "../../proxy/loop/arena.ts";
import { gatherRequest, gatherResponse } from "../../proxy/http1/heads.ts";
import { GatherList } from "../../proxy/loop/arena.ts";
import { HEAD_BYTES_MAX } from "../../proxy/loop/inbox.ts";
import { BUFFER_BYTES } from "../../proxy/limits.ts";
import { Body } from "../../proxy/protocol/http1/body.ts";
import { REFUSALS } from "../../base/refusals.ts";
import { COMPLETE, type Head, INCOMPLETE, reasonOf } from "../../proxy/protocol/http1/head.ts";
import { Request } from "../../proxy/protocol/http1/request.ts";
import { Response } from "../../proxy/protocol/http1/response.ts";
import { renderBytes } from "./bytes_notation.ts";
import type { Cuts } from "./cuts.ts";

/** Facts by name; every value is short text. */
export type Outcome = Readonly<Record<string, string>>;

/** The client that forwarding headers name. */
const PEER = "192.0.2.7";

const GUARD = 0xa5;
const GUARD_BYTES = 512;
const start = new BufferPool().take();
/** The texts, one buffer, and a guarded strip behind it. */
const arena = new Uint8Array(start + 2 * BUFFER_BYTES);
const texts = new Texts(arena);
const peer = texts.peer(PEER);
const request = new Request();
const response = new Response();
const pieces = new GatherList();

function place(bytes: Uint8Array): void {
  arena.set(bytes, start);
  arena.fill(GUARD, start + bytes.length, start + bytes.length + GUARD_BYTES);
}

/** Fails where a machine wrote behind the `length` bytes that it was given. */
function checkGuard(length: number): void {
  for (let i = start + length; i < start + length + GUARD_BYTES; i++) {
    assert.ok(arena[i] === GUARD, "A machine wrote outside its bytes");
  }
}

/**
 * Parses as `Downstream` does, looking again whenever more has arrived. Input beyond a buffer is refused
 * there, as it would be by the connection.
 */
export function parseRequest(bytes: Uint8Array, cuts: Cuts): Outcome {
  if (bytes.length > HEAD_BYTES_MAX) return parseRequest(bytes.subarray(0, HEAD_BYTES_MAX), cuts);
  place(bytes);
  const result = parseHead(request, cuts, bytes.length);
  const outcome = requestOutcome(result, bytes.length);
  checkGuard(bytes.length);
  return outcome;
}

function parseHead(head: Request | Response, cuts: Cuts, length: number): number {
  let result = INCOMPLETE;
  for (const end of cuts.ends) {
    result = head.parse(arena, start, start + Math.min(end, length));
    if (result !== INCOMPLETE) break;
  }
  return result;
}

function requestOutcome(result: number, length: number): Outcome {
  if (result === INCOMPLETE) return { incomplete: "yes" };
  if (result !== COMPLETE) {
    const { status, reason } = REFUSALS[reasonOf(result)];
    return { refused: `${status} ${reason}` };
  }
  checkOffsets(request, length);
  const { routed } = request;
  const head = {
    method: slice(routed.methodStart, routed.methodEnd),
    path: slice(routed.pathStart, routed.pathEnd),
    authority: slice(routed.authorityStart, routed.authorityEnd),
    target: slice(request.originStart, request.originEnd),
    body: framingOf(request),
    persistent: request.isPersistent ? "yes" : "no",
    upgrade: request.wantsUpgrade(arena) ? "yes" : "no",
    expects: request.expectsContinue ? "continue" : "nothing",
    forwards: request.forwardsLeft < 0 ? "any" : `${request.forwardsLeft}`,
    hops: `${request.hops}`,
    nominated: request.nominated.join(", "),
    headers: `${request.headerCount}`,
    end: `${request.end - start}`,
  };
  const isSent = gatherRequest(pieces, arena, request, texts, peer);
  return { ...head, forwarded: isSent ? renderBytes(composed()) : "refused" };
}

/** Parses an answer to a request whose method is HEAD or not. */
export function parseResponse(bytes: Uint8Array, cuts: Cuts, isHeadRequest: boolean): Outcome {
  place(bytes);
  const result = parseHead(response, cuts, bytes.length);
  const outcome = responseOutcome(result, bytes.length, isHeadRequest);
  checkGuard(bytes.length);
  return outcome;
}

function responseOutcome(result: number, length: number, isHeadRequest: boolean): Outcome {
  if (result === INCOMPLETE) return { incomplete: "yes" };
  if (result !== COMPLETE) return { refused: reasonOf(result) };
  checkOffsets(response, length);
  const hasBody = response.hasBody(isHeadRequest);
  const isFramed = response.isChunked || response.contentLength >= 0;
  const head = {
    status: `${response.status}`,
    body: !hasBody ? "none" : isFramed ? framingOf(response) : "until close",
    persistent: response.isPersistent ? "yes" : "no",
    interim: response.isInterim ? "yes" : "no",
    headers: `${response.headerCount}`,
    end: `${response.end - start}`,
  };
  gatherResponse(pieces, response, texts, null);
  return { ...head, forwarded: renderBytes(composed()) };
}

function framingOf(head: Head): string {
  return head.isChunked ? "chunked" : head.contentLength > 0 ? `${head.contentLength}` : "none";
}

function slice(from: number, to: number): string {
  return renderBytes(arena.subarray(from, to));
}

/** Every offset that a complete head gives lies in its bytes, in order. */
function checkOffsets(head: Head, length: number): void {
  assert.ok(head.start >= start && head.end <= start + length, "A head lies outside its bytes");
  let before = head.headersStart;
  for (let i = 0; i < 4 * head.headerCount; i++) {
    assert.ok(head.headers[i] >= before, "Offsets of headers are not in order");
    before = head.headers[i];
  }
  assert.ok(before <= head.headersEnd && head.headersEnd + 2 === head.end);
  for (let i = 1; i < head.droppedCount; i++) assert.ok(head.dropped[i - 1] < head.dropped[i]);
}

/** The pieces put together, as one write sends them. */
function composed(): Uint8Array {
  const parts: number[] = [];
  let length = 0;
  for (let i = 0; i < pieces.count; i++) {
    length += pieces.lengths[i];
    parts.push(...arena.subarray(pieces.offsets[i], pieces.offsets[i] + pieces.lengths[i]));
  }
  assert.equal(length, pieces.bytes);
  return Uint8Array.from(parts);
}

/** Passes a chunked body on as it arrives: how it ends, where, what its chunks hold, and what is passed on of it. */
export function parseChunked(bytes: Uint8Array, cuts: Cuts, nominated?: string[]): Outcome {
  const passed = receive(bytes, cuts, nominated, (body, ready, end) => ({
    ready: body.advance(arena, ready, end),
    held: 0,
  }));
  const plain = receive(bytes, cuts, nominated, (body, ready, end) => ({
    ready: body.unchunk(arena, ready, end),
    held: body.trailerBytes,
  }));
  assert.equal(plain.state, passed.state);
  assert.equal(plain.end, passed.end);
  if (passed.state === "broken") return { ends: passed.state };
  return {
    ends: passed.state,
    end: `${passed.end}`,
    data: plain.ready,
    trailers: plain.held,
    passed: passed.ready,
  };
}

interface Received {
  readonly state: string;
  /** Where the body ends among the bytes that came. */
  readonly end: number;
  readonly ready: string;
  readonly held: string;
}

/** Takes bytes as a connection does: what is ready stays at the front, and what comes goes behind what is held. */
function receive(
  bytes: Uint8Array,
  { ends }: Cuts,
  nominated: string[] | undefined,
  take: (body: Body, ready: number, end: number) => { ready: number; held: number },
): Received {
  const body = new Body();
  body.startChunked(nominated);
  let [ready, end, arrived, held] = [start, start, 0, 0];
  for (const upTo of ends) {
    if (body.isBroken || body.isDone) break;
    arena.set(bytes.subarray(arrived, upTo), end);
    end += upTo - arrived;
    arrived = upTo;
    arena.fill(GUARD, end, end + GUARD_BYTES);
    const before = { ready, held };
    ({ ready, held } = take(body, ready, end));
    assert.ok(ready >= before.ready && held >= before.held && ready + held <= end);
    assert.ok(body.takenOut >= 0 && ready + held <= end - body.takenOut);
    checkGuard(end - start);
    end -= body.takenOut;
  }
  const rest = body.isDone ? end - ready - held : 0;
  if (body.isDone) {
    assert.deepEqual(arena.subarray(end - rest, end), bytes.subarray(arrived - rest, arrived));
  }
  const slices = { ready: slice(start, ready), held: slice(ready, ready + held) };
  const state = body.isBroken ? "broken" : body.isDone ? "done" : "incomplete";
  return { state, end: state === "done" ? arrived - rest : arrived, ...slices };
}
