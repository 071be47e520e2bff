/**
 * What the main thread and the thread of an event loop say to each other. Commands go down a pipe, because a loop that waits
 * in the kernel sees no messages; all that comes back is a message.
 */
import type { PlanQuestion } from "../../routing/source/messages.ts";
import type { LogEvent, ProxyConfig } from "../config.ts";
import { REPORTS_WAITING_MAX } from "../limits.ts";
import type { FinishedSpan, RequestRecord } from "../observe/request_record.ts";
import type { CommandInput, CommandKind, CommandReply } from "./commands.ts";
import type { FirstPlan } from "./engine.ts";

/** The first message to a worker. */
export interface WorkerStart {
  readonly config: ProxyConfig;
  readonly first: FirstPlan;
  /** The source of the plan can be asked. */
  readonly isAsking: boolean;
  /** Where commands are read. The loop ends when the other end is closed. */
  readonly pipe: number;
  /** What the loops share; null: this one is alone. */
  readonly shared: SharedStart | null;
  /** Of `ReportGate.allocate`. */
  readonly reports: SharedArrayBuffer;
}

/** What every loop of a proxy is given, to share state by. */
export interface SharedStart {
  /** Of `Slots.allocate`. */
  readonly memory: SharedArrayBuffer;
  /** When the clock that all agree on began: `performance.timeOrigin` of one thread. */
  readonly clockOriginMs: number;
}

/** A command on its way down the pipe; the answer has the same id. */
export interface CommandFrame<Kind extends CommandKind = CommandKind> {
  readonly id: number;
  readonly kind: Kind;
  readonly given: CommandInput<Kind>;
}

export type WorkerMessage =
  | { readonly kind: "started"; readonly outbound: number[]; readonly inbound: number[] }
  /** The loop cannot begin, or go on. `name` is that of the error. */
  | { readonly kind: "failed"; readonly name: string; readonly message: string }
  /** The last one. */
  | { readonly kind: "ended" }
  | { readonly kind: "answer"; readonly id: number; readonly value: CommandReply<CommandKind> }
  | { readonly kind: "refusal"; readonly id: number; readonly message: string }
  | { readonly kind: "records"; readonly records: RequestRecord[] }
  | { readonly kind: "accessLines"; readonly lines: Uint8Array; readonly count: number }
  | { readonly kind: "spans"; readonly spans: FinishedSpan[] }
  | { readonly kind: "log"; readonly event: LogEvent }
  /** Asks for the `resolved` of a name. */
  | { readonly kind: "lookUp"; readonly name: string }
  /** Asks for an `update` with the answer. */
  | { readonly kind: "ask"; readonly question: PlanQuestion };

/** Cuts a stream of bytes into frames: a length of 4 bytes, little-endian, then as many bytes of JSON. */
export class CommandReader {
  #bytes = new Uint8Array(4096);
  #length = 0;

  /** Takes bytes; returns the frames that they complete. */
  push(bytes: Uint8Array): CommandFrame[] {
    this.#append(bytes);
    const frames: CommandFrame[] = [];
    let at = 0;
    while (this.#length - at >= 4) {
      const size = new DataView(this.#bytes.buffer).getUint32(at, true);
      if (this.#length - at - 4 < size) break;
      const text = new TextDecoder().decode(this.#bytes.subarray(at + 4, at + 4 + size));
      frames.push(JSON.parse(text));
      at += 4 + size;
    }
    this.#bytes.copyWithin(0, at, this.#length);
    this.#length -= at;
    return frames;
  }

  #append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = needed;
  }
}

export function encodeCommand(frame: CommandFrame): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(frame));
  const bytes = new Uint8Array(4 + text.length);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  return bytes;
}

/**
 * ReportGate: how many reports (records, spans) of one event loop are on their way to the thread that takes them. A loop makes
 * them faster than they can be written down; what is on its way must not grow without end. Both sides share one number.
 */
export class ReportGate {
  readonly #waiting: Int32Array<SharedArrayBuffer>;

  /** @param memory of `ReportGate.allocate`, the same on both sides */
  constructor(memory: SharedArrayBuffer) {
    this.#waiting = new Int32Array(memory);
  }

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(4);
  }

  /** The loop's side: whether `count` more may be sent. They count as on their way from now on. */
  enter(count: number): boolean {
    if (Atomics.load(this.#waiting, 0) >= REPORTS_WAITING_MAX) return false;
    Atomics.add(this.#waiting, 0, count);
    return true;
  }

  /** The other side: so many have been taken. */
  leave(count: number): void {
    Atomics.sub(this.#waiting, 0, count);
  }
}
