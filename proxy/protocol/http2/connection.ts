/**
 * Http2Connection: the machine of one connection, for either end (README.md says how it is used): how it begins and ends, and
 * what its owner sends. What the peer sends is in `receiver.ts`. Sans-IO: bytes in by offset, calls of the visitor, frames
 * out into an area that is lent.
 */
import { assert } from "../../../base/assert.ts";
import {
  BUDGET_CRUMBS,
  BUDGET_PINGS,
  BUDGET_RESETS,
  BUDGET_STREAM_ERRORS,
  BUDGET_WINDOW_UPDATES,
} from "./budgets.ts";
import { NO_ERROR } from "./error_code.ts";
import { FRAME_HEADER_BYTES, readUint32 } from "./frame.ts";
import type { FieldList } from "./hpack/field_list.ts";
import { NAME_METHOD, NAME_STATUS } from "./hpack/names.ts";
import {
  CONTROL_ROOM_BYTES,
  CRUMB_BYTES_MAX,
  DATA_ROOM_BYTES_MIN,
  FRAME_BYTES_MAX,
  STREAM_ID_MAX,
} from "./limits.ts";
import { Http2Receiver, PING_OF_DRAIN, PING_OF_OWNER } from "./receiver.ts";
import { statusIn } from "./response.ts";
import { NO_ROOM, NO_STREAM, NO_WINDOW } from "./sender.ts";
import { SETTING_BYTES } from "./settings.ts";
import type { PeerSettings } from "./settings.ts";
import type { Stream } from "./stream.ts";
import {
  CLOSED,
  HALF_CLOSED_REMOTE,
  IDLE,
  isError,
  nextState,
  SEND_DATA,
  SEND_END,
  SEND_HEADERS,
} from "./stream_state.ts";

/** Steps of a graceful end (RFC 9113 6.8). */
const NOT_DRAINING = 0;
/** To be announced, once there is room. */
const DRAIN_WANTED = 1;
/** The peer has been told, and may not know yet. */
const DRAIN_ANNOUNCED = 2;
/** The peer knows; the last GOAWAY is to be written, once there is room. */
const DRAIN_KNOWN = 3;
const DRAIN_FINAL = 4;

const HEAD = [72, 69, 65, 68];
const CONNECT = [67, 79, 78, 78, 69, 67, 84];

export class Http2Connection extends Http2Receiver {
  #drain = NOT_DRAINING;

  // What an owner sees.

  /** What the peer has set. */
  get peer(): PeerSettings {
    return this.sender.peer;
  }

  /** Streams that are open, or half-closed. */
  get streamCount(): number {
    return this.streams.count;
  }

  /** Client: whether `request` can open a stream now, as far as the peer goes. */
  get canOpen(): boolean {
    return this.role === "client" && !this.isClosed && !this.hasPeerGoneAway &&
      this.#drain === NOT_DRAINING && this.highestId + 2 <= STREAM_ID_MAX &&
      this.streams.count < Math.min(this.peer.streamsMax, this.own.streamsMax);
  }

  /** Room that the output must have, with nothing waiting in it, for a head to be written. */
  roomFor(fields: FieldList): number {
    return this.sender.boundOf(fields) + CONTROL_ROOM_BYTES;
  }

  /** `receive` stops, or `pump` has something to write, for want of room. */
  get needsOutput(): boolean {
    const { hasPendingResets, hasPendingReports, canReact } = this.sender;
    const isMute = this.#drain === DRAIN_WANTED || this.#drain === DRAIN_KNOWN;
    return !this.isClosed && (!canReact || hasPendingResets || hasPendingReports || isMute);
  }

  get isDraining(): boolean {
    return this.#drain !== NOT_DRAINING;
  }

  /** A graceful end is over: the peer knows, and no stream is left. */
  get isDrained(): boolean {
    return this.#drain === DRAIN_FINAL && this.streams.count === 0;
  }

  /** The owner's record of a stream, or null. */
  ownerOf(streamId: number): unknown {
    return this.streams.get(streamId)?.owner ?? null;
  }

  setOwner(streamId: number, owner: unknown): void {
    const stream = this.streams.get(streamId);
    if (stream !== null) stream.owner = owner;
  }

  /** Bytes of data that the peer takes now on a stream. */
  windowOf(streamId: number): number {
    const own = this.streams.get(streamId)?.sendWindow.available ?? 0;
    return Math.max(0, Math.min(this.sender.window.available, own));
  }

  /** Calls `visit` for every stream. `visit` may reset streams. */
  forEachStream(visit: (streamId: number, owner: unknown) => void): void {
    for (const stream of this.streams.all()) {
      if (stream.state !== CLOSED) visit(stream.id, stream.owner);
    }
  }

  // Lifecycle.

  /** Writes what comes first: the client's preface, and SETTINGS. False: there is no room. */
  start(nowMs: number): boolean {
    if (!this.sender.writeStart(this.own, this.window.sizeBytes)) return false;
    this.settingsSentMs = nowMs;
    return true;
  }

