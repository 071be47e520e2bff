/** When garbage is collected: once after the start, and then while nothing waits, where the heap has grown, and not again soon. */
import { IDLE_HEAP_GROWTH_BYTES, IDLE_MEMORY_MS } from "./limits.ts";

export class IdleCollection {
  readonly #collect: () => void;
  readonly #heapBytes: () => number;
  /** As the last collection left it; infinite: there was none. */
  #leftBytes = Infinity;
  #notBeforeMs = 0;

  constructor(collect: () => void, heapBytes = () => Deno.memoryUsage().heapUsed) {
    this.#collect = collect;
    this.#heapBytes = heapBytes;
  }

  /** Nothing waits now. */
  offer(nowMs: number): void {
    const isDue = nowMs >= this.#notBeforeMs &&
      this.#heapBytes() - this.#leftBytes >= IDLE_HEAP_GROWTH_BYTES;
    if (!isDue) return;
    this.collect();
    this.#notBeforeMs = nowMs + IDLE_MEMORY_MS;
  }

  collect(): void {
    this.#collect();
    this.#leftBytes = this.#heapBytes();
  }
}
