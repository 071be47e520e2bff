/**
 * Timers: what is to happen at a given moment, to the millisecond, where the sweep over all deadlines is too coarse. A heap, so
 * that setting and stopping a timer cost the logarithm of their number. A timer is its owner's, and is used again and again.
 */
import type { Io } from "../io/io.ts";

/** What a defect of Weft costs, where one shows in what is done for it. */
export interface Victim {
  /** Ends it, and what it carries. */
  abort(): void;
}

export class Timer {
  atMs = Infinity;
  /** Place in the heap; -1: it is not running. */
  place = -1;
  readonly ring: () => void;
  readonly victim: Victim;

  /** @param victim whose time it keeps */
  constructor(ring: () => void, victim: Victim) {
    this.ring = ring;
    this.victim = victim;
  }

  get isRunning(): boolean {
    return this.place >= 0;
  }
}

export class Timers {
  readonly #io: Pick<Io, "nowMs" | "wakeBy">;
  readonly #heap: Timer[] = [];
  /** A defect has shown in what was done for `victim`: ends that, and nothing else. */
  readonly contain: (error: unknown, victim: Victim) => void;

  constructor(
    io: Pick<Io, "nowMs" | "wakeBy">,
    contain: (error: unknown, victim: Victim) => void,
  ) {
    this.#io = io;
    this.contain = contain;
  }

  get count(): number {
    return this.#heap.length;
  }

  /** Has `timer` ring after `delayMs`, and at no other moment. */
  start(timer: Timer, delayMs: number): void {
    this.stop(timer);
    timer.atMs = this.#io.nowMs + delayMs;
    this.#heap.push(timer);
    this.#rise(timer, this.#heap.length - 1);
    if (this.#heap[0] === timer) this.#io.wakeBy(timer.atMs);
  }

  stop(timer: Timer): void {
    const { place } = timer;
    if (place < 0) return;
    timer.place = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === timer) return;
    this.#sink(last, place);
    this.#rise(last, last.place);
  }

  /** Rings what is due. A timer may start itself again, or any other; those are for a later call. */
  ring(): void {
    const { nowMs } = this.#io;
    for (let rest = this.#heap.length; rest > 0; rest--) {
      const timer = this.#heap[0];
      if (timer === undefined || timer.atMs > nowMs) break;
      this.stop(timer);
      try {
        timer.ring();
      } catch (error) {
        this.contain(error, timer.victim);
      }
    }
    if (this.#heap.length > 0) this.#io.wakeBy(this.#heap[0].atMs);
  }

  #rise(timer: Timer, place: number): void {
    const heap = this.#heap;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (heap[parent].atMs <= timer.atMs) break;
      heap[place] = heap[parent];
      heap[place].place = place;
      place = parent;
    }
    heap[place] = timer;
    timer.place = place;
  }

  #sink(timer: Timer, place: number): void {
    const heap = this.#heap;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1].atMs < heap[child].atMs) child++;
      if (heap[child].atMs >= timer.atMs) break;
      heap[place] = heap[child];
      heap[place].place = place;
      place = child;
    }
    heap[place] = timer;
    timer.place = place;
  }
}
