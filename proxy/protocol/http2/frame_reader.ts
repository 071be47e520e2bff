/**
 * FrameReader: bytes into frames, whatever the pieces they come in (RFC 9113 4, 6). It owns what can be judged by a frame
 * alone: preface, lengths, padding, which stream ids a type may have, header blocks in one piece. It knows no streams.
 *
 * Payloads of DATA are handed on as they arrive. A header block is read where it stands if all of it has arrived in one
 * frame, and put together otherwise. Other frames are read whole, or passed over.
 */
import { ENHANCE_YOUR_CALM, FRAME_SIZE_ERROR, PROTOCOL_ERROR } from "./error_code.ts";
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FRAME_HEADER_BYTES,
  GOAWAY,
  GOAWAY_BYTES,
  HAS_PRIORITY,
  HEADERS,
  PADDED,
  PING,
  PING_BYTES,
  PREFACE,
  PRIORITY,
  PRIORITY_BYTES,
  PUSH_PROMISE,
  readUint24,
  readUint31,
  readUint32,
  RST_STREAM,
  RST_STREAM_BYTES,
  SETTINGS,
  WINDOW_UPDATE,
  WINDOW_UPDATE_BYTES,
} from "./frame.ts";
import { CONTINUATIONS_MAX, FRAME_BYTES_MAX, SETTINGS_ENTRIES_MAX } from "./limits.ts";
import { SETTING_BYTES } from "./settings.ts";

/** What the next byte belongs to. */
const AT_PREFACE = 0;
const AT_FRAME = 1;
const IN_DATA = 2;
const IN_BLOCK = 3;
const IN_SETTINGS = 4;
/** Bytes of no interest: padding, unknown frames, data of streams that are gone. */
const IN_REST = 5;

/** Too little has arrived. */
const WANTS_MORE = -1;

const BLOCK_BYTES_FIRST = 1_024;
/** A larger block's memory is not kept for the next one. */
const BLOCK_BYTES_KEPT = 4_096;

export abstract class FrameReader {
  /** Nothing more is read or sent. */
  isClosed = false;

  readonly #blockBytesMax: number;
  #state: number;
  #hasSettings = false;
  /** Bytes of the payload that are to come, and of padding after them. */
  #left = 0;
  #padding = 0;
  #streamId = 0;
  #isEnd = false;

  // The header block under way:
  #blockStreamId = 0;
  #blockIsEnd = false;
  #blockDependsOnItself = false;
  #hasEndOfBlock = false;
  #continuations = 0;
  #block: Uint8Array | null = null;
  #blockLength = 0;

  /** @param blockBytesMax the largest header block before decoding: a larger one ends the connection */
  constructor(expectsPreface: boolean, blockBytesMax: number) {
    this.#blockBytesMax = blockBytesMax;
    this.#state = expectsPreface ? AT_PREFACE : AT_FRAME;
  }

  /** Whether what the next frame may ask for can be written. */
  protected abstract canReact(): boolean;
  /** The connection cannot go on. Sets `isClosed`. */
  protected abstract fail(code: number, debug: string): void;
  /**
   * DATA begins; `length` counts against windows and includes `padding`. False: the data is not wanted. For no data at all,
   * `onDataPart` is called only where `isEnd`.
   */
  protected abstract onDataFrame(
    streamId: number,
    length: number,
    padding: number,
    isEnd: boolean,
  ): boolean;
  protected abstract onDataPart(
    streamId: number,
    offset: number,
    length: number,
    isEnd: boolean,
  ): void;
  /** A whole header block. `dependsOnItself`: its priority says so, which is an error of the stream. */
  protected abstract onBlock(
    bytes: Uint8Array,
    start: number,
    end: number,
    streamId: number,
    isEnd: boolean,
    dependsOnItself: boolean,
  ): void;
  protected abstract onSettingsFrame(): void;
  protected abstract onSetting(id: number, value: number): void;
  protected abstract onSettingsEnd(): void;
  protected abstract onSettingsAck(): void;
  protected abstract onPing(isAck: boolean, high: number, low: number): void;
  protected abstract onGoawayFrame(lastStreamId: number, code: number): void;
  protected abstract onWindowUpdate(streamId: number, increment: number): void;
  protected abstract onResetFrame(streamId: number, code: number): void;
  /** PRIORITY, or a frame of an unknown type. */
  protected abstract onIgnoredFrame(streamId: number, dependsOnItself: boolean): void;

