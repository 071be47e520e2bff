/**
 * What the thread that is asked (admin, CLI) and the threads that serve say to each other. Commands go down a
 * pipe, because an event loop that waits in the kernel sees no messages; replies come back as messages.
 */
import type { CallExplanation, Explanation } from "../../routing/table/explanation.ts";
import type { LogEvent, ProxyConfig, ProxyTls } from "../config.ts";
import type { ExplainQuery } from "./explain_query.ts";
import type { LoopSnapshot } from "../observe/exposition.ts";
import type { TapDemand } from "../observe/tap.ts";
import type { FinishedSpan, RequestRecord } from "../observe/request_record.ts";

/** The first message to a worker. */
export interface WorkerStart {
  readonly config: ProxyConfig;
  /** An encoded plan. */
  readonly plan: string;
  /** Where commands are read. */
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

export type Command =
  | { readonly kind: "apply"; readonly plan: string }
  | { readonly kind: "certificates"; readonly tls: ProxyTls }
  | { readonly kind: "resolved"; readonly name: string; readonly addresses: readonly string[] }
  | { readonly kind: "explain"; readonly query: ExplainQuery }
  | { readonly kind: "snapshot" }
  /** Nothing is asked but an answer. */
  | { readonly kind: "ping" }
  /** Whether requests are reported for others than the configuration's log. */
  | { readonly kind: "report"; readonly demand: TapDemand }
  | { readonly kind: "discourage" }
  | { readonly kind: "drain" }
  | { readonly kind: "stop" };

/** What a command comes to. */
export interface Replies {
  apply: null;
  certificates: null;
  resolved: null;
  explain: Explanation | CallExplanation | null;
  snapshot: LoopSnapshot;
  ping: null;
  report: null;
  discourage: null;
  drain: null;
  stop: null;
}

export type WorkerMessage =
  | { readonly kind: "started"; readonly outbound: number[]; readonly inbound: number[] }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "reply"; readonly id: number; readonly value: Replies[keyof Replies] }
  | { readonly kind: "error"; readonly id: number; readonly message: string }
  | { readonly kind: "records"; readonly records: RequestRecord[] }
  | { readonly kind: "spans"; readonly spans: FinishedSpan[] }
  | { readonly kind: "log"; readonly event: LogEvent }
  /** Asks for the `resolved` of a name. */
  | { readonly kind: "lookUp"; readonly name: string };

/** A command on its way: `id` finds the reply's taker. */
export type Envelope = { readonly id: number; readonly command: Command };

/** Cuts a stream of bytes into frames: a length of 4 bytes, little-endian, then as many bytes of JSON. */
export class FrameReader {
  #bytes = new Uint8Array(4096);
  #length = 0;

  /** Takes bytes; returns the frames that they complete. */
  push(bytes: Uint8Array): unknown[] {
    this.#append(bytes);
    const frames: unknown[] = [];
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

export function encodeFrame(value: unknown): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(value));
  const frame = new Uint8Array(4 + text.length);
  new DataView(frame.buffer).setUint32(0, text.length, true);
  frame.set(text, 4);
  return frame;
}