  /**
   * Server, after `start`: the client has upgraded from HTTP/1.1 with this payload of SETTINGS, which has been found valid
   * (`upgrade.ts`). Its request is stream 1, which can be answered; nothing is called for it.
   */
  adoptUpgrade(settings: Uint8Array): void {
    for (let at = 0; at < settings.length; at += SETTING_BYTES) {
      this.onSetting((settings[at] << 8) | settings[at + 1], readUint32(settings, at + 2));
    }
    assert(!this.isClosed, "Settings of an upgrade are valid");
    this.highestId = 1;
    const stream = this.open(1, HALF_CLOSED_REMOTE);
    stream.hasReceivedHead = true;
  }

  /**
   * Takes bytes of the peer, from `start` to `end` of the arena; returns where it stopped. More than the length of the
   * preface, the longest thing that is read at once, is left only where `needsOutput`. Once `isClosed`, everything is taken and nothing done.
   */
  receive(start: number, end: number, nowMs: number): number {
    this.nowMs = nowMs;
    return this.read(this.scratch.arena, start, end);
  }

  /** Writes what is pending for want of room. To be called when the output has been sent. */
  pump(): void {
    if (this.isClosed) return;
    if (this.#drain === DRAIN_WANTED) this.#announceDrain();
    if (this.#drain === DRAIN_KNOWN) this.finishDrain();
    if (!this.sender.writePendingResets() || !this.sender.hasPendingReports) return;
    this.sender.hasPendingReports = false;
    this.sender.report(0, this.window);
    for (const stream of this.streams.all()) this.reportStream(stream);
  }

  /** Begins a graceful end: no new streams, and `isDrained` once those that are open have ended. */
  drain(): void {
    if (this.isClosed || this.#drain !== NOT_DRAINING) return;
    this.#drain = DRAIN_WANTED;
    this.#announceDrain();
  }

  /** Server: the highest stream must be known to the peer before it is final, so a PING follows the first GOAWAY. */
  #announceDrain(): void {
    if (!this.sender.canReact) return;
    if (this.role === "client") {
      this.sender.writeGoaway(0, NO_ERROR, "");
      this.#drain = DRAIN_FINAL;
      return;
    }
    this.sender.writeGoaway(STREAM_ID_MAX, NO_ERROR, "");
    this.sender.writePing(PING_OF_DRAIN, 0);
    this.#drain = DRAIN_ANNOUNCED;
  }

  /** Ends the wait for a peer that does not answer the PING: streams that it opens from now on are passed over. */
  finishDrain(): void {
    if (this.#drain !== DRAIN_ANNOUNCED && this.#drain !== DRAIN_KNOWN) return;
    this.#drain = DRAIN_KNOWN;
    if (!this.sender.writeGoaway(this.highestId, NO_ERROR, "")) return;
    this.#drain = DRAIN_FINAL;
    this.lastTakenId = this.highestId;
  }

  /** Ends at once: GOAWAY, and every stream is gone, without `onReset`. */
  close(code: number, debug: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const lastId = this.role === "server" ? Math.min(this.highestId, this.lastTakenId) : 0;
    this.sender.writeGoaway(lastId, code, debug);
    this.streams.clear();
  }

  /** Sends a PING that `onPingAcknowledged` answers. False: there is no room. */
  ping(payload: number): boolean {
    return !this.isClosed && this.sender.writePing(PING_OF_OWNER, payload);
  }

  // Sending.

  /** Client: sends a request; returns its stream, `NO_STREAM` (see `canOpen`), `NO_ROOM` or `TOO_LARGE`. */
  request(fields: FieldList, isEnd: boolean): number {
    if (!this.canOpen) return NO_STREAM;
    const streamId = this.highestId + 2;
    const result = this.sender.writeFields(streamId, fields, isEnd);
    if (result < 0) return result;
    this.highestId = streamId;
    const opened = nextState(IDLE, SEND_HEADERS);
    const stream = this.open(streamId, isEnd ? nextState(opened, SEND_END) : opened);
    stream.hasSentHead = true;
    stream.isHead = asksBy(fields, HEAD);
    stream.isConnect = asksBy(fields, CONNECT);
    return streamId;
  }

  /** Sends an interim or final head, or trailers where `isEnd`: 0, `NO_STREAM`, `NO_ROOM` or `TOO_LARGE`. */
  sendHead(streamId: number, fields: FieldList, isEnd: boolean): number {
    const stream = this.streams.get(streamId);
    if (stream === null || isError(nextState(stream.state, SEND_HEADERS))) return NO_STREAM;
    assert(!stream.hasSentHead || isEnd, "Trailers end a message");
    const result = this.sender.writeFields(streamId, fields, isEnd);
    if (result < 0) return result;
    if (!stream.hasSentHead) {
      assert(fields.names[0] === NAME_STATUS, "An answer begins with its status");
      stream.hasSentHead = statusIn(fields, 0) >= 200;
    }
    if (isEnd) this.#endSending(stream);
    return 0;
  }

  /**
   * Sends data, copied from the arena: how many bytes were taken (perhaps not all: call again), or `NO_STREAM`, `NO_ROOM`,
   * `NO_WINDOW`. `isEnd` counts once all are taken; with no bytes it only ends the message.
   */
  sendData(
    streamId: number,
    offset: number,
    length: number,
    isEnd: boolean,
    nowMs: number,
  ): number {
    const room = this.sender.freeRoom - FRAME_HEADER_BYTES;
    if (room < Math.min(length, DATA_ROOM_BYTES_MIN)) return this.#noRoom(streamId);
    const taken = this.#frame(streamId, Math.min(length, room), length, isEnd, nowMs);
    if (taken > 0) this.sender.writePayload(offset, taken);
    if (isEnd && taken === length) this.#endSending(this.streams.get(streamId));
    return taken;
  }

  /** As `sendData`, but writes the frame's header only: its payload must be sent right after it, from wherever it is. */
  frameData(streamId: number, length: number, isEnd: boolean, nowMs: number): number {
    if (this.sender.freeRoom < FRAME_HEADER_BYTES) return this.#noRoom(streamId);
    const taken = this.#frame(streamId, length, length, isEnd, nowMs);
    // Nothing may come between the header and its payload.
    if (isEnd && taken === length) this.#endSending(this.streams.get(streamId), false);
    return taken;
  }

  #noRoom(streamId: number): number {
    const stream = this.streams.get(streamId);
    const isGone = stream === null || isError(nextState(stream.state, SEND_DATA));
    return isGone ? NO_STREAM : NO_ROOM;
  }

  /** Frames at most `room` of `length` bytes; the end of the message is the caller's to note, after the payload. */
  #frame(
    streamId: number,
    room: number,
    length: number,
    isEnd: boolean,
    nowMs: number,
  ): number {
    const stream = this.streams.get(streamId);
    if (stream === null || isError(nextState(stream.state, SEND_DATA))) return NO_STREAM;
    assert(stream.hasSentHead, "A head comes before data");
    if (length === 0 && !isEnd) return 0;
    const connection = this.sender.window;
    const window = Math.min(connection.available, stream.sendWindow.available);
    const taken = Math.min(room, window, FRAME_BYTES_MAX);
    if (length > 0 && taken <= 0) {
      this.waiting.add(stream);
      return NO_WINDOW;
    }
    if (taken < length && taken < CRUMB_BYTES_MAX) {
      if (!this.spend(BUDGET_CRUMBS, nowMs)) return NO_STREAM;
    } else this.#earnByData();
    const count = Math.max(0, taken);
    const isLast = isEnd && count === length;
    this.sender.writeDataHeader(streamId, count, isLast);
    connection.spend(count);
    stream.sendWindow.spend(count);
    if (length > window) this.waiting.add(stream);
    return count;
  }

  #earnByData(): void {
    this.budgets.earn(BUDGET_CRUMBS, 1);
    this.budgets.earn(BUDGET_PINGS, 1);
    this.budgets.earn(BUDGET_WINDOW_UPDATES, 2);
  }