  /** Reads the bytes from `start` to `end`; returns where it stopped. */
  protected read(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (!this.isClosed) {
      if (!this.canReact()) return at;
      const next = this.#readPart(bytes, at, end);
      if (next === WANTS_MORE) return at;
      at = next;
    }
    return end;
  }

  #readPart(bytes: Uint8Array, at: number, end: number): number {
    switch (this.#state) {
      case AT_PREFACE:
        return this.#readPreface(bytes, at, end);
      case AT_FRAME:
        return this.#readFrame(bytes, at, end);
      case IN_DATA:
        return this.#readData(at, end);
      case IN_BLOCK:
        return this.#readBlock(bytes, at, end);
      case IN_SETTINGS:
        return this.#readSettings(bytes, at, end);
      default: {
        if (at === end) return WANTS_MORE;
        const taken = Math.min(this.#left, end - at);
        this.#left -= taken;
        if (this.#left === 0) this.#state = AT_FRAME;
        return at + taken;
      }
    }
  }

  #readPreface(bytes: Uint8Array, at: number, end: number): number {
    const length = Math.min(PREFACE.length, end - at);
    for (let i = 0; i < length; i++) {
      if (bytes[at + i] !== PREFACE[i]) return this.#refuse(PROTOCOL_ERROR, "no HTTP/2 preface");
    }
    if (length < PREFACE.length) return WANTS_MORE;
    this.#state = AT_FRAME;
    return at + PREFACE.length;
  }

