/** A machine in memory: an arena of its own, a visitor that keeps a log, and its frames told as text. */
import { Http2Connection } from "../../../proxy/protocol/http2/connection.ts";
import { errorName } from "../../../proxy/protocol/http2/error_code.ts";
import { PREFACE } from "../../../proxy/protocol/http2/frame.ts";
import type { Message } from "../../../proxy/protocol/http2/message.ts";
import { WriteBuffer } from "../../../proxy/protocol/http2/write_buffer.ts";
import { Http2Scratch } from "../../../proxy/protocol/http2/scratch.ts";
import type { Role } from "../../../proxy/protocol/http2/settings.ts";
import type { Http2Visitor } from "../../../proxy/protocol/http2/visitor.ts";
import { addFields, renderFields } from "./field_text.ts";
import { concat, FrameTeller } from "./frames.ts";
import type { Bytes, Fields } from "./frames.ts";
import type { Http2Options } from "../../../proxy/protocol/http2/receiver.ts";

/** Where things stand in the arena. Between them, and before the output, are bytes that must not be written. */
const AREA = 16_384;
const GAP = 64;
const RECEIVED = GAP;
const COMPOSED = RECEIVED + AREA + GAP;
const INPUT = COMPOSED + AREA + GAP;
const INPUT_BYTES = 131_072;
/** Bodies to send are taken from here: as many x as are wanted. */
const STAGE = INPUT + INPUT_BYTES + GAP;
const STAGE_BYTES = 65_536;
const OUTPUT = STAGE + STAGE_BYTES + GAP;
const OUTPUT_BYTES_MAX = 262_144;
const GUARD = 0xa5;

export interface MachineOptions extends Partial<Omit<Http2Options, "role">> {
  readonly outputBytes?: number;
  /** Do not give windows back by itself. */
  readonly holds?: boolean;
}

export class Machine implements Http2Visitor {
  readonly arena = new Uint8Array(OUTPUT + OUTPUT_BYTES_MAX + GAP).fill(GUARD);
  readonly scratch = new Http2Scratch(this.arena, RECEIVED, COMPOSED, AREA);
  readonly output = new WriteBuffer(this.arena);
  readonly connection: Http2Connection;
  readonly teller = new FrameTeller();
  /** What the visitor was told, one line each; pieces of data that follow one another are put together. */
  readonly log: string[] = [];
  nowMs = 1_000;
  /** Called after an event has been logged. */
  onEvent: (name: string, streamId: number, isEnd: boolean) => void = () => {};
  readonly #holds: boolean;
  #unread: Bytes = new Uint8Array(0);
  #dataStream = 0;

  constructor(
    role: Role,
    { outputBytes = 65_536, holds = false, ...options }: MachineOptions = {},
  ) {
    this.#holds = holds;
    this.arena.fill(120, STAGE, STAGE + STAGE_BYTES);
    this.output.lend(OUTPUT, OUTPUT + outputBytes);
    this.connection = new Http2Connection({
      role,
      visitor: this,
      scratch: this.scratch,
      output: this.output,
      ...options,
    });
    this.connection.start(this.nowMs);
  }

  /** The frames written since the last time. */
  sent(): string[] {
    return this.teller.tell(this.takeOutput());
  }

  takeOutput(): Bytes {
    const bytes = this.arena.slice(this.output.start, this.output.end);
    this.output.rewind();
    return bytes;
  }

  takeLog(): string[] {
    this.#dataStream = 0;
    return this.log.splice(0);
  }

