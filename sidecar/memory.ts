/** What the process has used and does not need any more goes back to the system. */
import { openMemoryTrim } from "../proxy/io/libc.ts";
import { collectStartGarbage } from "../base/start_garbage.ts";
import { MEMORY_TRIM_MS, START_HEAP_BYTES_MAX, START_MEMORY_MS } from "./limits.ts";

/**
 * Gives back what starting used, once, and then what the allocator keeps, from time to time: V8 compiles on threads of its own, whose
 * memory the C library keeps for them, some 12 MB after the first requests. Returns what ends that.
 *
 * @param usesLibc there is a C library that may be asked
 */
export function giveBackMemory(usesLibc: boolean): () => void {
  const trim = usesLibc ? openMemoryTrim() : null;
  const start = setTimeout(() => {
    collectStartGarbage(START_HEAP_BYTES_MAX);
    trim?.();
  }, START_MEMORY_MS);
  const interval = trim === null ? undefined : setInterval(trim, MEMORY_TRIM_MS);
  return () => {
    clearTimeout(start);
    clearInterval(interval);
  };
}
