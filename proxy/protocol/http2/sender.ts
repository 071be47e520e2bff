/**
 * Sender: the frames that a machine writes into its output, and those that are pending because there was no room. It knows the
 * peer's settings and the connection's window, and nothing of streams' states.
 */
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FRAME_HEADER_BYTES,
  GOAWAY_BYTES,
  HEADERS,
  PING_BYTES,
  PREFACE,
  RST_STREAM_BYTES,
  SETTINGS,
  WINDOW_UPDATE_BYTES,
  writeFrameHeader,
  writeGoaway,
  writePing,
  writeReset,
  writeWindowUpdate,
} from "./frame.ts";
import { SendWindow } from "./flow.ts";
import type { ReceiveWindow } from "./flow.ts";
import { Encoder } from "./hpack/encoder.ts";
import type { FieldList } from "./hpack/field_list.ts";
import { CONTROL_ROOM_BYTES, FRAME_BYTES_MAX, WINDOW_DEFAULT } from "./limits.ts";
import type { WriteBuffer } from "./write_buffer.ts";
import { INITIAL_SETTINGS_BYTES, PeerSettings, writeInitialSettings } from "./settings.ts";
import type { OwnSettings } from "./settings.ts";

/** `output` is full: send what it holds and ask again. */
export const NO_ROOM = -1;
/** The peer's window is used up: `onWindow` will come. */
export const NO_WINDOW = -2;
/** The stream is gone, its sending side has ended, or none can be opened. */
export const NO_STREAM = -3;
/** The fields will never fit into `output`, or are more than the peer takes. */
export const TOO_LARGE = -4;

const START_BYTES_MAX = PREFACE.length + FRAME_HEADER_BYTES + INITIAL_SETTINGS_BYTES +
  FRAME_HEADER_BYTES + WINDOW_UPDATE_BYTES;

export class Sender {
  readonly output: WriteBuffer;
  readonly peer = new PeerSettings();
  readonly window = new SendWindow();
  readonly encoder = new Encoder();
  /** RST_STREAMs that there was no room for: stream and code by turns. */
  readonly #pendingResets: number[] = [];
  /** Some window has an increment to report that there was no room for. */
  hasPendingReports = false;

  constructor(output: WriteBuffer) {
    this.output = output;
    this.window.reset(WINDOW_DEFAULT);
  }

  /** Whether there is room for what one frame of the peer may ask for. */
  get canReact(): boolean {
    return this.output.room >= CONTROL_ROOM_BYTES;
  }

  /** Bytes that anything but the machine's own frames may take. */
  get freeRoom(): number {
    return this.output.room - CONTROL_ROOM_BYTES;
  }

  get hasPendingResets(): boolean {
    return this.#pendingResets.length > 0;
  }

  /** False: there is no room. */
  writeStart(own: OwnSettings, connectionWindowBytes: number): boolean {
    const { output } = this;
    if (output.room < START_BYTES_MAX) return false;
    if (own.role === "client") {
      output.bytes.set(PREFACE, output.end);
      output.end += PREFACE.length;
    }
    const start = output.end;
    const end = writeInitialSettings(output.bytes, start + FRAME_HEADER_BYTES, own);
    writeFrameHeader(output.bytes, start, end - start - FRAME_HEADER_BYTES, SETTINGS, 0, 0);
    output.end = end;
    const more = connectionWindowBytes - WINDOW_DEFAULT;
    if (more > 0) output.end = writeWindowUpdate(output.bytes, output.end, 0, more);
    return true;
  }

  /** Only where `canReact`. */
  writeSettingsAck(): void {
    const { output } = this;
    output.end = writeFrameHeader(output.bytes, output.end, 0, SETTINGS, ACK, 0);
  }

  /** Only where `canReact`. */
  writePingAck(high: number, low: number): void {
    const { output } = this;
    output.end = writePing(output.bytes, output.end, ACK, high, low);
  }

  /** False: there is no room. */
  writePing(high: number, low: number): boolean {
    const { output } = this;
    if (output.room < FRAME_HEADER_BYTES + PING_BYTES) return false;
    output.end = writePing(output.bytes, output.end, 0, high, low);
    return true;
  }

