/** The garbage of the start, which V8 by itself would keep. */
interface CollectorOptions {
  readonly type: "major";
  readonly execution: "sync";
  readonly flavor: "last-resort";
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
