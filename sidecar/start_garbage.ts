/** The garbage of the start, which V8 by itself would keep. */
import { START_HEAP_BYTES_MAX } from "./limits.ts";

interface CollectorOptions {
  readonly type: "major";
  readonly execution: "sync";
  readonly flavor: "last-resort";
}

/** V8's collector, where a flag exposes it: in the executable. */
type Collector = (options: CollectorOptions) => void;

/**
 * Collects all garbage: V8 by itself keeps some 3 MB of the start's until the heap has to grow. Nothing is served meanwhile, so a heap
 * that takes long to go through is left as it is.
 */
export function collectStartGarbage(
  collect = (globalThis as { readonly gc?: Collector }).gc,
  heapBytes = Deno.memoryUsage().heapUsed,
): void {
  if (collect === undefined || heapBytes > START_HEAP_BYTES_MAX) return;
  collect({ type: "major", execution: "sync", flavor: "last-resort" });
}