  /** False: there is no room, not even without `debug`. */
  writeGoaway(lastStreamId: number, code: number, debug: string): boolean {
    const { output } = this;
    const least = FRAME_HEADER_BYTES + GOAWAY_BYTES;
    if (output.room < least) return false;
    const text = output.room < least + debug.length ? "" : debug;
    output.end = writeGoaway(output.bytes, output.end, lastStreamId, code, text);
    return true;
  }

  /** Writes a RST_STREAM, now or once there is room. */
  reset(streamId: number, code: number): void {
    const { output } = this;
    if (output.room < FRAME_HEADER_BYTES + RST_STREAM_BYTES) {
      this.#pendingResets.push(streamId, code);
    } else output.end = writeReset(output.bytes, output.end, streamId, code);
  }

  /** Tells the peer of a window's increment if it is worth a frame, now or once there is room. */
  report(streamId: number, window: ReceiveWindow): void {
    if (!window.isReportDue) return;
    const { output } = this;
    if (output.room < FRAME_HEADER_BYTES + WINDOW_UPDATE_BYTES) this.hasPendingReports = true;
    else output.end = writeWindowUpdate(output.bytes, output.end, streamId, window.report());
  }

  /** Writes the RST_STREAMs that are pending; false where room runs out again. */
  writePendingResets(): boolean {
    const pending = this.#pendingResets;
    let done = 0;
    while (done < pending.length) {
      const { output } = this;
      if (output.room < FRAME_HEADER_BYTES + RST_STREAM_BYTES) break;
      output.end = writeReset(output.bytes, output.end, pending[done], pending[done + 1]);
      done += 2;
    }
    pending.splice(0, done);
    return pending.length === 0;
  }

  /** The most bytes that `writeFields` writes. */
  boundOf(fields: FieldList): number {
    const bound = this.encoder.bound(fields);
    return bound + FRAME_HEADER_BYTES * Math.ceil(bound / FRAME_BYTES_MAX);
  }

  /** Writes HEADERS, and CONTINUATIONs where one frame does not hold them: 0, `NO_ROOM` or `TOO_LARGE`. */
  writeFields(streamId: number, fields: FieldList, isEnd: boolean): number {
    if (fields.sizeBytes > this.peer.headerListBytesMax) return TOO_LARGE;
    const most = this.boundOf(fields);
    const { output } = this;
    if (most > this.freeRoom) {
      return most > output.capacity - CONTROL_ROOM_BYTES ? TOO_LARGE : NO_ROOM;
    }
    const { bytes } = output;
    const start = output.end + FRAME_HEADER_BYTES;
    const end = this.encoder.encode(fields, bytes, start);
    const length = end - start;
    const flags = isEnd ? END_STREAM : 0;
    if (length <= FRAME_BYTES_MAX) {
      writeFrameHeader(bytes, output.end, length, HEADERS, flags | END_HEADERS, streamId);
      output.end = end;
    } else output.end = this.#cut(start, end, streamId, flags);
    return 0;
  }

  /** Makes frames of a block that is too long for one: moves its parts apart, the last one first. */
  #cut(start: number, end: number, streamId: number, flags: number): number {
    const { bytes } = this.output;
    const count = Math.ceil((end - start) / FRAME_BYTES_MAX);
    for (let i = count - 1; i >= 0; i--) {
      const from = start + i * FRAME_BYTES_MAX;
      const to = Math.min(end, from + FRAME_BYTES_MAX);
      const at = from + i * FRAME_HEADER_BYTES;
      bytes.copyWithin(at, from, to);
      const type = i === 0 ? HEADERS : CONTINUATION;
      const ends = i === count - 1 ? END_HEADERS : 0;
      const header = at - FRAME_HEADER_BYTES;
      writeFrameHeader(bytes, header, to - from, type, (i === 0 ? flags : 0) | ends, streamId);
    }
    return end + (count - 1) * FRAME_HEADER_BYTES;
  }

  /** Writes the header of a DATA frame; its payload has to follow. */
  writeDataHeader(streamId: number, length: number, isEnd: boolean): void {
    const { output } = this;
    const flags = isEnd ? END_STREAM : 0;
    output.end = writeFrameHeader(output.bytes, output.end, length, DATA, flags, streamId);
  }

  writePayload(offset: number, length: number): void {
    const { output } = this;
    output.bytes.copyWithin(output.end, offset, offset + length);
    output.end += length;
  }
}
