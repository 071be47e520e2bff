/** Garbage that V8 by itself would keep. */
interface CollectorOptions {
  readonly type: "major";
  readonly execution: "sync";
  /** `last-resort` collects until nothing more comes of it. */
  readonly flavor: "regular" | "last-resort";
}

/** V8's collector, where a flag exposes it: in the executable. */
type Collector = (options: CollectorOptions) => void;

/**
 * Collects all garbage: V8 by itself keeps the start's until the heap has to grow: 3 MB of a sidecar, 50 MB of a controller that has read
 * 10,000 pods.
 * @param heapBytesMax a larger heap is left as it is, where something waits meanwhile
 */
export function collectStartGarbage(
  heapBytesMax: number,
  collect = (globalThis as { readonly gc?: Collector }).gc,
  heapBytes = Deno.memoryUsage().heapUsed,
): void {
  if (collect === undefined || heapBytes > heapBytesMax) return;
  collect({ type: "major", execution: "sync", flavor: "last-resort" });
}

/** V8 lets a heap become several times what is alive in it. This one collects where it has grown by so much since it was collected last. */
export class GrowthCollector {
  readonly #growth: number;
  readonly #heapBytesMax: number;
  readonly #collect: Collector | undefined;
  readonly #heapBytes: () => number;
  /** After the last collection. */
  #keptBytes = Infinity;

  /**
   * @param growth of what was kept, 1.5 for half as much again
   * @param heapBytesMax a larger heap is V8's own business, where something waits meanwhile
   */
  constructor(
    { growth, heapBytesMax }: { readonly growth: number; readonly heapBytesMax: number },
    collect = (globalThis as { readonly gc?: Collector }).gc,
    heapBytes = () => Deno.memoryUsage().heapUsed,
  ) {
    this.#growth = growth;
    this.#heapBytesMax = heapBytesMax;
    this.#collect = collect;
    this.#heapBytes = heapBytes;
  }

  look(): void {
    const bytes = this.#heapBytes();
    this.#keptBytes = Math.min(this.#keptBytes, bytes);
    if (this.#collect === undefined || bytes > this.#heapBytesMax) return;
    if (bytes < this.#keptBytes * this.#growth) return;
    this.#collect({ type: "major", execution: "sync", flavor: "regular" });
    this.#keptBytes = this.#heapBytes();
  }
}
