/**
 * Taps: streams of answered requests, for clients of the admin port. The event loops report requests only while there is a
 * tap; a reader that is too slow loses records, and is told how many.
 */
import type { RequestRecord } from "./request_record.ts";
import { TAP_RECORDS_MAX, TAPS_MAX } from "../limits.ts";
import { matchesTap } from "./tap_filter.ts";
import type { TapFilter } from "./tap_filter.ts";

/** Headers, in lower case, that records are to have. Null: no records are wanted. */
export type TapDemand = readonly string[] | null;

export class Taps {
  readonly #taps = new Set<Tap>();
  readonly #report: (demand: TapDemand) => Promise<void>;
  /** Records that readers were too slow for. */
  lost = 0;

  /** @param report has every event loop report its requests, or stop it */
  constructor(report: (demand: TapDemand) => Promise<void>) {
    this.#report = report;
  }

  /** Lines of JSON, from when this resolves on; null: there are as many taps as may be. */
  async open(filter: TapFilter): Promise<ReadableStream<Uint8Array> | null> {
    if (this.#taps.size >= TAPS_MAX) return null;
    const tap = new Tap(filter, { onEnd: () => this.#end(tap), onLost: () => this.lost++ });
    this.#taps.add(tap);
    try {
      await this.#report([...new Set([...this.#taps].flatMap(({ filter }) => filter.headers))]);
    } catch (error) {
      tap.close();
      throw error;
    }
    return tap.stream;
  }

  /** @param timeMs when the request was answered, since 1970 */
  offer(record: RequestRecord, timeMs: number): void {
    for (const tap of this.#taps) tap.offer(record, timeMs);
  }

  /** Ends every stream. */
  close(): void {
    for (const tap of this.#taps) tap.close();
  }

  #end(tap: Tap): void {
    if (!this.#taps.delete(tap) || this.#taps.size > 0) return;
    // A loop that has ended reports nothing any more.
    this.#report(null).catch(() => {});
  }
}

class Tap {
  readonly stream: ReadableStream<Uint8Array>;
  readonly filter: TapFilter;
  readonly #hooks: { onEnd(): void; onLost(): void };
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #left: number;
  #dropped = 0;

  constructor(filter: TapFilter, hooks: { onEnd(): void; onLost(): void }) {
    this.filter = filter;
    this.#hooks = hooks;
    this.#left = filter.limit;
    this.stream = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#controller = controller),
      pull: () => this.#sayDropped(),
      cancel: () => {
        this.#controller = null;
        hooks.onEnd();
      },
    }, { highWaterMark: TAP_RECORDS_MAX });
  }

  offer(record: RequestRecord, timeMs: number): void {
    const controller = this.#controller;
    if (controller === null || !matchesTap(this.filter, record)) return;
    if ((controller.desiredSize ?? 0) <= 0) {
      this.#dropped++;
      this.#hooks.onLost();
      return;
    }
    this.#sayDropped();
    this.#write({ time: new Date(timeMs).toISOString(), ...record });
    if (--this.#left === 0) this.close();
  }

  close(): void {
    const controller = this.#controller;
    if (controller === null) return;
    this.#sayDropped();
    this.#controller = null;
    controller.close();
    this.#hooks.onEnd();
  }

  #sayDropped(): void {
    if (this.#dropped === 0) return;
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.#write({ dropped });
  }

  #write(value: unknown): void {
    this.#controller?.enqueue(new TextEncoder().encode(`${JSON.stringify(value)}\n`));
  }
}
