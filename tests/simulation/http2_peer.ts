/**
 * Http2Peer: one end of an HTTP/2 connection of the simulation, written from RFC 9113 and not from the data plane. It
 * keeps to every window and limit that the proxy sets, and complains where the proxy passes one of its own.
 */
import { encodeLiterals, HpackDecoder } from "./hpack.ts";
import type { HeaderField } from "./hpack.ts";
import { FrameCutter, frames } from "./http2_frames.ts";
import type { Frame, Settings } from "./http2_frames.ts";
import { drawSettings, PeerStream } from "./http2_stream.ts";
import { concatenate } from "./exchange.ts";
import type { Side } from "./network.ts";
import { failRun, Listening } from "./run_state.ts";
import type { ReadPace, RunState } from "./run_state.ts";
import { ScriptedSender } from "./sender.ts";
import type { Pace } from "./sender.ts";

/** What a peer is told; a stream's own record is whatever it put into `owner`. */
export interface Http2Listener {
  onHead(stream: PeerStream, fields: readonly HeaderField[], isEnd: boolean): void;
  onData(stream: PeerStream, bytes: Uint8Array, isEnd: boolean): void;
  onTrailers(stream: PeerStream, fields: readonly HeaderField[]): void;
  /** The proxy has reset the stream. */
  onReset(stream: PeerStream, code: number): void;
  onGoaway(lastId: number, code: number): void;
  /** The proxy's settings have come. */
  onSettings(): void;
  /** There may be room for another stream. */
  onStreamEnd(): void;
  onClosed(wasReset: boolean): void;
}

/** What the settings of one end say, as far as the other has to heed them. */
interface Limits {
  window: number;
  streams: number;
}

/** The largest windows that the proxy has for a connection: of a client, and to an endpoint. */
const CLIENT_WINDOW_MAX = 1_048_576;
const ENDPOINT_WINDOW_MAX = 16_777_216;

export class Http2Peer {
  readonly sender: ScriptedSender;
  readonly side: Side;
  readonly streams = new Map<number, PeerStream>();
  /** The proxy's settings have come. */
  isReady = false;
  /** Streams were opened behind this peer's back. */
  #isTainted = false;
  #hasReceivedGoaway = false;
  readonly #state: RunState;
  readonly #isClient: boolean;
  readonly #listener: Http2Listener;
  readonly #listening: Listening;
  readonly #cutter = new FrameCutter();
  readonly #decoder = new HpackDecoder();
  /** What is missing of the proxy's preface. */
  #preface: number;
  /** Settings that the proxy has not acknowledged. */
  readonly #unacknowledged: Settings[] = [];
  readonly #own: Limits = { window: frames.WINDOW_DEFAULT, streams: Infinity };
  readonly #proxy: Limits = { window: frames.WINDOW_DEFAULT, streams: Infinity };
  #sendWindow = frames.WINDOW_DEFAULT;
  #credit = frames.WINDOW_DEFAULT;
  #unreturned = 0;
  #block: { readonly stream: number; readonly isEnd: boolean; parts: Uint8Array[] } | null = null;
  #lastId: number;
  #isPumping = false;

