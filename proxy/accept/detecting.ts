/**
 * Detecting: a connection of which it is not known what it speaks, until its first bytes say so. Nothing is read of them: what has been
 * looked at is still there to be read.
 */
import { isMeshAlpn, MESH_ALPN } from "../protocol/tls/mesh.ts";
import { AGAIN, BROKEN, END, type Fd } from "../io/io.ts";
import type { TlsContext, TlsFailure, TlsInfo } from "../io/tls.ts";
import { BUFFER_BYTES, DETECTION_MS, DRAIN_IDLE_MS, LOOK_INTERVAL_MS } from "../limits.ts";
import type { Loop } from "../loop/loop.ts";
import { Socket } from "../loop/socket.ts";
import { Timer } from "../loop/timers.ts";
import { detectProtocol, type ProtocolName, type Protocols } from "../protocol/mod.ts";
import { NO_BUFFER } from "../loop/arena.ts";
import { serverNameOf } from "../protocol/tls/client_hello.ts";

/**
 * `opaque`: bytes of no protocol that was asked for, or too few of them in time; `silent`: none so far; `more`: too few so far;
 * `ended`: none, and none will come.
 */
type Look = ProtocolName | "opaque" | "silent" | "more" | "ended" | "broken" | "starved";

/** What a client's first bytes say that it speaks. The one mechanism that tells protocols apart before anything is parsed. */
export class FirstBytes {
  readonly #loop: Loop;
  readonly #fd: Fd;
  readonly #among: Protocols;
  /** When those that have come by then must do; known with the first of them. */
  #limitMs = Infinity;
  /** The one that a TLS client gives; else empty. */
  serverName = "";

  constructor(loop: Loop, fd: Fd, among: Protocols) {
    this.#loop = loop;
    this.#fd = fd;
    this.#among = among;
  }

  look(): Look {
    const { buffers } = this.#loop;
    const offset = buffers.take();
    if (offset === NO_BUFFER) return "starved";
    const look = this.#lookInto(offset);
    buffers.give(offset);
    return look;
  }

  #lookInto(offset: number): Look {
    const { io, arena } = this.#loop;
    const count = io.peek(this.#fd, offset, BUFFER_BYTES);
    if (count === BROKEN) return "broken";
    if (count === END) return "ended";
    if (count === AGAIN && this.#limitMs === Infinity) return "silent";
    this.#limitMs = Math.min(this.#limitMs, io.nowMs + DETECTION_MS);
    const end = offset + Math.max(0, count);
    const isAll = io.nowMs >= this.#limitMs || count === BUFFER_BYTES;
    const detected = detectProtocol(arena, offset, end, isAll, this.#among);
    if (detected === "undecided") return "more";
    if (detected === "tls") this.serverName = serverNameOf(arena, offset, end);
    return detected;
  }
}

/** What is asked of a client. */
export interface Question {
  /** Which protocols are told apart. */
  readonly among: Protocols;
  /** How long it may be silent. */
  readonly silenceMs: number;
}

export type Detected = Exclude<Look, "more" | "broken" | "starved">;

/**
 * What became known: the protocol, and the server name where a TLS client gives one. The connection is its to hand over or
 * to close; `Detecting` has let go of it.
 */
type OnDetected = (detected: Detected, serverName: string) => void;

export class Detecting extends Socket {
  readonly kind = "client";
  readonly #peer: string;
  readonly #question: Question;
  readonly #onDetected: OnDetected;
  readonly #first: FirstBytes;
  /** Looks again for more bytes, where some have come. */
  readonly #again = new Timer(() => this.#look(), this);
  /** The client has been silent for as long as it may be. */
  readonly #silence = new Timer(() => this.#finish("silent"), this);

  /** @param client `security` is what TLS is put on it with; null: it is plain */
  constructor(
    loop: Loop,
    client: { readonly fd: Fd; readonly peer: string; readonly security: TlsContext | null },
    question: Question,
    onDetected: OnDetected,
  ) {
    super(loop);
    this.fd = client.fd;
    this.#peer = client.peer;
    this.#question = question;
    this.#onDetected = onDetected;
    this.#first = new FirstBytes(loop, client.fd, question.among);
    if (client.security === null) this.#startWaiting();
  }

  override onReadable(): void {
    this.#look();
  }

  override onWritable(): void {}

  /** Silent for long, it is a client at rest. Others are told once it is known what they would understand. */
  onDraining(): void {
    const { timers } = this.loop;
    if (!this.#silence.isRunning || this.#question.silenceMs <= DRAIN_IDLE_MS) return;
    timers.start(this.#silence, DRAIN_IDLE_MS);
  }

  override onSecured(info: TlsInfo): void {
    super.onSecured(info);
    if (isMeshAlpn(info.alpn)) {
      return this.#finish(info.alpn === MESH_ALPN[""] ? "opaque" : "http1");
    }
    // What the handshake took was not the client's silence, and has a limit of its own.
    this.#startWaiting();
  }

  override onHangup(failure?: TlsFailure): void {
    if (failure !== undefined) this.loop.events.tlsFailed(failure, this.#peer);
    this.close();
  }

  override onDeadline(): void {}

  override abort(): void {
    this.close();
  }

  override close(): void {
    this.#stopTimers();
    super.close();
  }

  #startWaiting(): void {
    this.loop.timers.start(this.#silence, this.#question.silenceMs);
  }

  #stopTimers(): void {
    const { timers } = this.loop;
    timers.stop(this.#silence);
    timers.stop(this.#again);
  }

  #look(): void {
    const { timers } = this.loop;
    const look = this.#first.look();
    switch (look) {
      case "silent":
        return;
      case "broken":
        return this.close();
      case "more":
        timers.stop(this.#silence);
        return this.#lookAgain();
      case "starved":
        return this.#lookAgain();
      default:
        return this.#finish(look);
    }
  }

  /** What has come stays to be read, and would be told of again and again. */
  #lookAgain(): void {
    const { io, timers } = this.loop;
    io.wantRead(this.fd, false);
    timers.start(this.#again, LOOK_INTERVAL_MS);
  }

  #finish(detected: Detected): void {
    this.#stopTimers();
    this.letGo();
    try {
      this.#onDetected(detected, this.#first.serverName);
    } catch (error) {
      // No other has taken it over, and its events would come for ever.
      this.loop.io.reset(this.fd);
      throw error;
    }
  }
}