  #refuse(code: number, debug: string): number {
    this.fail(code, debug);
    return 0;
  }

  #readFrame(bytes: Uint8Array, at: number, end: number): number {
    // A peer that speaks something else may say less than a frame's header, and then wait.
    if (at < end && bytes[at] !== 0) return this.#refuse(FRAME_SIZE_ERROR, "frame too large");
    if (end - at < FRAME_HEADER_BYTES) return WANTS_MORE;
    const length = readUint24(bytes, at);
    const type = bytes[at + 3];
    const flags = bytes[at + 4];
    const streamId = readUint31(bytes, at + 5);
    if (length > FRAME_BYTES_MAX) return this.#refuse(FRAME_SIZE_ERROR, "frame too large");
    if (!this.#hasSettings && (type !== SETTINGS || (flags & ACK) !== 0)) {
      return this.#refuse(PROTOCOL_ERROR, "SETTINGS come first");
    }
    if (this.#blockStreamId !== 0) {
      if (type !== CONTINUATION || streamId !== this.#blockStreamId) {
        return this.#refuse(PROTOCOL_ERROR, "a header block is not to be interrupted");
      }
      return this.#startContinuation(at + FRAME_HEADER_BYTES, length, flags);
    }
    const payload = at + FRAME_HEADER_BYTES;
    switch (type) {
      case DATA:
        return this.#startData(bytes, payload, end, length, flags, streamId);
      case HEADERS:
        return this.#startHeaders(bytes, payload, end, length, flags, streamId);
      case SETTINGS:
        return this.#startSettings(payload, length, flags, streamId);
      case PUSH_PROMISE:
        return this.#refuse(PROTOCOL_ERROR, "push is refused");
      case CONTINUATION:
        return this.#refuse(PROTOCOL_ERROR, "CONTINUATION of nothing");
      case PING:
      case GOAWAY:
        if (streamId !== 0) return this.#refuse(PROTOCOL_ERROR, "a stream where none may be");
        break;
      case PRIORITY:
      case RST_STREAM:
        if (streamId === 0) return this.#refuse(PROTOCOL_ERROR, "no stream where one must be");
        break;
    }
    return this.#readShort(bytes, payload, end, length, type, flags, streamId);
  }

  /** Frames that are read whole, but for the debug data of GOAWAY; and unknown ones. */
  #readShort(
    bytes: Uint8Array,
    payload: number,
    end: number,
    length: number,
    type: number,
    flags: number,
    streamId: number,
  ): number {
    const least = lengthOf(type);
    if (length < least || (length > least && least > 0 && type !== GOAWAY)) {
      return this.#refuse(FRAME_SIZE_ERROR, "frame of a wrong size");
    }
    if (end - payload < least) return WANTS_MORE;
    this.#skip(length - least);
    switch (type) {
      case PING:
        this.onPing(
          (flags & ACK) !== 0,
          readUint32(bytes, payload),
          readUint32(bytes, payload + 4),
        );
        break;
      case GOAWAY:
        this.onGoawayFrame(readUint31(bytes, payload), readUint32(bytes, payload + 4));
        break;
      case WINDOW_UPDATE:
        this.onWindowUpdate(streamId, readUint31(bytes, payload));
        break;
      case RST_STREAM:
        this.onResetFrame(streamId, readUint32(bytes, payload));
        break;
      case PRIORITY:
        this.onIgnoredFrame(streamId, readUint31(bytes, payload) === streamId);
        break;
      default:
        this.onIgnoredFrame(streamId, false);
    }
    return payload + least;
  }

  #skip(length: number): void {
    this.#left = length;
    this.#state = length === 0 ? AT_FRAME : IN_REST;
  }

  #startData(
    bytes: Uint8Array,
    payload: number,
    end: number,
    length: number,
    flags: number,
    streamId: number,
  ): number {
    if (streamId === 0) return this.#refuse(PROTOCOL_ERROR, "no stream where one must be");
    let padding = 0;
    let at = payload;
    if ((flags & PADDED) !== 0) {
      if (length === 0) return this.#refuse(FRAME_SIZE_ERROR, "frame of a wrong size");
      if (at === end) return WANTS_MORE;
      padding = 1 + bytes[at++];
      if (padding > length) return this.#refuse(PROTOCOL_ERROR, "padding without end");
    }
    const data = length - padding;
    const isEnd = (flags & END_STREAM) !== 0;
    const trailing = Math.max(0, padding - 1);
    if (!this.onDataFrame(streamId, length, padding, isEnd)) {
      this.#skip(data + trailing);
      return at;
    }
    if (data === 0) {
      this.#skip(trailing);
      if (isEnd) this.onDataPart(streamId, at, 0, true);
      return at;
    }
    this.#streamId = streamId;
    this.#isEnd = isEnd;
    this.#left = data;
    this.#padding = trailing;
    this.#state = IN_DATA;
    return at;
  }

  #readData(at: number, end: number): number {
    if (at === end) return WANTS_MORE;
    const taken = Math.min(this.#left, end - at);
    this.#left -= taken;
    const isLast = this.#left === 0;
    if (isLast) this.#skip(this.#padding);
    this.onDataPart(this.#streamId, at, taken, isLast && this.#isEnd);
    return at + taken;
  }

  #startHeaders(
    bytes: Uint8Array,
    payload: number,
    end: number,
    length: number,
    flags: number,
    streamId: number,
  ): number {
    if (streamId === 0) return this.#refuse(PROTOCOL_ERROR, "no stream where one must be");
    const isPadded = (flags & PADDED) !== 0;
    const hasPriority = (flags & HAS_PRIORITY) !== 0;
    const prefix = (isPadded ? 1 : 0) + (hasPriority ? PRIORITY_BYTES : 0);
    if (length < prefix) return this.#refuse(FRAME_SIZE_ERROR, "frame of a wrong size");
    if (end - payload < prefix) return WANTS_MORE;
    const padding = isPadded ? bytes[payload] : 0;
    const fragment = length - prefix - padding;
    if (fragment < 0) return this.#refuse(PROTOCOL_ERROR, "padding without end");
    const start = payload + prefix;
    const isEnd = (flags & END_STREAM) !== 0;
    const hasEnd = (flags & END_HEADERS) !== 0;
    const dependsOnItself = hasPriority &&
      readUint31(bytes, start - PRIORITY_BYTES) === streamId;
    if (hasEnd && end - start >= fragment) {
      this.#skip(padding);
      this.onBlock(bytes, start, start + fragment, streamId, isEnd, dependsOnItself);
      return start + fragment;
    }
    this.#blockStreamId = streamId;
    this.#blockIsEnd = isEnd;
    this.#blockDependsOnItself = dependsOnItself;
    this.#blockLength = 0;
    this.#continuations = 0;
    this.#startFragment(fragment, padding, hasEnd);
    return start;
  }

  #startContinuation(payload: number, length: number, flags: number): number {
    if (++this.#continuations > CONTINUATIONS_MAX) {
      return this.#refuse(ENHANCE_YOUR_CALM, "too many CONTINUATIONs");
    }
    if (this.#blockLength + length > this.#blockBytesMax) {
      return this.#refuse(ENHANCE_YOUR_CALM, "header block too large");
    }
    this.#startFragment(length, 0, (flags & END_HEADERS) !== 0);
    return payload;
  }

  #startFragment(length: number, padding: number, hasEnd: boolean): void {
    this.#left = length;
    this.#padding = padding;
    this.#hasEndOfBlock = hasEnd;
    this.#state = IN_BLOCK;
    this.#haveBlockRoom(this.#blockLength + length);
  }

  #haveBlockRoom(length: number): void {
    const old = this.#block;
    if (old !== null && old.length >= length) return;
    let capacity = old === null ? BLOCK_BYTES_FIRST : old.length;
    while (capacity < length) capacity *= 2;
    this.#block = new Uint8Array(capacity);
    if (old !== null) this.#block.set(old.subarray(0, this.#blockLength));
  }

  #readBlock(bytes: Uint8Array, at: number, end: number): number {
    const block = this.#block;
    if (block === null || (at === end && this.#left > 0)) return WANTS_MORE;
    const taken = Math.min(this.#left, end - at);
    block.set(bytes.subarray(at, at + taken), this.#blockLength);
    this.#blockLength += taken;
    this.#left -= taken;
    if (this.#left > 0) return at + taken;
    this.#skip(this.#padding);
    if (this.#hasEndOfBlock) {
      const streamId = this.#blockStreamId;
      this.#blockStreamId = 0;
      if (block.length > BLOCK_BYTES_KEPT) this.#block = null;
      this.onBlock(
        block,
        0,
        this.#blockLength,
        streamId,
        this.#blockIsEnd,
        this.#blockDependsOnItself,
      );
    }
    return at + taken;
  }

  #startSettings(payload: number, length: number, flags: number, streamId: number): number {
    if (streamId !== 0) return this.#refuse(PROTOCOL_ERROR, "a stream where none may be");
    const isAck = (flags & ACK) !== 0;
    if (isAck ? length !== 0 : length % SETTING_BYTES !== 0) {
      return this.#refuse(FRAME_SIZE_ERROR, "frame of a wrong size");
    }
    if (isAck) {
      this.onSettingsAck();
      return payload;
    }
    if (length > SETTINGS_ENTRIES_MAX * SETTING_BYTES) {
      return this.#refuse(ENHANCE_YOUR_CALM, "too many settings");
    }
    this.#hasSettings = true;
    this.#left = length;
    this.#state = IN_SETTINGS;
    this.onSettingsFrame();
    return payload;
  }

  /** One setting at a time. */
  #readSettings(bytes: Uint8Array, at: number, end: number): number {
    if (this.#left === 0) {
      this.#state = AT_FRAME;
      this.onSettingsEnd();
      return at;
    }
    if (end - at < SETTING_BYTES) return WANTS_MORE;
    this.#left -= SETTING_BYTES;
    this.onSetting((bytes[at] << 8) | bytes[at + 1], readUint32(bytes, at + 2));
    return at + SETTING_BYTES;
  }
}

/** Payload of a frame that is read whole; 0 for an unknown one. */
function lengthOf(type: number): number {
  switch (type) {
    case PING:
      return PING_BYTES;
    case GOAWAY:
      return GOAWAY_BYTES;
    case WINDOW_UPDATE:
      return WINDOW_UPDATE_BYTES;
    case RST_STREAM:
      return RST_STREAM_BYTES;
    case PRIORITY:
      return PRIORITY_BYTES;
    default:
      return 0;
  }
}
