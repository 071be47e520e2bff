/**
 * Http2Receiver: what becomes of the frames that a peer sends: streams are opened, moved along and reset, messages checked,
 * windows charged, and the visitor told (RFC 9113 5, 6, 8). Which frames may come when is in `stream_state.ts`, what a valid
 * message is in `request.ts` and `response.ts`.
 */
import { assert } from "../../../base/assert.ts";
import { HEAD_BYTES_DEFAULT } from "../../limits.ts";
import {
  BUDGET_EMPTY_DATA,
  BUDGET_IGNORED,
  BUDGET_LATE,
  BUDGET_PINGS,
  BUDGET_RESETS,
  BUDGET_SETTINGS,
  BUDGET_STREAM_ERRORS,
  BUDGET_WINDOW_UPDATES,
  budgetDebug,
  Budgets,
  LATE_FRAMES,
} from "./budgets.ts";
import {
  COMPRESSION_ERROR,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  NO_ERROR,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
  STREAM_CLOSED,
} from "./error_code.ts";
import { ReceiveWindow } from "./flow.ts";
import { FrameReader } from "./frame_reader.ts";
import { Decoder } from "./hpack/decoder.ts";
import {
  CONNECTION_WINDOW_BYTES,
  DECODER_TABLE_BYTES,
  ENDED_STREAMS_REMEMBERED,
  RESET_STREAMS_REMEMBERED,
  STREAM_ID_MAX,
  STREAM_WINDOW_BYTES,
  STREAMS_MAX,
  TRAILER_LIST_BYTES_MAX,
  WINDOW_DEFAULT,
} from "./limits.ts";
import { FIELD_OVERHEAD_BYTES } from "./hpack/field_list.ts";
import { areTrailers, MALFORMED_MESSAGE, TOO_LARGE_MESSAGE, VALID } from "./message.ts";
import type { WriteBuffer } from "./write_buffer.ts";
import type { Http2Scratch } from "./scratch.ts";
import { Sender } from "./sender.ts";
import { HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE } from "./settings.ts";
import type { OwnSettings, Role } from "./settings.ts";
import { RecentIds, StreamTable } from "./stream.ts";
import type { Stream } from "./stream.ts";
import {
  CLOSED,
  errorCodeOf,
  HALF_CLOSED_LOCAL,
  IDLE,
  isConnectionError,
  isError,
  nextState,
  OPEN,
  RECEIVE_DATA,
  RECEIVE_END,
  RECEIVE_HEADERS,
  RECEIVE_RESET,
  RECEIVE_WINDOW,
} from "./stream_state.ts";
import type { Http2Visitor } from "./visitor.ts";
import { WindowQueue } from "./window_queue.ts";
import { HEADERS_MAX } from "../../../routing/limits.ts";

export interface Http2Options {
  readonly role: Role;
  readonly visitor: Http2Visitor;
  readonly scratch: Http2Scratch;
  /** Its bytes are the arena's. */
  readonly output: WriteBuffer;
  /** Server: streams that the client may have open. Client: the most that it opens, whatever the server takes. */
  readonly streamsMax?: number;
  /** What a peer may send on one stream before any is consumed. */
  readonly streamWindowBytes?: number;
  /** The same for all streams together; at least 65535. */
  readonly connectionWindowBytes?: number;
  /** Names and values of the largest head that is taken. */
  readonly headBytesMax?: number;
  /** Server: extended CONNECT is taken (RFC 8441). */
  readonly takesConnectProtocol?: boolean;
}

/** First halves of the payloads of our PINGs: what they were sent for. */
export const PING_OF_DRAIN = 0x77656674;
export const PING_OF_OWNER = 0x70696e67;

export abstract class Http2Receiver extends FrameReader {
  readonly role: Role;
  readonly scratch: Http2Scratch;
  /** When SETTINGS were sent, on the clock of `nowMs`; 0: not yet, or they have been acknowledged. */
  settingsSentMs = 0;
  /** The peer has sent GOAWAY: it takes no new streams. */
  hasPeerGoneAway = false;

  protected readonly visitor: Http2Visitor;
  protected readonly own: OwnSettings;
  protected readonly sender: Sender;
  protected readonly streams: StreamTable;
  protected readonly window = new ReceiveWindow();
  protected readonly waiting: WindowQueue;
  protected readonly budgets = new Budgets();
  /** Streams that were reset here: what still comes on them was on its way. */
  protected readonly resetIds = new RecentIds(RESET_STREAMS_REMEMBERED);
  readonly #endedIds = new RecentIds(ENDED_STREAMS_REMEMBERED);
  readonly #decoder: Decoder;
  /** The highest stream of the client, on either side; 0 or -1 before the first. */
  protected highestId: number;
  /** Streams above it came after the last GOAWAY, and are passed over. */
  protected lastTakenId = STREAM_ID_MAX;
  protected nowMs = 0;
  /** The window that streams begin with: the default until the peer has acknowledged another. */
  #streamWindowBytes = WINDOW_DEFAULT;