  #endSending(stream: Stream | null, mayWrite = true): void {
    if (stream === null) return;
    stream.state = nextState(stream.state, SEND_END);
    this.waiting.drop(stream);
    this.budgets.earn(BUDGET_RESETS, 1);
    this.budgets.earn(BUDGET_STREAM_ERRORS, 1);
    if (stream.state === CLOSED) this.remove(stream, mayWrite);
  }

  /**
   * Ends a stream with RST_STREAM, without `onReset`. A server that has answered before the whole request came, and does
   * not want the rest, uses NO_ERROR (RFC 9113 8.1).
   */
  reset(streamId: number, code: number): void {
    const stream = this.streams.get(streamId);
    if (this.isClosed || stream === null || stream.state === CLOSED) return;
    this.sendReset(streamId, code);
    stream.state = CLOSED;
    this.remove(stream);
  }

  /** Bytes that `onData` gave are no longer held: the peer may send as many more. */
  consumed(streamId: number, length: number): void {
    const stream = this.streams.get(streamId);
    if (this.isClosed || stream === null || length === 0) return;
    assert(length <= stream.receiveWindow.heldBytes, "No more is consumed than was given");
    stream.receiveWindow.consume(length);
    this.window.consume(length);
    this.reportStream(stream);
    this.sender.report(0, this.window);
  }

  protected override onDrainKnown(): void {
    if (this.#drain !== DRAIN_ANNOUNCED) return;
    this.#drain = DRAIN_KNOWN;
    this.finishDrain();
  }
}

/** Whether the request's method is this. */
function asksBy(fields: FieldList, method: readonly number[]): boolean {
  for (let index = 0; index < fields.count; index++) {
    if (fields.names[index] !== NAME_METHOD) continue;
    const start = fields.offsets[4 * index + 2];
    return fields.offsets[4 * index + 3] - start === method.length &&
      method.every((byte, i) => fields.bytes[start + i] === byte);
  }
  return false;
}
