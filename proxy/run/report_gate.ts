/**
 * ReportGate: how many reports (records, spans) of one event loop are on their way to the thread that takes them. A loop makes
 * them faster than they can be written down; what is on its way must not grow without end. Both sides share one number.
 */
import { REPORTS_WAITING_MAX } from "../limits.ts";

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