  constructor(
    state: RunState,
    side: Side,
    listener: Http2Listener,
    isClient: boolean,
    pace: { readonly send: Pace; readonly receive: ReadPace },
  ) {
    const { world } = state;
    this.#state = state;
    this.side = side;
    this.#isClient = isClient;
    this.#listener = listener;
    this.#preface = isClient ? 0 : frames.PREFACE.length;
    this.#lastId = isClient ? -1 : 0;
    this.sender = new ScriptedSender(world, side, pace.send);
    this.sender.onEmpty = () => this.#pumpData();
    this.#listening = new Listening(
      state,
      side,
      pace.receive,
      (bytes) => this.#take(bytes),
      () => this.#closed(false),
      () => this.#closed(true),
    );
    side.onChange = () => {
      if (!side.isEstablished && !side.isReset) return;
      this.#listening.pump();
      this.sender.pump();
    };
    if (isClient) this.sender.push(frames.PREFACE);
    this.settings(drawSettings(state, isClient));
    side.onChange();
  }

  set isDeaf(isDeaf: boolean) {
    this.#listening.isDeaf = isDeaf;
  }

  get openStreams(): number {
    return Array.from(this.streams.values()).filter(({ isOver }) => !isOver).length;
  }

  /** Whether another request may be sent. */
  get canOpen(): boolean {
    return !this.#hasReceivedGoaway && this.openStreams < this.#proxy.streams;
  }

  /** Bytes that the proxy takes on the connection now. */
  get connectionWindow(): number {
    return this.#sendWindow;
  }

  /** The highest stream that was opened. */
  get lastId(): number {
    return this.#lastId;
  }

  // Sending.

  open(fields: readonly HeaderField[], isEnd: boolean): PeerStream {
    const stream = this.#enter(this.#lastId + 2);
    this.head(stream, fields, isEnd);
    return stream;
  }

  head(stream: PeerStream, fields: readonly HeaderField[], isEnd: boolean): void {
    const { world } = this.#state;
    if (isEnd) stream.hasSentEnd = true;
    const block = encodeLiterals(fields);
    const cuts = world.chance(0.2) ? world.between(0, 3) : Math.ceil(block.length / 16_000) - 1;
    const size = Math.ceil(block.length / (cuts + 1));
    const parts: Uint8Array[] = [];
    for (let at = 0; at < block.length; at += size) {
      const part = block.subarray(at, at + size);
      const ends = at + size >= block.length ? frames.END_HEADERS : 0;
      parts.push(
        at === 0
          ? this.#headers(stream.id, part, ends | (isEnd ? frames.END_STREAM : 0))
          : frames.frame(frames.CONTINUATION, ends, stream.id, part),
      );
    }
    // Nothing may come between them.
    this.sender.push(...parts);
    if (isEnd) this.#ended(stream);
  }

  #headers(id: number, part: Uint8Array, flags: number): Uint8Array {
    const { world } = this.#state;
    const priority = world.chance(0.1)
      ? Uint8Array.of(0, 0, 0, 0, world.between(0, 255))
      : new Uint8Array();
    const padding = world.chance(0.1) ? world.between(0, 200) : -1;
    return frames.frame(
      frames.HEADERS,
      flags | (priority.length > 0 ? frames.PRIORITIZED : 0) | (padding >= 0 ? frames.PADDED : 0),
      id,
      concatenate([
        padding < 0 ? new Uint8Array() : Uint8Array.of(padding),
        priority,
        part,
        new Uint8Array(Math.max(0, padding)),
      ]),
    );
  }

  /** Sends a body as the windows let it, then trailers. `isCut`: without an end. */
  body(
    stream: PeerStream,
    body: Uint8Array,
    trailers: readonly HeaderField[] = [],
    isCut = false,
    onSent: () => void = () => {},
  ): void {
    stream.outgoing = { body, sent: 0, trailers, isCut, onSent };
    this.#pumpData();
  }

  reset(stream: PeerStream, code: number): void {
    if (stream.isOver) return;
    stream.isReset = true;
    stream.outgoing = null;
    this.sender.push(frames.reset(stream.id, code));
    this.#ended(stream);
  }

  settings(entries: Settings): void {
    this.#unacknowledged.push(entries);
    this.sender.push(frames.settings(entries));
  }

  /** Sends bytes as they are: what is no frame, or not in its place. */
  raw(...bytes: Uint8Array[]): void {
    this.sender.push(...bytes);
  }

  /** As `raw`, of a client that opens streams with it. */
  taint(bytes: Uint8Array): void {
    this.#isTainted = true;
    this.sender.push(bytes);
  }

  /** The stream that a frame of the proxy is on. */
  #streamOf(id: number, what: string): PeerStream {
    const stream = this.streams.get(id);
    if (stream !== undefined) return stream;
    if (!this.#isTainted) this.#fail(`${what} on idle stream ${id}`);
    return this.#enter(id);
  }

  #enter(id: number): PeerStream {
    const stream = new PeerStream(id, this.#proxy.window, this.#own.window);
    this.#lastId = id;
    this.streams.set(id, stream);
    return stream;
  }

  #pumpData(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (
      this.sender.isEmpty && !this.sender.isMute && !this.side.isClosed && !this.side.isReset
    ) {
      const ready = Array.from(this.streams.values()).filter((stream) => this.#canSend(stream));
      if (ready.length === 0) break;
      this.#sendData(this.#state.world.pick(ready));
    }
    this.#isPumping = false;
  }

  #canSend({ outgoing, isReset, sendWindow }: PeerStream): boolean {
    if (outgoing === null || isReset) return false;
    const isAll = outgoing.sent === outgoing.body.length;
    return isAll || Math.min(sendWindow, this.#sendWindow) > 0;
  }

  #sendData(stream: PeerStream): void {
    const { outgoing } = stream;
    const { world } = this.#state;
    if (outgoing === null) return;
    const left = outgoing.body.length - outgoing.sent;
    if (left === 0 && outgoing.isCut) {
      stream.outgoing = null;
      return outgoing.onSent();
    }
    if (left === 0 && outgoing.trailers.length > 0) {
      stream.outgoing = null;
      this.head(stream, outgoing.trailers, true);
      return outgoing.onSent();
    }
    const window = Math.max(0, Math.min(stream.sendWindow, this.#sendWindow));
    const most = Math.min(left, window, frames.FRAME_BYTES_MAX);
    const count = world.chance(0.3) && most > 1 ? world.between(Math.ceil(most / 8), most) : most;
    const room = Math.min(window - count - 1, frames.FRAME_BYTES_MAX - count - 1, 250);
    const padding = room >= 0 && count > 0 && world.chance(0.1) ? world.between(0, room) : -1;
    const isLast = count === left && !outgoing.isCut && outgoing.trailers.length === 0 &&
      (count === 0 || world.chance(0.8));
    const piece = outgoing.body.subarray(outgoing.sent, outgoing.sent + count);
    const payload = padding < 0
      ? piece
      : concatenate([Uint8Array.of(padding), piece, new Uint8Array(padding)]);
    outgoing.sent += count;
    stream.sendWindow -= payload.length;
    this.#sendWindow -= payload.length;
    const flags = (isLast ? frames.END_STREAM : 0) | (padding < 0 ? 0 : frames.PADDED);
    if (isLast) {
      stream.hasSentEnd = true;
      stream.outgoing = null;
    }
    this.sender.push(frames.frame(frames.DATA, flags, stream.id, payload));
    if (!isLast) return;
    outgoing.onSent();
    this.#ended(stream);
  }

  #ended(stream: PeerStream): void {
    if (stream.isOver) this.#listener.onStreamEnd();
  }

  // Receiving.

  #take(bytes: Uint8Array): void {
    while (this.#preface > 0 && bytes.length > 0) {
      if (bytes[0] !== frames.PREFACE[frames.PREFACE.length - this.#preface]) {
        this.#fail("The preface is another");
      }
      this.#preface--;
      bytes = bytes.subarray(1);
    }
    for (const one of this.#cutter.cut(bytes.slice())) {
      if (this.side.isClosed) return;
      this.#takeFrame(one);
    }
    this.#giveBack();
    this.#pumpData();
  }

  #takeFrame(one: Frame): void {
    const { type, flags, id, payload } = one;
    if (payload.length > frames.FRAME_BYTES_MAX) this.#fail(`A frame of ${payload.length} bytes`);
    const length = frames.LENGTHS.get(type) ?? payload.length;
    if (payload.length < length) this.#fail(`Frame ${type} of ${payload.length} bytes`);
    const isFirst = !this.isReady;
    if (isFirst && (type !== frames.SETTINGS || flags !== 0)) {
      this.#fail(`Begins with frame ${type}`);
    }
    if (this.#block !== null && (type !== frames.CONTINUATION || id !== this.#block.stream)) {
      this.#fail(`Frame ${type} of stream ${id} within a header block`);
    }
    switch (type) {
      case frames.DATA:
        return this.#takeData(one);
      case frames.HEADERS:
        this.#block = { stream: id, isEnd: (flags & frames.END_STREAM) !== 0, parts: [] };
        return this.#takeBlock(bodyOfFrame(one) ?? this.#fail("HEADERS padded too much"), flags);
      case frames.CONTINUATION:
        if (this.#block === null) this.#fail("CONTINUATION of nothing");
        return this.#takeBlock(payload, flags);
      case frames.RST_STREAM:
        return this.#takeReset(one);
      case frames.SETTINGS:
        return this.#takeSettings(one);
      case frames.PING:
        if ((flags & frames.ACK) === 0) {
          this.sender.push(frames.frame(frames.PING, frames.ACK, 0, payload));
        }
        return;
      case frames.GOAWAY:
        this.#hasReceivedGoaway = true;
        return this.#listener.onGoaway(
          frames.readUint32(payload, 0),
          frames.readUint32(payload, 4),
        );
      case frames.WINDOW_UPDATE:
        return this.#takeWindow(one);
      default:
        this.#fail(`A frame of type ${type}`);
    }
  }

  #takeBlock(part: Uint8Array, flags: number): void {
    const block = this.#block;
    if (block === null) return;
    block.parts.push(part);
    if ((flags & frames.END_HEADERS) === 0) return;
    this.#block = null;
    const fields = this.#decoder.decode(concatenate(block.parts));
    const stream = this.streams.get(block.stream) ?? this.#takeStream(block.stream);
    this.#checkOpen(stream, "HEADERS");
    if (stream.isReset) return;
    const isInterim = this.#isClient && /^1/.test(fields[0]?.[1] ?? "");
    if (block.isEnd) stream.hasEnded = true;
    if (stream.hasHead) {
      if (!block.isEnd) this.#fail(`Trailers of stream ${stream.id} without an end`);
      this.#listener.onTrailers(stream, fields);
    } else {
      stream.hasHead = !isInterim;
      if (isInterim && block.isEnd) this.#fail("An interim answer ends the stream");
      this.#listener.onHead(stream, fields, block.isEnd);
    }
    if (block.isEnd) this.#ended(stream);
  }

  /** The proxy opens a stream. */
  #takeStream(id: number): PeerStream {
    if (this.#isClient) return this.#streamOf(id, "HEADERS");
    if (id % 2 === 0 || id <= this.#lastId) this.#fail(`Opens stream ${id} after ${this.#lastId}`);
    const stream = this.#enter(id);
    // The settings that it has acknowledged bind it.
    const open = this.openStreams;
    if (open > this.#own.streams) {
      this.#fail(`Opens ${open} streams where ${this.#own.streams} may be open`);
    }
    return stream;
  }

  #checkOpen(stream: PeerStream, what: string): void {
    if (stream.wasResetByProxy) this.#fail(`${what} after RST_STREAM on stream ${stream.id}`);
    if (stream.hasEnded) this.#fail(`${what} after the end of stream ${stream.id}`);
  }

  #takeData(one: Frame): void {
    const { id, flags, payload } = one;
    const stream = this.#streamOf(id, "DATA");
    this.#checkOpen(stream, "DATA");
    this.#credit -= payload.length;
    if (this.#credit < 0 && payload.length > 0) this.#fail("DATA past the connection's window");
    this.#unreturned += payload.length;
    if (stream.isReset) return;
    if (!stream.hasHead) this.#fail(`DATA before HEADERS on stream ${id}`);
    stream.credit -= payload.length;
    if (stream.credit < 0 && payload.length > 0) this.#fail(`DATA past the window of stream ${id}`);
    stream.unreturned += payload.length;
    const isEnd = (flags & frames.END_STREAM) !== 0;
    const body = bodyOfFrame(one) ?? this.#fail("DATA padded too much");
    if (isEnd) stream.hasEnded = true;
    this.#listener.onData(stream, body, isEnd);
    if (isEnd) this.#ended(stream);
  }

  #takeReset({ id, payload }: Frame): void {
    const stream = this.#streamOf(id, "RST_STREAM");
    if (stream.wasResetByProxy) this.#fail(`RST_STREAM twice on stream ${id}`);
    stream.wasResetByProxy = true;
    if (stream.isOver) return;
    stream.isReset = true;
    stream.outgoing = null;
    this.#listener.onReset(stream, frames.readUint32(payload, 0));
    this.#ended(stream);
  }

  #takeSettings({ flags, payload }: Frame): void {
    if ((flags & frames.ACK) !== 0) return this.#takeAcknowledgement();
    if (payload.length % 6 !== 0) this.#fail(`SETTINGS of ${payload.length} bytes`);
    for (let at = 0; at < payload.length; at += 6) {
      const value = frames.readUint32(payload, at + 2);
      const id = payload[at + 1];
      if (id === frames.SETTING_STREAMS) this.#proxy.streams = value;
      if (id !== frames.SETTING_WINDOW) continue;
      for (const stream of this.streams.values()) stream.sendWindow += value - this.#proxy.window;
      this.#proxy.window = value;
    }
    this.sender.push(frames.frame(frames.SETTINGS, frames.ACK, 0));
    this.isReady = true;
    this.#listener.onSettings();
  }

  #takeAcknowledgement(): void {
    const entries = this.#unacknowledged.shift();
    if (entries === undefined) {
      if (this.#isTainted) return;
      this.#fail("Acknowledges settings that were not sent");
    }
    for (const [id, value] of entries) {
      if (id === frames.SETTING_TABLE) this.#decoder.limit(value);
      if (id === frames.SETTING_STREAMS) this.#own.streams = value;
      if (id !== frames.SETTING_WINDOW) continue;
      for (const stream of this.streams.values()) stream.credit += value - this.#own.window;
      this.#own.window = value;
    }
  }

  #takeWindow({ id, payload }: Frame): void {
    const increment = frames.readUint32(payload, 0);
    if (increment === 0) this.#fail(`WINDOW_UPDATE of nothing on ${id}`);
    if (id === 0) {
      this.#sendWindow += increment;
      const max = this.#isClient ? CLIENT_WINDOW_MAX : ENDPOINT_WINDOW_MAX;
      if (this.#sendWindow > max) this.#fail("The connection's window has grown");
      return;
    }
    const stream = this.#streamOf(id, "WINDOW_UPDATE");
    if (stream.wasResetByProxy) this.#fail(`WINDOW_UPDATE after RST_STREAM on stream ${id}`);
    stream.sendWindow += increment;
    if (stream.sendWindow > frames.WINDOW_DEFAULT) this.#fail(`The window of ${id} has grown`);
  }

  /** Gives the windows back that were used, in worthwhile pieces: crumbs would be taken for an attack. */
  #giveBack(): void {
    for (const stream of this.streams.values()) {
      const isDue = stream.unreturned > 0 && stream.unreturned * 2 >= this.#own.window;
      if (!isDue || stream.isStarved || stream.isOver || stream.hasEnded) continue;
      this.sender.push(frames.windowUpdate(stream.id, stream.unreturned));
      stream.credit += stream.unreturned;
      stream.unreturned = 0;
    }
    if (this.#unreturned < 16_384) return;
    this.sender.push(frames.windowUpdate(0, this.#unreturned));
    this.#credit += this.#unreturned;
    this.#unreturned = 0;
  }

  #closed(wasReset: boolean): void {
    this.sender.clear();
    this.#listener.onClosed(wasReset);
  }

  #fail(message: string): never {
    failRun(this.#state, `Proxy as ${this.#isClient ? "server" : "client"}: ${message}`);
  }
}

const { bodyOfFrame } = frames;