  /** Feeds bytes, cut at `ends`; output that fills up is taken out and lost, unless `take` wants it. */
  feed(
    bytes: Uint8Array,
    ends: readonly number[] = [bytes.length],
    take?: (out: Bytes) => void,
  ): void {
    let from = 0;
    for (const end of ends) {
      const input = concat([this.#unread, bytes.subarray(from, end)]);
      from = end;
      this.#feedPiece(input, take);
    }
  }

  #feedPiece(input: Bytes, take?: (out: Bytes) => void): void {
    for (let at = 0;;) {
      const length = Math.min(input.length - at, INPUT_BYTES);
      this.arena.set(input.subarray(at, at + length), INPUT);
      const taken = this.connection.receive(INPUT, INPUT + length, this.nowMs) - INPUT;
      this.checkGuards();
      at += taken;
      if (!this.connection.needsOutput) {
        if (at < input.length && taken > 0 && length === INPUT_BYTES) continue;
        this.#unread = input.slice(at);
        if (this.#unread.length > PREFACE.length) throw new Error("More is left than may be");
        return;
      }
      const out = this.takeOutput();
      if (out.length === 0) throw new Error("Output is wanted, and none is there");
      take?.(out);
      this.connection.pump();
    }
  }

  /** Bytes that a full output kept from being read; `feed` does without. */
  receive(bytes: Uint8Array): number {
    this.arena.set(bytes, INPUT);
    return this.connection.receive(INPUT, INPUT + bytes.length, this.nowMs) - INPUT;
  }

  checkGuards(): void {
    for (const end of [COMPOSED, INPUT, STAGE, OUTPUT, this.arena.length]) {
      for (let at = end - GAP; at < end; at++) {
        if (this.arena[at] !== GUARD) throw new Error(`Written outside of an area, at ${at}`);
      }
    }
    for (let at = this.output.limit; at < this.output.limit + GAP; at++) {
      if (this.arena[at] !== GUARD) throw new Error("Written behind the output");
    }
  }

  // Sending, from text.

  request(fields: Fields, isEnd = true): number {
    return this.connection.request(this.#compose(fields), isEnd);
  }

  head(streamId: number, fields: Fields, isEnd = false): number {
    return this.connection.sendHead(streamId, this.#compose(fields), isEnd);
  }

  /** At most 65536 bytes. */
  data(streamId: number, length: number, isEnd = false): number {
    return this.connection.sendData(streamId, STAGE, length, isEnd, this.nowMs);
  }

  #compose(fields: Fields) {
    const { composed } = this.scratch;
    composed.clear();
    addFields(composed, fields);
    return composed;
  }

  // The visitor.

  onRequest(streamId: number, isEnd: boolean): void {
    const { request, arena } = this.scratch;
    const text = (start: number, end: number) => textAt(arena, start, end);
    const { routed } = request;
    const parts = [
      text(routed.methodStart, routed.methodEnd),
      text(request.originStart, request.originEnd),
      ...headersOf(request, arena),
    ];
    this.#note("request", streamId, parts.join(" | "), isEnd);
  }

  onRequestTooLarge(streamId: number, isEnd: boolean): void {
    this.#note("too large", streamId, "", isEnd);
  }

  onResponse(streamId: number, isEnd: boolean): void {
    const { response, arena } = this.scratch;
    const parts = [response.status, ...headersOf(response, arena)];
    this.#note("response", streamId, parts.join(" | "), isEnd);
  }

  onData(streamId: number, offset: number, length: number, isEnd: boolean): void {
    const text = textAt(this.arena, offset, offset + length);
    const last = this.log.length - 1;
    const end = isEnd ? " END" : "";
    if (this.#dataStream === streamId) this.log[last] += text + end;
    else this.log.push(`data ${streamId} ${text}${end}`);
    this.#dataStream = isEnd ? 0 : streamId;
    if (!this.#holds) this.connection.consumed(streamId, length);
    this.onEvent("data", streamId, isEnd);
  }

  onTrailers(streamId: number): void {
    this.#note("trailers", streamId, renderFields(this.scratch.received).join(" | "), true);
  }

  onReset(streamId: number, code: number, isByPeer: boolean): void {
    this.#note("reset", streamId, `${errorName(code)} by ${isByPeer ? "peer" : "us"}`, false);
  }

  onWindow(streamId: number): void {
    this.#note("window", streamId, "", false);
  }

  onSettings(): void {
    this.#note("settings", 0, "", false);
  }

  onPingAcknowledged(payload: number): void {
    this.#note("pong", 0, String(payload), false);
  }

  onGoaway(lastStreamId: number, code: number): void {
    this.#note("goaway", lastStreamId, errorName(code), false);
  }

  onConnectionError(code: number, debug: string): void {
    this.#note("error", 0, `${errorName(code)}: ${debug}`, false);
  }

  #note(name: string, streamId: number, detail: string, isEnd: boolean): void {
    this.#dataStream = 0;
    const parts = [name, ...(streamId > 0 ? [streamId] : []), ...(detail === "" ? [] : [detail])];
    this.log.push(parts.join(" ") + (isEnd ? " END" : ""));
    this.onEvent(name, streamId, isEnd);
  }
}

function textAt(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]);
  return text;
}

function headersOf(message: Message, bytes: Uint8Array): string[] {
  return Array.from({ length: message.headerCount }, (_, i) => {
    const [nameStart, nameEnd, valueStart, valueEnd] = message.headers.subarray(4 * i, 4 * i + 4);
    return `${textAt(bytes, nameStart, nameEnd)}: ${textAt(bytes, valueStart, valueEnd)}`;
  });
}

/** Both ends of one connection, and a wire between them. */
export class MachinePair {
  readonly client: Machine;
  readonly server: Machine;

  constructor(client: MachineOptions = {}, server: MachineOptions = {}) {
    this.client = new Machine("client", client);
    this.server = new Machine("server", server);
    this.exchange();
  }

  /** Carries bytes both ways until there are none. */
  exchange(): void {
    for (;;) {
      const up = this.client.takeOutput();
      const down = this.server.takeOutput();
      if (up.length + down.length === 0) return;
      const back: Bytes[] = [];
      if (up.length > 0) this.server.feed(up, undefined, (out) => back.push(out));
      if (down.length > 0) this.client.feed(down, undefined, (out) => this.server.feed(out));
      for (const out of back) this.client.feed(out);
      this.client.connection.pump();
      this.server.connection.pump();
    }
  }
}