  constructor(options: Http2Options) {
    const { headBytesMax = HEAD_BYTES_DEFAULT } = options;
    // Room to answer a head that is too large, by 431, instead of giving up the connection.
    super(options.role === "server", 2 * headBytesMax);
    this.#decoder = new Decoder(DECODER_TABLE_BYTES, headBytesMax);
    this.role = options.role;
    this.scratch = options.scratch;
    this.visitor = options.visitor;
    this.own = {
      role: options.role,
      streamsMax: options.streamsMax ?? STREAMS_MAX,
      streamWindowBytes: options.streamWindowBytes ?? STREAM_WINDOW_BYTES,
      headerListBytesMax: headBytesMax + HEADERS_MAX * FIELD_OVERHEAD_BYTES,
      takesConnectProtocol: options.takesConnectProtocol ?? false,
    };
    this.sender = new Sender(options.output);
    this.streams = new StreamTable(options.scratch.streams);
    this.window.reset(options.connectionWindowBytes ?? CONNECTION_WINDOW_BYTES);
    assert(this.window.sizeBytes >= WINDOW_DEFAULT, "A connection's window cannot start smaller");
    this.waiting = new WindowQueue(
      this.streams,
      this.sender.window,
      (streamId) => this.visitor.onWindow(streamId),
    );
    this.highestId = options.role === "server" ? 0 : -1;
  }

  protected abstract onDrainKnown(): void;

  // Streams.

  protected open(streamId: number, state: number): Stream {
    const sendWindow = this.sender.peer.streamWindowBytes;
    this.budgets.earn(BUDGET_LATE, 1);
    return this.streams.open(streamId, state, sendWindow, this.#streamWindowBytes);
  }

  /** Forgets a stream that is closed. What its peer sent and was not consumed no longer counts. */
  protected remove(stream: Stream, mayWrite = true): void {
    this.waiting.drop(stream);
    const held = stream.receiveWindow.heldBytes;
    this.streams.remove(stream);
    if (held === 0) return;
    this.window.consume(held);
    if (mayWrite) this.sender.report(0, this.window);
    else this.sender.hasPendingReports = true;
  }

  /** Whether the stream is not used yet: then nothing may come on it but what opens it. */
  #isIdle(streamId: number): boolean {
    // Only clients open streams, and theirs are odd.
    return (streamId & 1) === 0 || streamId > this.highestId;
  }

  /** After the visitor was told of the end of the peer's message: it may have ended the stream, or its own before. */
  #settle(streamId: number): void {
    const stream = this.streams.get(streamId);
    if (stream === null || stream.state !== CLOSED) return;
    this.#endedIds.add(streamId);
    this.remove(stream);
  }

  /** Spends of a budget; false: the peer has overdone it, and the connection is closed. */
  protected spend(budget: number, nowMs: number): boolean {
    if (this.budgets.spend(budget, nowMs)) return true;
    this.fail(ENHANCE_YOUR_CALM, budgetDebug(budget));
    return false;
  }

  protected override fail(code: number, debug: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const lastId = this.role === "server" ? Math.min(this.highestId, this.lastTakenId) : 0;
    this.sender.writeGoaway(lastId, code, debug);
    this.visitor.onConnectionError(code, debug);
    this.streams.clear();
  }

  /** Ends a stream here, of which the peer learns later. */
  protected sendReset(streamId: number, code: number): void {
    this.sender.reset(streamId, code);
    this.resetIds.add(streamId);
    this.budgets.earn(BUDGET_LATE, LATE_FRAMES);
  }

  /** The peer broke a rule on a stream that the visitor knows. */
  #failStream(stream: Stream, code: number): void {
    if (!this.spend(BUDGET_STREAM_ERRORS, this.nowMs)) return;
    this.sendReset(stream.id, code);
    this.#dismiss(stream, code, false);
  }

  #dismiss(stream: Stream, code: number, isByPeer: boolean): void {
    const { id } = stream;
    stream.state = CLOSED;
    this.visitor.onReset(id, code, isByPeer);
    if (this.streams.get(id) === stream) this.remove(stream);
  }

  /** Applies an error of the table of states. */
  #failByState(stream: Stream, result: number): void {
    const code = errorCodeOf(result);
    if (isConnectionError(result)) this.fail(code, "frame in a wrong state");
    else this.#failStream(stream, code);
  }

  /** The peer broke a rule with a stream that the visitor does not know, or is not to know. */
  #refuse(streamId: number, code: number): void {
    if (this.spend(BUDGET_STREAM_ERRORS, this.nowMs)) this.sendReset(streamId, code);
  }

  /** The peer opens more streams than are allowed: in good faith, before SETTINGS have arrived. */
  #refuseExcess(streamId: number): void {
    const isKnown = this.settingsSentMs === 0;
    if (isKnown && !this.spend(BUDGET_RESETS, this.nowMs)) return;
    this.sendReset(streamId, REFUSED_STREAM);
  }

  // Heads and trailers.

  protected override onBlock(
    bytes: Uint8Array,
    start: number,
    end: number,
    streamId: number,
    isEnd: boolean,
    dependsOnItself: boolean,
  ): void {
    // Before anything else: the table of the decoder must see every block.
    if (!this.#decoder.decode(bytes, start, end, this.scratch.received)) {
      return this.fail(COMPRESSION_ERROR, "invalid header block");
    }
    const stream = this.streams.get(streamId);
    if (stream !== null) this.#receiveHead(stream, isEnd, dependsOnItself);
    else if (!this.#isIdle(streamId)) this.#receiveLateHead(streamId);
    else if (this.role === "client" || (streamId & 1) === 0) {
      this.fail(PROTOCOL_ERROR, "a stream that the peer may not open");
    } else this.#receiveRequest(streamId, isEnd, dependsOnItself);
  }

  #receiveRequest(streamId: number, isEnd: boolean, dependsOnItself: boolean): void {
    const { received, request } = this.scratch;
    this.highestId = streamId;
    if (streamId > this.lastTakenId) return void this.spend(BUDGET_LATE, this.nowMs);
    if (this.streams.count >= this.own.streamsMax) return this.#refuseExcess(streamId);
    const result = received.isTooLarge
      ? TOO_LARGE_MESSAGE
      : request.read(received, isEnd, this.own.takesConnectProtocol);
    if (result === MALFORMED_MESSAGE || dependsOnItself) {
      return this.#refuse(streamId, PROTOCOL_ERROR);
    }
    this.budgets.earn(BUDGET_IGNORED, 1);
    const opened = nextState(IDLE, RECEIVE_HEADERS);
    const stream = this.open(streamId, isEnd ? nextState(opened, RECEIVE_END) : opened);
    stream.hasReceivedHead = true;
    if (result === VALID) {
      if (!isEnd) stream.bodyBytesLeft = request.contentLength;
      this.visitor.onRequest(streamId, isEnd);
    } else if (this.spend(BUDGET_STREAM_ERRORS, this.nowMs)) {
      this.visitor.onRequestTooLarge(streamId, isEnd);
    }
    this.#settle(streamId);
  }

  /** Fields on a stream that is there: an answer, or trailers. */
  #receiveHead(stream: Stream, isEnd: boolean, dependsOnItself: boolean): void {
    const next = nextState(stream.state, RECEIVE_HEADERS);
    if (isError(next)) return this.#failByState(stream, next);
    if (dependsOnItself) return this.#failStream(stream, PROTOCOL_ERROR);
    if (this.scratch.received.isTooLarge) return this.#failStream(stream, ENHANCE_YOUR_CALM);
    if (stream.hasReceivedHead) this.#receiveTrailers(stream, isEnd);
    else this.#receiveResponse(stream, isEnd);
  }

  #receiveTrailers(stream: Stream, isEnd: boolean): void {
    if (this.scratch.received.sizeBytes > TRAILER_LIST_BYTES_MAX) {
      return this.#failStream(stream, ENHANCE_YOUR_CALM);
    }
    const isWhole = stream.bodyBytesLeft <= 0;
    if (!isEnd || !isWhole || !areTrailers(this.scratch.received)) {
      return this.#failStream(stream, PROTOCOL_ERROR);
    }
    const { id } = stream;
    stream.state = nextState(stream.state, RECEIVE_END);
    this.visitor.onTrailers(id);
    this.#settle(id);
  }

  #receiveResponse(stream: Stream, isEnd: boolean): void {
    const { received, response } = this.scratch;
    const { id } = stream;
    const result = response.read(received);
    if (result === TOO_LARGE_MESSAGE) return this.#failStream(stream, ENHANCE_YOUR_CALM);
    const hasBody = response.hasBody && !stream.isHead;
    // What an answer that opens a tunnel says of a length counts for nothing (RFC 9110 9.3.6).
    const opensTunnel = stream.isConnect && response.status < 300;
    const contentLength = opensTunnel ? -1 : response.contentLength;
    const isWrongEnd = isEnd && (response.isInterim || (hasBody && contentLength > 0));
    if (result !== VALID || isWrongEnd) return this.#failStream(stream, PROTOCOL_ERROR);
    if (response.isInterim) return this.visitor.onResponse(id, false);
    stream.hasReceivedHead = true;
    if (isEnd) stream.state = nextState(stream.state, RECEIVE_END);
    else stream.bodyBytesLeft = hasBody ? contentLength : 0;
    this.visitor.onResponse(id, isEnd);
    this.#settle(id);
  }

  /** Fields on a stream that has been: the peer did not know yet, or has lost count. */
  #receiveLateHead(streamId: number): void {
    const isExcused = this.role === "client" || streamId > this.lastTakenId ||
      this.resetIds.has(streamId);
    if (isExcused) return void this.spend(BUDGET_LATE, this.nowMs);
    // A stream that was passed over when a higher one was opened is closed too (RFC 9113 5.1.1), but was never open.
    if (this.#endedIds.has(streamId)) this.fail(STREAM_CLOSED, "HEADERS on a closed stream");
    else this.fail(PROTOCOL_ERROR, "a stream id that is too low");
  }

  // Data.

  protected override onDataFrame(
    streamId: number,
    length: number,
    padding: number,
    isEnd: boolean,
  ): boolean {
    if (!this.window.charge(length)) {
      this.fail(FLOW_CONTROL_ERROR, "more data than the connection's window");
      return false;
    }
    const stream = this.streams.get(streamId);
    if (stream !== null && this.#takesData(stream, length, length - padding, isEnd)) {
      if (padding === 0) return true;
      this.window.release(padding);
      stream.receiveWindow.release(padding);
      this.reportStream(stream);
      this.sender.report(0, this.window);
      return true;
    }
    if (stream === null) this.#receiveLateData(streamId, length - padding);
    if (this.isClosed) return false;
    this.window.release(length);
    this.sender.report(0, this.window);
    return false;
  }

  /** Whether a stream can take a DATA frame; if not, it has been reset. */
  #takesData(stream: Stream, length: number, bodyLength: number, isEnd: boolean): boolean {
    const next = nextState(stream.state, RECEIVE_DATA);
    if (isError(next)) {
      this.#failByState(stream, next);
      return false;
    }
    if (bodyLength > 0) {
      this.budgets.earn(BUDGET_EMPTY_DATA, 1);
      this.budgets.earn(BUDGET_PINGS, 1);
    } else if (!isEnd && !this.spend(BUDGET_EMPTY_DATA, this.nowMs)) return false;
    const left = stream.bodyBytesLeft;
    const isWrongLength = left >= 0 && (bodyLength > left || (isEnd && bodyLength < left));
    const code = !stream.receiveWindow.charge(length)
      ? FLOW_CONTROL_ERROR
      : !stream.hasReceivedHead || isWrongLength
      ? PROTOCOL_ERROR
      : NO_ERROR;
    if (code !== NO_ERROR) {
      this.#failStream(stream, code);
      return false;
    }
    if (left >= 0) stream.bodyBytesLeft = left - bodyLength;
    return true;
  }

  #receiveLateData(streamId: number, bodyLength: number): void {
    if (this.#isIdle(streamId)) return this.fail(PROTOCOL_ERROR, "DATA on an idle stream");
    if (bodyLength === 0 && !this.spend(BUDGET_LATE, this.nowMs)) return;
    if (streamId > this.lastTakenId || this.resetIds.has(streamId)) return;
    this.#refuse(streamId, STREAM_CLOSED);
  }

  protected override onDataPart(
    streamId: number,
    offset: number,
    length: number,
    isEnd: boolean,
  ): void {
    const stream = this.streams.get(streamId);
    if (stream === null || stream.state === CLOSED) {
      // It was reset in the middle of a frame.
      this.window.release(length);
      return this.sender.report(0, this.window);
    }
    stream.receiveWindow.hold(length);
    this.window.hold(length);
    if (isEnd) stream.state = nextState(stream.state, RECEIVE_END);
    this.visitor.onData(streamId, offset, length, isEnd);
    if (isEnd) this.#settle(streamId);
  }

  /** Tells the peer of a stream's window, if it may still send. */
  protected reportStream(stream: Stream): void {
    const isReceiving = stream.state === OPEN || stream.state === HALF_CLOSED_LOCAL;
    if (isReceiving) this.sender.report(stream.id, stream.receiveWindow);
  }

  // Everything else.

  protected override canReact(): boolean {
    return this.sender.canReact;
  }

  protected override onResetFrame(streamId: number, code: number): void {
    if (this.#isIdle(streamId)) return this.fail(PROTOCOL_ERROR, "RST_STREAM on an idle stream");
    const stream = this.streams.get(streamId);
    if (stream === null) return void this.spend(BUDGET_LATE, this.nowMs);
    // A client may lose interest in the rest of its own request, once it is answered.
    const isAbuse = this.role === "server" && stream.state !== HALF_CLOSED_LOCAL;
    if (isAbuse && !this.spend(BUDGET_RESETS, this.nowMs)) return;
    stream.state = nextState(stream.state, RECEIVE_RESET);
    this.#endedIds.add(streamId);
    this.#dismiss(stream, code, true);
  }

  protected override onWindowUpdate(streamId: number, increment: number): void {
    if (!this.spend(BUDGET_WINDOW_UPDATES, this.nowMs)) return;
    if (streamId === 0) {
      if (increment === 0) return this.fail(PROTOCOL_ERROR, "WINDOW_UPDATE of nothing");
      if (!this.sender.window.grow(increment)) {
        return this.fail(FLOW_CONTROL_ERROR, "WINDOW_UPDATE too large");
      }
      return this.waiting.wakeLine();
    }
    if (this.#isIdle(streamId)) return this.fail(PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream");
    const stream = this.streams.get(streamId);
    if (stream === null) return;
    const next = nextState(stream.state, RECEIVE_WINDOW);
    if (isError(next)) this.#failByState(stream, next);
    else if (increment === 0) this.#failStream(stream, PROTOCOL_ERROR);
    else if (!stream.sendWindow.grow(increment)) this.#failStream(stream, FLOW_CONTROL_ERROR);
    else this.waiting.wake(stream);
  }

  protected override onSettingsFrame(): void {
    this.spend(BUDGET_SETTINGS, this.nowMs);
  }

  protected override onSetting(id: number, value: number): void {
    const { peer } = this.sender;
    const before = peer.streamWindowBytes;
    const code = peer.apply(this.role === "server" ? "client" : "server", id, value);
    if (code !== NO_ERROR) return this.fail(code, "invalid setting");
    if (id === HEADER_TABLE_SIZE) this.sender.encoder.limitTable(value);
    if (id !== INITIAL_WINDOW_SIZE || value === before) return;
    for (const stream of this.streams.all()) {
      if (!stream.sendWindow.grow(value - before)) {
        return this.fail(FLOW_CONTROL_ERROR, "initial window too large");
      }
    }
  }

  protected override onSettingsEnd(): void {
    this.sender.writeSettingsAck();
    this.visitor.onSettings();
    for (const { id } of this.streams.all()) {
      const stream = this.streams.get(id);
      if (stream !== null) this.waiting.wake(stream);
    }
  }

  protected override onSettingsAck(): void {
    if (this.settingsSentMs === 0) return void this.spend(BUDGET_IGNORED, this.nowMs);
    this.settingsSentMs = 0;
    this.#streamWindowBytes = this.own.streamWindowBytes;
    for (const stream of this.streams.all()) {
      stream.receiveWindow.resize(this.#streamWindowBytes);
      // What was not worth telling of the larger window may be all that the peer waits for in the smaller.
      this.reportStream(stream);
    }
  }

  protected override onPing(isAck: boolean, high: number, low: number): void {
    if (isAck) {
      if (!this.spend(BUDGET_IGNORED, this.nowMs)) return;
      if (high === PING_OF_DRAIN) this.onDrainKnown();
      else if (high === PING_OF_OWNER) this.visitor.onPingAcknowledged(low);
    } else if (this.spend(BUDGET_PINGS, this.nowMs)) this.sender.writePingAck(high, low);
  }

  protected override onGoawayFrame(lastStreamId: number, code: number): void {
    if (!this.spend(BUDGET_IGNORED, this.nowMs)) return;
    this.hasPeerGoneAway = true;
    if (this.role === "client") {
      for (const stream of this.streams.all()) {
        if (stream.id > lastStreamId) this.#dismiss(stream, REFUSED_STREAM, true);
      }
    }
    this.visitor.onGoaway(lastStreamId, code);
  }

  protected override onIgnoredFrame(streamId: number, dependsOnItself: boolean): void {
    if (!this.spend(BUDGET_IGNORED, this.nowMs) || !dependsOnItself) return;
    const stream = this.streams.get(streamId);
    if (stream === null) this.#refuse(streamId, PROTOCOL_ERROR);
    else this.#failStream(stream, PROTOCOL_ERROR);
  }
}
